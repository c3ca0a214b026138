//! GeoJSON: one `LineString` is one link, from its first vertex to its last.
//!
//! Properties are those that [`crate::export::geojson`] writes: `link_id` is required; `class`, `lanes`, `width_m`,
//! `speed_limit_kmh` (all of the link's own direction), `name`, `allowed` (a list, or words), `length_m`,
//! `signal_at_end`, `gives_way` (true, false, or null where nobody knows), `roundabout`, `bridge`, `tunnel`, `conditions` may be absent;
//! `defaults` names values that are only guesses. `oneway: false` adds the other direction as `{link_id}.b`. Lines are joined where their ends coincide, or by `from_node` and `to_node`; `next` lists the
//! links that may follow, else all may that start there.

use std::io::Read;

use compact_str::{CompactString, ToCompactString, format_compact};
use model::{ClassSet, LinkId, VehicleClass};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::defaults::{Ramp, usual};
use super::report::Tallies;
use super::{Failure, Imported};
use crate::{Defaults, NetworkBuilder, NewLink, NodeIndex, Point, RoadClass};

#[derive(Deserialize)]
struct File {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    geometry: Option<Geometry>,
    properties: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Geometry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    coordinates: Value,
}

pub(super) fn read(from: impl Read) -> Result<Imported, Failure> {
    let file: File = serde_json::from_reader(from).map_err(|error| {
        if error.is_eof() {
            Failure::Truncated(error.to_string())
        } else {
            Failure::Malformed(error.to_string())
        }
    })?;
    let mut import = Import::default();
    import.tallies.read.count("features", file.features.len());
    let lines: Vec<_> = (1..).zip(&file.features).filter_map(|(number, f)| import.line(number, f)).collect();
    let lights = lines.iter().filter(|line| line.flag("signal_at_end")).map(Line::end);
    import.lights = lights.collect();
    for line in &lines {
        import.add(line);
    }
    for line in &lines {
        import.add_turns(line);
    }
    Ok(Imported { network: import.builder.build(), report: import.tallies.report() })
}

#[derive(Default)]
struct Import {
    builder: NetworkBuilder,
    nodes: FxHashMap<CompactString, NodeIndex>,
    /// Nodes at which a traffic light stands.
    lights: FxHashSet<CompactString>,
    tallies: Tallies,
}

/// A feature that can be a link.
struct Line<'a> {
    id: CompactString,
    vertices: Vec<Point>,
    properties: &'a Map<String, Value>,
}

impl Import {
    fn line<'a>(&mut self, number: usize, feature: &'a Feature) -> Option<Line<'a>> {
        let example = format_compact!("feature {number}");
        let Some(geometry) = feature.geometry.as_ref().filter(|geometry| geometry.kind == "LineString")
        else {
            self.tallies.dropped.add("features that are no LineString", example);
            return None;
        };
        let Some(vertices) = vertices(&geometry.coordinates) else {
            self.tallies.dropped.add("lines whose vertices are not pairs of degrees", example);
            return None;
        };
        let properties = feature.properties.as_ref();
        let id = properties.and_then(|properties| text(properties.get("link_id")?));
        let (Some(id), Some(properties)) = (id, properties) else {
            self.tallies.dropped.add("lines without link_id", example);
            return None;
        };
        Some(Line { id, vertices, properties })
    }

    fn add(&mut self, line: &Line<'_>) {
        let forward = self.link(line);
        let mut links = vec![forward];
        match line.properties.get("oneway").and_then(truth) {
            Some(true) => {}
            Some(false) => {
                let mut back = links[0].clone();
                back.id = LinkId(format_compact!("{}.b", line.id));
                std::mem::swap(&mut back.from, &mut back.to);
                back.geometry.reverse();
                links.push(back);
                self.tallies
                    .noted
                    .add("lines with oneway=false: the other direction is named link_id.b", &line.id);
            }
            None => self
                .tallies
                .noted
                .add("lines without oneway: taken as one direction, first vertex to last", &line.id),
        }
        for link in links {
            if let Err(error) = self.builder.add_link(link) {
                self.tallies.dropped.add("lines with impossible values", error);
            }
        }
    }

    fn link(&mut self, line: &Line<'_>) -> NewLink {
        let class = self.class(line);
        let usual = usual(class, Ramp::No);
        let lanes = self.number(line, "lanes");
        let width = self.number(line, "width_m");
        let speed = self.number(line, "speed_limit_kmh");
        let defaults = line.words("defaults");
        let default =
            |told: Option<f32>, name: &str| told.is_none() || defaults.iter().any(|word| word == name);
        let lanes_known = lanes.unwrap_or(usual.lanes_one_way);
        NewLink {
            id: LinkId(line.id.clone()),
            from: self.node(&line.start(), line.vertices[0]),
            to: self.node(&line.end(), line.vertices[line.vertices.len() - 1]),
            geometry: line.vertices.clone(),
            length_m: self.number(line, "length_m"),
            class,
            lanes: lanes_known,
            width_m: width.unwrap_or(lanes_known * usual.lane_width_m),
            speed_limit_kmh: speed.unwrap_or(usual.speed_one_way_kmh),
            defaults: Defaults {
                lanes: default(lanes, "lanes"),
                width: default(width, "width"),
                speed_limit: default(speed, "speed_limit"),
            },
            allowed: self.allowed(line, class),
            name: line.properties.get("name").and_then(text).unwrap_or_default(),
            signal_at_end: line.flag("signal_at_end"),
            gives_way: line.told_flag("gives_way"),
            roundabout: line.flag("roundabout"),
            bridge: line.flag("bridge"),
            tunnel: line.flag("tunnel"),
            conditions: line.words("conditions"),
        }
    }

    fn node(&mut self, name: &CompactString, point: Point) -> NodeIndex {
        *self
            .nodes
            .entry(name.clone())
            .or_insert_with(|| self.builder.add_node(name.clone(), point, self.lights.contains(name)))
    }

    fn class(&mut self, line: &Line<'_>) -> RoadClass {
        let told = line.properties.get("class").and_then(text);
        match told.as_deref().map(RoadClass::from_name) {
            Some(Some(class)) => return class,
            Some(None) => {
                self.tallies.noted.add("lines of an unknown class: taken as unclassified", &line.id)
            }
            None => self.tallies.noted.add("lines without class: taken as unclassified", &line.id),
        }
        RoadClass::Unclassified
    }

    /// Returns a positive number; what is none is noted and taken as absent.
    fn number(&mut self, line: &Line<'_>, key: &str) -> Option<f32> {
        let value = line.properties.get(key).filter(|value| !value.is_null())?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.map(|number| number as f32).filter(|number| number.is_finite() && *number > 0.0);
        if number.is_none() {
            self.tallies
                .noted
                .add(&format!("lines whose {key} is no positive number: taken as absent"), &line.id);
        }
        number
    }

    fn allowed(&mut self, line: &Line<'_>, class: RoadClass) -> ClassSet {
        let words = line.words("allowed");
        let mut allowed = ClassSet::NONE;
        for word in &words {
            match word.parse::<VehicleClass>() {
                Ok(class) => allowed = allowed.with(class),
                Err(error) => self.tallies.noted.add(&format!("{error} in allowed: ignored"), &line.id),
            }
        }
        if !words.is_empty() {
            return allowed;
        }
        let two_wheels = [VehicleClass::Motorcycle, VehicleClass::Bicycle, VehicleClass::TwoWheeler];
        match class {
            RoadClass::Alley => ClassSet::of(&two_wheels),
            _ => VehicleClass::ALL
                .into_iter()
                .filter(|class| *class != VehicleClass::Pedestrian)
                .fold(ClassSet::NONE, ClassSet::with),
        }
    }

    fn add_turns(&mut self, line: &Line<'_>) {
        if !line.properties.contains_key("next") {
            return;
        }
        let Some(from) = self.builder.find(&line.id) else { return };
        self.builder.only_listed_turns(from);
        for next in line.words("next") {
            match self.builder.find(&next) {
                Some(into) => self.builder.only_turn(from, into),
                None => self.tallies.noted.add("links in next that are not in the file: ignored", &line.id),
            }
        }
    }
}

impl Line<'_> {
    fn start(&self) -> CompactString {
        self.properties.get("from_node").and_then(text).unwrap_or_else(|| place_name(self.vertices[0]))
    }

    fn end(&self) -> CompactString {
        let last = self.vertices[self.vertices.len() - 1];
        self.properties.get("to_node").and_then(text).unwrap_or_else(|| place_name(last))
    }

    fn flag(&self, key: &str) -> bool {
        self.told_flag(key) == Some(true)
    }

    fn told_flag(&self, key: &str) -> Option<bool> {
        self.properties.get(key).and_then(truth)
    }

    fn words(&self, key: &str) -> Vec<CompactString> {
        match self.properties.get(key) {
            Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
            Some(Value::String(words)) => {
                let separate = |c: char| c == ',' || c == ';' || c.is_whitespace();
                words.split(separate).filter(|word| !word.is_empty()).map(CompactString::from).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Ends that coincide to 10⁻⁷ degrees have one name.
fn place_name(point: Point) -> CompactString {
    let point = point.rounded();
    format_compact!("{:.7},{:.7}", point.lon, point.lat)
}

fn vertices(coordinates: &Value) -> Option<Vec<Point>> {
    let vertices: Option<Vec<_>> = coordinates.as_array()?.iter().map(vertex).collect();
    vertices.filter(|vertices| vertices.len() >= 2)
}

fn vertex(pair: &Value) -> Option<Point> {
    let point = Point { lon: pair.get(0)?.as_f64()?, lat: pair.get(1)?.as_f64()? };
    point.is_on_globe().then_some(point)
}

fn text(value: &Value) -> Option<CompactString> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().into()),
        Value::Number(number) => Some(number.to_compact_string()),
        _ => None,
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) => Some(number.as_f64() != Some(0.0)),
        Value::String(text) => match text.trim() {
            "yes" | "true" | "1" => Some(true),
            "no" | "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::read_any;

    const FILE: &str = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[106.68,20.86],[106.681,20.86]]},
         "properties":{"link_id":"a","class":"primary","lanes":2,"width_m":"7","speed_limit_kmh":50,"oneway":true,
                       "name":"Tô Hiệu","allowed":["car","motorcycle"],"signal_at_end":true}},
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[106.681,20.86,5],[106.682,20.861]]},
         "properties":{"link_id":7,"oneway":"no","class":"lane","lanes":-1,"allowed":"bus, tank"}},
        {"type":"Feature","geometry":{"type":"Point","coordinates":[1,2]},"properties":{"link_id":"p"}},
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[106.681,20.86],[106.682,20.861]]},"properties":{}},
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[584695,2323278],[584795,2323278]]},
         "properties":{"link_id":"utm"}},
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[106.682,20.861],[106.683,20.861]]},
         "properties":{"link_id":"c","class":"alley"}}]}"#;

    #[test]
    fn lines_become_links_joined_at_their_ends() {
        let Imported { network, report } = read_any("t.geojson", FILE.as_bytes()).unwrap();
        let ids: Vec<_> = network.links().iter().map(|link| link.id.as_str()).collect();
        assert_eq!(ids, ["a", "7", "7.b", "c"]);
        let [a, seven, back, c] = network.links() else { panic!("four links") };
        assert_eq!((a.class, a.lanes, a.width_m, a.speed_limit_kmh), (RoadClass::Primary, 2.0, 7.0, 50.0));
        assert_eq!((a.name.as_str(), a.signal_at_end, a.defaults), ("Tô Hiệu", true, Defaults::default()));
        assert!(network.node(a.to).signal);
        assert_eq!(seven.class, RoadClass::Unclassified);
        assert!(seven.defaults.lanes && seven.defaults.width && seven.defaults.speed_limit);
        assert_eq!(seven.allowed, ClassSet::of(&[VehicleClass::Bus]));
        assert_eq!((back.from, back.to), (seven.to, seven.from));
        assert!(c.allowed.contains(VehicleClass::Motorcycle) && !c.allowed.contains(VehicleClass::Car));
        let next: Vec<_> = network.downstream(network.find("a").unwrap()).to_vec();
        assert_eq!(next, [network.find("7").unwrap()]);
        let said: Vec<_> = report.dropped.iter().map(|r| (r.what.as_str(), r.example.as_str())).collect();
        assert_eq!(
            said,
            [
                ("features that are no LineString", "feature 3"),
                ("lines without link_id", "feature 4"),
                ("lines whose vertices are not pairs of degrees", "feature 5"),
            ]
        );
        let noted: Vec<_> = report.noted.iter().map(|r| r.what.as_str()).collect();
        assert!(noted.contains(&"unknown vehicle class \"tank\" in allowed: ignored"), "{noted:?}");
        assert!(noted.contains(&"lines whose lanes is no positive number: taken as absent"), "{noted:?}");
    }

    #[test]
    fn broken_json_is_refused_in_words() {
        let refused = |text: &str| read_any("t.geojson", text.as_bytes()).unwrap_err().to_string();
        assert!(refused(&FILE[..FILE.len() - 3]).contains("cut off"));
        assert!(refused("{\"type\":\"Topology\"}").contains("missing field `features`"));
        assert!(refused("{\"features\":[]}").contains("holds no road"));
    }
}
