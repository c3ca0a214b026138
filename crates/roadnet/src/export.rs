//! Networks for other programs: GeoJSON for maps, CSV for tables.

use std::fmt::Write as _;
use std::io::{self, Write};

use model::VehicleClass;
use serde_json::{Map, Value, json};

use crate::{Link, LinkIndex, Network};

/// Writes a `FeatureCollection` with one `LineString` for each link, which [`crate::import`] reads back; nodes come
/// back where the first link ends that names them.
///
/// # Errors
/// When the writer fails.
pub fn geojson(network: &Network, mut to: impl Write) -> io::Result<()> {
    write!(to, "{{\"type\":\"FeatureCollection\",\"features\":[")?;
    for index in network.indices() {
        to.write_all(if index.0 == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut to, &feature(network, index))?;
    }
    writeln!(to, "\n]}}")?;
    to.flush()
}

fn feature(network: &Network, index: LinkIndex) -> Value {
    let vertices: Vec<_> =
        network.geometry(index).iter().map(|vertex| json!([vertex.lon, vertex.lat])).collect();
    json!({
        "type": "Feature",
        "geometry": { "type": "LineString", "coordinates": vertices },
        "properties": properties(network, index),
    })
}

fn properties(network: &Network, index: LinkIndex) -> Map<String, Value> {
    let link = network.link(index);
    let next: Vec<_> = network.downstream(index).iter().map(|&next| network.link(next).id.as_str()).collect();
    let mut properties = Map::new();
    let mut put = |key: &str, value: Value| properties.insert(key.to_owned(), value);
    put("link_id", json!(link.id.as_str()));
    put("from_node", json!(network.node(link.from).id));
    put("to_node", json!(network.node(link.to).id));
    put("class", json!(link.class.name()));
    put("oneway", json!(true));
    put("length_m", json!(link.length_m));
    put("lanes", json!(link.lanes));
    put("width_m", json!(link.width_m));
    put("speed_limit_kmh", json!(link.speed_limit_kmh));
    put("defaults", json!(defaults(link)));
    put("allowed", json!(link.allowed.iter().map(VehicleClass::name).collect::<Vec<_>>()));
    put("name", json!(link.name));
    put("signal_at_end", json!(link.signal_at_end));
    put("gives_way", json!(link.gives_way));
    put("roundabout", json!(link.roundabout));
    put("bridge", json!(link.bridge));
    put("tunnel", json!(link.tunnel));
    put("conditions", json!(link.conditions));
    put("next", json!(next));
    properties
}

/// Writes one row for each link; lists are separated by spaces, the geometry is WKT.
///
/// # Errors
/// When the writer fails.
pub fn csv(network: &Network, to: impl Write) -> io::Result<()> {
    let mut to = ::csv::Writer::from_writer(to);
    to.write_record([
        "link_id",
        "from_node",
        "to_node",
        "class",
        "length_m",
        "lanes",
        "width_m",
        "speed_limit_kmh",
        "defaults",
        "allowed",
        "name",
        "signal_at_end",
        "gives_way",
        "roundabout",
        "bridge",
        "tunnel",
        "conditions",
        "geometry",
    ])?;
    for index in network.indices() {
        let link = network.link(index);
        to.write_record([
            link.id.as_str(),
            &network.node(link.from).id,
            &network.node(link.to).id,
            link.class.name(),
            &format!("{:.1}", link.length_m),
            &link.lanes.to_string(),
            &format!("{:.2}", link.width_m),
            &format!("{:.1}", link.speed_limit_kmh),
            &defaults(link).join(" "),
            &link.allowed.iter().map(VehicleClass::name).collect::<Vec<_>>().join(" "),
            &link.name,
            yes_or_no(link.signal_at_end),
            link.gives_way.map_or("", yes_or_no),
            yes_or_no(link.roundabout),
            yes_or_no(link.bridge),
            yes_or_no(link.tunnel),
            &link.conditions.join("; "),
            &wkt(network, index),
        ])?;
    }
    to.flush()
}

fn yes_or_no(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}

/// Returns the attributes that the map did not tell.
fn defaults(link: &Link) -> Vec<&'static str> {
    let all = [
        ("lanes", link.defaults.lanes),
        ("width", link.defaults.width),
        ("speed_limit", link.defaults.speed_limit),
    ];
    all.into_iter().filter(|(_, default)| *default).map(|(name, _)| name).collect()
}

fn wkt(network: &Network, index: LinkIndex) -> String {
    let mut text = String::from("LINESTRING (");
    for (i, vertex) in network.geometry(index).iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        write!(text, "{comma}{} {}", vertex.lon, vertex.lat).expect("a String takes all");
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{line, link, two_way_street};
    use crate::{Defaults, NetworkBuilder, Point};

    #[test]
    fn geojson_comes_back_as_it_was() {
        let mut builder = NetworkBuilder::default();
        let vertices = [(106.68, 20.86), (106.681, 20.86), (106.682, 20.86)];
        let [a, b, c] = vertices
            .map(|(lon, lat)| builder.add_node(format!("n{lon}"), Point { lon, lat }, lon == 106.681));
        // Lanes end before the junction, as SUMO's do: names join the links, not places.
        let mut first = link("first", a, b, line(&[vertices[0], (106.6809, 20.86)]));
        first.signal_at_end = true;
        first.conditions = vec!["maxspeed:hgv=30 @ night".into()];
        let first = builder.add_link(first).unwrap();
        let mut onward = link("second", b, c, line(&vertices[1..]));
        (onward.lanes, onward.defaults.lanes) = (0.5, true);
        onward.gives_way = Some(true);
        let second = builder.add_link(onward).unwrap();
        builder.add_link(link("third", b, a, line(&[vertices[1], vertices[0]]))).unwrap();
        builder.only_turn(first, second);
        let network = builder.build();
        let mut text = Vec::new();
        geojson(&network, &mut text).unwrap();
        let back = crate::import::read_any("t", text.as_slice()).unwrap().network;
        assert_eq!(back.links(), network.links());
        for link in network.indices() {
            assert_eq!(back.geometry(link), network.geometry(link));
            assert_eq!(back.downstream(link), network.downstream(link));
        }
    }

    #[test]
    fn csv_has_a_row_for_each_link() {
        let mut text = Vec::new();
        csv(&two_way_street(), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let rows: Vec<_> = text.lines().collect();
        assert_eq!(rows.len(), 3);
        assert!(
            rows[1].starts_with("east,106.68,106.681,residential,104.1,1,3.00,30.0,,motorcycle car,"),
            "{}",
            rows[1]
        );
        assert!(rows[1].ends_with("\"LINESTRING (106.68 20.86, 106.681 20.86)\""));
        let marked = Link {
            defaults: Defaults { lanes: true, width: false, speed_limit: true },
            ..two_way_street().links()[0].clone()
        };
        assert_eq!(defaults(&marked), ["lanes", "speed_limit"]);
    }
}
