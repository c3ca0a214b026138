//! How near estimates of hidden stations are to what those saw.

use crate::corridor::Corridor;

/// What is said of one hidden station in one step.
#[derive(Clone, Copy)]
pub(super) struct Estimate {
    pub(super) speed_kmh: f64,
    /// 80 % interval, where one is given.
    pub(super) interval_kmh: Option<(f64, f64)>,
    /// Whether it is told as congested, where that is told beside the speed.
    pub(super) congested: Option<bool>,
}

/// Every third station is hidden: those whose place leaves this rest when divided by three.
#[derive(Clone, Copy)]
pub(super) struct Fold(pub(super) usize);

impl Fold {
    pub(super) const ALL: [Self; 3] = [Self(0), Self(1), Self(2)];

    pub(super) fn hides(self, place: usize) -> bool {
        place % Self::ALL.len() == self.0
    }
}

/// By step and station; `None` for those that are not hidden.
pub(super) type Estimates = Vec<Vec<Option<Estimate>>>;

/// Sums over hidden stations and steps.
#[derive(Clone, Copy, Default)]
pub(super) struct Score {
    n: f64,
    off_kmh: f64,
    slow: f64,
    slow_off_kmh: f64,
    told: Hits,
    slower_than_40: Hits,
    slower_than_60: Hits,
    intervals: f64,
    covered: f64,
}

/// Right and wrong claims.
#[derive(Clone, Copy, Default)]
struct Hits {
    both: f64,
    either: f64,
}

impl Hits {
    fn add(&mut self, claimed: bool, is: bool) {
        self.both += f64::from(u8::from(claimed && is));
        self.either += f64::from(u8::from(claimed)) + f64::from(u8::from(is));
    }

    /// 2 x both / (claimed + true).
    fn f1(&self) -> f64 {
        2.0 * self.both / self.either.max(1.0)
    }
}

impl Score {
    pub(super) fn of(corridor: &Corridor, estimates: &[Vec<Option<Estimate>>]) -> Self {
        let mut score = Self::default();
        for (step, row) in corridor.steps.iter().zip(estimates) {
            for ((seen, station), estimate) in step.seen.iter().zip(&corridor.stations).zip(row) {
                if let Some(estimate) = estimate.filter(|_| !seen.speed_kmh.is_nan()) {
                    score.add(&estimate, seen.speed_kmh, station.free_kmh);
                }
            }
        }
        score
    }

    fn add(&mut self, estimate: &Estimate, true_kmh: f64, free_kmh: f64) {
        let off_kmh = (estimate.speed_kmh - true_kmh).abs();
        self.n += 1.0;
        self.off_kmh += off_kmh;
        let slower_than = |share: f64| (estimate.speed_kmh <= share * free_kmh, true_kmh <= share * free_kmh);
        let ((says_40, is_40), (says_60, is_60)) = (slower_than(0.4), slower_than(0.6));
        self.told.add(estimate.congested.unwrap_or(says_40), is_40);
        self.slower_than_40.add(says_40, is_40);
        self.slower_than_60.add(says_60, is_60);
        if is_60 {
            self.slow += 1.0;
            self.slow_off_kmh += off_kmh;
        }
        if let Some((lo_kmh, hi_kmh)) = estimate.interval_kmh {
            self.intervals += 1.0;
            self.covered += f64::from(u8::from((lo_kmh..=hi_kmh).contains(&true_kmh)));
        }
    }

    pub(super) fn header() -> String {
        "| estimate | hidden | MAE km/h | MAE where slow (<= 60 % of free flow) | F1 congested as told (40 %) | F1 of speed <= 40 % | \
         F1 of speed <= 60 % | 80 % interval covers |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned()
    }

    /// Returns a row for each fold and one for all.
    pub(super) fn rows(name: &str, folds: &[Self]) -> String {
        let rows = folds.iter().enumerate().map(|(fold, score)| score.row(name, &format!("{fold} mod 3")));
        rows.chain([Self::all(folds).row(name, "all three")]).collect()
    }

    fn all(folds: &[Self]) -> Self {
        let hits = |a: Hits, b: Hits| Hits { both: a.both + b.both, either: a.either + b.either };
        folds.iter().fold(Self::default(), |a, b| Self {
            n: a.n + b.n,
            off_kmh: a.off_kmh + b.off_kmh,
            slow: a.slow + b.slow,
            slow_off_kmh: a.slow_off_kmh + b.slow_off_kmh,
            told: hits(a.told, b.told),
            slower_than_40: hits(a.slower_than_40, b.slower_than_40),
            slower_than_60: hits(a.slower_than_60, b.slower_than_60),
            intervals: a.intervals + b.intervals,
            covered: a.covered + b.covered,
        })
    }

    fn row(&self, name: &str, hidden: &str) -> String {
        let covered = if self.intervals > 0.0 {
            format!("{:.2}", self.covered / self.intervals)
        } else {
            "-".to_owned()
        };
        format!(
            "| {name} | {hidden} | {:.2} | {:.1} | {:.2} | {:.2} | {:.2} | {covered} |\n",
            self.off_kmh / self.n,
            self.slow_off_kmh / self.slow.max(1.0),
            self.told.f1(),
            self.slower_than_40.f1(),
            self.slower_than_60.f1(),
        )
    }
}
