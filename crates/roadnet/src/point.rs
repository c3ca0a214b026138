//! Places on the globe.

use serde::{Deserialize, Serialize};

/// Semi-major axis of WGS 84.
pub(crate) const WGS84_A_M: f64 = 6_378_137.0;
/// Flattening of WGS 84.
pub(crate) const WGS84_F: f64 = 1.0 / 298.257_223_563;
/// First eccentricity squared of WGS 84.
const WGS84_E2: f64 = WGS84_F * (2.0 - WGS84_F);

/// A place: degrees on WGS 84.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Point {
    /// Longitude, degrees east.
    pub lon: f64,
    /// Latitude, degrees north.
    pub lat: f64,
}

impl Point {
    /// Tells whether it is on the globe: finite, and within ±180° and ±90°.
    pub fn is_on_globe(self) -> bool {
        self.lon.abs() <= 180.0 && self.lat.abs() <= 90.0
    }

    /// Returns it as exactly as networks keep it: whole steps of 10⁻⁷ degrees.
    pub(crate) fn rounded(self) -> Self {
        Fixed::of(self).point()
    }
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

/// A place in whole steps of 10⁻⁷ degrees (11 mm), which is how exactly OSM and our files keep places.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) lon: i32,
    pub(crate) lat: i32,
}

impl Fixed {
    const PER_DEG: f64 = 1e7;

    pub(crate) fn of(point: Point) -> Self {
        // `as` saturates: what is no place on the globe was refused before.
        Self {
            lon: (point.lon * Self::PER_DEG).round() as i32,
            lat: (point.lat * Self::PER_DEG).round() as i32,
        }
    }

    pub(crate) fn point(self) -> Point {
        Point { lon: f64::from(self.lon) / Self::PER_DEG, lat: f64::from(self.lat) / Self::PER_DEG }
    }
}

/// A plane that touches the WGS 84 ellipsoid at one place: metres east and north of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalFrame {
    origin: Point,
    metres_per_lon_deg: f64,
    metres_per_lat_deg: f64,
}

impl LocalFrame {
    /// Uses the radii of curvature of the ellipsoid in the prime vertical and in the meridian.
    pub(crate) fn at(origin: Point) -> Self {
        let (sin, cos) = origin.lat.to_radians().sin_cos();
        let flat = 1.0 - WGS84_E2 * sin * sin;
        Self {
            origin,
            metres_per_lon_deg: (WGS84_A_M / flat.sqrt() * cos).to_radians(),
            metres_per_lat_deg: (WGS84_A_M * (1.0 - WGS84_E2) / (flat * flat.sqrt())).to_radians(),
        }
    }

    pub(crate) fn to_metres(self, point: Point) -> [f64; 2] {
        [
            (point.lon - self.origin.lon) * self.metres_per_lon_deg,
            (point.lat - self.origin.lat) * self.metres_per_lat_deg,
        ]
    }

    pub(crate) fn to_point(self, [east_m, north_m]: [f64; 2]) -> Point {
        Point {
            lon: self.origin.lon + east_m / self.metres_per_lon_deg,
            lat: self.origin.lat + north_m / self.metres_per_lat_deg,
        }
    }

    /// Returns the box that holds all within `radius_m`; at the poles it goes all round.
    pub(crate) fn box_around(self, radius_m: f64) -> BoundingBox {
        let lat = (radius_m / self.metres_per_lat_deg).min(180.0);
        let lon = (radius_m / self.metres_per_lon_deg.max(1e-6)).min(360.0);
        BoundingBox {
            min: Point { lon: self.origin.lon - lon, lat: self.origin.lat - lat },
            max: Point { lon: self.origin.lon + lon, lat: self.origin.lat + lat },
        }
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
