//! Expressways as roads: which links lie along the same uninterrupted road, and how far.

use roadnet::{LinkIndex, Network, RoadClass};

use crate::site::Site;

/// Adaptive smoothing carries that far, m: "detectors up to 3 km apart" (Treiber and Helbing 2002).
const REACH_M: f32 = 3000.0;

/// Follows from the map.
#[derive(Clone, Debug)]
pub(crate) struct Road {
    /// The links of expressways, in order.
    links: Vec<u32>,
    /// Of each: the others along the road, and how far downstream their middles are, m.
    near: Vec<Vec<(u32, f32)>>,
}

impl Road {
    pub(crate) fn of(network: &Network, sites: &[Site]) -> Self {
        // A link that ends at a signal runs as the signal lets it: nothing is carried into it or across it.
        let runs = |link: &LinkIndex| {
            let expressway = matches!(network.link(*link).class, RoadClass::Motorway | RoadClass::Trunk);
            expressway && !sites[link.index()].has_signal()
        };
        let links: Vec<LinkIndex> = network.indices().filter(runs).collect();
        let length_m = |link: LinkIndex| network.link(link).length_m;
        let along = |others: &[LinkIndex]| others.iter().copied().filter(runs).collect::<Vec<_>>();
        let near = links.iter().map(|&link| {
            let mut near = walk(link, length_m, |of| along(network.downstream(of)));
            let before = walk(link, length_m, |of| along(network.upstream(of)));
            near.extend(before.into_iter().map(|(link, m)| (link, -m)));
            near
        });
        Self { near: near.collect(), links: links.iter().map(|link| link.0).collect() }
    }

    /// Yields the links of expressways, in order.
    pub(crate) fn links(&self) -> impl Iterator<Item = u32> + '_ {
        self.links.iter().copied()
    }

    /// Returns what lies along the road of an expressway link; nothing for others.
    pub(crate) fn near(&self, link: usize) -> &[(u32, f32)] {
        self.links.binary_search(&(link as u32)).map_or(&[], |place| &self.near[place])
    }
}

/// Returns the links that follow `from`, and how far their middles are from its, m; each once, by the way of fewest links.
fn walk(
    from: LinkIndex,
    length_m: impl Fn(LinkIndex) -> f32,
    next: impl Fn(LinkIndex) -> Vec<LinkIndex>,
) -> Vec<(u32, f32)> {
    let mut found: Vec<(u32, f32)> = Vec::new();
    let mut edge = vec![(from, length_m(from) / 2.0)];
    while !edge.is_empty() {
        let mut further = Vec::new();
        for (link, end_m) in edge {
            for other in next(link) {
                let middle_m = end_m + length_m(other) / 2.0;
                let known = other == from || found.iter().any(|(known, _)| *known == other.0);
                if !known && middle_m <= REACH_M {
                    found.push((other.0, middle_m));
                    further.push((other, end_m + length_m(other)));
                }
            }
        }
        edge = further;
    }
    found
}

#[cfg(test)]
impl Road {
    /// A row of so many links of that length.
    pub(crate) fn row(links: u32, length_m: f32) -> Self {
        let others = |link: u32| (0..links).filter(move |other| *other != link);
        let downstream_m = |link: u32, other: u32| (other as f32 - link as f32) * length_m;
        let near = |link| others(link).map(|other| (other, downstream_m(link, other))).collect();
        Self { links: (0..links).collect(), near: (0..links).map(near).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streets::expressway;

    #[test]
    fn a_road_ends_at_a_signal() {
        // Five links of 300 m; a signal ends the third.
        let network = expressway(5, Some(2));
        let sites = crate::site::sites(&network, &[0], 1);
        let road = Road::of(&network, &sites);
        assert_eq!(road.links().collect::<Vec<_>>(), [0, 1, 3, 4]);
        assert_eq!(road.near(0), [(1, 300.0)]);
        assert_eq!(road.near(4), [(3, -300.0)]);
        assert_eq!(road.near(2), []);
    }
}
