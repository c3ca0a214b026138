//! What the settings may be: a range for each number, and what must hold between two of them.

use std::ops::{Bound, RangeBounds as _};

use super::{
    Config, FacilityConfig, ForecastConfig, HealthConfig, IncidentConfig, LEARN_EVERY_MS, QueueConfig,
};

/// A setting that can't be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("analyser.{key} is {value}; it must be {rule}")]
pub struct ConfigError {
    key: String,
    value: f64,
    rule: String,
}

fn wrong(key: &str, value: f64, rule: &str) -> ConfigError {
    ConfigError { key: key.to_owned(), value, rule: rule.to_owned() }
}

type Range = (Bound<f64>, Bound<f64>);

/// A number's key within its section, the number and its range.
type Number = (&'static str, f64, Range);

const fn above(least: f64, most: f64) -> Range {
    (Bound::Excluded(least), Bound::Included(most))
}

const fn from(least: f64, most: f64) -> Range {
    (Bound::Included(least), Bound::Included(most))
}

/// A bar that may be passed and may be missed.
const BAR: Range = (Bound::Excluded(0.0), Bound::Excluded(1.0));
/// What is left of one below a bar.
const MARGIN: Range = (Bound::Included(0.0), Bound::Excluded(1.0));
/// A day: what the analyser keeps in memory is of hours.
const DAY_S: f64 = 86_400.0;
const SPAN_S: Range = above(0.0, DAY_S);
const WAIT_S: Range = from(0.0, DAY_S);

fn words(range: &Range) -> String {
    let least = match range.0 {
        Bound::Included(least) => format!("at least {least}"),
        Bound::Excluded(least) => format!("above {least}"),
        Bound::Unbounded => "any number".to_owned(),
    };
    match range.1 {
        Bound::Included(most) => format!("{least} and at most {most}"),
        Bound::Excluded(most) => format!("{least} and below {most}"),
        Bound::Unbounded => least,
    }
}

/// What is no number is in no range.
fn check_numbers(section: &str, numbers: &[Number]) -> Result<(), ConfigError> {
    match numbers.iter().find(|(_, value, range)| !range.contains(value)) {
        Some((key, value, range)) => Err(wrong(&format!("{section}{key}"), *value, &words(range))),
        None => Ok(()),
    }
}

impl Config {
    /// Checks that each setting means something and that they can work together.
    ///
    /// # Errors
    /// Names the first setting that can't be, its value and what it must be.
    pub fn check(&self) -> Result<(), ConfigError> {
        /// A trailer takes the room of less than that many vehicles of any class.
        const UNITS: Range = from(0.0, 100.0);
        /// The longest bus of a line takes half of that.
        const PERSONS: Range = from(0.0, 500.0);
        check_numbers("", &self.numbers())?;
        for (section, table, range) in
            [("pcu.", &self.pcu, UNITS), ("mcu.", &self.mcu, UNITS), ("persons.", &self.persons, PERSONS)]
        {
            check_numbers(section, &table.by_class().map(|(class, units)| (class, units, range)))?;
        }
        self.facility.check()?;
        check_numbers("queue.", &self.queue.numbers())?;
        check_numbers("incident.", &self.incident.numbers())?;
        check_numbers("health.", &self.health.numbers())?;
        check_numbers("forecast.", &self.forecast.numbers())?;
        self.check_together()
    }

    fn numbers(&self) -> [Number; 10] {
        /// What is learned is learned once a minute.
        const STEP_MS: Range = from(1.0, LEARN_EVERY_MS as f64);
        [
            ("state_boundary_ms", self.state_boundary_ms as f64, STEP_MS),
            ("graph_boundary_ms", self.graph_boundary_ms as f64, STEP_MS),
            ("lateness_s", self.lateness_s, SPAN_S),
            ("short_window_s", self.short_window_s, SPAN_S),
            ("long_window_s", self.long_window_s, SPAN_S),
            ("max_skew_s", self.max_skew_s, SPAN_S),
            ("congested_share", self.congested_share, above(0.0, 1.0)),
            ("congested_probability", self.congested_probability, BAR),
            ("hysteresis_probability", self.hysteresis_probability, MARGIN),
            ("hysteresis_level", self.hysteresis_level, MARGIN),
        ]
    }

    fn check_together(&self) -> Result<(), ConfigError> {
        let graph_ms = self.graph_boundary_ms;
        if graph_ms % self.state_boundary_ms != 0 {
            return Err(wrong("graph_boundary_ms", graph_ms as f64, "a multiple of state_boundary_ms"));
        }
        if LEARN_EVERY_MS % graph_ms != 0 {
            let rule = "one that goes into a minute: what is learned is learned once in each";
            return Err(wrong("graph_boundary_ms", graph_ms as f64, rule));
        }
        let kept = [
            ("hysteresis_probability", self.hysteresis_probability, self.congested_probability),
            ("queue.hysteresis_probability", self.queue.hysteresis_probability, self.queue.probability),
        ];
        if let Some((key, value, bar)) = kept.into_iter().find(|(_, kept, bar)| kept >= bar) {
            return Err(wrong(key, value, &format!("below its bar, {bar}, or nothing is ever taken back")));
        }
        if self.lateness_s < self.long_window_s {
            let rule = format!("at least long_window_s, {}", self.long_window_s);
            return Err(wrong("lateness_s", self.lateness_s, &rule));
        }
        Ok(())
    }
}

impl FacilityConfig {
    fn check(&self) -> Result<(), ConfigError> {
        /// Beyond an hour of delay, or more vehicles than a lane of a km has room for.
        const MOST: f64 = 3_600.0;
        let cuts = [
            ("facility.density_pcpkmln", &self.density_pcpkmln),
            ("facility.signal_delay_s", &self.signal_delay_s),
            ("facility.give_way_delay_s", &self.give_way_delay_s),
        ];
        for (key, cuts) in cuts {
            let mut before = 0.0;
            for &value in cuts {
                let range = above(before, MOST);
                if !range.contains(&value) {
                    return Err(wrong(
                        key,
                        value,
                        &format!("{}: each cut is above the one before", words(&range)),
                    ));
                }
                before = value;
            }
        }
        Ok(())
    }
}

impl QueueConfig {
    fn numbers(&self) -> [Number; 11] {
        [
            ("probability", self.probability, BAR),
            ("hysteresis_probability", self.hysteresis_probability, MARGIN),
            ("join_after_s", self.join_after_s, WAIT_S),
            ("leave_after_s", self.leave_after_s, WAIT_S),
            ("least_turn_share", self.least_turn_share, from(0.0, 1.0)),
            ("onset_tolerance_s", self.onset_tolerance_s, WAIT_S),
            ("min_length_m", self.min_length_m, from(0.0, 100_000.0)),
            ("update_share", self.update_share, above(0.0, 100.0)),
            ("update_every_s", self.update_every_s, SPAN_S),
            ("spillback_share", self.spillback_share, above(0.0, 1.0)),
            ("spillback_ahead_s", self.spillback_ahead_s, WAIT_S),
        ]
    }
}

impl IncidentConfig {
    fn numbers(&self) -> [Number; 3] {
        /// Each link every half minute: all that can be told.
        const FALSE_ALARMS: Range = from(0.0, 2_880_000.0);
        let false_alarms = self.false_alarms_per_day_per_1000_links;
        [
            ("false_alarms_per_day_per_1000_links", false_alarms, FALSE_ALARMS),
            ("clear_after_s", self.clear_after_s, SPAN_S),
            ("update_every_s", self.update_every_s, SPAN_S),
        ]
    }
}

impl HealthConfig {
    fn numbers(&self) -> [Number; 5] {
        [
            ("silent_periods", self.silent_periods, from(1.0, 10_000.0)),
            // One reading does not stand still.
            ("stuck_readings", f64::from(self.stuck_readings), from(2.0, 10_000.0)),
            ("clock_off_s", self.clock_off_s, SPAN_S),
            ("blind_after_s", self.blind_after_s, SPAN_S),
            ("blind_vehicles", self.blind_vehicles, above(0.0, 1_000_000.0)),
        ]
    }
}

impl ForecastConfig {
    fn numbers(&self) -> [Number; 3] {
        /// Kiritimati's clocks are 14 hours ahead, the most there is.
        const OFFSET_MIN: Range = from(-14.0 * 60.0, 14.0 * 60.0);
        [
            ("utc_offset_min", self.utc_offset_min as f64, OFFSET_MIN),
            ("tell_share", self.tell_share, above(0.0, 1.0)),
            ("tell_every_s", self.tell_every_s, SPAN_S),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(config: &Config) -> String {
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_work_together() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_by_key_value_and_range() {
        let mut config = Config::default();
        config.queue.probability = 7.0;
        assert_eq!(refused(&config), "analyser.queue.probability is 7; it must be above 0 and below 1");
        let mut config = Config::default();
        config.persons.bus = f64::INFINITY;
        assert_eq!(refused(&config), "analyser.persons.bus is inf; it must be at least 0 and at most 500");
        let mut config = Config::default();
        config.queue.join_after_s = f64::NAN;
        assert!(refused(&config).starts_with("analyser.queue.join_after_s is NaN"));
        let mut config = Config::default();
        config.health.stuck_readings = 1;
        assert!(refused(&config).contains("health.stuck_readings is 1; it must be at least 2"));
    }

    #[test]
    fn cuts_that_do_not_rise_are_refused_by_name() {
        let mut config = Config::default();
        config.facility.signal_delay_s = [10.0, 20.0, 20.0, 55.0, 80.0];
        assert!(refused(&config).contains("facility.signal_delay_s is 20; it must be above 20"));
    }

    #[test]
    fn a_graph_step_between_state_steps_is_refused_by_name() {
        let config = Config { graph_boundary_ms: 300, ..Config::default() };
        assert!(refused(&config).contains("graph_boundary_ms is 300"));
    }

    #[test]
    fn a_graph_step_that_misses_minutes_is_refused_by_name() {
        let config = Config { graph_boundary_ms: 7_000, ..Config::default() };
        assert!(refused(&config).contains("goes into a minute"));
    }

    #[test]
    fn events_that_are_told_again_every_no_seconds_are_refused_by_name() {
        let incident = IncidentConfig { update_every_s: 0.0, ..IncidentConfig::default() };
        let config = Config { incident, ..Config::default() };
        assert!(refused(&config).contains("incident.update_every_s is 0"));
    }

    #[test]
    fn a_bar_below_which_nothing_is_taken_back_is_refused_by_name() {
        let config = Config { hysteresis_probability: 0.3, ..Config::default() };
        assert!(refused(&config).contains("hysteresis_probability is 0.3"));
        let queue = QueueConfig { hysteresis_probability: 0.5, ..QueueConfig::default() };
        let config = Config { queue, ..Config::default() };
        assert!(refused(&config).contains("queue.hysteresis_probability"));
    }
}
