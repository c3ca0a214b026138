//! Level of service by a facility's own measure: density on expressways, control delay at signals and where one must give way.
//!
//! HCM 6: a driver on a freeway feels how close the others are (chapter 12), one at a junction how long it holds him up (chapters
//! 19, 20 and 22). All of it follows from the belief of the travel time: that the measure is beyond a cut has the
//! probability that `y = ln(v_free / v)` is above a value.

use roadnet::{Link, LinkIndex, Network, RoadClass};

use crate::config::FacilityConfig;
use crate::own::Own;
use crate::quantile::Mixture;
use crate::regime::Regimes;
use crate::site::Site;

/// What kind of facility a link is; of a link that is none of these (a street with the right of way) no measure of its own is
/// known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Facility {
    /// Uninterrupted flow: by density.
    Expressway,
    /// A signal at its end: by control delay.
    Signal,
    /// It gives way at its end: by control delay.
    GiveWay,
}

/// Returns the facility of each link.
pub(crate) fn facilities(network: &Network) -> Vec<Option<Facility>> {
    let mut ends = vec![Approaches::default(); network.nodes().len()];
    network.links().iter().for_each(|link| ends[link.to.index()].add(link));
    let of = |index: LinkIndex| {
        let link = network.link(index);
        if link.signal_at_end {
            Some(Facility::Signal)
        } else if is_uninterrupted(link) && goes_on(network, index) {
            Some(Facility::Expressway)
        } else {
            let guessed = || ends[link.to.index()].makes_wait(link);
            link.gives_way.unwrap_or_else(guessed).then_some(Facility::GiveWay)
        }
    };
    network.indices().map(of).collect()
}

/// HCM 6, chapter 12: freeways, and multilane highways from 45 mi/h on.
fn is_uninterrupted(link: &Link) -> bool {
    const LEAST_KMH: f32 = 70.0;
    link.class == RoadClass::Motorway || link.class == RoadClass::Trunk && link.speed_limit_kmh >= LEAST_KMH
}

/// Tells whether it leads into another expressway, or out of the map; a ramp that ends at a street does not.
fn goes_on(network: &Network, link: LinkIndex) -> bool {
    let after = network.downstream(link);
    after.is_empty() || after.iter().any(|next| is_uninterrupted(network.link(*next)))
}

/// The links that lead to a node.
#[derive(Clone, Copy, Default)]
struct Approaches {
    by_class: [u8; RoadClass::ALL.len()],
    roundabout: bool,
}

impl Approaches {
    fn add(&mut self, link: &Link) {
        let count = &mut self.by_class[link.class as usize];
        *count = count.saturating_add(1);
        self.roundabout |= link.roundabout;
    }

    /// Where the map does not say who gives way, it is who comes to a more important road or to a roundabout, and everybody where three
    /// or more are equal. With one equal it is the other direction of the same street.
    fn makes_wait(&self, link: &Link) -> bool {
        const EQUALS: u8 = 3;
        let rank = link.class as usize;
        let more_important = self.by_class[..rank].iter().any(|count| *count > 0);
        !link.roundabout && (self.roundabout || more_important || self.by_class[rank] >= EQUALS)
    }
}

/// What is known of a link that its measure follows from.
pub(crate) struct Measured<'a> {
    pub(crate) facility: Facility,
    pub(crate) belief: &'a Regimes,
    /// Of the belief.
    pub(crate) mixture: Mixture,
    pub(crate) own: &'a Own,
    pub(crate) site: &'a Site,
    /// Running speed as a share of free flow: what is lost beyond it is lost at the end.
    pub(crate) running_share: f64,
}

impl Measured<'_> {
    /// Tells whether what its measure needs is known.
    pub(crate) fn is_known(&self) -> bool {
        self.facility != Facility::Expressway || !self.own.flow_pcuph.is_nan()
    }

    /// Returns the probability that the measure is beyond the cut with that number, best first.
    pub(crate) fn beyond(&self, cut: usize, config: &FacilityConfig) -> f64 {
        let cut = self.cuts(config)[cut];
        let moving = self.mixture.above(self.y_of(cut));
        if self.facility == Facility::Expressway && self.stored_pcpkmln() > cut {
            // In a jam at least those that were seen to stand are there.
            return moving.max(self.belief.jammed);
        }
        moving
    }

    /// Returns the cuts of its measure, best first.
    pub(crate) fn cuts<'c>(&self, config: &'c FacilityConfig) -> &'c [f64; 5] {
        match self.facility {
            Facility::Expressway => &config.density_pcpkmln,
            Facility::Signal => &config.signal_delay_s,
            Facility::GiveWay => &config.give_way_delay_s,
        }
    }

    /// Returns `y` at which the measure has that value.
    fn y_of(&self, value: f64) -> f64 {
        let site = self.site;
        match self.facility {
            // Density = flow / speed (Edie). Without flow no density is reached.
            Facility::Expressway => (value * site.lanes * site.free_kmh / self.own.flow_pcuph).ln(),
            Facility::Signal | Facility::GiveWay => (self.running_share.recip() + value / site.free_s()).ln(),
        }
    }

    /// Returns the value of the measure at that `y`: passenger cars per km and lane, or s per vehicle.
    pub(crate) fn value_at(&self, y: f64) -> f64 {
        let site = self.site;
        match self.facility {
            Facility::Expressway => {
                let moving = self.own.flow_pcuph * y.exp() / site.free_kmh / site.lanes;
                // `max` keeps a number over NaN.
                if self.belief.jammed > 0.5 { moving.max(self.stored_pcpkmln()) } else { moving }
            }
            Facility::Signal | Facility::GiveWay => {
                (site.free_s() * (y.exp() - self.running_share.recip())).max(0.0)
            }
        }
    }

    /// Returns the vehicles that were seen to be there, in passenger cars per km and lane; NaN where none were.
    fn stored_pcpkmln(&self) -> f64 {
        // Where nobody passes nobody tells the mix.
        let pcu = if self.own.flow_vph > 0.0 { self.own.flow_pcuph / self.own.flow_vph } else { 1.0 };
        self.own.stored_vpkm * pcu / self.site.lanes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fusion::Belief;
    use crate::regime::Jams;
    use crate::streets::streets_but;

    fn known(y: f64) -> Regimes {
        let sure = Belief { y, var: 1e-6 };
        Regimes { free: sure, jam: sure, ..Regimes::unseen(y, 0.3, Jams::default()) }
    }

    /// The level of a link of 300 m and 50 km/h: the cuts that are passed for sure.
    fn level(facility: Facility, y: f64, own: &Own) -> usize {
        let (belief, site, config) = (known(y), Site::with_lanes(2.0), FacilityConfig::default());
        let measured = Measured {
            facility,
            belief: &belief,
            mixture: belief.mixture(),
            own,
            site: &site,
            running_share: 0.9,
        };
        (0..5).filter(|&cut| measured.beyond(cut, &config) > 0.5).count()
    }

    #[test]
    fn a_signal_is_judged_by_what_is_lost_beyond_the_running_time() {
        // 21.6 s free, 24 s running: 25 s more are level C (20 to 35 s) at a signal and D (25 to 35 s) at a stop sign.
        let y = (49.5f64 / 21.6).ln();
        assert_eq!(level(Facility::Signal, y, &Own::NOTHING), 2);
        assert_eq!(level(Facility::GiveWay, y, &Own::NOTHING), 3);
    }

    #[test]
    fn an_expressway_is_judged_by_passenger_cars_per_km_and_lane() {
        // 1,500 pc/h on two lanes at 50 km/h: 15 pc/km/ln; at 25 km/h 30.
        let own = Own { flow_vph: 1000.0, flow_pcuph: 1500.0, ..Own::NOTHING };
        assert_eq!(level(Facility::Expressway, 0.0, &own), 2);
        assert_eq!(level(Facility::Expressway, 2f64.ln(), &own), 5);
    }

    #[test]
    fn those_who_stand_make_a_jam_dense_though_nobody_passes() {
        let own = Own { flow_vph: 0.0, flow_pcuph: 0.0, stored_vpkm: 150.0, ..Own::NOTHING };
        let (belief, site) = (Regimes { jammed: 0.8, ..known(2.0) }, Site::with_lanes(2.0));
        let measured = Measured {
            facility: Facility::Expressway,
            belief: &belief,
            mixture: belief.mixture(),
            own: &own,
            site: &site,
            running_share: 0.9,
        };
        assert!((measured.beyond(4, &FacilityConfig::default()) - 0.8).abs() < 1e-9);
    }

    #[test]
    fn who_comes_to_a_larger_street_gives_way_and_the_larger_street_does_not() {
        // From the west and from the east on a main street, from the south on a small one, and a signal further on.
        let network = streets_but(
            &[((0, 0), (3, 0)), ((6, 0), (3, 0)), ((3, 9), (3, 0)), ((3, 0), (3, 12))],
            |link, new| match link {
                2 => new.class = RoadClass::Tertiary,
                3 => new.signal_at_end = true,
                _ => {}
            },
        );
        assert_eq!(facilities(&network), [None, None, Some(Facility::GiveWay), Some(Facility::Signal)]);
    }

    #[test]
    fn what_the_map_says_of_who_gives_way_is_believed() {
        let ways = [((0, 0), (3, 0)), ((6, 0), (3, 0)), ((3, 9), (3, 0))];
        let told = |said: [Option<bool>; 3]| {
            facilities(&streets_but(&ways, |link, new| {
                new.gives_way = said[link];
                if link == 2 {
                    new.class = RoadClass::Tertiary;
                }
            }))
        };
        let gives_way = Some(Facility::GiveWay);
        assert_eq!(told([None; 3]), [None, None, gives_way]);
        assert_eq!(told([Some(true), None, Some(false)]), [gives_way, None, None]);
    }

    #[test]
    fn a_ramp_that_ends_at_a_street_is_no_expressway() {
        let network = streets_but(
            &[((0, 0), (3, 0)), ((3, 0), (6, 0)), ((3, 0), (3, 3)), ((3, 3), (3, 6))],
            |link, new| {
                if link < 3 {
                    new.class = RoadClass::Motorway;
                }
            },
        );
        assert_eq!(
            facilities(&network),
            [Some(Facility::Expressway), Some(Facility::Expressway), None, None]
        );
    }

    proptest! {
        #[test]
        fn worse_cuts_are_less_likely_and_slower_traffic_makes_them_likelier(
            y in 0.0f64..2.0, more in 0.0f64..1.0, jammed in 0.01f64..0.99, flow in 0.0f64..4000.0,
        ) {
            let own = Own { flow_vph: flow, flow_pcuph: flow, ..Own::NOTHING };
            let (site, config) = (Site::with_lanes(2.0), FacilityConfig::default());
            for facility in [Facility::Expressway, Facility::Signal, Facility::GiveWay] {
                let beyond = |y: f64, cut: usize| {
                    let belief = Regimes { jammed, ..Regimes::unseen(y, 0.3, Jams::default()) };
                    Measured { facility, belief: &belief, mixture: belief.mixture(), own: &own, site: &site, running_share: 0.9 }.beyond(cut, &config)
                };
                for cut in 0..5 {
                    prop_assert!(beyond(y + more, cut) >= beyond(y, cut) - 1e-9);
                    prop_assert!(cut == 0 || beyond(y, cut) <= beyond(y, cut - 1) + 1e-9);
                }
            }
        }
    }
}
