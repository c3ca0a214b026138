//! Incidents: something stands in a lane.

use roadnet::LinkIndex;

use super::flow::CAPACITY_DROP;
use super::stream::{Blockage, Stream};
use crate::city::City;

/// Something stands in some lanes of a link for a while.
#[derive(Clone, PartialEq, Debug)]
pub struct Incident {
    /// Where.
    pub link: LinkIndex,
    /// From the link's start.
    pub at_m: f64,
    /// Second of the run at which it begins.
    pub start_s: u64,
    /// Second of the run at which the road is clear again.
    pub end_s: u64,
    /// Lanes that it blocks.
    pub lanes: u32,
}

/// What motorcycles still get past when all lanes are blocked: over the kerb, between the wrecks.
const SQUEEZE: f64 = 0.08;

impl Incident {
    /// Tells whether it blocks the road in that second.
    pub fn is_on(&self, second: u64) -> bool {
        (self.start_s..self.end_s).contains(&second)
    }
}

/// Blocks the links of the incidents that are on and clears those whose time is over.
pub(crate) fn apply(incidents: &[Incident], city: &City, second: u64, streams: &mut [Stream]) {
    for incident in incidents {
        if second == incident.start_s {
            let lanes = f64::from(city.network.link(incident.link).lanes);
            let open = (lanes - f64::from(incident.lanes)).max(0.0) / lanes;
            streams[incident.link.index()].blockage = Some(Blockage {
                at_m: incident.at_m,
                share_left: (open * (1.0 - CAPACITY_DROP)).max(SQUEEZE),
                credit: 0.0,
            });
        } else if second == incident.end_s {
            streams[incident.link.index()].blockage = None;
        }
    }
}
