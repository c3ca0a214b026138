//! `bench forecast --speeds F --adjacency F`, or `--data DIR` for Interstate 5: how far forecasts of the next hour are off.
//!
//! The matrix goes through the forecast code step by step, as in service: it learns from what has come true and foretells the next
//! hour. Beside it persistence (the last speed that was measured) and the mean of the same time of day on earlier days of the same
//! kind, weekday or weekend (of all earlier days where there is none). The first day is not scored: there is no mean yet.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use congestion::forecast::{Around, Expected, Forecaster, PARTS, Seen};
use model::{Source, Timestamp};

use crate::corridor::{Corridor, STEP_MS};
use crate::matrix::Matrix;

/// Horizons that are scored: their place in a forecast, steps, minutes.
const HORIZONS: [(usize, usize, u32); 3] = [(2, 3, 15), (3, 6, 30), (5, 12, 60)];

const DAY_MS: i64 = 24 * 3_600_000;

/// What is added up over sensors and steps.
#[derive(Clone, Copy, Default)]
struct Errors {
    n: f64,
    absolute: f64,
    squares: f64,
    relative: f64,
    covered: f64,
}

/// By horizon.
#[derive(Default)]
struct Scores {
    ours: [Errors; 3],
    persistence: [Errors; 3],
    mean: [Errors; 3],
}

/// What stands open: forecasts made of a step that has not come yet.
struct Open {
    horizon: usize,
    ours: [f32; 3],
    persistence: f32,
    mean: f32,
}

/// Prints the table, or that there is no data.
pub(crate) fn report(matrix: Option<(&Path, &Path)>, folder: Option<&Path>) -> Result<String> {
    let matrix = match (matrix, folder) {
        (Some((speeds, adjacency)), _) => Matrix::read(speeds, adjacency)?,
        (None, Some(folder)) => Matrix::of_corridor(&Corridor::read(folder)?),
        (None, None) => {
            return Ok("forecast: no data; name it with --speeds and --adjacency, or --data (it is not part of the project)\n"
                .to_owned());
        }
    };
    Ok(measure(&matrix).table())
}

fn measure(matrix: &Matrix) -> Scores {
    let sensors = matrix.beyond.len();
    let around = Around::new(&matrix.edges, matrix.beyond.clone());
    let free = free_speeds(matrix);
    let mut forecaster = Forecaster::new(sensors);
    let mut means = Means::default();
    let mut last = vec![f32::NAN; sensors];
    let mut open: Vec<Vec<(usize, Open)>> = (0..sensors).map(|_| Vec::new()).collect();
    let mut scores = Scores::default();
    let day = matrix.steps[0].0.plus_millis(DAY_MS);
    for (step, (at, speeds)) in matrix.steps.iter().enumerate() {
        for (sensor, &speed) in speeds.iter().enumerate() {
            open[sensor].retain(|(due, open)| {
                if *due == step && !speed.is_nan() {
                    scores.add(open, speed);
                }
                *due > step
            });
            if !speed.is_nan() {
                last[sensor] = speed;
                means.learn(*at, sensor, speed);
                let seen = Seen { share: speed / free[sensor], half: 0.0, source: Source::Observed };
                forecaster.see(sensor as u32, seen);
            }
        }
        forecaster.close(*at, 0, &around, |_| 0.92);
        // Steps that the file leaves out are due for nobody.
        let follows = |steps: usize| {
            matrix.steps.get(step + steps).filter(|(due, _)| *due - *at == steps as i64 * STEP_MS)
        };
        let mut expect = |sensor: u32, expected: Option<Expected>| {
            let sensor = sensor as usize;
            let Some(expected) = expected.filter(|_| *at >= day && !last[sensor].is_nan()) else { return };
            for (horizon, (place, steps, _)) in HORIZONS.into_iter().enumerate() {
                let Some((due, _)) = follows(steps) else { continue };
                let Some(mean) = means.of(*due, sensor) else { continue };
                let ours = expected.points[place].map(|share| share * free[sensor]);
                let persistence = last[sensor];
                open[sensor].push((step + steps, Open { horizon, ours, persistence, mean }));
            }
        };
        (0..PARTS).for_each(|part| forecaster.work(part, 0, &mut expect));
    }
    scores
}

/// Returns the speed of each sensor that counts as free flow: the 85th percentile of the first day, which is not scored.
fn free_speeds(matrix: &Matrix) -> Vec<f32> {
    let day = &matrix.steps[..matrix.steps.len().min((DAY_MS / STEP_MS) as usize)];
    let free = |sensor: usize| {
        let mut speeds: Vec<f32> = day.iter().map(|(_, row)| row[sensor]).filter(|v| !v.is_nan()).collect();
        speeds.sort_by(f32::total_cmp);
        speeds.get(speeds.len() * 85 / 100).copied().unwrap_or(100.0)
    };
    (0..matrix.beyond.len()).map(free).collect()
}

/// Means by time of day of what has been seen.
#[derive(Default)]
struct Means(BTreeMap<(usize, i64, Days), (f32, f32)>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Days {
    All,
    Working,
    Weekend,
}

impl Means {
    fn learn(&mut self, at: Timestamp, sensor: usize, speed: f32) {
        for days in [Days::All, kind(at)] {
            let (sum, n) = self.0.entry((sensor, slot(at), days)).or_default();
            (*sum, *n) = (*sum + speed, *n + 1.0);
        }
    }

    fn of(&self, at: Timestamp, sensor: usize) -> Option<f32> {
        let found = [kind(at), Days::All].into_iter().find_map(|days| self.0.get(&(sensor, slot(at), days)));
        found.map(|(sum, n)| sum / n)
    }
}

fn slot(at: Timestamp) -> i64 {
    at.as_millis().rem_euclid(DAY_MS) / STEP_MS
}

fn kind(at: Timestamp) -> Days {
    // 1970-01-01 was a Thursday; counted from Monday.
    let weekday = (at.as_millis().div_euclid(DAY_MS) + 3).rem_euclid(7);
    if weekday < 5 { Days::Working } else { Days::Weekend }
}

impl Errors {
    fn add(&mut self, expected: f32, speed: f32) {
        let off = f64::from((expected - speed).abs());
        self.n += 1.0;
        self.absolute += off;
        self.squares += off * off;
        self.relative += off / f64::from(speed);
    }

    fn mae(&self) -> f64 {
        self.absolute / self.n.max(1.0)
    }

    fn rmse(&self) -> f64 {
        (self.squares / self.n.max(1.0)).sqrt()
    }
}

impl Scores {
    fn add(&mut self, open: &Open, speed: f32) {
        let [low, middle, high] = open.ours;
        let ours = &mut self.ours[open.horizon];
        ours.add(middle, speed);
        ours.covered += f64::from(u8::from((low..=high).contains(&speed)));
        self.persistence[open.horizon].add(open.persistence, speed);
        self.mean[open.horizon].add(open.mean, speed);
    }

    fn table(&self) -> String {
        let mut table =
            "| forecast | MAE/RMSE/MAPE 15 min | 30 min | 60 min |\n|---|---|---|---|\n".to_owned();
        let rows = [("luong", &self.ours), ("persistence", &self.persistence), ("weekday mean", &self.mean)];
        for (name, errors) in rows {
            let cell = |e: &Errors| {
                format!("{:.2}/{:.2}/{:.1}", e.mae(), e.rmse(), 100.0 * e.relative / e.n.max(1.0))
            };
            table += &line(name, errors.iter().map(cell));
        }
        let gain = |other: &[Errors; 3]| {
            let gains =
                self.ours.iter().zip(other).map(|(ours, other)| 100.0 * (1.0 - ours.mae() / other.mae()));
            gains.map(|percent| format!("{percent:.0} %")).collect::<Vec<_>>()
        };
        table += &line("MAE below persistence by", gain(&self.persistence).into_iter());
        table += &line("MAE below weekday mean by", gain(&self.mean).into_iter());
        let covered = |e: &Errors| format!("{:.2}", e.covered / e.n.max(1.0));
        table += &line("80 % interval covers", self.ours.iter().map(covered));
        debug_assert!(HORIZONS.iter().all(|(_, steps, minutes)| *steps as u32 * 5 == *minutes));
        table
    }
}

fn line(name: &str, cells: impl Iterator<Item = String>) -> String {
    format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten sensors in a row for ten days: jams each morning that come from downstream, at another hour and depth each day.
    fn generated() -> Matrix {
        let mut speeds: String =
            (0..10).map(|sensor| format!("s{sensor}")).collect::<Vec<_>>().join(",") + "\n";
        for step in 0..2880_i64 {
            let (day, minute) = (step / 288, step % 288 * 5);
            let start = 420 + (day * 37) % 60;
            let row = (0..10).map(|sensor| {
                let since = (minute - start - (9 - sensor) * 8) as f64;
                let deep = 50.0 + ((day * 7) % 5) as f64 * 5.0;
                let jam = (since / 30.0).clamp(0.0, 1.0) * (1.0 - ((since - 120.0) / 40.0).clamp(0.0, 1.0));
                let noise = ((step * 31 + sensor * 17) % 13) as f64 * 0.3 - 1.8;
                format!("{:.1}", 100.0 - deep * jam + noise)
            });
            speeds += &(row.collect::<Vec<_>>().join(",") + "\n");
        }
        let adjacency: String = (1..10).map(|to| format!("s{},s{to},700\n", to - 1)).collect();
        Matrix::parse(&speeds, &format!("from,to,metres\n{adjacency}")).unwrap()
    }

    #[test]
    fn on_a_generated_road_forecasts_beat_persistence_and_for_half_an_hour_the_mean() {
        let scores = measure(&generated());
        for (place, asked) in [0.8, 0.85, 0.9].into_iter().enumerate() {
            let [ours, persistence, mean] =
                [&scores.ours, &scores.persistence, &scores.mean].map(|errors| errors[place].mae());
            assert!(ours < asked * persistence, "{place}: {ours} {persistence}");
            // An hour ahead of a jam that comes at another time each day nothing is better than the mean.
            assert!(place == 2 || ours < asked * mean, "{place}: {ours} {mean}");
            let covered = scores.ours[place].covered / scores.ours[place].n;
            assert!((0.7..0.9).contains(&covered), "{place}: {covered}");
        }
    }
}
