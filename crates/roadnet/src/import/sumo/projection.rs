//! SUMO's plane coordinates to degrees.
//!
//! Transverse Mercator by Krüger's series in the third flattening *n*, to its third power: exact to a tenth of a
//! millimetre within a UTM zone. Source: L. Krüger, Konforme Abbildung des Erdellipsoids in der Ebene, 1912, in the form of
//! C. F. F. Karney, Transverse Mercator with an accuracy of a few nanometers, J. Geodesy 85, 2011, equations 25-36.

use crate::Point;
use crate::point::{LocalFrame, WGS84_A_M, WGS84_F};

/// How a net's coordinates become degrees.
pub(super) enum Projection {
    /// The net has a place on the globe.
    TransverseMercator(TransverseMercator),
    /// The net has none: metres from 0° N, 0° E.
    Nowhere(LocalFrame),
}

/// A transverse Mercator projection of WGS 84.
pub(super) struct TransverseMercator {
    central_meridian_deg: f64,
    scale: f64,
    false_easting_m: f64,
    /// False northing, less the northing of the latitude of origin.
    northing_of_equator_m: f64,
}

impl Projection {
    /// Reads PROJ's parameters as SUMO writes them; `None` for a projection that is not known here.
    pub(super) fn parse(parameters: &str) -> Option<Self> {
        if matches!(parameters.trim(), "" | "!") {
            return Some(Self::Nowhere(LocalFrame::at(Point { lon: 0.0, lat: 0.0 })));
        }
        let get = |key: &str| {
            parameters
                .split_whitespace()
                .find_map(|word| word.strip_prefix('+')?.strip_prefix(key)?.strip_prefix('='))
        };
        let known_ellipsoid = matches!(get("ellps"), None | Some("WGS84" | "GRS80"))
            && matches!(get("datum"), None | Some("WGS84"))
            && get("towgs84").is_none_or(|shift| shift.split(',').all(|part| part.parse() == Ok(0.0)))
            && matches!(get("units"), None | Some("m"));
        if !known_ellipsoid {
            return None;
        }
        let number = |key: &str, default: f64| get(key).map_or(Some(default), |text| text.parse().ok());
        let found = match get("proj")? {
            "utm" => {
                let south = parameters.split_whitespace().any(|word| word == "+south");
                TransverseMercator::utm(get("zone")?.parse().ok()?, if south { 10_000_000.0 } else { 0.0 })?
            }
            "tmerc" => TransverseMercator::new(
                number("lat_0", 0.0)?,
                number("lon_0", 0.0)?,
                number("k", number("k_0", 1.0)?)?,
                number("x_0", 0.0)?,
                number("y_0", 0.0)?,
            ),
            _ => return None,
        };
        Some(Self::TransverseMercator(found))
    }

    pub(super) fn point(&self, [x, y]: [f64; 2]) -> Point {
        match self {
            Self::TransverseMercator(projection) => projection.point(x, y),
            Self::Nowhere(frame) => frame.to_point([x, y]),
        }
    }
}

const N: f64 = WGS84_F / (2.0 - WGS84_F);
/// Radius of the circle that is as long as a meridian.
const RECTIFYING_RADIUS_M: f64 = WGS84_A_M / (1.0 + N) * (1.0 + N * N / 4.0 + N * N * N * N / 64.0);
const ALPHA: [f64; 3] = [
    N / 2.0 - 2.0 * N * N / 3.0 + 5.0 * N * N * N / 16.0,
    13.0 * N * N / 48.0 - 3.0 * N * N * N / 5.0,
    61.0 * N * N * N / 240.0,
];
const BETA: [f64; 3] = [
    N / 2.0 - 2.0 * N * N / 3.0 + 37.0 * N * N * N / 96.0,
    N * N / 48.0 + N * N * N / 15.0,
    17.0 * N * N * N / 480.0,
];
const DELTA: [f64; 3] = [
    2.0 * N - 2.0 * N * N / 3.0 - 2.0 * N * N * N,
    7.0 * N * N / 3.0 - 8.0 * N * N * N / 5.0,
    56.0 * N * N * N / 15.0,
];

impl TransverseMercator {
    fn utm(zone: u8, false_northing_m: f64) -> Option<Self> {
        let central = f64::from(zone) * 6.0 - 183.0;
        (1..=60).contains(&zone).then(|| Self::new(0.0, central, 0.9996, 500_000.0, false_northing_m))
    }

    fn new(lat_0: f64, lon_0: f64, scale: f64, false_easting_m: f64, false_northing_m: f64) -> Self {
        let northing_of_equator_m = false_northing_m - scale * meridian_arc_m(lat_0);
        Self { central_meridian_deg: lon_0, scale, false_easting_m, northing_of_equator_m }
    }

    fn point(&self, easting_m: f64, northing_m: f64) -> Point {
        let radius = self.scale * RECTIFYING_RADIUS_M;
        let xi = (northing_m - self.northing_of_equator_m) / radius;
        let eta = (easting_m - self.false_easting_m) / radius;
        let (mut xi_sphere, mut eta_sphere) = (xi, eta);
        for (j, beta) in (1..).zip(BETA) {
            let twice = 2.0 * f64::from(j);
            xi_sphere -= beta * (twice * xi).sin() * (twice * eta).cosh();
            eta_sphere -= beta * (twice * xi).cos() * (twice * eta).sinh();
        }
        let conformal = (xi_sphere.sin() / eta_sphere.cosh()).asin();
        let lat = (1..)
            .zip(DELTA)
            .fold(conformal, |lat, (j, delta)| lat + delta * (2.0 * f64::from(j) * conformal).sin());
        let lon = eta_sphere.sinh().atan2(xi_sphere.cos());
        Point { lon: self.central_meridian_deg + lon.to_degrees(), lat: lat.to_degrees() }
    }
}

/// Returns the distance from the equator to a latitude along the meridian.
fn meridian_arc_m(lat_deg: f64) -> f64 {
    let sin = lat_deg.to_radians().sin();
    let e = 2.0 * N.sqrt() / (1.0 + N);
    let conformal = (sin.atanh() - e * (e * sin).atanh()).sinh().atan();
    let xi = (1..)
        .zip(ALPHA)
        .fold(conformal, |xi, (j, alpha)| xi + alpha * (2.0 * f64::from(j) * conformal).sin());
    RECTIFYING_RADIUS_M * xi
}

#[cfg(test)]
mod tests {
    use super::*;

    fn degrees(parameters: &str, x: f64, y: f64) -> [f64; 2] {
        let point = Projection::parse(parameters).unwrap().point([x, y]);
        [point.lon, point.lat]
    }

    /// 10⁻⁸ degrees are about a millimetre.
    #[track_caller]
    fn assert_near(found: [f64; 2], wanted: [f64; 2]) {
        assert!(
            (found[0] - wanted[0]).abs() < 1e-8 && (found[1] - wanted[1]).abs() < 1e-8,
            "{found:?} {wanted:?}"
        );
    }

    #[test]
    fn utm_agrees_with_proj() {
        // Reference values: PROJ 9 (pyproj), from +proj=utm to EPSG:4326.
        let north = "+proj=utm +zone=48 +ellps=WGS84 +datum=WGS84 +units=m +no_defs";
        assert_near(degrees(north, 584_695.20, 2_323_278.05), [105.8149590409, 21.0082627439]);
        assert_near(degrees(north, 589_948.88, 2_327_020.88), [105.8657022981, 21.0418281032]);
        assert_near(degrees(north, 675_000.0, 2_306_500.0), [106.6819922462, 20.8503494999]);
        assert_near(degrees(north, 500_000.0, 0.0), [105.0, 0.0]);
        let south = "+proj=utm +zone=33 +south +ellps=WGS84 +datum=WGS84 +units=m";
        assert_near(degrees(south, 262_000.0, 6_243_000.0), [12.4253302373, -33.9265697738]);
    }

    #[test]
    fn transverse_mercator_agrees_with_proj() {
        let national =
            "+proj=tmerc +lat_0=10 +lon_0=105.75 +k=0.9999 +x_0=500000 +y_0=1000 +ellps=WGS84 +units=m";
        assert_near(degrees(national, 590_000.0, 1_200_000.0), [106.6147421552, 20.8343173012]);
    }

    #[test]
    fn an_unknown_projection_is_no_guess() {
        for strange in [
            "+proj=merc +lon_0=0",
            "+proj=utm +zone=99",
            "+proj=utm +zone=33 +ellps=bessel",
            "-",
            "what",
            "+proj=tmerc +lon_0=105 +towgs84=-191.9,-39.3,-111.45",
        ] {
            assert!(Projection::parse(strange).is_none(), "{strange}");
        }
    }

    #[test]
    fn a_net_without_a_place_lies_at_zero() {
        let [lon, lat] = degrees("!", 1000.0, -500.0);
        let [east, north] = [lon * 111_319.49, lat * 110_574.28];
        assert!((east - 1000.0).abs() < 0.1 && (north + 500.0).abs() < 0.1, "{east} {north}");
    }
}
