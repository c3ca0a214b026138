//! Rows of figures, and how one is taken.

use std::fmt;
use std::time::Instant;

/// Runs of which the median is kept.
const RUNS: usize = 5;

/// One figure and its floor.
struct Row {
    what: String,
    figure: String,
    floor: String,
    ratio: String,
    bar: String,
}

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a time, its floor (named) and the bar that is aimed at.
    pub(crate) fn time(&mut self, what: &str, seconds: f64, floor: Option<(&str, f64)>, bar: &str) {
        self.rows.push(Row {
            what: what.to_owned(),
            figure: duration(seconds),
            floor: floor.map_or("-".to_owned(), |(name, floor)| format!("{} ({name})", duration(floor))),
            ratio: floor.map_or("-".to_owned(), |(_, floor)| format!("{:.1} x", seconds / floor)),
            bar: bar.to_owned(),
        });
    }

    /// Adds any other figure.
    pub(crate) fn figure(&mut self, what: &str, figure: String, bar: &str) {
        let (floor, ratio) = ("-".to_owned(), "-".to_owned());
        self.rows.push(Row { what: what.to_owned(), figure, floor, ratio, bar: bar.to_owned() });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | measured | floor, same run | ratio | bar |\n|---|---|---|---|---|")?;
        for Row { what, figure, floor, ratio, bar } in &self.rows {
            writeln!(f, "| {what} | {figure} | {floor} | {ratio} | {bar} |")?;
        }
        Ok(())
    }
}

/// Returns the median of several runs, in seconds for one of `n` repetitions.
pub(crate) fn median_of(n: usize, mut run: impl FnMut()) -> f64 {
    let runs = (0..RUNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() / n as f64
    });
    median(runs.collect())
}

pub(crate) fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

/// Returns how long this thread has run on a processor, s.
pub(crate) fn cpu_s() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9
}

/// Three digits and the unit that fits.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-6 => format!("{:.0} ns", s * 1e9),
        s if s < 1e-3 => format!("{:.2} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}
