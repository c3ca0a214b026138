//! Which explanations are asked of a backtest, in the order of their times.

use model::{Observation, Timestamp};
use roadnet::{LinkIndex, Network};

use crate::{BadArguments, explain};

/// Those that are still to be given, the last first.
pub(super) struct Asked(Vec<(Timestamp, LinkIndex)>);

impl Asked {
    /// `at`: the time of each link, or none: then all are meant at the end.
    pub(super) fn new(
        links: &[String],
        at: &[Timestamp],
        network: &Network,
        observations: &[Observation],
    ) -> anyhow::Result<Self> {
        let ends = observations.first().zip(observations.last());
        let Some((first, last)) = ends.map(|(a, b)| (a.received_at, b.received_at)) else {
            return Ok(Self(Vec::new()));
        };
        if !at.is_empty() && at.len() != links.len() {
            let text = format!(
                "{} links are to be explained at {} times; name one time for each",
                links.len(),
                at.len()
            );
            return Err(BadArguments(text).into());
        }
        if let Some(outside) = at.iter().find(|at| !(first..=last).contains(*at)) {
            return Err(
                BadArguments(format!("{outside} is outside the observations, {first} to {last}")).into()
            );
        }
        let times = at.iter().copied().chain(std::iter::repeat(last));
        let found = links.iter().zip(times).map(|(link, at)| Ok((at, explain::find(network, link)?)));
        let mut asked = found.collect::<anyhow::Result<Vec<_>>>()?;
        asked.reverse();
        asked.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        Ok(Self(asked))
    }

    /// Returns the next one that is asked of a time before that.
    pub(super) fn before(&mut self, time: Timestamp) -> Option<(Timestamp, LinkIndex)> {
        self.0.pop_if(|(at, _)| *at < time)
    }
}
