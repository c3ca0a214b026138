//! Why a link's state is what it is: everything that it rests on, as numbers with their units.
//!
//! Nothing of it is kept while the analyser runs: it is found anew, from the same readings and by the same functions, when
//! somebody asks. The state is the published one; the weights of readings are those of now.

mod chain;
mod judged;
mod seen;
mod trace;

use model::{LevelOfService, LinkId, LinkState, Quality, SensorId, Timestamp};
use roadnet::LinkIndex;

use crate::Analyzer;
use crate::fusion;
use crate::own::Own;
use crate::site::Site;
use crate::typical::Typical;

pub use crate::evidence::Means;
pub use crate::facility::Facility;
pub use crate::graph::Stage;

/// What the newest state of a link rests on.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// The state as published.
    pub state: LinkState,
    /// What the map says.
    pub road: Road,
    /// The sensors whose readings are in the link's window, those with most weight first.
    pub sensors: Vec<Heard>,
    /// What they come to, oldest first.
    pub evidence: Vec<Evidence>,
    /// What is usual for links like this one.
    pub typical: Usual,
    /// From what is usual to the speed that is told, in order; empty where no evidence reaches.
    pub chain: Vec<Step>,
    /// What is believed of it now; absent where no evidence reaches.
    pub believed: Option<Believed>,
    /// The links next to it, where the state rests on them: their weights add up to one.
    pub neighbours: Vec<Neighbour>,
    /// Why it has its level of service, and is congested or not.
    pub class: Option<Class>,
    /// The facility's own measure.
    pub measure: Option<Measure>,
    /// What it can pass.
    pub capacity: Capacity,
    /// The queue that it stands in.
    pub queue: Option<Queue>,
}

/// A link by its map.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Road {
    /// Along the road, m.
    pub length_m: f64,
    /// In this direction.
    pub lanes: f64,
    /// Base free flow, km/h.
    pub free_flow_kmh: f64,
    /// A signal stands at its end.
    pub signal_at_end: bool,
    /// Those who come to its end give way.
    pub gives_way: bool,
}

/// A speed that is not known for sure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Speed {
    /// Middle, km/h.
    pub kmh: f64,
    /// One standard deviation, as a factor: two out of three are between `kmh / factor` and `kmh * factor`.
    pub factor: f64,
}

/// One sensor's readings in the link's window.
#[derive(Clone, PartialEq, Debug)]
pub struct Heard {
    /// Its name.
    pub sensor: SensorId,
    /// Readings in the window.
    pub readings: usize,
    /// Age of the newest, s.
    pub age_s: f64,
    /// What the newest said.
    pub newest: Said,
    /// What is to be thought of it.
    pub quality: Quality,
    /// Share of the link's speed that rests on it, 0..1: the readings of a band and means count alike.
    pub weight: f64,
    /// How far its readings scatter; absent where nothing was held against them.
    pub scatter: Option<Scatter>,
}

/// How far the readings of a device are off what the others of its link foretell.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scatter {
    /// Their variance over that of its kind: who scatters more counts for less.
    pub variance_ratio: f64,
    /// Minutes in which it was held against others.
    pub minutes: u32,
    /// Those of them that neither a free link nor a jam explained.
    pub gated: u32,
}

/// What one reading says; what was not measured is absent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Said {
    /// Vehicles that passed, their speed (km/h) and the share of time that the detector was covered.
    Counted {
        /// Vehicles.
        vehicles: Option<f32>,
        /// Space-mean speed, km/h.
        speed_kmh: Option<f32>,
        /// 0..1.
        occupancy: Option<f32>,
    },
    /// One vehicle that passed.
    Passed {
        /// km/h.
        speed_kmh: Option<f32>,
    },
    /// A queue before the stop line.
    Queued {
        /// m.
        queue_m: Option<f32>,
    },
    /// A vehicle on its way.
    Drove {
        /// km/h.
        speed_kmh: f32,
    },
    /// A signal changed.
    Signal,
    /// A camera saw a vehicle stand in its lane, or the like.
    Alert {
        /// 0..1.
        confidence: f32,
    },
}

/// What the readings of one means and one stretch of time come to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Evidence {
    /// By what it was seen.
    pub means: Means,
    /// Ages between which it was seen, s; the older one is absent where all before counts.
    pub age_s: (f64, Option<f64>),
    /// Speed of a drive along the whole link that it makes one believe.
    pub speed: Speed,
    /// Share of the link's speed that rests on it, 0..1; with that of what is usual they add up to one.
    pub weight: f64,
    /// The factor by which it changed the odds of a jam.
    pub jam_odds: f64,
    /// Whether neither a free link nor a jam explains it, so that it was not taken at face value.
    pub gated: bool,
}

/// What is usual for links like this one: what is believed where nothing is seen.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Usual {
    /// Speed where no jam is.
    pub free: Speed,
    /// Speed in jams.
    pub jam: Speed,
    /// Running speed as a share of free flow.
    pub running_share: f64,
    /// Time lost at a signal or giving way, s; absent where there is neither.
    pub lost_s: Option<f64>,
    /// Share of links that are jammed.
    pub jammed: f64,
    /// Share of the link's speed that rests on this, 0..1.
    pub weight: f64,
}

/// What is believed of a link's speed after one step of its estimate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Step {
    /// What moved it.
    pub by: Stage,
    /// Middle of the speed, km/h.
    pub speed_kmh: f64,
    /// With a probability of 80 % the speed is between these, km/h.
    pub between_kmh: (f64, f64),
    /// Probability of a jam.
    pub jammed: f64,
    /// Share of the last step's speed that rests on this one, 0..1: by how much of the variance it took away; all add up to one.
    pub weight: f64,
}

/// What is believed of a link: either it is free, or it is jammed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Believed {
    /// Its speed if it is free.
    pub free: Speed,
    /// Its speed if it is jammed.
    pub jam: Speed,
    /// Probability that it is jammed.
    pub jammed: f64,
    /// Probability that it is jammed and nobody leaves it in this minute: its speed is 0 then.
    pub standstill: f64,
    /// Probability of a jam in the minutes in which somebody drives: the interval is of these.
    pub jammed_while_driven: f64,
    /// The factor by which the silence of its loops changed the odds of a jam; 1 = not at all, absent where no loop reports.
    pub silence_odds: Option<f64>,
    /// The same for a signal whose green or red is held; absent where no signal tells enough.
    pub signal_odds: Option<f64>,
}

/// A link next to another.
#[derive(Clone, PartialEq, Debug)]
pub struct Neighbour {
    /// Its id.
    pub link: LinkId,
    /// Whether it leads to the link, and not away from it.
    pub before: bool,
    /// Share of the link's vehicles that come from it or turn into it, 0..1.
    pub turn_share: f64,
    /// Its part in what the neighbours say, 0..1.
    pub weight: f64,
    /// Probability that it is jammed.
    pub jammed: f64,
    /// veh/h, where known.
    pub flow_vph: Option<f64>,
}

/// Why a link has its level of service.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Class {
    /// Told.
    pub level: LevelOfService,
    /// Told.
    pub congested: bool,
    /// Speed as a share of base free flow.
    pub share: f64,
    /// Probability of each level, best first.
    pub levels: [f64; 6],
    /// A level is left only when another is worth this much more: a right one counts 1, its neighbours one half.
    pub level_margin: f64,
    /// Probability that the share is at or below that of congestion.
    pub congested_probability: f64,
    /// `congested` is told from this probability on.
    pub congested_bar: f64,
    /// It is kept down to this one.
    pub congested_kept_bar: f64,
}

/// The facility's own measure, and the level of service by it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Measure {
    /// Which measure: density or control delay.
    pub facility: Facility,
    /// Told.
    pub level: Option<LevelOfService>,
    /// Its middle: passenger cars per km and lane, or s per vehicle.
    pub value: f64,
    /// The values up to which the levels A to E hold.
    pub cuts: [f64; 5],
    /// Probability of each level, best first.
    pub levels: [f64; 6],
}

/// What a link can pass.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Capacity {
    /// pcu/h.
    pub pcuph: f64,
    /// What links of its width and kind do, pcu/h.
    pub by_width_pcuph: f64,
    /// Minutes of discharge from a queue that it rests on.
    pub queue_minutes: f64,
    /// The part of it that passes now, 0..1; absent where nothing counts.
    pub used: Option<f64>,
}

/// A queue, as seen from one of its links.
#[derive(Clone, PartialEq, Debug)]
pub struct Queue {
    /// The link that holds it back.
    pub head: LinkId,
    /// Turns from the link to the head within the queue; 0 = it is the head.
    pub turns_to_head: usize,
    /// Links in it.
    pub links: usize,
    /// Length as last told, m.
    pub length_m: f64,
    /// When it was first told.
    pub since: Timestamp,
}

impl Analyzer {
    /// Explains the newest state of a link; to be asked after [`Analyzer::advance`]. Returns nothing of a link whose partition is
    /// not owned.
    pub fn explain(&self, link: LinkIndex) -> Option<Explanation> {
        let context = self.context();
        let site = context.sites.get(link.index())?;
        let partition = self.partition_of(site)?;
        let told = partition.told(link.0).newer(self.graph.told(link.0));
        let state = told.state(context.network.link(link).id.clone(), site);
        let own = partition.cell(link.0).map_or(Own::NOTHING, |cell| cell.own);
        let typical = partition.typical.here(&own, site, &context.config.parts);
        let seen = seen::of(partition, link, state.valid_at, &context);
        let judged = judged::of(self, partition, link, &state, &context);
        let (sensors, evidence) = (seen.sensors, seen.evidence);
        Some(Explanation {
            road: Road {
                length_m: site.length_m,
                lanes: site.lanes,
                free_flow_kmh: state.free_flow_speed_kmh.map_or(site.free_kmh, f64::from),
                signal_at_end: site.has_signal(),
                gives_way: site.gives_way(),
            },
            typical: usual(&typical, seen.typical_weight, site),
            believed: judged.belief.map(|belief| Believed {
                free: speed(belief.free, site),
                jam: speed(belief.jam, site),
                jammed: belief.jammed,
                standstill: judged.standstill,
                jammed_while_driven: judged.jammed_while_driven,
                silence_odds: seen.odds.silence,
                signal_odds: seen.odds.signal,
            }),
            chain: judged.chain,
            neighbours: self.graph.around(link, &context),
            class: judged.class,
            measure: judged.measure,
            capacity: self.graph.capacity_of(link, site),
            queue: self.graph.queue_of(link, &context),
            state,
            sensors,
            evidence,
        })
    }
}

fn usual(typical: &Typical, weight: f64, site: &Site) -> Usual {
    let rest = typical.rest(site);
    Usual {
        free: speed(rest.free, site),
        jam: speed(rest.jam, site),
        running_share: typical.running_share,
        lost_s: (site.has_signal() || site.gives_way()).then_some(typical.end_s(site)),
        jammed: rest.jammed,
        weight,
    }
}

fn speed(belief: fusion::Belief, site: &Site) -> Speed {
    Speed { kmh: (-belief.y).exp() * site.free_kmh, factor: belief.var.sqrt().exp() }
}
