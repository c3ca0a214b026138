//! Checks of what clients ask for. Every refusal is INVALID_ARGUMENT and begins with the name of the field.

use std::time::Duration;

use roadnet::{BoundingBox, LinkIndex, Network, Point, RoadClass};
use tonic::Status;
use wire::v1;

/// Rows of a page when the client does not say.
const DEFAULT_PAGE: usize = 100;
/// Most rows of a page.
const MAX_PAGE: u32 = 1000;

/// Refuses a field.
pub(crate) fn invalid(field: &str, what: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {what}"))
}

/// Reads a bounding box in degrees.
pub(crate) fn bounding_box(field: &str, given: &v1::BoundingBox) -> Result<BoundingBox, Status> {
    let corners = [
        ("min_lon", given.min_lon, 180.0),
        ("min_lat", given.min_lat, 90.0),
        ("max_lon", given.max_lon, 180.0),
        ("max_lat", given.max_lat, 90.0),
    ];
    for (name, value, most) in corners {
        degrees(&format!("{field}.{name}"), value, most)?;
    }
    if given.min_lon > given.max_lon {
        let why = format_args!("{} is east of max_lon {}", given.min_lon, given.max_lon);
        return Err(invalid(&format!("{field}.min_lon"), why));
    }
    if given.min_lat > given.max_lat {
        let why = format_args!("{} is north of max_lat {}", given.min_lat, given.max_lat);
        return Err(invalid(&format!("{field}.min_lat"), why));
    }
    Ok(BoundingBox {
        min: Point { lon: given.min_lon, lat: given.min_lat },
        max: Point { lon: given.max_lon, lat: given.max_lat },
    })
}

/// Reads a place in degrees.
pub(crate) fn point(field: &str, given: Option<&v1::Point>) -> Result<Point, Status> {
    let given = given.ok_or_else(|| invalid(field, "is missing"))?;
    degrees(&format!("{field}.lon"), given.lon, 180.0)?;
    degrees(&format!("{field}.lat"), given.lat, 90.0)?;
    Ok(Point { lon: given.lon, lat: given.lat })
}

/// Reads a number between two others.
pub(crate) fn within(field: &str, value: f64, least: f64, most: f64) -> Result<f64, Status> {
    if value.is_finite() && (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(invalid(field, format_args!("{value} is not between {least} and {most}")))
}

/// Reads names of links.
pub(crate) fn links(field: &str, ids: &[String], network: &Network) -> Result<Vec<LinkIndex>, Status> {
    let found = |(i, id): (usize, &String)| link(&format!("{field}[{i}]"), id, network);
    ids.iter().enumerate().map(found).collect()
}

/// Reads the name of a link.
pub(crate) fn link(field: &str, id: &str, network: &Network) -> Result<LinkIndex, Status> {
    network.find(id).ok_or_else(|| invalid(field, format_args!("no link {id:?} in this network")))
}

/// Reads road classes.
pub(crate) fn road_classes(field: &str, given: &[i32]) -> Result<Vec<RoadClass>, Status> {
    let class = |(i, &number): (usize, &i32)| {
        RoadClass::ALL
            .into_iter()
            .find(|&class| number > 0 && i32::from(crate::network::road_class(class)) == number)
            .ok_or_else(|| invalid(&format!("{field}[{i}]"), format_args!("no road class {number}")))
    };
    given.iter().enumerate().map(class).collect()
}

/// Reads the number of rows of a page.
pub(crate) fn page_size(given: u32) -> Result<usize, Status> {
    match given {
        0 => Ok(DEFAULT_PAGE),
        1..=MAX_PAGE => Ok(given as usize),
        _ => Err(invalid("page_size", format_args!("{given} is more than {MAX_PAGE}"))),
    }
}

/// Reads a length of time that is at most a day.
pub(crate) fn duration(field: &str, seconds: i64, nanos: i32) -> Result<Duration, Status> {
    match (u64::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds @ 0..=86_400), Ok(nanos @ 0..1_000_000_000)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(invalid(field, format_args!("{seconds} s {nanos} ns is not between 0 and a day"))),
    }
}

fn degrees(field: &str, value: f64, most: f64) -> Result<f64, Status> {
    within(field, value, -most, most)
}
