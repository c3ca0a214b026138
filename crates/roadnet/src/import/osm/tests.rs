//! One tiny map for each rule. Nodes stand 100 steps of 10⁻⁵ degrees apart (about 100 m) in rows and columns:
//! node `xy` is at column x, row y, from 106° E, 20° N.

use std::fmt::Write as _;

use model::VehicleClass;

use crate::import::{Imported, read_any};
use crate::{Link, Network};

/// A map of a 10 x 10 grid of nodes with the given ways, node tags and relations.
fn osm(body: &str, node_tags: &[(u8, &str, &str)]) -> String {
    let mut text = String::from("<?xml version='1.0'?><osm version='0.6'>");
    for id in 0..100 {
        let (lon, lat) = (106.0 + f64::from(id / 10) * 1e-3, 20.0 + f64::from(id % 10) * 1e-3);
        write!(text, "<node id='{id}' lon='{lon:.7}' lat='{lat:.7}'>").unwrap();
        for (_, key, value) in node_tags.iter().filter(|(node, ..)| *node == id) {
            write!(text, "<tag k='{key}' v='{value}'/>").unwrap();
        }
        text.push_str("</node>");
    }
    text + body + "</osm>"
}

fn way(id: u32, nodes: &[u32], tags: &[(&str, &str)]) -> String {
    let mut text = format!("<way id='{id}'>");
    for node in nodes {
        write!(text, "<nd ref='{node}'/>").unwrap();
    }
    for (key, value) in tags {
        write!(text, "<tag k='{key}' v='{value}'/>").unwrap();
    }
    text + "</way>"
}

fn restriction(id: u32, members: &[(&str, &str, u32)], tags: &[(&str, &str)]) -> String {
    let mut text = format!("<relation id='{id}'><tag k='type' v='restriction'/>");
    for (kind, role, member) in members {
        write!(text, "<member type='{kind}' ref='{member}' role='{role}'/>").unwrap();
    }
    for (key, value) in tags {
        write!(text, "<tag k='{key}' v='{value}'/>").unwrap();
    }
    text + "</relation>"
}

fn import(body: &str) -> Imported {
    read_any("t.osm", osm(body, &[]).as_bytes()).unwrap()
}

const STREET: (&str, &str) = ("highway", "residential");

fn ids(network: &Network) -> Vec<&str> {
    network.links().iter().map(|link| link.id.as_str()).collect()
}

fn after(network: &Network, id: &str) -> Vec<String> {
    let turns = network.downstream(network.find(id).unwrap());
    turns.iter().map(|&link| network.link(link).id.to_string()).collect()
}

fn one(tags: &[(&str, &str)]) -> Network {
    import(&way(1, &[0, 10], tags)).network
}

#[test]
fn ways_are_cut_where_they_meet() {
    // A street of three nodes, crossed in its middle by another; 30 is only a bend.
    let body = way(1, &[10, 20, 30, 40], &[STREET]) + &way(2, &[19, 20, 21], &[STREET]);
    let network = import(&body).network;
    assert_eq!(ids(&network), ["w1.0f", "w1.0b", "w1.1f", "w1.1b", "w2.0f", "w2.0b", "w2.1f", "w2.1b"]);
    assert_eq!(network.geometry(network.find("w1.1f").unwrap()).len(), 3, "the bend stays in the geometry");
    assert_eq!(after(&network, "w1.0f"), ["w1.1f", "w2.0b", "w2.1f"], "onward, not back");
    assert_eq!(after(&network, "w1.1f"), ["w1.1b"], "at a dead end one turns back");
    assert_eq!(network.nodes().len(), 5);
}

#[test]
fn one_way_streets_have_one_link() {
    let of = |tags: &[(&str, &str)]| ids(&one(tags)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of(&[STREET, ("oneway", "yes")]), ["w1.0f"]);
    assert_eq!(of(&[STREET, ("oneway", "-1")]), ["w1.0b"]);
    assert_eq!(of(&[("highway", "motorway")]), ["w1.0f"]);
    let network = one(&[STREET, ("oneway", "-1")]);
    let start = network.geometry(network.find("w1.0b").unwrap())[0];
    assert_eq!(start.lon, 106.001, "it runs against the way's nodes");
}

#[test]
fn motorcycles_may_ride_against_a_one_way_street_where_a_tag_says_so() {
    let network =
        one(&[("highway", "primary"), ("oneway", "yes"), ("oneway:motorcycle", "no"), ("lanes", "3")]);
    let [main, against] = network.links() else { panic!("two links") };
    assert_eq!((main.lanes, against.lanes), (3.0, 0.5));
    assert!(against.defaults.lanes && !main.defaults.lanes);
    assert_eq!(
        against.allowed.iter().map(VehicleClass::name).collect::<Vec<_>>(),
        ["motorcycle", "two_wheeler"]
    );
    assert!(main.allowed.contains(VehicleClass::Car));
}

#[test]
fn a_reversible_road_is_taken_as_two_way_and_noted() {
    let Imported { network, report } = import(&way(1, &[0, 10], &[STREET, ("oneway", "reversible")]));
    assert_eq!(network.links().len(), 2);
    assert_eq!(network.links()[0].conditions, ["oneway=reversible"]);
    assert!(report.noted.iter().any(|note| note.what.contains("reversible")));
}

#[test]
fn a_roundabout_is_cut_where_roads_join_it() {
    let ring = way(1, &[11, 21, 22, 12, 11], &[STREET, ("junction", "roundabout")]);
    let body = ring + &way(2, &[20, 21], &[STREET]) + &way(3, &[12, 13], &[STREET]);
    let network = import(&body).network;
    let ring: Vec<_> = network.links().iter().filter(|link| link.roundabout).map(|l| l.id.as_str()).collect();
    assert_eq!(ring, ["w1.0f", "w1.1f", "w1.2f"], "cut at the way's own ends too");
    assert_eq!(after(&network, "w2.0f"), ["w1.1f"], "it goes round one way only");
}

#[test]
fn a_closed_way_with_one_junction_is_two_links_each_way() {
    let body = way(1, &[11, 21, 22, 12, 11], &[STREET]) + &way(2, &[10, 11], &[STREET]);
    let network = import(&body).network;
    assert_eq!(ids(&network), ["w1.0f", "w1.0b", "w1.1f", "w1.1b", "w2.0f", "w2.0b"]);
    assert!(network.links().iter().all(|link| link.from != link.to));
    let total: f32 = network.links()[..4].iter().map(|link| link.length_m).sum();
    assert!((total - 2.0 * 430.6).abs() < 1.0, "{total}");
}

#[test]
fn a_clipped_map_keeps_what_is_there() {
    let body = way(1, &[900, 10, 20, 901, 40, 50], &[STREET]) + &way(2, &[902, 70, 903], &[STREET]);
    let Imported { network, report } = import(&body);
    assert_eq!(ids(&network), ["w1.0f", "w1.0b", "w1.1f", "w1.1b"]);
    assert!(
        report
            .noted
            .iter()
            .any(|n| n.what == "ways cut off at the map's edge (nodes missing)" && n.count == 2)
    );
    assert!(report.dropped.iter().any(|d| d.what.contains("fewer than two") && d.example == "way 2"));
}

#[test]
fn lanes_are_split_between_the_directions() {
    let lanes = |tags: &[(&str, &str)]| -> Vec<(f32, bool)> {
        let tags: Vec<_> = [("highway", "secondary")].into_iter().chain(tags.iter().copied()).collect();
        one(&tags).links().iter().map(|link| (link.lanes, link.defaults.lanes)).collect()
    };
    assert_eq!(lanes(&[("lanes", "4")]), [(2.0, false), (2.0, false)]);
    assert_eq!(lanes(&[("lanes", "1")]), [(0.5, false), (0.5, false)]);
    assert_eq!(lanes(&[("lanes", "3"), ("lanes:forward", "2")]), [(2.0, false), (1.0, false)]);
    assert_eq!(lanes(&[("lanes", "5"), ("lanes:both_ways", "1")]), [(2.0, false), (2.0, false)]);
    assert_eq!(lanes(&[]), [(1.0, true), (1.0, true)]);
    assert_eq!(lanes(&[("oneway", "yes")]), [(2.0, true)]);
    assert_eq!(lanes(&[("lanes", "lots")]), [(1.0, true), (1.0, true)]);
}

#[test]
fn width_and_speed_come_from_tags_or_from_the_table() {
    let network = one(&[
        ("highway", "secondary"),
        ("width", "12"),
        ("lanes", "3"),
        ("lanes:forward", "2"),
        ("maxspeed:forward", "30 mph"),
        ("maxspeed", "60"),
    ]);
    let [forward, backward] = network.links() else { panic!("two links") };
    assert_eq!((forward.width_m, backward.width_m), (8.0, 4.0));
    assert!((forward.speed_limit_kmh - 48.28).abs() < 0.01 && backward.speed_limit_kmh == 60.0);
    assert!(!forward.defaults.width && !forward.defaults.speed_limit);
    let silent = one(&[("highway", "secondary"), ("maxspeed", "signals")]);
    let link = &silent.links()[0];
    assert_eq!((link.width_m, link.speed_limit_kmh), (3.5, 50.0));
    assert!(link.defaults.width && link.defaults.speed_limit && link.defaults.lanes);
}

#[test]
fn names_come_in_the_order_of_those_who_live_there() {
    let name = |tags: &[(&str, &str)]| {
        let tags: Vec<_> = [STREET].into_iter().chain(tags.iter().copied()).collect();
        one(&tags).links()[0].name.to_string()
    };
    assert_eq!(name(&[("ref", "QL5"), ("name:vi", "Đường Hà Nội"), ("name", "Hà Nội")]), "Hà Nội");
    assert_eq!(name(&[("ref", "QL5"), ("name:vi", "Đường Hà Nội")]), "Đường Hà Nội");
    assert_eq!(name(&[("ref", "QL5")]), "QL5");
    assert_eq!(name(&[("name", "Tr&#7847;n Ph&#250; &amp; Co")]), "Trần Phú & Co");
    assert_eq!(name(&[]), "");
}

#[test]
fn conditional_tags_are_noted_and_not_applied() {
    let Imported { network, report } = import(&way(
        1,
        &[0, 10],
        &[
            STREET,
            ("motor_vehicle:conditional", "no @ (Fr-Su 19:00-24:00)"),
            ("maxspeed:hgv", "30"),
            ("maxspeed:forward", "40"),
            ("parking:both:restriction:conditional", "no @ night"),
            ("parking:lane:conditional", "x"),
        ],
    ));
    assert!(network.links()[0].allowed.contains(VehicleClass::Car));
    assert_eq!(
        network.links()[0].conditions,
        ["motor_vehicle:conditional=no @ (Fr-Su 19:00-24:00)", "maxspeed:hgv=30"]
    );
    let note = report.noted.iter().find(|note| note.what.contains("motor_vehicle:conditional")).unwrap();
    assert_eq!((note.count, note.example.as_str()), (2, "w1.0f"));
}

#[test]
fn bridges_and_tunnels_are_marked() {
    let marks = |link: &Link| (link.bridge, link.tunnel);
    assert_eq!(marks(&one(&[STREET, ("bridge", "yes")]).links()[0]), (true, false));
    assert_eq!(
        marks(&one(&[STREET, ("tunnel", "building_passage"), ("bridge", "no")]).links()[0]),
        (false, true)
    );
}

/// Way 1 comes from the west (10) to the crossing 20, way 2 goes on east, way 3 north, way 4 south.
fn crossing(relations: &str) -> Imported {
    let ways = [(1, [10, 20]), (2, [20, 30]), (3, [20, 21]), (4, [20, 29])];
    let ways: String = ways.iter().map(|(id, nodes)| way(*id, nodes, &[STREET])).collect();
    import(&(ways + relations))
}

const LEFT: [(&str, &str, u32); 3] = [("way", "from", 1), ("node", "via", 20), ("way", "to", 3)];

#[test]
fn forbidden_and_only_turns_are_applied() {
    assert_eq!(after(&crossing("").network, "w1.0f"), ["w2.0f", "w3.0f", "w4.0f"]);
    let no_left = crossing(&restriction(9, &LEFT, &[("restriction", "no_left_turn")]));
    assert_eq!(after(&no_left.network, "w1.0f"), ["w2.0f", "w4.0f"]);
    assert_eq!(after(&no_left.network, "w2.0b"), ["w1.0b", "w3.0f", "w4.0f"], "others may still");
    let only_left = crossing(&restriction(9, &LEFT, &[("restriction", "only_left_turn")]));
    assert_eq!(after(&only_left.network, "w1.0f"), ["w3.0f"]);
    let entries = [("way", "from", 1), ("way", "from", 2), ("node", "via", 20), ("way", "to", 3)];
    let no_entry = crossing(&restriction(9, &entries, &[("restriction", "no_entry")]));
    assert_eq!(after(&no_entry.network, "w1.0f"), ["w2.0f", "w4.0f"]);
    assert_eq!(after(&no_entry.network, "w2.0b"), ["w1.0b", "w4.0f"]);
}

#[test]
fn a_forbidden_u_turn_at_a_dead_end_leaves_no_way_on() {
    let back = [("way", "from", 2), ("node", "via", 30), ("way", "to", 2)];
    let network = crossing(&restriction(9, &back, &[("restriction", "no_u_turn")])).network;
    assert_eq!(after(&network, "w2.0f"), [""; 0]);
}

#[test]
fn restrictions_that_hold_for_some_are_counted_and_not_applied() {
    let not_applied = |relation: &str, why: &str| {
        let Imported { network, report } = crossing(relation);
        assert_eq!(after(&network, "w1.0f").len(), 3, "{why}");
        let what = format!("turn restrictions not applied: {why}");
        assert!(
            report.noted.iter().any(|n| n.what == what && n.example == "relation 9"),
            "{:?}",
            report.noted
        );
    };
    let left = ("restriction", "no_left_turn");
    not_applied(&restriction(9, &LEFT, &[left, ("except", "bus;motorcycle")]), "except=motorcycle");
    let when = ("restriction:conditional", "no_left_turn @ (06:00-09:00)");
    not_applied(&restriction(9, &LEFT, &[when]), "only at times (restriction:conditional)");
    not_applied(
        &restriction(9, &LEFT, &[("restriction:hgv", "no_left_turn")]),
        "only for some (restriction:hgv)",
    );
    let via_way = [("way", "from", 1), ("way", "via", 2), ("way", "to", 3)];
    not_applied(&restriction(9, &via_way, &[left]), "via a way");
    not_applied(&restriction(9, &LEFT[..2], &[left]), "no from or no to");
    not_applied(&restriction(9, &LEFT, &[("restriction", "maybe")]), "unknown kind maybe");
    let elsewhere = [("way", "from", 1), ("node", "via", 20), ("way", "to", 77)];
    not_applied(&restriction(9, &elsewhere, &[left]), "its turn is on no road that was taken");
}

#[test]
fn an_exemption_for_buses_is_noted_and_the_turn_stays_forbidden() {
    let tags = [("restriction", "no_left_turn"), ("except", "bus")];
    let Imported { network, report } = crossing(&restriction(9, &LEFT, &tags));
    assert_eq!(after(&network, "w1.0f"), ["w2.0f", "w4.0f"]);
    assert!(report.noted.iter().any(|note| note.what.contains("some are exempt")));
}

#[test]
fn a_light_on_a_junction_stops_all_who_reach_it() {
    let ways = way(1, &[10, 20], &[STREET]) + &way(2, &[20, 30], &[STREET]) + &way(3, &[20, 21], &[STREET]);
    let text = osm(&ways, &[(20, "highway", "traffic_signals")]);
    let network = read_any("t.osm", text.as_bytes()).unwrap().network;
    let stopped: Vec<_> = network.links().iter().filter(|l| l.signal_at_end).map(|l| l.id.as_str()).collect();
    assert_eq!(stopped, ["w1.0f", "w2.0b", "w3.0b"]);
    assert_eq!(network.nodes().iter().filter(|node| node.signal).count(), 1);
}

#[test]
fn a_light_on_an_approach_stops_those_whom_it_faces() {
    // Node 500 lies 20 m before the end of a street of 100 m.
    let stop_line = |direction: &str, at: f64| {
        let tags = format!(
            "<tag k='highway' v='traffic_signals'/><tag k='traffic_signals:direction' v='{direction}'/>"
        );
        let light = format!("<node id='500' lon='{:.7}' lat='20'>{tags}</node>", 106.0 + at);
        let text = osm(&(light + &way(1, &[0, 500, 10], &[STREET])), &[]);
        let Imported { network, report } = read_any("t.osm", text.as_bytes()).unwrap();
        let stopped: Vec<_> =
            network.links().iter().filter(|l| l.signal_at_end).map(|l| l.id.to_string()).collect();
        (stopped, report.noted.iter().any(|note| note.what.contains("far from any junction")))
    };
    assert_eq!(stop_line("forward", 0.0008), (vec!["w1.0f".to_owned()], false));
    assert_eq!(stop_line("", 0.0008), (vec!["w1.0f".to_owned()], false), "before the nearer junction");
    assert_eq!(stop_line("", 0.0002), (vec!["w1.0b".to_owned()], false));
    assert_eq!(stop_line("backward", 0.0008), (vec![], true), "84 m before the junction that it faces");
}

#[test]
fn who_comes_to_a_sign_gives_way_and_of_the_others_the_map_does_not_say() {
    let ways = way(1, &[0, 10], &[STREET]) + &way(2, &[10, 20], &[STREET]);
    for kind in ["stop", "give_way"] {
        let text = osm(&ways, &[(10, "highway", kind)]);
        let network = read_any("t.osm", text.as_bytes()).unwrap().network;
        let told: Vec<_> = network.links().iter().map(|link| (link.id.as_str(), link.gives_way)).collect();
        assert_eq!(told, [("w1.0f", Some(true)), ("w1.0b", None), ("w2.0f", None), ("w2.0b", Some(true))]);
    }
}

#[test]
fn files_that_are_not_whole_are_refused_in_words() {
    let refused = |text: &str| read_any("t.osm", text.as_bytes()).unwrap_err().to_string();
    let whole = osm(&way(1, &[0, 10], &[STREET]), &[]);
    assert!(refused(&whole[..whole.len() - 6]).contains("t.osm is cut off"));
    assert!(refused(&whole.replace("id='7'", "id='seven'")).contains("a <node> has no id"));
    assert!(refused(&whole.replace("lat='20.0070000'", "lat='200'")).contains("node 7 has no lon and lat"));
    assert!(
        refused(&osm(&way(1, &[0, 10], &[("highway", "footway")]), &[])).contains("1 ways highway=footway")
    );
    assert!(refused("<osm version='0.6'/>").contains("holds no road"));
}
