//! Compares what the service said with what really happened.
//!
//! A link and minute counts when at least 30 vehicle-seconds fell into it, after a time in which the service may warm
//! up. What the service left out counts as a standing link: an answer must not get better by being withheld.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use model::Timestamp;

/// Below this a minute says little.
const LEAST_SAMPLE_S: f64 = 30.0;
/// Minutes at the beginning that do not count.
const WARM_UP_S: i64 = 600;
/// Congested: at most this share of free flow.
const CONGESTED: f64 = 0.4;
/// Level of service A to E above these shares of free flow.
const LEVELS: [(f64, char); 5] = [(0.80, 'A'), (0.67, 'B'), (0.50, 'C'), (0.40, 'D'), (0.30, 'E')];

/// A file that can't be compared.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// It can't be read.
    #[error("{}: can't be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// The comparison.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// All links, those that a device watches, the others, and then by class of road; groups without a minute left out.
    pub groups: Vec<(String, Score)>,
}

/// Sums over link-minutes.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Score {
    /// Link-minutes that count.
    pub minutes: u32,
    /// Of these, without an answer.
    pub missing: u32,
    error_kmh: f64,
    hits: u32,
    claimed: u32,
    congested: u32,
    same_level: u32,
    near_level: u32,
}

impl Score {
    /// Returns the mean absolute error of the speed, km/h.
    pub fn speed_mae_kmh(&self) -> f64 {
        self.error_kmh / f64::from(self.minutes.max(1))
    }

    /// Returns the harmonic mean of precision and recall of `congested`; absent when nothing was congested nor said to be.
    pub fn congested_f1(&self) -> Option<f64> {
        let both = self.claimed + self.congested;
        (both > 0).then(|| 2.0 * f64::from(self.hits) / f64::from(both))
    }

    /// Returns the shares of minutes with the right level of service, and with at most the next one.
    pub fn level_shares(&self) -> (f64, f64) {
        let all = f64::from(self.minutes.max(1));
        (f64::from(self.same_level) / all, f64::from(self.near_level) / all)
    }

    fn add(&mut self, truth_kmh: f64, said_kmh: Option<f64>, free_kmh: f64) {
        let said = said_kmh.unwrap_or(0.0);
        let is = |speed: f64| speed <= CONGESTED * free_kmh;
        self.minutes += 1;
        self.missing += u32::from(said_kmh.is_none());
        self.error_kmh += (said - truth_kmh).abs();
        self.congested += u32::from(is(truth_kmh));
        self.claimed += u32::from(is(said));
        self.hits += u32::from(is(truth_kmh) && is(said));
        let apart = level(truth_kmh / free_kmh).abs_diff(level(said / free_kmh));
        self.same_level += u32::from(apart == 0);
        self.near_level += u32::from(apart <= 1);
    }
}

/// Returns 0 for A to 5 for F.
fn level(share: f64) -> usize {
    LEVELS.iter().position(|&(above, _)| share > above).unwrap_or(LEVELS.len())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<14}{:>9}{:>10}{:>12}{:>8}{:>7}{:>7}",
            "links", "minutes", "missing", "MAE km/h", "F1", "LOS", "+-1"
        )?;
        for (name, score) in &self.groups {
            let f1 = score.congested_f1().map_or("-".to_owned(), |f1| format!("{f1:.2}"));
            let (same, near) = score.level_shares();
            let (minutes, missing, mae) = (score.minutes, score.missing, score.speed_mae_kmh());
            writeln!(f, "{name:<14}{minutes:>9}{missing:>10}{mae:>12.2}{f1:>8}{same:>7.2}{near:>7.2}")?;
        }
        Ok(())
    }
}

struct Road {
    class: String,
    free_kmh: f64,
    observed: bool,
}

/// Compares a CSV of link states with the folder that a run wrote its truth into.
///
/// # Errors
/// When a file can't be read or lacks a column.
pub fn score(truth: &Path, states: &Path) -> Result<Report, ScoreError> {
    let roads = roads(&truth.join("roads.csv"))?;
    let starts = starts(&truth.join("run.json"))?;
    let mut said = HashMap::new();
    Table::open(states)?.each(["at", "link_id", "speed_kmh"], |[at, link, speed]| {
        let at = Timestamp::parse(at).map_err(|error| error.to_string())?;
        said.insert((link.to_owned(), (at - starts) / 1000), speed.parse::<f64>().ok());
        Ok(())
    })?;
    let mut groups: Vec<(String, Score)> = Vec::new();
    let columns = ["t_s", "link_id", "speed_kmh", "sampled_s"];
    Table::open(&truth.join("links.csv.gz"))?.each(columns, |[t, link, speed, sampled]| {
        let (t, speed) = (t.parse::<i64>(), speed.parse::<f64>());
        let (Ok(t), Ok(speed), Ok(sampled)) = (t, speed, sampled.parse::<f64>()) else {
            return Err("not a number".to_owned());
        };
        let road = roads.get(link).ok_or_else(|| format!("link {link} is not in roads.csv"))?;
        if t > WARM_UP_S && sampled >= LEAST_SAMPLE_S {
            let answer = said.get(&(link.to_owned(), t)).copied().flatten();
            let watched = if road.observed { "observed" } else { "unobserved" };
            for name in ["all", watched, &road.class] {
                group(&mut groups, name).add(speed, answer, road.free_kmh);
            }
        }
        Ok(())
    })?;
    groups[..].sort_by_key(|(name, _)| order(name));
    Ok(Report { groups })
}

fn group<'a>(groups: &'a mut Vec<(String, Score)>, name: &str) -> &'a mut Score {
    let place = groups.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        groups.push((name.to_owned(), Score::default()));
        groups.len() - 1
    });
    &mut groups[place].1
}

/// All, observed, unobserved, then the classes from motorways down.
fn order(name: &str) -> usize {
    let classes = roadnet::RoadClass::ALL.map(roadnet::RoadClass::name);
    let known = ["all", "observed", "unobserved"].into_iter().chain(classes);
    known.into_iter().position(|one| one == name).unwrap_or(usize::MAX)
}

fn roads(path: &Path) -> Result<HashMap<String, Road>, ScoreError> {
    let mut roads = HashMap::new();
    let columns = ["link_id", "class", "free_flow_kmh", "observed"];
    Table::open(path)?.each(columns, |[link, class, free, observed]| {
        let free_kmh = free.parse::<f64>().map_err(|error| error.to_string())?;
        roads.insert(link.to_owned(), Road { class: class.to_owned(), free_kmh, observed: observed == "1" });
        Ok(())
    })?;
    Ok(roads)
}

fn starts(path: &Path) -> Result<Timestamp, ScoreError> {
    let read = |source| ScoreError::Read { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(read)?;
    let about: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let starts = about["starts"].as_str().and_then(|text| Timestamp::parse(text).ok());
    starts.ok_or_else(|| ScoreError::Content {
        path: path.to_owned(),
        what: "it has no time under \"starts\"".to_owned(),
    })
}

/// A CSV file of plain values, compressed or not.
struct Table {
    path: PathBuf,
    header: Vec<String>,
    lines: io::Lines<BufReader<Box<dyn Read>>>,
}

impl Table {
    fn open(path: &Path) -> Result<Self, ScoreError> {
        let failed = |source| ScoreError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let compressed = path.extension().is_some_and(|ending| ending == "gz");
        let reader: Box<dyn Read> = if compressed { Box::new(GzDecoder::new(file)) } else { Box::new(file) };
        let mut lines = BufReader::new(reader).lines();
        let first = lines.next().transpose().map_err(failed)?.unwrap_or_default();
        let header = first.trim_end().split(',').map(str::to_owned).collect();
        Ok(Self { path: path.to_owned(), header, lines })
    }

    /// Calls `f` with these columns of each line.
    fn each<const N: usize>(
        self,
        columns: [&str; N],
        mut f: impl FnMut([&str; N]) -> Result<(), String>,
    ) -> Result<(), ScoreError> {
        let Self { path, header, lines } = self;
        let content = |what| ScoreError::Content { path: path.clone(), what };
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(columns) {
            let found = header.iter().position(|name| name == column);
            *place = found.ok_or_else(|| content(format!("it has no column {column:?}")))?;
        }
        for (i, line) in lines.enumerate() {
            let line = line.map_err(|source| ScoreError::Read { path: path.clone(), source })?;
            let values: Vec<&str> = line.trim_end().split(',').collect();
            let mut chosen = [""; N];
            for (value, &place) in chosen.iter_mut().zip(&places) {
                *value = values.get(place).ok_or_else(|| {
                    content(format!("line {} has {} columns of {}", i + 2, values.len(), header.len()))
                })?;
            }
            f(chosen).map_err(|what| content(format!("line {}: {what}", i + 2)))?;
        }
        Ok(())
    }
}
