//! Makes a sensor of a row: on the link that it names, or on the one that its position fits.

use std::fmt::Write as _;

use compact_str::CompactString;
use model::SensorId;

use super::{Fault, Findings};
use crate::{LinkIndex, Located, Network, Point, Sensor, SensorKind};

/// How far a sensor's position may lie from the middle of its road: a mast beside a wide street, and a GPS error.
const SNAP_RADIUS_M: f32 = 50.0;
/// A link that is nearer by less than this does not win over another: positions are not surer than that.
const CLEARLY_NEARER_M: f32 = 3.0;
/// Beyond this, a position and a link that are both given contradict each other.
const CONTRADICTION_M: f32 = 100.0;
/// How much a given offset may exceed the link: maps and registries round.
const OFFSET_TOLERANCE_M: f32 = 1.0;

/// How a sensor got its link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum How {
    /// The row names it, or it needs none.
    Named,
    /// By its position.
    Snapped,
}

/// Returns the row's sensor; what is wrong goes into the findings.
pub(super) fn sensor(found: &mut Findings<'_>, network: &Network) -> Option<(Sensor, How)> {
    let id = name(found);
    let kind = kind(found);
    let heading = found.number("heading_deg", -360.0, 360.0).map(|deg| (deg as f32).rem_euclid(360.0));
    let point = point(found);
    let length_m = found.number("length_m", 0.0, 5_000.0).unwrap_or(0.0) as f32;
    let period_s = found.number("period_s", 0.001, 86_400.0).map(|seconds| seconds as f32);
    let lane = found.number("lane", 1.0, 20.0).map(|lane| lane as u8);
    let place = match kind? {
        SensorKind::ProbeFleet => Some((None, How::Named)),
        kind => place(found, network, kind, point, heading).map(|(located, how)| (Some(located), how)),
    };
    let (located, how) = place?;
    if let Some(located) = located {
        check_fit(found, network, &located, lane, length_m);
    }
    let format = Some(found.row.get("format")).filter(|text| !text.is_empty()).unwrap_or("native");
    let sensor = Sensor {
        id: id?,
        kind: kind?,
        link: located.map(|l| l.link),
        offset_m: located.map(|l| l.offset_m),
        lane,
        point,
        heading_deg: heading,
        length_m,
        period_s,
        format: format.into(),
    };
    Some((sensor, how))
}

fn name(found: &mut Findings<'_>) -> Option<SensorId> {
    let name = found.row.get("sensor_id");
    if name.is_empty() {
        found.reject("sensor_id", Fault::Missing);
        return None;
    }
    if name.contains(char::is_control) {
        found.reject("sensor_id", Fault::BadName);
        return None;
    }
    Some(name.into())
}

fn kind(found: &mut Findings<'_>) -> Option<SensorKind> {
    let name = found.row.get("kind");
    let kind = SensorKind::from_name(name);
    match kind {
        None if name.is_empty() => found.reject("kind", Fault::Missing),
        None => found.reject("kind", Fault::UnknownKind(name.into())),
        Some(_) => {}
    }
    kind
}

fn point(found: &mut Findings<'_>) -> Option<Point> {
    let (lon, lat) = (found.number("lon", -180.0, 180.0), found.number("lat", -90.0, 90.0));
    for (value, column, other) in [(lon, "lon", "lat"), (lat, "lat", "lon")] {
        let alone = found.row.get(column).is_empty() && !found.row.get(other).is_empty();
        if value.is_none() && alone {
            found.reject(column, Fault::Missing);
        }
    }
    Some(Point { lon: lon?, lat: lat? })
}

fn place(
    found: &mut Findings<'_>,
    network: &Network,
    kind: SensorKind,
    point: Option<Point>,
    heading: Option<f32>,
) -> Option<(Located, How)> {
    let name = found.row.get("link_id");
    if !name.is_empty() {
        let Some(link) = network.find(name) else {
            found.reject("link_id", Fault::UnknownLink(name.into()));
            return None;
        };
        return on_link(found, network, kind, link, point).map(|located| (located, How::Named));
    }
    if let Some(point) = point {
        return snap(found, network, point, heading).map(|located| (located, How::Snapped));
    }
    // A position that is there but wrong was reported already.
    if found.row.get("lon").is_empty() && found.row.get("lat").is_empty() {
        found.reject("link_id", Fault::NoPosition);
    }
    None
}

fn on_link(
    found: &mut Findings<'_>,
    network: &Network,
    kind: SensorKind,
    link: LinkIndex,
    point: Option<Point>,
) -> Option<Located> {
    let beside = point.and_then(|point| network.project(link, point));
    let distance_m = beside.map_or(0.0, |located| located.distance_m);
    if distance_m > CONTRADICTION_M {
        found.warn("link_id", Fault::FarFromLink { distance_m });
    }
    let length_m = network.link(link).length_m;
    let given = found.number("offset_m", 0.0, 1e6).map(|offset| offset as f32);
    let offset_m = match (given, beside) {
        (Some(offset_m), _) if offset_m > length_m + OFFSET_TOLERANCE_M => {
            found.reject("offset_m", Fault::BeyondLink { offset_m, length_m });
            return None;
        }
        (Some(offset_m), _) => offset_m.min(length_m),
        (None, _) if !found.row.get("offset_m").is_empty() => return None,
        (None, Some(located)) => located.offset_m,
        // A light stands at the link's end unless it says otherwise.
        (None, None) if kind == SensorKind::Signal => length_m,
        (None, None) => {
            found.reject("offset_m", Fault::NoOffset);
            return None;
        }
    };
    Some(Located { link, distance_m, offset_m })
}

fn snap(found: &mut Findings<'_>, network: &Network, point: Point, heading: Option<f32>) -> Option<Located> {
    let near = network.locate(point, SNAP_RADIUS_M, heading);
    let Some(&first) = near.first() else {
        found.reject("lon", nothing_near(network, point, heading));
        return None;
    };
    let rival = near[1..]
        .iter()
        .take_while(|other| other.distance_m < first.distance_m + CLEARLY_NEARER_M)
        .find(|other| !(meet(network, &first, other) || meet(network, other, &first)));
    if let Some(second) = rival {
        let id = |located: &Located| CompactString::from(network.link(located.link).id.as_str());
        let fault = Fault::Ambiguous {
            first: id(&first),
            first_m: first.distance_m,
            second: id(second),
            second_m: second.distance_m,
            remedy: if heading.is_none() {
                "heading_deg, or link_id and offset_m"
            } else {
                "link_id and offset_m"
            },
        };
        found.reject(if heading.is_none() { "heading_deg" } else { "link_id" }, fault);
        return None;
    }
    Some(first)
}

/// Tells whether a sensor stands where one link goes on as the other: then either will do.
fn meet(network: &Network, before: &Located, after: &Located) -> bool {
    let (one, other) = (network.link(before.link), network.link(after.link));
    let turns_back = one.from == other.to;
    network.downstream(before.link).contains(&after.link)
        && !turns_back
        && before.offset_m > one.length_m - CLEARLY_NEARER_M
        && after.offset_m < CLEARLY_NEARER_M
}

fn nothing_near(network: &Network, point: Point, heading: Option<f32>) -> Fault {
    /// Beyond this it does not help to name the nearest link.
    const SEARCH_M: f32 = 1_000.0;
    let fitting = heading.map_or_else(String::new, |deg| format!(" that runs towards {deg:.0}°"));
    let mut nearest = String::new();
    if let Some(other) = network.locate(point, SEARCH_M, None).first() {
        let name = &network.link(other.link).id;
        write!(nearest, " (nearest is {name}, {:.0} m away)", other.distance_m).expect("a String takes all");
    }
    Fault::NothingNear { radius_m: SNAP_RADIUS_M, fitting, nearest }
}

fn check_fit(found: &mut Findings<'_>, network: &Network, at: &Located, lane: Option<u8>, length_m: f32) {
    let lanes = network.link(at.link).lanes;
    if let Some(lane) = lane.filter(|&lane| f32::from(lane) > lanes.max(1.0)) {
        found.warn("lane", Fault::NoSuchLane { lane, lanes });
    }
    if length_m > at.offset_m + OFFSET_TOLERANCE_M {
        found.warn("length_m", Fault::AreaBeyondLink { length_m, offset_m: at.offset_m });
    }
}
