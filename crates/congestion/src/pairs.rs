//! Travel times between two devices that know a vehicle again, such as Bluetooth readers and number-plate cameras.
//!
//! The way between them is the shortest at free flow. What was measured is the sum of what its links took, so each link hears of
//! it what is left when the other links' times are taken off: with independent Gaussian errors this splits the difference between
//! the measured time and the sum in proportion to the variances (a Kalman update with one row of ones). A link that is known well
//! takes little of it; one that nothing else is known of takes most.
//!
//! Whoever stopped on the way was slow for a reason that is not the road's. So the weighted median of the last readings counts, and
//! only when enough vehicles stand behind it; who was faster than the limits allow took another way.

use serde::{Deserialize, Serialize};

use crate::fusion::Belief;
use crate::partition::Context;
use crate::regime::{Hidden, Regimes};
use crate::site::Site;
use crate::way;

/// One reading of a pair, as a partition hands it to the graph stage.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct PairTime {
    /// Numbers of the two sensors.
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Event time of its end, ms.
    pub(crate) at: i64,
    pub(crate) seconds: f32,
    pub(crate) vehicles: f32,
}

/// All pairs that told something lately, and what their links are believed to be without them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Pairs {
    /// Sorted by the sensors' numbers.
    pairs: Vec<Pair>,
    /// By link, sorted: what is believed of the links on the ways without what the pairs say.
    unaided: Vec<(u32, Regimes)>,
    /// By link, sorted: what the pairs say of it, and the newest reading under it.
    #[serde(skip)]
    heard: Vec<(u32, Heard)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pair {
    from: u32,
    to: u32,
    /// The last readings, oldest first.
    readings: Vec<PairTime>,
    /// Links of the way, with the share of each that lies between the devices; none where no way is known.
    way: Vec<(u32, f64)>,
}

/// What pairs say of one link.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Heard {
    seen: Belief,
    newest_at: i64,
}

/// Readings that are kept of a pair.
const MOST_READINGS: usize = 16;

/// One or two vehicles may have stopped on the way.
const FEWEST_VEHICLES: f32 = 3.0;

/// Nobody drives a whole way faster than this, as a share of its limits.
const FASTEST_SHARE: f64 = 1.3;

/// Less of a link says nothing of the whole.
const LEAST_SHARE: f64 = 0.3;

impl Pairs {
    /// Takes readings of a partition.
    pub(crate) fn take(&mut self, readings: &[PairTime], context: &Context<'_>) {
        for reading in readings {
            let key = (reading.from, reading.to);
            let place = match self.pairs.binary_search_by_key(&key, |pair| (pair.from, pair.to)) {
                Ok(place) => place,
                Err(place) => {
                    self.pairs.insert(place, Pair::new(key, context));
                    place
                }
            };
            self.pairs[place].take(*reading, context);
        }
    }

    /// Finds what the pairs say of links at `now`; returns the links of which that has changed. `known`: what is believed of a link
    /// that was on no way before.
    pub(crate) fn weigh(
        &mut self,
        now: i64,
        context: &Context<'_>,
        known: impl Fn(u32) -> Regimes,
    ) -> Vec<u32> {
        if self.pairs.is_empty() && self.heard.is_empty() {
            return Vec::new();
        }
        let oldest = now - (context.config.long_window_s * 1000.0) as i64;
        self.pairs.iter_mut().for_each(|pair| pair.readings.retain(|reading| reading.at >= oldest));
        self.pairs.retain(|pair| !pair.readings.is_empty());
        let mut links: Vec<u32> =
            self.pairs.iter().flat_map(|pair| &pair.way).map(|(link, _)| *link).collect();
        links.sort_unstable();
        links.dedup();
        let before = std::mem::take(&mut self.unaided);
        let kept = |link: u32| find(&before, link).copied();
        self.unaided = links.iter().map(|&link| (link, kept(link).unwrap_or_else(|| known(link)))).collect();
        let mut heard: Vec<(u32, Heard)> = Vec::new();
        for pair in &self.pairs {
            for (link, new) in pair.says(&self.unaided, context.sites) {
                match heard.binary_search_by_key(&link, |(link, _)| *link) {
                    Ok(place) => heard[place].1 = heard[place].1.and(new),
                    Err(place) => heard.insert(place, (link, new)),
                }
            }
        }
        let old = std::mem::replace(&mut self.heard, heard);
        let new = self.heard.iter().filter(|(link, new)| find(&old, *link) != Some(new));
        let gone = old.iter().filter(|(link, _)| find(&self.heard, *link).is_none());
        new.chain(gone).map(|(link, _)| *link).collect()
    }

    /// The links of which pairs say something, with the end of the newest reading.
    pub(crate) fn heard(&self) -> impl Iterator<Item = (u32, i64)> {
        self.heard.iter().map(|(link, heard)| (*link, heard.newest_at))
    }

    /// Returns a link's belief with what the pairs say of it, where they do.
    pub(crate) fn aided(&self, link: u32, belief: Regimes, rest: &Regimes) -> Option<Regimes> {
        find(&self.heard, link).map(|heard| belief.and(heard.seen, Hidden::Nothing, rest))
    }

    /// Notes what is believed of a link without the pairs.
    pub(crate) fn note(&mut self, link: u32, belief: Regimes) {
        if let Ok(place) = self.unaided.binary_search_by_key(&link, |(link, _)| *link) {
            self.unaided[place].1 = belief;
        }
    }
}

fn find<T>(sorted: &[(u32, T)], link: u32) -> Option<&T> {
    sorted.binary_search_by_key(&link, |(link, _)| *link).ok().map(|place| &sorted[place].1)
}

impl Heard {
    fn and(self, other: Self) -> Self {
        Self { seen: self.seen.and(other.seen), newest_at: self.newest_at.max(other.newest_at) }
    }
}

impl Pair {
    fn new((from, to): (u32, u32), context: &Context<'_>) -> Self {
        Self { from, to, readings: Vec::new(), way: way_between(from, to, context).unwrap_or_default() }
    }

    fn take(&mut self, reading: PairTime, context: &Context<'_>) {
        let share = |(link, share): &(u32, f64)| share * context.sites[*link as usize].free_s();
        let free_s: f64 = self.way.iter().map(share).sum();
        if f64::from(reading.seconds) * FASTEST_SHARE < free_s {
            return;
        }
        let place = self.readings.partition_point(|r| (r.at, r.seconds) <= (reading.at, reading.seconds));
        self.readings.insert(place, reading);
        if self.readings.len() > MOST_READINGS {
            self.readings.remove(0);
        }
    }

    /// Returns the weighted median of the readings, the vehicles behind them, and the end of the newest.
    fn measured(&self) -> Option<(f64, f64, i64)> {
        let vehicles: f32 = self.readings.iter().map(|reading| reading.vehicles).sum();
        if vehicles < FEWEST_VEHICLES {
            return None;
        }
        let mut by_time = self.readings.clone();
        by_time.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let mut left = vehicles / 2.0;
        let middle = by_time.iter().find(|reading| {
            left -= reading.vehicles;
            left <= 0.0
        })?;
        Some((f64::from(middle.seconds), f64::from(vehicles), self.readings.last()?.at))
    }

    /// Returns what it says of each link of its way.
    fn says(&self, unaided: &[(u32, Regimes)], sites: &[Site]) -> Vec<(u32, Heard)> {
        let Some((seconds, vehicles, newest_at)) = self.measured() else { return Vec::new() };
        let pieces: Vec<Piece> = self
            .way
            .iter()
            .filter_map(|&(link, share)| {
                Some(Piece::of(link, share, find(unaided, link)?, &sites[link as usize]))
            })
            .collect();
        let time_s: f64 = pieces.iter().map(|piece| piece.time_s).sum();
        let var: f64 = pieces.iter().map(|piece| piece.var).sum();
        let drivers: f64 = pieces.iter().map(|piece| piece.driver_var).sum();
        let of_link = |piece: &Piece| {
            let others_s = time_s - piece.time_s;
            let left_s = (seconds - others_s).max(piece.free_s / FASTEST_SHARE);
            let var = (var - piece.var).max(0.0) + drivers / vehicles;
            let seen = Belief { y: (left_s / piece.free_s).ln(), var: var / left_s.powi(2) + MODEL_VAR };
            (piece.link, Heard { seen, newest_at })
        };
        pieces.iter().filter(|piece| piece.share >= LEAST_SHARE).map(of_link).collect()
    }
}

/// Where the devices stand, and whether all took this way, is not known exactly: a tenth of the time.
const MODEL_VAR: f64 = 0.01;

/// What is believed of the time on a piece of a link, s.
struct Piece {
    link: u32,
    share: f64,
    free_s: f64,
    time_s: f64,
    var: f64,
    /// Spread between drivers.
    driver_var: f64,
}

impl Piece {
    fn of(link: u32, share: f64, belief: &Regimes, site: &Site) -> Self {
        let free_s = share * site.free_s();
        let (mean, var) = belief.times();
        let time_s = free_s * mean;
        let driver_var = (site.driver_sd() * time_s).powi(2);
        Self { link, share, free_s, time_s, var: free_s.powi(2) * var, driver_var }
    }
}

/// Returns the links between two sensors, with the share of each that lies between them.
fn way_between(from: u32, to: u32, context: &Context<'_>) -> Option<Vec<(u32, f64)>> {
    let place = |sensor: u32| {
        let link = context.registry.sensors()[sensor as usize].link?;
        let passed = context.devices[sensor as usize].offset_m / context.sites[link.index()].length_m;
        Some((link.0, passed.clamp(0.0, 1.0)))
    };
    let ((first, start), (last, end)) = (place(from)?, place(to)?);
    if first == last {
        return (end > start).then(|| vec![(first, end - start)]);
    }
    let way = way::shortest(context.network, context.sites, first, last)?;
    let share = |link: u32| match link {
        _ if link == first => 1.0 - start,
        _ if link == last => end,
        _ => 1.0,
    };
    Some(way.into_iter().map(|link| (link, share(link))).collect())
}
