//! Lanes, width, speed and the rest of a link's attributes.

use compact_str::{CompactString, format_compact};
use model::ClassSet;

use super::access::Road;
use super::direction::{Kind, is_roundabout};
use super::map::Tags;
use super::{Side, name, values};
use crate::import::defaults::{CONTRAFLOW_LANES, CONTRAFLOW_WIDTH_M, Usual, usual};
use crate::{Defaults, NewLink, NodeIndex};

/// A way, as far as all its pieces share it.
pub(super) struct Way<'a> {
    pub(super) tags: &'a Tags,
    pub(super) road: &'a Road,
    pub(super) kind: Kind,
}

impl Way<'_> {
    /// Returns a link of one side, without name, ends and geometry.
    pub(super) fn link(&self, side: Side, allowed: ClassSet, main: Side) -> NewLink {
        let usual = usual(self.road.class, self.road.ramp);
        let contraflow = self.kind == Kind::OneWay && side != main;
        let (lanes, width) = if contraflow {
            (self.told_lanes(side), None)
        } else {
            (self.told_lanes_of_main(side), self.told_width(side, &usual))
        };
        let usual_lanes = match self.kind {
            Kind::OneWay if contraflow => CONTRAFLOW_LANES,
            Kind::OneWay => usual.lanes_one_way,
            Kind::TwoWay | Kind::Changing => usual.lanes_two_way,
        };
        let lanes_known = lanes.unwrap_or(usual_lanes);
        let usual_width = if contraflow { CONTRAFLOW_WIDTH_M } else { lanes_known * usual.lane_width_m };
        let speed = self.told_speed(side);
        let usual_speed =
            if self.kind == Kind::OneWay { usual.speed_one_way_kmh } else { usual.speed_two_way_kmh };
        let defaults =
            Defaults { lanes: lanes.is_none(), width: width.is_none(), speed_limit: speed.is_none() };
        NewLink {
            id: "".into(),
            from: NodeIndex(0),
            to: NodeIndex(0),
            geometry: Vec::new(),
            length_m: None,
            class: self.road.class,
            lanes: lanes_known,
            width_m: width.unwrap_or(usual_width),
            speed_limit_kmh: speed.unwrap_or(usual_speed),
            defaults,
            allowed,
            name: name(self.tags),
            signal_at_end: false,
            gives_way: None,
            roundabout: is_roundabout(self.tags),
            bridge: self.tags.get("bridge").is_some_and(|value| value != "no"),
            tunnel: self.tags.get("tunnel").is_some_and(|value| value != "no"),
            conditions: self.conditions(),
        }
    }

    fn told_lanes(&self, side: Side) -> Option<f32> {
        values::lanes(self.tags.get(if side == Side::Forward {
            "lanes:forward"
        } else {
            "lanes:backward"
        })?)
    }

    /// `lanes` counts those of both directions.
    fn told_lanes_of_main(&self, side: Side) -> Option<f32> {
        let total = self.tags.get("lanes").and_then(values::lanes);
        if self.kind == Kind::OneWay {
            return total.or(self.told_lanes(side));
        }
        let other = if side == Side::Forward { Side::Backward } else { Side::Forward };
        // The lane in the middle from which both directions turn left serves neither's through traffic.
        let middle = self.tags.get("lanes:both_ways").and_then(values::lanes).unwrap_or(0.0);
        let rest = total.map(|total| total - middle).filter(|&rest| rest > 0.0);
        let by_difference = || Some(rest? - self.told_lanes(other)?).filter(|&lanes| lanes > 0.0);
        self.told_lanes(side).or_else(by_difference).or(rest.map(|rest| rest / 2.0))
    }

    /// `width` is that of the whole carriageway; a direction has the share of its lanes.
    fn told_width(&self, side: Side, usual: &Usual) -> Option<f32> {
        let keys = ["width:carriageway", "width", "est_width"];
        let total = keys.iter().find_map(|key| values::width_m(self.tags.get(key)?))?;
        if self.kind == Kind::OneWay {
            return Some(total);
        }
        let lanes = |side| self.told_lanes_of_main(side).unwrap_or(usual.lanes_two_way);
        Some(total * lanes(side) / (lanes(Side::Forward) + lanes(Side::Backward)))
    }

    fn told_speed(&self, side: Side) -> Option<f32> {
        let of_side = if side == Side::Forward { "maxspeed:forward" } else { "maxspeed:backward" };
        let keys = [of_side, "maxspeed", "maxspeed:type", "zone:maxspeed", "source:maxspeed"];
        keys.iter().find_map(|key| values::speed_kmh(self.tags.get(key)?))
    }

    /// Returns the tags that hold only at times or for some.
    fn conditions(&self) -> Vec<CompactString> {
        /// Keys after `maxspeed:` that speak of a direction or of the number's origin, not of some vehicles.
        const NO_CONDITION: [&str; 8] =
            ["forward", "backward", "type", "source", "signs", "practical", "advisory", "lanes"];
        let holds_for_some = |key: &str| {
            key.strip_prefix("maxspeed:").is_some_and(|rest| {
                let first = rest.split(':').next().unwrap_or_default();
                !NO_CONDITION.contains(&first)
            })
        };
        let conditional = |key: &str| key.ends_with(":conditional") && !key.starts_with("parking");
        let noted = |(key, value): &(&str, &str)| {
            let changing = *key == "oneway" && self.kind == Kind::Changing;
            let contents = !value.is_empty();
            contents && (conditional(key) || holds_for_some(key) || changing)
        };
        self.tags.iter().filter(noted).map(|(key, value)| format_compact!("{key}={value}")).collect()
    }
}
