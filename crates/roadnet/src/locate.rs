//! Which links are near a place, and which touch a box.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use crate::point::LocalFrame;
use crate::{BoundingBox, LinkIndex, Located, Network, Point};

/// Cosine of 45°: a heading that differs by more belongs to another link, since that is half of the angle between the
/// arms of a crossing. The last digits are given away so that 45° itself still fits.
const COS_TOLERANCE: f64 = std::f64::consts::FRAC_1_SQRT_2 - 1e-9;

/// Finds links by the boxes around them.
pub(crate) type LinkTree = RTree<GeomWithData<Rectangle<[f64; 2]>, LinkIndex>>;

pub(crate) fn link_tree(bounds: &[BoundingBox]) -> LinkTree {
    let boxes = bounds.iter().enumerate();
    RTree::bulk_load(
        boxes
            .map(|(i, b)| GeomWithData::new(Rectangle::from_aabb(envelope(b)), LinkIndex(i as u32)))
            .collect(),
    )
}

impl Network {
    /// Returns the links within `radius_m` of a place, nearest first, equally near ones by their index.
    ///
    /// With a heading (degrees clockwise from north) only stretches count whose direction differs from it by at most
    /// 45°; so a vehicle finds its own side of the road. What is not finite, or a negative radius, finds nothing.
    ///
    /// # Units
    /// Metres; distances are those of a plane that touches the ellipsoid at `point`: within 0.1 % up to 10 km.
    pub fn locate(&self, point: Point, radius_m: f32, heading_deg: Option<f32>) -> Vec<Located> {
        let radius = f64::from(radius_m);
        if !(point.lon.is_finite() && point.lat.is_finite() && radius >= 0.0) {
            return Vec::new();
        }
        let frame = LocalFrame::at(point);
        let heading = heading_deg.map(direction);
        let reach = frame.box_around(radius);
        let mut found: Vec<_> = self
            .tree()
            .locate_in_envelope_intersecting(envelope(&reach))
            .filter_map(|entry| self.nearest_on(entry.data, &frame, heading))
            .filter(|located| f64::from(located.distance_m) <= radius)
            .collect();
        found.sort_unstable_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.link.cmp(&b.link)));
        found
    }

    /// Returns the place on a link that is nearest to a point; `None` where the link is drawn without length.
    pub fn project(&self, link: LinkIndex, point: Point) -> Option<Located> {
        self.nearest_on(link, &LocalFrame::at(point), None)
    }

    /// Returns the links whose box touches the given one, by index.
    pub fn in_box(&self, area: &BoundingBox) -> Vec<LinkIndex> {
        let mut found: Vec<_> =
            self.tree().locate_in_envelope_intersecting(envelope(area)).map(|entry| entry.data).collect();
        found.sort_unstable();
        found
    }

    /// Returns the place on a link that is nearest to the frame's origin among the stretches that fit the heading.
    fn nearest_on(&self, link: LinkIndex, frame: &LocalFrame, heading: Option<[f64; 2]>) -> Option<Located> {
        let line = self.geometry(link);
        let mut walked = 0.0;
        let mut best: Option<(f64, f64)> = None;
        let mut start = frame.to_metres(line[0]);
        for &vertex in &line[1..] {
            let end = frame.to_metres(vertex);
            let along = [end[0] - start[0], end[1] - start[1]];
            let length = along[0].hypot(along[1]);
            if length > 0.0 && fits(along, length, heading) {
                let t = (-(start[0] * along[0] + start[1] * along[1]) / (length * length)).clamp(0.0, 1.0);
                let distance = (start[0] + t * along[0]).hypot(start[1] + t * along[1]);
                if best.is_none_or(|(nearest, _)| distance < nearest) {
                    best = Some((distance, walked + t * length));
                }
            }
            walked += length;
            start = end;
        }
        // A map may know the length better than its drawing does (SUMO's lanes end at the stop line).
        let length_m = f64::from(self.link(link).length_m);
        best.map(|(distance, offset)| Located {
            link,
            distance_m: distance as f32,
            offset_m: (offset / walked * length_m).min(length_m) as f32,
        })
    }
}

fn envelope(b: &BoundingBox) -> AABB<[f64; 2]> {
    AABB::from_corners([b.min.lon, b.min.lat], [b.max.lon, b.max.lat])
}

/// Returns the unit vector of a heading, east and north.
fn direction(heading_deg: f32) -> [f64; 2] {
    let (sin, cos) = f64::from(heading_deg).to_radians().sin_cos();
    [sin, cos]
}

/// A heading that is no number fits nothing.
fn fits(along: [f64; 2], length: f64, heading: Option<[f64; 2]>) -> bool {
    heading.is_none_or(|[east, north]| along[0] * east + along[1] * north >= COS_TOLERANCE * length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{line, two_way_street};

    #[test]
    fn a_heading_finds_its_own_side_of_the_road() {
        let network = two_way_street();
        let here = Point { lon: 106.6805, lat: 20.8601 };
        let both = network.locate(here, 50.0, None);
        assert_eq!(both.iter().map(|l| l.link.0).collect::<Vec<_>>(), [0, 1], "equally near: by index");
        let east = network.locate(here, 50.0, Some(80.0));
        assert_eq!(network.link(east[0].link).id.as_str(), "east");
        assert_eq!(east.len(), 1);
        let west = network.locate(here, 50.0, Some(-100.0));
        assert_eq!(network.link(west[0].link).id.as_str(), "west");
        assert!((east[0].offset_m - west[0].offset_m).abs() < 0.5, "half way along both");
        assert_eq!(network.locate(here, 50.0, Some(45.0)).len(), 1, "45 degrees off still fit");
        assert!(network.locate(here, 50.0, Some(0.0)).is_empty(), "nobody drives north here");
    }

    #[test]
    fn distance_and_offset_agree_with_the_ellipsoid() {
        let network = two_way_street();
        let found = network.locate(Point { lon: 106.6805, lat: 20.8601 }, 50.0, Some(90.0))[0];
        let north = line(&[(106.6805, 20.86), (106.6805, 20.8601)]);
        assert!((f64::from(found.distance_m) - crate::point::length_m(&north)).abs() < 0.01);
        let half = f64::from(network.links()[0].length_m) / 2.0;
        assert!((f64::from(found.offset_m) - half).abs() < 0.01);
    }

    #[test]
    fn what_is_no_place_finds_nothing() {
        let network = two_way_street();
        let here = Point { lon: 106.6805, lat: 20.86 };
        assert!(network.locate(Point { lon: f64::NAN, lat: 20.86 }, 50.0, None).is_empty());
        assert!(network.locate(here, f32::NAN, None).is_empty());
        assert!(network.locate(here, -1.0, None).is_empty());
        assert!(network.locate(here, 50.0, Some(f32::NAN)).is_empty());
        assert_eq!(network.locate(Point { lon: 0.0, lat: 90.0 }, f32::MAX, None).len(), 2);
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_a_search_of_all_links_finds(
            lines in prop::collection::vec(prop::collection::vec((0u8..60, 0u8..60), 2..6), 1..30),
            (lon, lat) in (0.0..0.006f64, 0.0..0.006f64),
            radius in 0.0..400.0f32,
            heading in prop::option::of(-360.0..720.0f32),
        ) {
            let network = crate::testing::network_of(&lines);
            let frame = LocalFrame::at(Point { lon: 106.0 + lon, lat: 20.0 + lat });
            let mut brute: Vec<_> = network
                .indices()
                .filter_map(|link| network.nearest_on(link, &frame, heading.map(direction)))
                .filter(|located| located.distance_m <= radius)
                .collect();
            brute.sort_by(|a, b| a.distance_m.total_cmp(&b.distance_m).then(a.link.cmp(&b.link)));
            prop_assert_eq!(network.locate(Point { lon: 106.0 + lon, lat: 20.0 + lat }, radius, heading), brute);
        }

        #[test]
        fn a_box_finds_the_links_whose_bounds_touch_it(
            lines in prop::collection::vec(prop::collection::vec((0u8..60, 0u8..60), 2..4), 1..30),
            corners in prop::collection::vec((0.0..0.006f64, 0.0..0.006f64), 2),
        ) {
            let network = crate::testing::network_of(&lines);
            let area = BoundingBox::around(corners.iter().map(|c| Point { lon: 106.0 + c.0, lat: 20.0 + c.1 }));
            let area = area.unwrap();
            let brute: Vec<_> = network.indices().filter(|&l| network.link_bounds(l).intersects(&area)).collect();
            prop_assert_eq!(network.in_box(&area), brute);
        }
    }
}
