//! The estimate of a link that nothing counts on, step by step, from what is usual to what is believed.
//!
//! The estimate and its explanation are made of the same steps, so that what is explained is what was computed.

use roadnet::LinkIndex;

use super::{Graph, heard_within};
use crate::neighbours::Around;
use crate::partition::Context;
use crate::regime::Regimes;
use crate::{field, smoothing};

/// What moves on what is believed of a link, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stage {
    /// What is usual for links like this one.
    Usual,
    /// What is usual of it at this time of the week, in the place of that before.
    Week,
    /// The links next to it: their jams, and the field of free speeds.
    Neighbours,
    /// Adaptive smoothing along an expressway, in the place of all before.
    Smoothing,
    /// Its own sensors.
    Sensors,
    /// Travel times that were measured over several links.
    TravelTimes,
}

impl Graph {
    /// Estimates a link that nothing counts on from its neighbours and its probes; calls `tell` with what is believed after each step.
    pub(super) fn estimated(
        &self,
        link: LinkIndex,
        context: &Context<'_>,
        mut tell: impl FnMut(Stage, Regimes),
    ) -> Regimes {
        let place = link.index();
        let rest = self.rest[place];
        tell(Stage::Usual, rest);
        let mut belief = rest;
        if let Some(weekly) = self.weekly(place, context) {
            belief = weekly;
            tell(Stage::Week, belief);
        }
        if context.config.parts.neighbours {
            let around = Around::of(&self.turns, link, &self.shown);
            belief.jammed = (belief.jammed + around.departure(self.coupling)).clamp(0.02, 0.9);
            belief.free = self.field.prior(&around, belief.free);
            tell(Stage::Neighbours, belief);
        }
        let own = &self.own[place];
        // Who drove here lately knows of a queue at an exit, which smoothing does not; judged once a step, as that is.
        let long_ms = (context.config.long_window_s * 1000.0) as i64;
        let driven = || heard_within(own, self.at.floor(smoothing::STEP_MS), long_ms);
        if let Some(smoothed) = self.smoothing.of(place).filter(|_| !driven()) {
            belief = smoothed;
            tell(Stage::Smoothing, belief);
        }
        if self.work.was_heard(place) && own.newest_at > i64::MIN {
            let free = field::upon(belief.free, own.belief.free, rest.free);
            let odds = own.belief.odds_against(&rest);
            belief = Regimes { jammed: belief.jammed, free, ..own.belief }.by_odds(odds);
            tell(Stage::Sensors, belief);
        }
        if let Some(aided) = self.pairs.aided(link.0, belief, &rest) {
            belief = aided;
            tell(Stage::TravelTimes, belief);
        }
        belief
    }

    /// Returns what is believed of a link that nothing counts on after each step; nothing where no evidence reaches it.
    pub(crate) fn stages(&self, link: LinkIndex, context: &Context<'_>) -> Vec<(Stage, Regimes)> {
        let mut stages = Vec::new();
        if self.is_reached(link.index()) {
            self.estimated(link, context, |stage, belief| stages.push((stage, belief)));
            // Who is restored weighs the pairs anew, by what is believed since: what they said then is in the belief.
            if let Some((Stage::TravelTimes, belief)) = stages.last_mut() {
                *belief = self.belief[link.index()];
            }
        }
        stages
    }
}
