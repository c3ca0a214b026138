//! Places on the globe.

use serde::{Deserialize, Serialize};

/// A place: degrees on WGS 84.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// Longitude, degrees east.
    pub lon: f64,
    /// Latitude, degrees north.
    pub lat: f64,
}

/// A box between two meridians and two parallels; it does not cross the 180th meridian.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct BoundingBox {
    /// South-west corner.
    pub min: Point,
    /// North-east corner.
    pub max: Point,
}

impl BoundingBox {
    /// Tells whether the two boxes share a point.
    pub fn intersects(&self, other: &Self) -> bool {
        self.min.lon <= other.max.lon
            && other.min.lon <= self.max.lon
            && self.min.lat <= other.max.lat
            && other.min.lat <= self.max.lat
    }

    /// Returns the smallest box around the points; `None` when there are none.
    pub fn around(points: impl IntoIterator<Item = Point>) -> Option<Self> {
        let mut points = points.into_iter();
        let first = points.next()?;
        Some(points.fold(Self { min: first, max: first }, |all, p| Self {
            min: Point { lon: all.min.lon.min(p.lon), lat: all.min.lat.min(p.lat) },
            max: Point { lon: all.max.lon.max(p.lon), lat: all.max.lat.max(p.lat) },
        }))
    }
}

/// Returns the length of a line on the WGS 84 ellipsoid, in metres.
pub(crate) fn length_m(line: &[Point]) -> f64 {
    use geo::{Distance as _, Geodesic};
    line.windows(2)
        .map(|pair| {
            Geodesic.distance(
                geo::Point::new(pair[0].lon, pair[0].lat),
                geo::Point::new(pair[1].lon, pair[1].lat),
            )
        })
        .sum()
}
