//! What is told of a link: the last step from a belief to the published state.

use model::{LevelOfService, LinkId, LinkState, Quality, Source, Timestamp};
use serde::{Deserialize, Serialize};

use crate::chance::{Chance, Shares};
use crate::facility::Measured;
use crate::level::Level;
use crate::normal::normal;
use crate::own::{Fleet, Own};
use crate::regime::Regimes;
use crate::site::Site;
use crate::standing;
use crate::typical::Typical;
use crate::{Config, PartsConfig};

/// A link's state as last told: numbers only. NaN = not known.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    valid_at: Timestamp,
    free_kmh: f32,
    pub(crate) speed_kmh: f32,
    lo_kmh: f32,
    hi_kmh: f32,
    /// Of the minutes in which somebody moves: what a drive takes follows from it.
    moving_kmh: f32,
    flow_vph: f32,
    flow_pcuph: f32,
    flow_mcuph: f32,
    density_vpkm: f32,
    /// Not rounded yet: a queue that is held becomes shorter by less than a tenth in a step.
    queue_m: f64,
    pub(crate) class: Option<(LevelOfService, bool)>,
    facility: Option<LevelOfService>,
    pub(crate) source: Source,
    newest_at: i64,
    quality: u32,
}

impl Told {
    pub(crate) const NOTHING: Self = Self {
        valid_at: Timestamp::MIN,
        free_kmh: f32::NAN,
        speed_kmh: f32::NAN,
        lo_kmh: f32::NAN,
        hi_kmh: f32::NAN,
        moving_kmh: f32::NAN,
        flow_vph: f32::NAN,
        flow_pcuph: f32::NAN,
        flow_mcuph: f32::NAN,
        density_vpkm: f32::NAN,
        queue_m: f64::NAN,
        class: None,
        facility: None,
        source: Source::None,
        newest_at: i64::MIN,
        quality: 0,
    };

    /// Returns what is told where no evidence reaches: nothing but what is doubtful about its sensors.
    pub(crate) fn nothing(at: Timestamp, quality: u32) -> Self {
        Self { valid_at: at, quality, ..Self::NOTHING }
    }

    /// Returns what is told where no evidence reaches and something is usual: lower end, middle and upper end of the speed, shares
    /// of the map's free flow. `base_kmh`: base free flow.
    pub(crate) fn usual(
        at: Timestamp,
        usual: [f32; 3],
        level: &mut Level,
        base_kmh: f64,
        site: &Site,
        config: &Config,
    ) -> Self {
        /// Standard deviations between the ends of an 80 % interval of a bell curve.
        const ENDS_SD: f64 = 2.5631;
        let [slow, middle, fast] = usual.map(|share| f64::from(share) * site.free_kmh / base_kmh);
        let sd = ((fast - slow) / ENDS_SD).max(1e-3);
        let congested = normal((config.congested_share - middle) / sd);
        let slower = |cut: usize| normal((LevelOfService::SHARES[cut] - middle) / sd);
        let class = (level.street(slower, config), level.congested(congested, config));
        let [speed_kmh, lo_kmh, hi_kmh] = [middle, slow, fast].map(|share| round1(share * base_kmh));
        Self {
            valid_at: at,
            free_kmh: round1(base_kmh),
            speed_kmh,
            lo_kmh,
            hi_kmh,
            moving_kmh: speed_kmh,
            class: Some(class),
            facility: level.facility(None::<fn(usize) -> f64>, config),
            source: Source::Profile,
            ..Self::NOTHING
        }
    }

    /// Returns what is told of a link.
    pub(crate) fn of(at: Timestamp, basis: &Basis<'_>, level: &mut Level, config: &Config) -> Self {
        let Basis { belief, own, source, site, .. } = *basis;
        let chance = basis.chance();
        let congested = chance.above(own.congested_y(site, config));
        let Shares { slow, middle, fast, moving } = chance.shares();
        let cuts_y = own.cuts_y(site);
        let slower = |cut: usize| chance.above(cuts_y[cut]);
        let measured = basis.measured();
        let beyond = measured.as_ref().map(|measured| |cut| measured.beyond(cut, &config.facility));
        Self {
            valid_at: at,
            free_kmh: round1(own.free_kmh(site)),
            speed_kmh: round1(middle * site.free_kmh),
            lo_kmh: round1(slow * site.free_kmh),
            hi_kmh: round1(fast * site.free_kmh),
            moving_kmh: round1(moving * site.free_kmh),
            flow_vph: round1(own.flow_vph),
            flow_pcuph: round1(own.flow_pcuph),
            flow_mcuph: round1(own.flow_mcuph),
            density_vpkm: round1(density_vpkm(own, belief, moving * site.free_kmh, site)),
            queue_m: standing::queue_m(own, moving, site),
            class: Some((level.street(slower, config), level.congested(congested, config))),
            facility: level.facility(beyond, config),
            source,
            newest_at: own.newest_at,
            quality: own.quality,
        }
    }

    /// Returns it with a queue that is no shorter than it can have become since `before` was told. Where nobody passes any more, flow
    /// times time lost says that nobody waits; but in a jam those who stood there leave by passing the end of the link only.
    pub(crate) fn held(self, before: &Self, own: &Own, site: &Site) -> Self {
        if before.queue_m.is_nan() || own.belief.jammed <= 0.5 || standing::is_seen_whole(own) {
            return self;
        }
        let passed_s = ((self.valid_at - before.valid_at) as f64 / 1000.0).max(0.0);
        let left_m = before.queue_m - standing::discharge_mps(own, site) * passed_s;
        // `max` keeps a number over NaN.
        Self { queue_m: left_m.max(self.queue_m), ..self }
    }

    pub(crate) fn was_told(&self) -> bool {
        self.valid_at > Timestamp::MIN
    }

    /// Returns it as of another instant; what holds of none stays so.
    pub(crate) fn dated(self, at: Timestamp) -> Self {
        let valid_at = if self.valid_at > Timestamp::MIN { at } else { self.valid_at };
        Self { valid_at, ..self }
    }

    /// Returns the one of the two that holds for the later instant.
    pub(crate) fn newer(self, other: Self) -> Self {
        if other.valid_at > self.valid_at { other } else { self }
    }

    /// Tells whether a reader would see the same: all but the instant and the age.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits();
        same(self.free_kmh, other.free_kmh)
            && same(self.speed_kmh, other.speed_kmh)
            && same(self.lo_kmh, other.lo_kmh)
            && same(self.hi_kmh, other.hi_kmh)
            && same(self.moving_kmh, other.moving_kmh)
            && same(self.flow_vph, other.flow_vph)
            && same(self.flow_pcuph, other.flow_pcuph)
            && same(self.flow_mcuph, other.flow_mcuph)
            && same(self.density_vpkm, other.density_vpkm)
            && same(round1(self.queue_m), round1(other.queue_m))
            && self.class == other.class
            && self.facility == other.facility
            && self.source == other.source
            && self.quality == other.quality
    }

    /// Returns the published form.
    pub(crate) fn state(&self, link: LinkId, site: &Site) -> LinkState {
        let known = |v: f32| (!v.is_nan()).then_some(v);
        let mut state = LinkState::unknown(link, self.valid_at);
        let free_kmh = known(self.free_kmh).map_or(site.free_kmh, f64::from);
        state.free_flow_speed_kmh = Some(free_kmh as f32);
        state.speed_kmh = known(self.speed_kmh);
        state.speed_lo_kmh = known(self.lo_kmh);
        state.speed_hi_kmh = known(self.hi_kmh);
        state.flow_vph = known(self.flow_vph);
        state.flow_pcuph = known(self.flow_pcuph);
        state.flow_mcuph = known(self.flow_mcuph);
        state.density_vpkm = known(self.density_vpkm);
        state.queue_m = known(round1(self.queue_m));
        if let Some(moving_kmh) = known(self.moving_kmh).filter(|v| *v > 0.0) {
            let time_s = site.length_m * 3.6 / f64::from(moving_kmh);
            state.travel_time_s = known(round1(time_s));
            state.delay_s = known(round1((time_s - site.length_m * 3.6 / free_kmh).max(0.0)));
        }
        state.level_of_service = self.class.map(|(level, _)| level);
        state.los_facility = self.facility;
        state.congested = self.class.map(|(_, congested)| congested);
        state.source = self.source;
        state.age_s = (self.newest_at > i64::MIN)
            .then(|| ((self.valid_at.as_millis() - self.newest_at) as f32 / 1000.0).max(0.0));
        state.quality = Quality(self.quality);
        state
    }
}

/// What a state follows from.
#[derive(Clone, Copy)]
pub(crate) struct Basis<'a> {
    pub(crate) belief: &'a Regimes,
    pub(crate) own: &'a Own,
    pub(crate) source: Source,
    /// Whether its flow was counted there: else it follows from its neighbours.
    pub(crate) counted: bool,
    pub(crate) site: &'a Site,
    /// Of the partition.
    pub(crate) typical: &'a Typical,
    pub(crate) parts: &'a PartsConfig,
}

impl<'a> Basis<'a> {
    /// Returns what a link that counts tells by itself.
    pub(crate) fn of_sensors(
        own: &'a Own,
        site: &'a Site,
        typical: &'a Typical,
        parts: &'a PartsConfig,
    ) -> Self {
        Self { belief: &own.belief, own, source: Source::Observed, counted: true, site, typical, parts }
    }

    /// Returns what is believed of the mean over a minute, which is what is told.
    pub(crate) fn chance(&self) -> Chance {
        Chance::of(self)
    }

    /// Returns what the level of service by the facility's own measure follows from, where that is known.
    pub(crate) fn measured(&self) -> Option<Measured<'a>> {
        let Self { belief, own, site, .. } = *self;
        let running_share = self.typical.running_share;
        let (facility, mixture) = (site.facility?, belief.mixture());
        let measured = Measured { facility, belief, mixture, own, site, running_share };
        measured.is_known().then_some(measured)
    }
}

/// Vehicles per km: those that were counted onto the link and not off it. Else flow over speed (Edie), and in a jam at least those that were
/// seen, or one that stands in each lane: a jam fills the shortest links though hardly anybody gets in or out. Then the probes on the link
/// have their say.
fn density_vpkm(own: &Own, belief: &Regimes, speed_kmh: f64, site: &Site) -> f64 {
    if !own.counted_m.is_nan() {
        return own.stored_vpkm;
    }
    let moving = own.flow_vph / speed_kmh;
    let km = site.length_m / 1000.0;
    // `max` keeps a number over NaN.
    let least = if own.stored_vpkm.is_nan() { site.lanes / km } else { own.stored_vpkm };
    let density = if belief.jammed > 0.5 { moving.max(least) } else { moving };
    with_probes(density * km, &own.probes) / km
}

/// Returns how many vehicles are on a link when so many were expected and that many probes were seen there: the mean of a gamma
/// distribution after a Poisson count.
fn with_probes(vehicles: f64, probes: &Fleet) -> f64 {
    /// The variance of what is expected is a third of its square: flow and speed are both off by four tenths.
    const SHAPE: f64 = 3.0;
    vehicles * (SHAPE + probes.present) / (SHAPE + probes.share * vehicles)
}

/// Tenths: finer differences are noise, and would be told as changes.
fn round1(value: f64) -> f32 {
    ((value * 10.0).round() / 10.0) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(at_s: i64, queue_m: f64) -> Told {
        Told { valid_at: Timestamp::from_millis(at_s * 1000), queue_m, ..Told::NOTHING }
    }

    /// 360 veh/h of 6 m each: 0.6 m/s in one lane.
    fn jammed(jammed: f64) -> Own {
        let belief = Regimes { jammed, ..Own::NOTHING.belief };
        Own { belief, flow_vph: 360.0, flow_pcuph: 360.0, ..Own::NOTHING }
    }

    #[test]
    fn a_queue_in_a_jam_becomes_shorter_as_vehicles_leave_and_no_faster() {
        let held = |own: &Own| told(100, 10.0).held(&told(50, 200.0), own, &Site::with_lanes(1.0)).queue_m;
        assert_eq!(held(&jammed(0.9)), 170.0);
        assert_eq!(held(&jammed(0.2)), 10.0, "the jam is gone");
        assert_eq!(held(&Own { queue_m: 12.0, ..jammed(0.9) }), 10.0, "a camera sees its end");
    }

    #[test]
    fn a_held_queue_is_as_long_however_often_it_is_looked_at() {
        // 0.04 m/s: less than is told, at each step.
        let own = Own { flow_vph: 24.0, flow_pcuph: 24.0, ..jammed(0.9) };
        let after_s = |step_s: usize| {
            let steps = (0..=600).step_by(step_s).skip(1);
            let last = steps.fold(told(0, 200.0), |before, at_s| {
                told(at_s, 10.0).held(&before, &own, &Site::with_lanes(1.0))
            });
            last.state("l".into(), &Site::with_lanes(1.0)).queue_m
        };
        assert_eq!((after_s(1), after_s(10)), (Some(176.0), Some(176.0)));
    }

    #[test]
    fn a_longer_queue_and_one_of_which_nothing_was_told_before_stay_as_they_are() {
        let held = |before_m: f64| {
            told(100, 210.0).held(&told(50, before_m), &jammed(0.9), &Site::with_lanes(1.0)).queue_m
        };
        assert_eq!((held(200.0), held(f64::NAN)), (210.0, 210.0));
    }

    proptest! {
        #[test]
        fn probes_never_move_the_number_of_vehicles_away_from_what_they_say(
            vehicles in 0.01f64..500.0, present in 0.0f64..20.0, share in 0.001f64..0.2,
        ) {
            let (said, after) = (present / share, with_probes(vehicles, &Fleet { present, driven_kmh: 0.0, share }));
            prop_assert!(vehicles.min(said) - 1e-9 <= after && after <= vehicles.max(said) + 1e-9);
        }
    }

    #[test]
    fn a_jam_that_stands_still_is_told_with_the_time_that_a_drive_takes_all_the_same() {
        let (site, config, typical) = (Site::with_lanes(1.0), Config::default(), Typical::default());
        let own = Own { flow_vph: 6.0, flow_pcuph: 6.0, ..jammed(0.99) };
        let told = Told::of(
            Timestamp::from_millis(0),
            &Basis::of_sensors(&own, &site, &typical, &PartsConfig::default()),
            &mut Level::default(),
            &config,
        );
        let state = told.state("l".into(), &site);
        assert_eq!(
            (state.speed_kmh, state.speed_lo_kmh, state.congested),
            (Some(0.0), Some(0.0), Some(true))
        );
        assert!(state.travel_time_s.unwrap() > 3.0 * site.free_s() as f32);
    }

    #[test]
    fn a_jam_fills_a_link_that_is_as_long_as_a_vehicle() {
        let site = Site { length_m: 5.0, ..Site::with_lanes(3.0) };
        let own = Own { flow_vph: 10.0, ..Own::NOTHING };
        let jam = Regimes { jammed: 0.9, ..Own::NOTHING.belief };
        assert!((density_vpkm(&own, &jam, 5.0, &site) - 600.0).abs() < 1e-6);
    }

    #[test]
    fn a_usual_jam_is_told_as_congested_by_its_profile() {
        let (site, config) = (Site::with_lanes(2.0), Config::default());
        let at = Timestamp::from_millis(0);
        let told = Told::usual(at, [0.1, 0.2, 0.4], &mut Level::default(), site.free_kmh, &site, &config);
        assert_eq!((told.speed_kmh, told.lo_kmh, told.hi_kmh), (10.0, 5.0, 20.0));
        assert_eq!((told.class, told.source), (Some((LevelOfService::F, true)), Source::Profile));
        assert!(told.flow_vph.is_nan());
    }
}
