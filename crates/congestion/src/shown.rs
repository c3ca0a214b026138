//! What links show to those around them, as last passed on: one record a link, since who estimates a link looks at all of it of each
//! of its neighbours.

use serde::{Deserialize, Serialize};

use crate::fusion::Belief;
use crate::regime::Regimes;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// Probability of a jam above the usual.
    pub(crate) departure: f64,
    /// NaN where nothing is known.
    pub(crate) flow_vph: f64,
    /// Of the free regime: how far `y` is from what is typical, and its variance.
    pub(crate) free: Belief,
}

impl Shown {
    pub(crate) const NOTHING: Self =
        Self { departure: 0.0, flow_vph: f64::NAN, free: Belief { y: 0.0, var: 0.0 } };

    /// Takes what is believed of a link; tells whether that is news to its neighbours. A change that hardly a reader could see is not passed on,
    /// or the least of them would go round the whole city.
    pub(crate) fn take(&mut self, belief: &Regimes, rest: &Regimes, flow_vph: f64) -> bool {
        /// A hundredth of what makes a link congested.
        const LEAST_DEPARTURE: f64 = 0.005;
        /// A percent of the travel time, and a hundredth of the spread of a free link: what is said of silent links is off by 20 times that.
        const LEAST_Y: f64 = 0.01;
        const LEAST_VAR: f64 = 0.001;
        let far = |new: f64, old: f64, least: f64| new.is_nan() != old.is_nan() || (new - old).abs() > least;
        let departure = belief.jammed - rest.jammed;
        let free = Belief { y: belief.free.y - rest.free.y, var: belief.free.var };
        let departs = far(departure, self.departure, LEAST_DEPARTURE);
        let flows = far(flow_vph, self.flow_vph, least_vph(self.flow_vph));
        let runs = far(free.y, self.free.y, LEAST_Y) || far(free.var, self.free.var, LEAST_VAR);
        if departs {
            self.departure = departure;
        }
        if flows {
            self.flow_vph = flow_vph;
        }
        if runs {
            self.free = free;
        }
        departs || flows || runs
    }
}

/// Returns by how much a flow has to change for others to hear of it: a tenth of the standard deviation of what is counted of it (Poisson),
/// and no less than a vehicle in half an hour.
fn least_vph(flow_vph: f64) -> f64 {
    /// Counts that weigh half as much each minute scatter like those of so many hours.
    const COUNTED_H: f64 = 0.05;
    const LEAST_VPH: f64 = 2.0;
    // `max` keeps a number over NaN.
    (0.1 * (flow_vph / COUNTED_H).sqrt()).max(LEAST_VPH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regime::Jams;

    #[test]
    fn what_no_reader_could_see_is_not_passed_on_and_adds_up_until_one_could() {
        let rest = Regimes::unseen(0.2, 0.3, Jams::default());
        let slower = |y: f64| Regimes { free: Belief { y: 0.2 + y, ..rest.free }, ..rest };
        let mut shown = Shown::NOTHING;
        assert!(shown.take(&rest, &rest, 600.0), "the first word is news");
        assert!(!shown.take(&slower(0.006), &rest, 601.5));
        assert!(shown.take(&slower(0.012), &rest, 601.5));
        assert!((shown.free.y - 0.012).abs() < 1e-12 && shown.flow_vph == 600.0);
        assert!(shown.take(&slower(0.012), &rest, f64::NAN), "what is not known any more is news");
    }

    #[test]
    fn what_of_a_flow_may_be_chance_is_not_passed_on() {
        let rest = Regimes::unseen(0.2, 0.3, Jams::default());
        let mut shown = Shown::NOTHING;
        shown.take(&rest, &rest, 600.0);
        // 30 vehicles in three minutes, give or take 5.5.
        assert!(!shown.take(&rest, &rest, 610.0) && shown.flow_vph == 600.0);
        assert!(shown.take(&rest, &rest, 612.0) && shown.flow_vph == 612.0);
    }
}
