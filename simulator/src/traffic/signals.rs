//! Fixed-time traffic lights.

use model::SignalState;
use roadnet::{LinkIndex, Network, NodeIndex, RoadClass};

use crate::city::metres;

/// Yellow, then all red, between two phases.
const AMBER_S: u32 = 3;
const ALL_RED_S: u32 = 1;
const LEAST_GREEN_S: u32 = 12;

/// What the traffic light of one junction does, second by second.
#[derive(Clone, PartialEq, Debug)]
pub struct SignalPlan {
    /// Its junction.
    pub node: NodeIndex,
    /// After this many seconds it begins again.
    pub cycle_s: u32,
    /// Second of its cycle at second 0 of the run.
    pub offset_s: u32,
    /// In their order.
    pub phases: Vec<Phase>,
}

/// Approaches that have green together.
#[derive(Clone, PartialEq, Debug)]
pub struct Phase {
    /// Links that end at the junction.
    pub links: Vec<LinkIndex>,
    /// Without yellow.
    pub green_s: u32,
}

impl SignalPlan {
    /// Returns a plan for the junction: opposite approaches together, green shared out by `load` (the flow of each
    /// approach over its saturation flow); `None` where one approach or none comes in.
    pub fn fixed_time(network: &Network, node: NodeIndex, load: impl Fn(LinkIndex) -> f64) -> Option<Self> {
        let approaches: Vec<LinkIndex> = network.indices().filter(|&l| network.link(l).to == node).collect();
        Self::of_approaches(network, node, &approaches, load)
    }

    pub(crate) fn of_approaches(
        network: &Network,
        node: NodeIndex,
        approaches: &[LinkIndex],
        load: impl Fn(LinkIndex) -> f64,
    ) -> Option<Self> {
        let main = approaches.iter().copied().max_by(|&a, &b| load(a).total_cmp(&load(b)).then(b.cmp(&a)))?;
        let axis = axis_deg(network, main);
        let (with, across): (Vec<_>, Vec<_>) = approaches.iter().copied().partition(|&link| {
            let turned = (axis_deg(network, link) - axis).rem_euclid(180.0);
            !(45.0..135.0).contains(&turned)
        });
        if with.is_empty() || across.is_empty() {
            return None;
        }
        let big = approaches.iter().any(|&l| network.link(l).class <= RoadClass::Primary);
        let cycle_s = if big { 90 } else { 70 };
        let busiest = |links: &[LinkIndex]| links.iter().map(|&l| load(l)).fold(0.05, f64::max);
        let shares = [busiest(&with), busiest(&across)];
        let to_share = cycle_s - 2 * (AMBER_S + ALL_RED_S);
        let first = (f64::from(to_share) * shares[0] / (shares[0] + shares[1])).round() as u32;
        let first = first.clamp(LEAST_GREEN_S, to_share - LEAST_GREEN_S);
        let phases =
            vec![Phase { links: with, green_s: first }, Phase { links: across, green_s: to_share - first }];
        Some(Self { node, cycle_s, offset_s: (node.0 * 37) % cycle_s, phases })
    }

    /// Returns what the phase shows at that second of the run.
    pub fn shows(&self, phase: usize, second: u64) -> SignalState {
        let now = ((second + u64::from(self.offset_s)) % u64::from(self.cycle_s)) as u32;
        let mut begins = 0;
        for (i, one) in self.phases.iter().enumerate() {
            let ends = begins + one.green_s;
            if i == phase {
                return match now {
                    _ if now < begins || now >= ends + AMBER_S => SignalState::Red,
                    _ if now < ends => SignalState::Green,
                    _ => SignalState::Amber,
                };
            }
            begins = ends + AMBER_S + ALL_RED_S;
        }
        SignalState::Dark
    }

    /// Returns which phase lets the link go.
    pub fn phase_of(&self, link: LinkIndex) -> Option<usize> {
        self.phases.iter().position(|phase| phase.links.contains(&link))
    }
}

/// Returns the direction in which the link arrives, degrees clockwise from north.
fn axis_deg(network: &Network, link: LinkIndex) -> f64 {
    let line = network.geometry(link);
    let [.., from, to] = line else { return 0.0 };
    let (east, north) = metres(*from, *to);
    east.atan2(north).to_degrees()
}
