//! What is believed of a link's mean speed over one minute, which is what is told.
//!
//! It is wider than the belief of what the traffic is like, since the drivers of one minute are few, and so are its cycles of the
//! signal. And in a jam there are minutes in which nobody leaves the link: who stands there then stands. Vehicles leave one by one,
//! so that comes with the probability of no event of a Poisson process. No bell curve over log pace knows of it: a speed of 0 is
//! infinitely far out.
//!
//! A minute in which nobody drives has no speed. On a quiet street there is mostly nobody while it is free, and always somebody in a jam: so
//! where nothing is heard, of the minutes that have a speed more are jammed than of all minutes. The ends of the interval are of those.

use model::Source;

use crate::facility::Facility;
use crate::own::Own;
use crate::quantile::Mixture;
use crate::regime::Regimes;
use crate::site::Site;
use crate::told::Basis;
use crate::typical::Typical;

/// The belief of one minute's mean.
pub(crate) struct Chance {
    /// Of all minutes, as who comes there now finds it.
    all: Minute,
    /// Of those in which somebody drives.
    driven: Minute,
}

#[derive(Clone, Copy)]
struct Minute {
    /// Where somebody moves: of `y`.
    moving: Mixture,
    /// Probability that nobody does.
    still: f64,
}

/// Speeds as shares of free flow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Shares {
    /// The ends and the middle of what 80 % of minutes are between.
    pub(crate) slow: f64,
    pub(crate) middle: f64,
    pub(crate) fast: f64,
    /// The middle of those in which somebody moves.
    pub(crate) moving: f64,
}

/// No link is faster than this, and no minute than that, as shares of free flow.
const FASTEST: f64 = 1.1;
const FASTEST_MINUTE: f64 = 1.2;

/// Log paces are skewed towards the slow side, free flow being the end of the other one: how far the fast end lies from the middle, as a
/// share of where a bell curve has it. Measured on simulated cases, so that 80 % are within.
const FAST_SIDE: f64 = 0.9;

impl Chance {
    pub(crate) fn of(basis: &Basis<'_>) -> Self {
        let Basis { belief, own, source, counted, site, typical, parts } = *basis;
        let free_share = share(belief.free.y);
        let drivers = drivers(own, free_share, site);
        let (mut var, mut of_jam_var) = (site.minute_sd().powi(2) / (1.0 + drivers), 0.0);
        if parts.minute_spread {
            var += end_var(own, free_share, typical, site);
            of_jam_var = discharge_var(own, counted);
        }
        let nobody = nobody_leaves(own.flow_vph / 60.0, counted);
        let nobody = if nobody.is_nan() || !parts.standstills { 0.0 } else { nobody };
        let belief = belief.wider(var, var + of_jam_var);
        let minute = |belief: Regimes| Minute { moving: belief.mixture(), still: belief.jammed * nobody };
        let all = minute(belief);
        // Who is heard was there; and a counter's silence has spoken for a jam already.
        if source != Source::Estimated || !parts.driven_minutes {
            return Self { all, driven: all };
        }
        let somebody = -(-drivers).exp_m1();
        Self { all, driven: minute(belief.by_odds(somebody.recip())) }
    }

    /// Returns the probability that nobody moves.
    pub(crate) fn still(&self) -> f64 {
        self.all.still
    }

    /// Returns the probability of a jam in the minutes that the ends of the interval are of.
    pub(crate) fn jammed_while_driven(&self) -> f64 {
        self.driven.moving.high.weight
    }

    /// Returns the probability that `y` is above that.
    pub(crate) fn above(&self, y: f64) -> f64 {
        let Minute { moving, still } = &self.all;
        still + (1.0 - still) * moving.above(y)
    }

    pub(crate) fn shares(&self) -> Shares {
        let moving = self.all.moving.quantile(0.5);
        // Most links never stand still.
        let middle = if self.all.still < f64::EPSILON { moving } else { self.all.y(0.5) };
        let (slow, fast) = (self.driven.y(0.1), self.driven.y(0.9));
        let middle_share = share(middle).min(FASTEST);
        let fast = share(fast.max(moving + FAST_SIDE * (fast - moving))).clamp(middle_share, FASTEST_MINUTE);
        Shares {
            slow: share(slow).min(middle_share),
            middle: middle_share,
            fast,
            moving: share(moving).min(FASTEST),
        }
    }
}

impl Minute {
    /// Returns the `y` above which that probability lies; infinite where that is a standstill.
    fn y(&self, above: f64) -> f64 {
        if above <= self.still {
            return f64::INFINITY;
        }
        self.moving.quantile((above - self.still) / (1.0 - self.still))
    }
}

fn share(y: f64) -> f64 {
    (-y).exp()
}

/// Flow where none is known, veh/h: of a small street.
const UNKNOWN_VPH: f64 = 120.0;

/// The flow of a link that nobody counts is off by 0.58 of it, the square of which is a third. Measured on simulated streets, as 0.43 to 0.69.
const UNCOUNTED_SHAPE: i32 = 3;

/// Variance of one minute's mean in a jam: all move as far as those at its head leave room for, and how many of them leave in a minute is
/// chance (Poisson; the variance of a log-normal that has the mean and the variance of that count).
fn discharge_var(own: &Own, counted: bool) -> f64 {
    /// Fewer than so many a minute stand still mostly, and are no part of those who move.
    const LEAST: f64 = 0.1;
    let leave = flow_vph(own) / 60.0;
    let off = if counted { 0.0 } else { f64::from(UNCOUNTED_SHAPE).recip() };
    (1.0 + leave.max(LEAST).recip() + off).ln()
}

/// Returns the probability that nobody leaves in a minute when so many do on average: of a Poisson count, whose mean is known where it was
/// counted, else a gamma variable itself.
fn nobody_leaves(leave: f64, counted: bool) -> f64 {
    if counted { (-leave).exp() } else { (1.0 + leave / f64::from(UNCOUNTED_SHAPE)).powi(-UNCOUNTED_SHAPE) }
}

fn flow_vph(own: &Own) -> f64 {
    if own.flow_vph.is_nan() { UNKNOWN_VPH } else { own.flow_vph }
}

/// Returns how many drive there in a minute on average while it is free: those who come in it, and those who are there. `free_share`: speed of
/// the free regime, as a share of free flow.
fn drivers(own: &Own, free_share: f64, site: &Site) -> f64 {
    let flow_vph = flow_vph(own);
    flow_vph / 60.0 + flow_vph / (free_share * site.free_kmh) * site.length_m / 1000.0
}

/// Variance of one minute's mean by what is lost at the end of the link, however many drive: that part of the time varies from minute to
/// minute, before a signal by what each cycle costs and by how much of the red falls into the minute. `free_share`: as above.
fn end_var(own: &Own, free_share: f64, typical: &Typical, site: &Site) -> f64 {
    /// What one cycle costs more or less than the others, as a share: all of its drivers share its platoon. Measured on simulated streets.
    const CYCLE_SPREAD: f64 = 0.5;
    /// What one minute costs more or less where one gives way: who waits for a gap that comes by chance waits by an exponential law, and
    /// those behind him as long.
    const GAP_SPREAD: f64 = 1.0;
    let lost = (1.0 - free_share / typical.running_share).max(0.0);
    let spread_var = match site.facility {
        Some(Facility::Signal) => {
            let cycle = typical.cycle_of(own);
            CYCLE_SPREAD.powi(2) * cycle.length_s / 60.0 + cycle.red_spread().powi(2)
        }
        Some(Facility::GiveWay) => GAP_SPREAD.powi(2),
        Some(Facility::Expressway) | None => 0.0,
    };
    lost.powi(2) * spread_var
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::PartsConfig;
    use crate::cycle::Cycle;
    use crate::fusion::Belief;
    use crate::regime::Jams;

    /// A jam that is as likely as that, at a tenth of free flow, which so many vehicles leave in an hour.
    fn jam(jammed: f64, flow_vph: f64) -> Chance {
        let jam = Belief { y: 2.3, var: 0.1 };
        let belief = Regimes { jam, jammed, ..Regimes::unseen(0.2, 0.3, Jams::default()) };
        chance(&belief, &Own { flow_vph, ..Own::NOTHING }, &PartsConfig::default())
    }

    fn chance(belief: &Regimes, own: &Own, parts: &PartsConfig) -> Chance {
        let (site, typical) = (Site::with_lanes(1.0), Typical::default());
        Chance::of(&Basis {
            belief,
            own,
            source: Source::Observed,
            counted: true,
            site: &site,
            typical: &typical,
            parts,
        })
    }

    /// A street of which nothing is heard, on which so many drive in an hour.
    fn unheard(flow_vph: f64, parts: &PartsConfig) -> Shares {
        let (site, typical, own) =
            (Site::with_lanes(1.0), Typical::default(), Own { flow_vph, ..Own::NOTHING });
        let belief = Regimes { jammed: 0.05, ..Regimes::unseen(0.2, 0.2, Jams::default()) };
        let source = Source::Estimated;
        let basis = Basis {
            belief: &belief,
            own: &own,
            source,
            counted: false,
            site: &site,
            typical: &typical,
            parts,
        };
        Chance::of(&basis).shares()
    }

    /// How far the ends are apart before a signal of that cycle, half of it red, as a logarithm.
    fn width(free: Belief, flow_vph: f64, length_s: f64, parts: &PartsConfig) -> f64 {
        let cycle = Cycle { red_s: length_s / 2.0, length_s };
        let belief = Regimes { free, jammed: 0.0, ..Regimes::unseen(0.7, 0.3, Jams::default()) };
        let own = Own { flow_vph, cycle, ..Own::NOTHING };
        let Shares { slow, fast, .. } = chance(&belief, &own, parts).shares();
        (fast / slow).ln()
    }

    #[test]
    fn a_jam_that_nobody_leaves_stands_still() {
        let Shares { slow, middle, moving, .. } = jam(0.99, 6.0).shares();
        assert_eq!((slow, middle), (0.0, 0.0));
        assert!((0.05..0.2).contains(&moving), "a drive takes its time all the same: {moving}");
    }

    #[test]
    fn a_jam_that_many_leave_moves() {
        let Shares { slow, middle, moving, .. } = jam(0.99, 900.0).shares();
        assert!(slow > 0.03 && middle == moving);
    }

    #[test]
    fn minutes_of_a_jam_differ_more_the_fewer_leave_it() {
        let width = |flow_vph: f64| {
            let Shares { slow, fast, .. } = jam(0.99, flow_vph).shares();
            (fast / slow).ln()
        };
        assert!(width(180.0) > 1.3 * width(1800.0), "{} {}", width(180.0), width(1800.0));
    }

    #[test]
    fn a_free_link_on_which_nobody_drives_does_not_stand_still() {
        let Shares { slow, middle, .. } = jam(0.01, 0.0).shares();
        assert!(slow > 0.1 && middle > 0.5);
    }

    #[test]
    fn minutes_before_a_signal_differ_more_where_they_hold_more_or_less_of_the_red() {
        let free = Belief { y: 0.7, var: 0.09 };
        let width = |length_s: f64| width(free, 600.0, length_s, &PartsConfig::default());
        assert!(width(90.0) > width(60.0) && width(120.0) > width(90.0));
    }

    #[test]
    fn minutes_where_one_gives_way_differ_more_the_more_one_waits_there() {
        let site = Site { facility: Some(Facility::GiveWay), ..Site::with_lanes(1.0) };
        let var = |free_share: f64| end_var(&Own::NOTHING, free_share, &Typical::default(), &site);
        assert!(var(0.6) > 2.0 * var(0.7) && var(0.7) > 2.0 * var(0.8));
        let open = Site { facility: None, ..site };
        assert_eq!(end_var(&Own::NOTHING, 0.6, &Typical::default(), &open), 0.0);
    }

    #[test]
    fn whenever_somebody_drives_on_a_quiet_street_of_which_nothing_is_heard_it_may_well_be_jammed() {
        let parts = PartsConfig::default();
        let (quiet, busy) = (unheard(6.0, &parts), unheard(600.0, &parts));
        assert!(quiet.slow < 0.3 && busy.slow > 0.5, "{} {}", quiet.slow, busy.slow);
        assert_eq!(unheard(0.0, &parts).slow, 0.0);
        let without = unheard(6.0, &PartsConfig { driven_minutes: false, ..parts });
        assert!(without.slow > 0.4 && without.moving == quiet.moving, "{}", without.slow);
    }

    #[test]
    fn where_nobody_counts_a_jam_may_stand_though_many_should_leave_it() {
        assert!(nobody_leaves(8.0, false) > 0.01 && nobody_leaves(8.0, true) < 0.001);
        assert_eq!((nobody_leaves(0.0, false), nobody_leaves(0.0, true)), (1.0, 1.0));
        let own = Own { flow_vph: 600.0, ..Own::NOTHING };
        assert!(discharge_var(&own, false) > 2.0 * discharge_var(&own, true));
    }

    #[test]
    fn where_no_flow_is_known_nothing_is_said_of_standstills() {
        assert_eq!(jam(0.9, f64::NAN).still(), 0.0);
    }

    #[test]
    fn a_minute_of_many_drivers_before_a_signal_is_not_surer_than_its_cycle() {
        let sure = Belief { y: 0.7, var: 0.0 };
        let width = |flow_vph: f64, length_s: f64| width(sure, flow_vph, length_s, &PartsConfig::default());
        assert!(width(1800.0, 60.0) > 0.8 * width(300.0, 60.0));
        assert!(width(1800.0, 15.0) < 0.6 * width(1800.0, 60.0), "four cycles even out");
    }

    #[test]
    fn parts_that_are_left_out_say_nothing() {
        let sure = Belief { y: 0.7, var: 0.0 };
        let drivers_only = PartsConfig { minute_spread: false, ..PartsConfig::default() };
        assert!(
            width(sure, 1800.0, 60.0, &drivers_only) < 0.5 * width(sure, 300.0, 60.0, &drivers_only) + 0.1
        );
        let belief = Regimes { jammed: 0.9, ..Regimes::unseen(0.2, 0.3, Jams::default()) };
        let empty = Own { flow_vph: 0.0, ..Own::NOTHING };
        let moving = PartsConfig { standstills: false, ..PartsConfig::default() };
        assert_eq!(chance(&belief, &empty, &moving).still(), 0.0);
    }

    proptest! {
        #[test]
        fn ends_and_middle_are_in_order_and_the_more_leave_the_rarer_is_a_standstill(
            jammed in 0.01f64..0.99, flow_vph in 0.0f64..2000.0, more in 0.0f64..500.0,
        ) {
            let (few, many) = (jam(jammed, flow_vph), jam(jammed, flow_vph + more));
            let shares = few.shares();
            prop_assert!(shares.slow <= shares.middle && shares.middle <= shares.fast && shares.middle <= shares.moving);
            prop_assert!(many.still() <= few.still() && few.still() <= jammed);
            let (fewer, most) = (unheard(flow_vph, &PartsConfig::default()), unheard(flow_vph + more, &PartsConfig::default()));
            prop_assert!(fewer.slow <= fewer.middle && fewer.middle <= fewer.fast && fewer.slow <= most.slow + 0.01);
            prop_assert!(few.above(0.5) >= few.above(1.5) && few.above(6.9) >= few.still());
        }
    }
}
