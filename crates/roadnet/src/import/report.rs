//! What an import read, left out, and guessed.

use std::fmt;

use rustc_hash::FxHashMap;

/// What an import read, left out and guessed; each list in order of first mention.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// What the file held.
    pub read: Vec<Remark>,
    /// What was left out, and why.
    pub dropped: Vec<Remark>,
    /// What was taken, but not as the file says, or not for sure.
    pub noted: Vec<Remark>,
}

/// Something that happened, how often, and where for the first time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// What.
    pub what: String,
    /// How often.
    pub count: u64,
    /// The first object that it happened to; empty where that says nothing.
    pub example: String,
}

impl ImportReport {
    pub(super) fn one_line(&self) -> String {
        let list = |remarks: &[Remark]| {
            remarks.iter().map(|r| format!("{} {}", r.count, r.what)).collect::<Vec<_>>().join(", ")
        };
        match (self.read.is_empty(), self.dropped.is_empty()) {
            (true, _) => "nothing was found in it".to_owned(),
            (false, true) => format!("read {}", list(&self.read)),
            (false, false) => format!("read {}; left out {}", list(&self.read), list(&self.dropped)),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, self.what)?;
        if self.example.is_empty() { Ok(()) } else { write!(f, " (for example {})", self.example) }
    }
}

/// Collects remarks while an importer works.
#[derive(Default)]
pub(super) struct Tally {
    remarks: Vec<Remark>,
    places: FxHashMap<String, usize>,
}

impl Tally {
    /// Counts one more.
    pub(super) fn add(&mut self, what: &str, example: impl fmt::Display) {
        if let Some(&place) = self.places.get(what) {
            self.remarks[place].count += 1;
        } else {
            self.places.insert(what.to_owned(), self.remarks.len());
            self.remarks.push(Remark { what: what.to_owned(), count: 1, example: example.to_string() });
        }
    }

    /// Says a number.
    pub(super) fn count(&mut self, what: &str, count: usize) {
        self.remarks.push(Remark { what: what.to_owned(), count: count as u64, example: String::new() });
    }

    pub(super) fn into_remarks(self) -> Vec<Remark> {
        self.remarks
    }
}

/// The three lists while an importer works.
#[derive(Default)]
pub(super) struct Tallies {
    pub(super) read: Tally,
    pub(super) dropped: Tally,
    pub(super) noted: Tally,
}

impl Tallies {
    pub(super) fn report(self) -> ImportReport {
        ImportReport {
            read: self.read.into_remarks(),
            dropped: self.dropped.into_remarks(),
            noted: self.noted.into_remarks(),
        }
    }
}
