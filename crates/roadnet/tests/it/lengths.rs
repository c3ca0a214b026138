//! The sum of directed lengths, against a count that shares no code with the import: another PBF reader, the
//! haversine formula, and the rules of access and direction once more in their simplest form.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use osmpbf::{Element, ElementReader};
use roadnet::import::read_any;
use roadnet::{Network, Registry};

use crate::shared;

fn haversine_m(a: (f64, f64), b: (f64, f64)) -> f64 {
    let [lon_a, lat_a, lon_b, lat_b] = [a.0, a.1, b.0, b.1].map(f64::to_radians);
    let half = ((lat_b - lat_a) / 2.0).sin().powi(2)
        + lat_a.cos() * lat_b.cos() * ((lon_b - lon_a) / 2.0).sin().powi(2);
    2.0 * 6_371_008.8 * half.sqrt().asin()
}

/// Returns how many directions of a way are roads: 0, 1 or 2.
fn directions(tags: &HashMap<&str, &str>) -> u32 {
    let is = |key: &str, values: &[&str]| tags.get(key).is_some_and(|value| values.contains(value));
    let highway = tags.get("highway").copied().unwrap_or_default();
    let open_to_all = [
        "motorway",
        "trunk",
        "primary",
        "secondary",
        "tertiary",
        "unclassified",
        "residential",
        "living_street",
        "service",
        "road",
        "busway",
    ];
    let road = open_to_all.contains(&highway.trim_end_matches("_link"));
    let walk = ["path", "footway", "pedestrian", "cycleway", "bridleway", "track"].contains(&highway);
    let yes =
        ["yes", "designated", "permissive", "destination", "customers", "delivery", "residents", "permit"];
    let no = ["no", "private", "agricultural", "forestry", "military", "emergency"];
    let open = |modes: &[&str], general: &[&str]| {
        let told = modes.iter().chain(general).find(|key| is(key, &yes) || is(key, &no));
        told.map_or(road, |key| is(key, &yes))
    };
    let general: &[&str] = if walk { &["motor_vehicle"] } else { &["motor_vehicle", "vehicle", "access"] };
    let ways: [&[&str]; 5] = [&["motorcycle"], &["moped"], &["motorcar"], &["bus", "psv"], &["hgv"]];
    let anyone = ways.iter().any(|modes| open(modes, general));
    if !(road || walk) || !anyone || is("area", &["yes"]) {
        return 0;
    }
    let one_way = is("oneway", &["yes", "1", "true", "-1"])
        || (tags.get("oneway").is_none()
            && (highway == "motorway" || is("junction", &["roundabout", "circular"])));
    let against = ["motorcycle", "moped", "psv", "bus", "motorcar"];
    if one_way && !against.iter().any(|mode| is(&format!("oneway:{mode}"), &["no"])) { 1 } else { 2 }
}

fn counted_m(pbf: &Path) -> f64 {
    let mut places = HashMap::new();
    let mut total = 0.0;
    let read = |element: Element<'_>| match element {
        Element::Node(node) => drop(places.insert(node.id(), (node.lon(), node.lat()))),
        Element::DenseNode(node) => drop(places.insert(node.id(), (node.lon(), node.lat()))),
        Element::Way(way) => {
            let nodes: Vec<i64> = way.refs().collect();
            let known =
                nodes.windows(2).filter_map(|pair| Some((*places.get(&pair[0])?, *places.get(&pair[1])?)));
            let length: f64 = known.map(|(a, b)| haversine_m(a, b)).sum();
            total += length * f64::from(directions(&way.tags().collect()));
        }
        Element::Relation(_) => {}
    };
    ElementReader::from_path(pbf).and_then(|reader| reader.for_each(read)).expect("the real maps are whole");
    total
}

fn imported_m(network: &Network) -> f64 {
    network.links().iter().map(|link| f64::from(link.length_m)).sum()
}

#[test]
fn directed_lengths_of_real_maps_agree_with_an_independent_count() {
    let Some(data) = shared::data() else { return };
    for name in ["hanoi_center", "hanoi_quoctugiam_full", "liechtenstein", "baltimore"] {
        let path = data.join(format!("osm/{name}.osm.pbf"));
        let network = read_any(name, File::open(&path).unwrap()).unwrap().network;
        let (ours, theirs) = (imported_m(&network), counted_m(&path));
        println!("{name}: {:.1} km imported, {:.1} km counted", ours / 1e3, theirs / 1e3);
        assert!((ours / theirs - 1.0).abs() < 0.02, "{name}: {ours} m imported, {theirs} m counted");
    }
}

#[test]
fn directed_lengths_of_a_small_map_agree_with_haversine() {
    let nodes: [(i64, f64, f64); 5] = [
        (1, 106.6800, 20.8600),
        (2, 106.6812, 20.8604),
        (3, 106.6831, 20.8601),
        (4, 106.6815, 20.8620),
        (5, 106.6790, 20.8615),
    ];
    let ways = [
        (vec![1, 2, 3], "primary", "no"),
        (vec![4, 2, 5], "residential", "yes"),
        (vec![4, 5], "footway", "no"),
    ];
    let mut xml = String::from("<osm version='0.6'>");
    for (id, lon, lat) in nodes {
        xml += &format!("<node id='{id}' lon='{lon}' lat='{lat}'/>");
    }
    let mut counted = 0.0;
    for (id, (refs, highway, oneway)) in ways.iter().enumerate() {
        let refs_xml: String = refs.iter().map(|node| format!("<nd ref='{node}'/>")).collect();
        xml += &format!(
            "<way id='{id}'>{refs_xml}<tag k='highway' v='{highway}'/><tag k='oneway' v='{oneway}'/></way>"
        );
        let place = |id: &i64| nodes.iter().find(|node| node.0 == *id).map(|node| (node.1, node.2)).unwrap();
        let length: f64 = refs.windows(2).map(|pair| haversine_m(place(&pair[0]), place(&pair[1]))).sum();
        counted += length * [2.0, 1.0, 0.0][id];
    }
    let network = read_any("small.osm", (xml + "</osm>").as_bytes()).unwrap().network;
    let imported = imported_m(&network);
    assert!((imported / counted - 1.0).abs() < 0.005, "{imported} m imported, {counted} m counted");
}

#[test]
fn sensors_without_a_link_snap_to_the_one_on_which_they_stand() {
    for case in shared::cases() {
        let open = |name: &str| File::open(case.join(name)).unwrap();
        let network = read_any("net", open("net.net.xml.gz")).unwrap().network;
        let told = Registry::from_csv(open("sensors.csv"), &network);
        assert_eq!(told.faults, [], "{}", case.display());
        // The same rows without link_id and offset_m, which are the third and fourth column.
        let text = std::fs::read_to_string(case.join("sensors.csv")).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        let without = |row: &str| {
            let mut fields: Vec<_> = row.split(',').collect();
            (fields[2], fields[3]) = ("", "");
            fields.join(",") + "\n"
        };
        let rows: String = rows.lines().map(without).collect();
        let snapped = Registry::from_csv(format!("{header}\n{rows}").as_bytes(), &network);
        assert_eq!(snapped.registry.sensors().len(), told.registry.sensors().len(), "{}", case.display());
        for (told, snapped) in told.registry.sensors().iter().zip(snapped.registry.sensors()) {
            assert_eq!(told.link, snapped.link, "{}", told.id);
            let apart = told.offset_m.unwrap_or(0.0) - snapped.offset_m.unwrap_or(0.0);
            assert!(apart.abs() < 1.0, "{} is {apart} m off", told.id);
        }
    }
}
