//! What goes on before and behind each link: means over the links that follow and precede it.

use roadnet::{LinkIndex, Network};

/// Which links follow and precede each, by their shares.
#[derive(Clone, Debug)]
pub struct Around {
    down: Side,
    up: Side,
    /// By link: how much of what lies beyond it counts, beside itself, in a mean over distance.
    beyond: Box<[f32]>,
}

/// One direction: for each link, its neighbours and their shares.
#[derive(Clone, Debug)]
struct Side {
    /// Where each link's neighbours begin; one more at the end.
    starts: Box<[u32]>,
    neighbours: Box<[(u32, f32)]>,
}

/// What is known around a link: residuals, as shares of free flow.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Surroundings {
    /// Mean of the links that follow.
    pub(crate) next: f32,
    /// Mean over some kilometres downstream, the nearer the more.
    pub(crate) downstream: f32,
    /// Mean of the links that precede.
    pub(crate) before: f32,
}

/// Length over which what lies downstream counts e-fold less, m: a jam's front moves by 15 to 18 km/h (Treiber and Kesting
/// 2013, chapter 8), about 2 km in the shorter horizons.
const REACH_M: f32 = 2000.0;

impl Around {
    /// Returns the surroundings on a map: vehicles turn by the lanes of the links that follow.
    pub fn of(network: &Network) -> Self {
        let edges = network.indices().flat_map(|link| {
            let share = |next: &LinkIndex| (link.0, next.0, network.link(*next).lanes.max(0.5));
            network.downstream(link).iter().map(share).collect::<Vec<_>>()
        });
        let beyond = network.links().iter().map(|link| (-link.length_m / REACH_M).exp()).collect();
        Self::new(&edges.collect::<Vec<_>>(), beyond)
    }

    /// Returns the surroundings from edges (from, to the one downstream, weight) between the links that `beyond` counts.
    ///
    /// `beyond`: how much of what lies beyond each link counts, beside itself, in a mean over distance; 0 to 1.
    pub fn new(edges: &[(u32, u32, f32)], beyond: Box<[f32]>) -> Self {
        let turned: Vec<_> = edges.iter().map(|&(from, to, weight)| (to, from, weight)).collect();
        Self { down: Side::new(edges, beyond.len()), up: Side::new(&turned, beyond.len()), beyond }
    }

    /// Returns the number of links.
    pub fn len(&self) -> usize {
        self.beyond.len()
    }

    /// Tells whether there is no link.
    pub fn is_empty(&self) -> bool {
        self.beyond.is_empty()
    }

    /// Returns the means around each link. `residuals`: NaN = not known; `downstream`: the means before, to start from.
    pub(crate) fn means(&self, residuals: &[f32], mut downstream: Vec<f32>) -> Vec<Surroundings> {
        /// Sweeps: as many links are looked at once; what lies farther comes with the next steps.
        const SWEEPS: usize = 4;
        for _ in 0..SWEEPS {
            // A signalled street is some 200 m long: in the order of links, each from what the others held before.
            let held = downstream.clone();
            for (link, mean) in downstream.iter_mut().enumerate() {
                *mean = self.down.mean(link, |next| {
                    let (own, beyond) = (residuals[next], self.beyond[next]);
                    if own.is_nan() { held[next] } else { (1.0 - beyond) * own + beyond * held[next] }
                });
            }
        }
        let means = downstream.into_iter().enumerate().map(|(link, downstream)| Surroundings {
            next: self.down.mean(link, |next| residuals[next]),
            downstream,
            before: self.up.mean(link, |before| residuals[before]),
        });
        means.collect()
    }
}

impl Side {
    fn new(edges: &[(u32, u32, f32)], links: usize) -> Self {
        let mut sorted = edges.to_vec();
        sorted.sort_by_key(|&(from, to, _)| (from, to));
        let mut starts = vec![0; links + 1];
        sorted.iter().for_each(|&(from, ..)| starts[from as usize + 1] += 1);
        for link in 0..links {
            starts[link + 1] += starts[link];
        }
        Self {
            starts: starts.into(),
            neighbours: sorted.into_iter().map(|(_, to, weight)| (to, weight)).collect(),
        }
    }

    /// Returns the mean of what is known (not NaN) of a link's neighbours; 0 where nothing is.
    fn mean(&self, link: usize, value: impl Fn(usize) -> f32) -> f32 {
        let places = self.starts[link] as usize..self.starts[link + 1] as usize;
        let known = self.neighbours[places].iter().map(|&(other, weight)| (value(other as usize), weight));
        let (sum, weights) = known
            .filter(|(value, _)| !value.is_nan())
            .fold((0.0, 0.0), |(sum, weights), (value, weight)| (sum + weight * value, weights + weight));
        if weights > 0.0 { sum / weights } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 -> 1 -> 2 -> 3, in steps that halve what lies beyond.
    fn row() -> Around {
        Around::new(&[(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0)], vec![0.5; 4].into())
    }

    #[test]
    fn a_jam_is_seen_from_behind_the_less_the_farther() {
        let means = row().means(&[0.0, 0.0, 0.0, -0.8], vec![0.0; 4]);
        assert_eq!(means[2].next, -0.8);
        assert_eq!(means[3].before, 0.0);
        let downstream: Vec<f32> = means.iter().map(|m| m.downstream).collect();
        assert_eq!(downstream, [-0.1, -0.2, -0.4, 0.0]);
    }

    #[test]
    fn a_link_of_which_nothing_is_known_is_looked_through() {
        let means = row().means(&[0.0, f32::NAN, -0.8, 0.0], vec![0.0; 4]);
        assert_eq!(means[0].next, 0.0);
        assert!((means[0].downstream + 0.4).abs() < 1e-6, "{}", means[0].downstream);
    }
}
