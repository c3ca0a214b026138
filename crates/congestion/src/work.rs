//! Which links the graph stage has to look at again.
//!
//! What a link is believed to be follows from its own estimate, its neighbours, and what is typical; what is told of it follows from
//! that. Where none of these has changed, doing it again would give the same, so it is left out: a boundary's work grows with what
//! changed. Nothing of this is part of a checkpoint: who begins anew looks at everything once, and finds it as it was.

use model::Timestamp;

use crate::own::Own;
use crate::set::Set;
use crate::site::Site;
use crate::turns::Next;

/// By link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    /// To be estimated again.
    estimate: Set,
    /// To be told again.
    tell: Set,
    /// Log time at which what is told changes by itself, ms.
    tell_at: Vec<i64>,
    /// Newest reading, event time, ms; `i64::MIN` where none counts.
    newest_at: Vec<i64>,
    /// Those that a counting sensor is under, so that their neighbours say nothing of them.
    counts: Set,
    /// Those that this process watches.
    owned: Set,
    /// Whether its own sensors said anything in the last lateness.
    heard: Vec<bool>,
    /// Whether it is a few turns from one that is heard.
    near: Vec<bool>,
    /// Probability that it is congested.
    pub(crate) congested: Vec<f64>,
}

impl Work {
    /// Begins a boundary; everything is to be looked at where nothing was before.
    pub(crate) fn begin(&mut self, own: &[Own], sites: &[Site]) {
        let links = own.len();
        if self.congested.len() == links {
            return;
        }
        *self = Self {
            estimate: Set::all(links),
            tell: Set::all(links),
            tell_at: vec![i64::MAX; links],
            newest_at: own.iter().map(|own| own.newest_at).collect(),
            counts: (0..links).filter(|link| own[*link].counts()).collect(),
            owned: (0..links).filter(|link| sites[*link].owned).collect(),
            heard: vec![false; links],
            near: Vec::new(),
            congested: vec![0.0; links],
        };
    }

    /// Notes that a link's own estimate is another.
    pub(crate) fn changed(&mut self, link: usize, own: &Own) {
        self.newest_at[link] = own.newest_at;
        if own.counts() {
            self.counts.add(link);
        } else {
            self.counts.remove(link);
        }
        self.again(link);
    }

    /// Notes when a link was last heard of.
    pub(crate) fn heard_of(&mut self, link: usize, newest_at: i64) {
        self.newest_at[link] = newest_at;
    }

    /// Notes that a link is to be estimated and told again.
    pub(crate) fn again(&mut self, link: usize) {
        self.estimate.add(link);
        self.tell.add(link);
    }

    /// Notes that all are.
    pub(crate) fn all_again(&mut self) {
        self.estimate = Set::all(self.congested.len());
        self.tell_all();
    }

    /// Notes that all are to be told again.
    pub(crate) fn tell_all(&mut self) {
        self.tell = Set::all(self.congested.len());
    }

    /// Notes that what is believed of a link is another.
    pub(crate) fn believed(&mut self, link: usize) {
        self.tell.add(link);
    }

    /// Notes that it is another by so much that those around it are to be estimated again.
    pub(crate) fn seen_from(&mut self, around: &[Next]) {
        let silent = around.iter().map(|next| next.link.index()).filter(|next| !self.counts.holds(*next));
        silent.for_each(|next| self.estimate.add(next));
    }

    /// Tells whether a counting sensor is under a link.
    pub(crate) fn counts(&self, link: usize) -> bool {
        self.counts.holds(link)
    }

    /// Returns the links that this process watches.
    pub(crate) fn owned(&self) -> &Set {
        &self.owned
    }

    /// Tells whether anything was heard of a link that still counts.
    pub(crate) fn was_heard(&self, link: usize) -> bool {
        self.newest_at[link] > i64::MIN
    }

    /// Returns the first link from that one on that is to be estimated again.
    pub(crate) fn due_from(&self, link: usize) -> Option<usize> {
        self.estimate.first_from(link)
    }

    /// Notes that it was.
    pub(crate) fn done(&mut self, link: usize) {
        self.estimate.remove(link);
    }

    /// Returns the links that are to be told again, in their order, and takes it that they are.
    pub(crate) fn take_telling(&mut self, at: Timestamp) -> Vec<u32> {
        for (link, tell_at) in self.tell_at.iter().enumerate() {
            if at.as_millis() >= *tell_at {
                self.tell.add(link);
            }
        }
        let mut telling = Vec::new();
        self.tell.take_each(|link| telling.push(link as u32));
        telling.iter().for_each(|link| self.tell_at[*link as usize] = i64::MAX);
        telling
    }

    /// Notes when what is told of a link will change by itself.
    pub(crate) fn tell_again_at(&mut self, link: usize, at_ms: i64) {
        self.tell_at[link] = at_ms;
    }

    /// Whether each link's own sensors said anything in the last lateness.
    pub(crate) fn heard(&self) -> &[bool] {
        &self.heard
    }

    /// Finds which links evidence reaches; those of which that has changed are to be looked at again.
    ///
    /// `near`: tells which links are a few turns from those that are heard; `reached`: as it was, and as it is then.
    pub(crate) fn reach(
        &mut self,
        at: Timestamp,
        ages_ms: Ages,
        near: impl FnOnce(&[bool]) -> Vec<bool>,
        reached: &mut Vec<bool>,
    ) {
        let now = at.as_millis();
        let within = |newest_at: i64, age_ms: i64| newest_at > i64::MIN && now - newest_at <= age_ms;
        let mut moved = self.near.is_empty();
        for (heard, newest_at) in self.heard.iter_mut().zip(&self.newest_at) {
            let is_heard = within(*newest_at, ages_ms.heard);
            moved |= std::mem::replace(heard, is_heard) != is_heard;
        }
        if moved {
            self.near = near(&self.heard);
        }
        reached.resize(self.near.len(), false);
        // What a link said itself fades for longer than it is news to others; but not where all have fallen silent.
        let any = self.heard.contains(&true);
        for (link, reached) in reached.iter_mut().enumerate() {
            let is_reached = self.near[link] || any && within(self.newest_at[link], ages_ms.faded);
            if std::mem::replace(reached, is_reached) != is_reached {
                self.again(link);
            }
        }
    }
}

/// How long a reading counts, ms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    /// As news to others.
    pub(crate) heard: i64,
    /// As a word of its own link.
    pub(crate) faded: i64,
}
