//! What is known of all links at one boundary, and of those who stand on the links of queues.

use model::HeadKind;

use crate::capacity::Capacities;
use crate::cause;
use crate::charge::Delay;
use crate::graph::Mix;
use crate::own::Own;
use crate::partition::Context;
use crate::regime::Regimes;
use crate::set::Set;
use crate::shown::Shown;
use crate::site::Site;
use crate::standing;
use crate::turns::Turns;

/// What is known of all links at one boundary.
pub(crate) struct Picture<'a> {
    pub(crate) belief: &'a [Regimes],
    pub(crate) shown: &'a [Shown],
    pub(crate) own: &'a [Own],
    /// Of those on links where nobody counts.
    pub(crate) mix: Mix,
    /// Probability that the link is congested.
    pub(crate) congested: &'a [f64],
    /// Whether the link's own sensors said anything in the last lateness.
    pub(crate) seen: &'a [bool],
    /// The links that this process watches.
    pub(crate) owned: &'a Set,
    pub(crate) turns: &'a Turns,
}

/// What is known of those who stand on a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    /// The middle of what is believed.
    pub(crate) y: f64,
    /// How many vehicles are on the link, on average.
    pub(crate) vehicles: f64,
    /// Share of the link on which vehicles stand; NaN where no flow is known.
    pub(crate) filled: f64,
    /// What the link adds to the length of its queue, m.
    pub(crate) length_m: f64,
    /// Share of the link by which the standing queue can become shorter, per s.
    pub(crate) discharge: f64,
    pub(crate) lost: Delay,
    /// Whether a flow is known.
    pub(crate) flows: bool,
    /// What holds the link back where nothing behind it does, as far as that is known.
    pub(crate) alone: Option<HeadKind>,
}

impl Stand {
    pub(crate) const UNKNOWN: Self = Self {
        y: f64::NAN,
        vehicles: f64::NAN,
        filled: f64::NAN,
        length_m: f64::NAN,
        discharge: f64::NAN,
        lost: Delay { vehicles: 0.0, persons: 0.0 },
        flows: false,
        alone: None,
    };
}

impl Picture<'_> {
    /// Returns what is known of those who stand on a link.
    pub(crate) fn stand(&self, link: u32, capacities: &Capacities, context: &Context<'_>) -> Stand {
        let (place, site) = (link as usize, &context.sites[link as usize]);
        let y = self.belief[place].quantile(0.5);
        let share = (-y).exp();
        let used = capacities.of(place).used(&self.own[place], site);
        // What its own sensors say; where they don't count, with the flow that was estimated.
        let estimated;
        let own = if self.own[place].counts() {
            &self.own[place]
        } else {
            let flow_vph = self.shown[place].flow_vph;
            let (flow_pcuph, flow_mcuph) = (flow_vph * self.mix.pcu, flow_vph * self.mix.mcu);
            estimated = Own { flow_vph, flow_pcuph, flow_mcuph, ..self.own[place] };
            &estimated
        };
        let standing_m = standing::queue_m(own, share, site);
        Stand {
            y,
            vehicles: self.vehicles(place, y, site),
            filled: standing_m / site.length_m,
            length_m: if standing_m.is_nan() { site.length_m * (1.0 - share).max(0.0) } else { standing_m },
            discharge: standing::discharge_mps(own, site) / site.length_m,
            lost: self.lost(place, share, site),
            flows: !self.shown[place].flow_vph.is_nan(),
            alone: cause::alone(y, used, site),
        }
    }

    /// Returns how many vehicles are on a link, on average.
    fn vehicles(&self, link: usize, y: f64, site: &Site) -> f64 {
        /// Where nobody passes any more, somebody stands: as if one came every two minutes.
        const LEAST_FLOW_VPH: f64 = 30.0;
        // `max` keeps a number over NaN.
        let flow_vph = self.shown[link].flow_vph.max(LEAST_FLOW_VPH);
        flow_vph * y.exp() / site.free_kmh * site.length_m / 1000.0
    }

    /// Returns what is lost on a link, h per h: those on it times the share of their time that they lose, n (1 - v / v_free). Nothing
    /// where no flow is known.
    fn lost(&self, link: usize, share: f64, site: &Site) -> Delay {
        let flow_vph = self.shown[link].flow_vph;
        if flow_vph.is_nan() {
            return Delay::default();
        }
        let stored = flow_vph / (share * site.free_kmh) * site.length_m / 1000.0;
        let of_base_free_flow = share * site.free_kmh / self.own[link].free_kmh(site);
        let vehicles = stored * (1.0 - of_base_free_flow).max(0.0);
        Delay { vehicles, persons: vehicles * self.persons(link) }
    }

    /// Returns how many sit in an average vehicle of a link.
    fn persons(&self, link: usize) -> f64 {
        let own = &self.own[link];
        if own.flow_vph > 0.0 { own.flow_personph / own.flow_vph } else { self.mix.persons }
    }
}
