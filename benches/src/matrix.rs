//! A matrix of speeds, a row a step of five minutes and a column a sensor, and which sensor is downstream of which.
//!
//! The form in which METR-LA and PEMS-BAY are passed on: a header of sensor ids, perhaps a first column of times, 0 where nothing
//! was measured; beside it distances (`from,to,metres`), or a square matrix of weights.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use model::Timestamp;

use crate::corridor::{Corridor, STEP_MS};

pub(crate) struct Matrix {
    /// End of each step, local time, and the speeds then; NaN = missing.
    pub(crate) steps: Vec<(Timestamp, Vec<f32>)>,
    /// From, to the one downstream, weight.
    pub(crate) edges: Vec<(u32, u32, f32)>,
    /// By sensor: how much of what lies beyond it counts beside itself in a mean over distance.
    pub(crate) beyond: Box<[f32]>,
}

/// Where the file tells no times: the first of METR-LA.
const FIRST: &str = "2012-03-01T00:00:00Z";

/// Distance over which what lies downstream counts e-fold less, m.
const REACH_M: f64 = 2000.0;

impl Matrix {
    /// Reads a matrix and its adjacency.
    pub(crate) fn read(speeds: &Path, adjacency: &Path) -> Result<Self> {
        let text = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
        };
        Self::parse(&text(speeds)?, &text(adjacency)?)
    }

    /// Reads the texts of the two files.
    pub(crate) fn parse(speeds: &str, adjacency: &str) -> Result<Self> {
        let mut reader = csv::Reader::from_reader(speeds.as_bytes());
        let header = reader.headers()?.clone();
        let records: Vec<csv::StringRecord> = reader.into_records().collect::<Result<_, _>>()?;
        let timed =
            records.first().is_some_and(|row| row.get(0).is_some_and(|cell| cell.contains([':', '-'])));
        let first = usize::from(timed);
        let ids: Vec<&str> = header.iter().skip(first).collect();
        let begin = Timestamp::parse(FIRST)?;
        let mut steps = Vec::new();
        for (row, record) in (0..).zip(&records) {
            let start = match record.get(0).filter(|_| timed) {
                Some(cell) => time(cell)?,
                None => begin.plus_millis(row * STEP_MS),
            };
            let values: Vec<f32> = record.iter().skip(first).map(speed).collect::<Result<_>>()?;
            ensure!(
                values.len() == ids.len(),
                "row {row} has {} speeds, the header {}",
                values.len(),
                ids.len()
            );
            steps.push((start.plus_millis(STEP_MS), values));
        }
        ensure!(!steps.is_empty(), "the matrix has no rows");
        let (edges, beyond) = edges(adjacency, &ids)?;
        Ok(Self { steps, edges, beyond })
    }

    /// Returns a corridor as a matrix: each station follows the one before.
    pub(crate) fn of_corridor(corridor: &Corridor) -> Self {
        let speeds = |seen: &[crate::corridor::Seen]| seen.iter().map(|seen| seen.speed_kmh as f32).collect();
        let count = corridor.stations.len() as u32;
        let metres = corridor.stations.windows(2).map(|pair| 1000.0 * (pair[1].x_km - pair[0].x_km));
        let beyond = metres.map(beyond).chain([1.0]).collect();
        Self {
            steps: corridor.steps.iter().map(|step| (step.at, speeds(&step.seen))).collect(),
            edges: (1..count).map(|place| (place - 1, place, 1.0)).collect(),
            beyond,
        }
    }
}

fn beyond(metres: f64) -> f32 {
    (-metres / REACH_M).exp() as f32
}

/// Reads `2012-03-01 00:00:00` and RFC 3339 alike.
fn time(cell: &str) -> Result<Timestamp> {
    let text = cell.trim().replacen(' ', "T", 1);
    let text = if text.ends_with('Z') { text } else { format!("{text}Z") };
    Timestamp::parse(&text).with_context(|| format!("{cell:?} is no time"))
}

fn speed(cell: &str) -> Result<f32> {
    let cell = cell.trim();
    let value: f32 =
        if cell.is_empty() { 0.0 } else { cell.parse().with_context(|| format!("speed {cell:?}"))? };
    Ok(if value > 0.0 { value } else { f32::NAN })
}

type Edges = (Vec<(u32, u32, f32)>, Box<[f32]>);

fn edges(adjacency: &str, ids: &[&str]) -> Result<Edges> {
    let reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(adjacency.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.into_records().collect::<Result<_, _>>()?;
    let listed = rows.first().is_some_and(|row| row.get(0) == Some("from"));
    let number =
        |cell: &str| cell.trim().parse::<f64>().with_context(|| format!("adjacency: {cell:?} is no number"));
    if listed {
        return listed_edges(rows.iter().skip(1), ids, number);
    }
    ensure!(rows.len() == ids.len(), "the adjacency has {} rows for {} sensors", rows.len(), ids.len());
    let mut edges = Vec::new();
    for (from, row) in (0..).zip(&rows) {
        for (to, cell) in (0..).zip(row) {
            let weight = number(cell)?;
            if from != to && weight > 0.0 {
                edges.push((from, to, weight as f32));
            }
        }
    }
    // How far they are apart is not told: a kilometre, as usual on urban freeways.
    Ok((edges, vec![beyond(1000.0); ids.len()].into()))
}

/// Distances: the nearer, the more. A sensor looks at those that no other on the list is much nearer than.
fn listed_edges<'a>(
    rows: impl Iterator<Item = &'a csv::StringRecord>,
    ids: &[&str],
    number: impl Fn(&str) -> Result<f64>,
) -> Result<Edges> {
    let place = |id: Option<&str>| ids.iter().position(|known| Some(*known) == id);
    let mut nearest = vec![f64::INFINITY; ids.len()];
    let mut pairs = Vec::new();
    for row in rows {
        let (Some(from), Some(to)) = (place(row.get(0)), place(row.get(1))) else { continue };
        let metres = number(row.get(2).unwrap_or_default())?;
        if from != to {
            nearest[from] = nearest[from].min(metres);
            pairs.push((from, to, metres));
        }
    }
    let near = pairs.iter().filter(|(from, _, metres)| *metres <= 1.5 * nearest[*from].max(300.0));
    let edges = near.map(|(from, to, metres)| (*from as u32, *to as u32, beyond(*metres))).collect();
    let beyond =
        nearest.iter().map(|metres| beyond(if metres.is_finite() { *metres } else { 0.0 })).collect();
    Ok((edges, beyond))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_missing_and_times_may_stand_in_the_first_column() {
        let speeds = "time,a,b\n2012-03-01 00:05:00,60.5,0\n2012-03-01 00:10:00,59,58\n";
        let matrix = Matrix::parse(speeds, "from,to,cost\na,b,800\na,a,0\nx,b,3\n").unwrap();
        assert_eq!(matrix.steps[0].0.to_string(), "2012-03-01T00:10:00.000Z");
        assert!(matrix.steps[0].1[1].is_nan() && matrix.steps[1].1 == [59.0, 58.0]);
        assert_eq!(matrix.edges, [(0, 1, beyond(800.0))]);
    }

    #[test]
    fn a_square_of_weights_is_read_in_the_order_of_the_sensors() {
        let matrix = Matrix::parse("a,b\n60,61\n", "1,0.4\n0,1\n").unwrap();
        assert_eq!(matrix.edges, [(0, 1, 0.4)]);
        assert!(Matrix::parse("a,b\n60,61\n", "1,0.4\n").is_err());
    }
}
