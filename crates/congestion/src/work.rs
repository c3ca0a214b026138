//! Which links the graph stage has to look at again.
//!
//! What a link is believed to be follows from its own estimate, its neighbours, and what is typical; what is told of it follows from
//! that. Where none of these has changed, doing it again would give the same, so it is left out: a boundary's work grows with what
//! changed. Nothing of this is part of a checkpoint: who begins anew looks at everything once, and finds it as it was.

use model::Timestamp;
use roadnet::{LinkIndex, Network};

/// By link.
#[derive(Clone, Debug, Default)]
pub(crate) struct Work {
    /// To be estimated again.
    estimate: Vec<bool>,
    /// To be told again.
    tell: Vec<bool>,
    /// Log time at which what is told changes by itself, ms.
    tell_at: Vec<i64>,
    /// Newest reading, event time, ms; `i64::MIN` where none counts.
    newest_at: Vec<i64>,
    /// Whether its own sensors said anything in the last lateness.
    heard: Vec<bool>,
    /// Whether it is a few turns from one that is heard.
    near: Vec<bool>,
    /// Probability that it is congested.
    pub(crate) congested: Vec<f64>,
}

impl Work {
    /// Begins a boundary; everything is to be looked at where nothing was before. Yields the newest readings then.
    pub(crate) fn begin(&mut self, links: usize, newest_at: impl Fn(usize) -> i64) {
        if self.estimate.len() == links {
            return;
        }
        *self = Self {
            estimate: vec![true; links],
            tell: vec![true; links],
            tell_at: vec![i64::MAX; links],
            newest_at: (0..links).map(newest_at).collect(),
            heard: vec![false; links],
            near: Vec::new(),
            congested: vec![0.0; links],
        };
    }

    /// Notes that a link's own estimate is another.
    pub(crate) fn changed(&mut self, link: usize, newest_at: i64) {
        self.newest_at[link] = newest_at;
        self.again(link);
    }

    /// Notes when a link was last heard of.
    pub(crate) fn heard_of(&mut self, link: usize, newest_at: i64) {
        self.newest_at[link] = newest_at;
    }

    /// Notes that a link is to be estimated and told again.
    pub(crate) fn again(&mut self, link: usize) {
        (self.estimate[link], self.tell[link]) = (true, true);
    }

    /// Notes that all are.
    pub(crate) fn all_again(&mut self) {
        self.estimate.fill(true);
        self.tell_all();
    }

    /// Notes that all are to be told again.
    pub(crate) fn tell_all(&mut self) {
        self.tell.fill(true);
    }

    /// Notes that what is believed of a link is another; `seen_around`: by as much that its neighbours are to be estimated again.
    pub(crate) fn believed(&mut self, link: usize, network: &Network, seen_around: bool) {
        self.tell[link] = true;
        if seen_around {
            let link = LinkIndex(link as u32);
            let around = network.downstream(link).iter().chain(network.upstream(link));
            around.for_each(|next| self.estimate[next.index()] = true);
        }
    }

    /// Tells whether a link is to be estimated again.
    pub(crate) fn is_due(&self, link: usize) -> bool {
        self.estimate[link]
    }

    /// Notes that it was.
    pub(crate) fn done(&mut self, link: usize) {
        self.estimate[link] = false;
    }

    /// Tells whether a link is to be told again, and takes it that it is.
    pub(crate) fn take_telling(&mut self, link: usize, at: Timestamp) -> bool {
        let due = self.tell[link] || at.as_millis() >= self.tell_at[link];
        if due {
            (self.tell[link], self.tell_at[link]) = (false, i64::MAX);
        }
        due
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
