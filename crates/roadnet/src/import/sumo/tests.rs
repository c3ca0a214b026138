use model::VehicleClass;

use crate::import::{ImportError, Imported, read_any};
use crate::{Network, RoadClass};

/// A crossing `m` with a light: `in` reaches it, `out` and `back` leave it; `foot` is for walkers, `quay` leads nowhere.
const NET: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- generated > by hand -->
<net version="1.9">
  <location netOffset="-675000.00,-2306500.00" convBoundary="0,0,400,0" origBoundary="0,0,1,1" projParameter="+proj=utm +zone=48 +ellps=WGS84 +datum=WGS84 +units=m +no_defs"/>
  <edge id=":m_0" function="internal"><lane id=":m_0_0" index="0" speed="5" length="9" shape="0,0 1,1"/></edge>
  <edge id="in" from="a" to="m" priority="9" type="highway.secondary" name="Tr&#7847;n Ph&#250; &amp; co" shape="0,0 200,0">
    <lane id="in_0" index="0" allow="pedestrian" speed="1.39" length="190" width="2.0" shape="0,-5 190,-5"/>
    <lane id="in_1" index="1" allow="bus bicycle" speed="11.11" length="188" width="3.0" shape="0,-3 188,-3"/>
    <lane id="in_2" index="2" disallow="bus pedestrian" speed="13.89" length="190" shape="0,0 190,0"/>
  </edge>
  <edge id="back" from="m" to="a" priority="9"><lane id="back_0" index="0" speed="13.89" length="190" shape="190,3 0,3"/></edge>
  <edge id="out" from="m" to="b" priority="9"><lane id="out_0" index="0" speed="13.89" length="190" width="3.5" shape="210,0 400,0"/></edge>
  <edge id="foot" from="m" to="b"><lane id="foot_0" index="0" allow="pedestrian" speed="2" length="190" shape="210,9 400,9"/></edge>
  <edge id="lost" from="m" to="nowhere"><lane id="lost_0" index="0" speed="2" length="190" shape="210,9 400,9"/></edge>
  <junction id="a" type="dead_end" x="0" y="0"/>
  <junction id="m" type="traffic_light" x="200" y="0"/>
  <junction id="b" type="priority" x="400" y="0"/>
  <junction id=":m_0_0" type="internal" x="1" y="1"/>
  <connection from="in" to="out" fromLane="1" toLane="0" via=":m_0_0" tl="m" linkIndex="0" dir="s" state="o"/>
  <connection from="in" to="out" fromLane="2" toLane="0" via=":m_0_0" tl="m" linkIndex="1" dir="s" state="o"/>
  <connection from=":m_0" to="out" fromLane="0" toLane="0" dir="s" state="M"/>
  <roundabout nodes="m b" edges="out"/>
</net>"#;

fn imported(net: &str) -> Imported {
    read_any("t.net.xml", net.as_bytes()).unwrap()
}

fn ids(network: &Network) -> Vec<&str> {
    network.links().iter().map(|link| link.id.as_str()).collect()
}

#[test]
fn an_edge_becomes_a_link_of_its_name() {
    let Imported { network, report } = imported(NET);
    assert_eq!(ids(&network), ["in", "back", "out"]);
    let link = &network.links()[0];
    assert_eq!((link.class, link.name.as_str()), (RoadClass::Secondary, "Trần Phú & co"));
    assert_eq!((link.lanes, link.length_m), (2.0, 190.0), "the pavement is no lane");
    assert!((link.speed_limit_kmh - 50.0).abs() < 0.01 && (link.width_m - 6.2).abs() < 1e-5, "{link:?}");
    assert!(link.defaults.width && !link.defaults.lanes && !link.defaults.speed_limit);
    assert!(link.allowed.contains(VehicleClass::Bus) && link.allowed.contains(VehicleClass::Motorcycle));
    assert!(!link.allowed.contains(VehicleClass::Pedestrian));
    let start = network.geometry(network.find("in").unwrap())[0];
    assert_eq!(
        (start.lon, start.lat),
        (106.6819922, 20.8503495),
        "UTM 48 N, 675000 E 2306500 N, to 1e-7 degrees"
    );
    let dropped: Vec<_> = report.dropped.iter().map(ToString::to_string).collect();
    assert_eq!(
        dropped,
        [
            "1 edges inside junctions (for example :m_0)",
            "1 edges without a lane for road vehicles (for example foot)",
            "1 edges whose junction is not in the file (for example lost)",
        ]
    );
    assert_eq!(report.noted[0].count, 2, "back and out have no type");
}

#[test]
fn only_listed_turns_are_allowed_and_signals_stand_at_ends() {
    let network = imported(NET).network;
    let [link, back, out] = ["in", "back", "out"].map(|id| network.find(id).unwrap());
    assert_eq!(network.downstream(link), [out]);
    assert_eq!(network.downstream(back), []);
    assert_eq!(network.upstream(out), [link]);
    let signals: Vec<_> = network.links().iter().map(|link| link.signal_at_end).collect();
    assert_eq!(signals, [true, false, false]);
    assert!(network.node(network.link(link).to).signal && !network.node(network.link(link).from).signal);
    assert!(network.link(out).roundabout);
}

#[test]
fn who_gives_way_is_as_the_net_says_and_open_where_it_does_not() {
    // Nobody goes on from `out` but back.
    let turns = |states: [&str; 2]| {
        let [first, second] = states.map(|state| format!(r#"dir="s" state="{state}"/>"#));
        let back = r#"<connection from="out" to="back" fromLane="0" toLane="0" dir="t" state="m"/>"#;
        let net = NET
            .replacen(r#"dir="s" state="o"/>"#, &first, 1)
            .replacen(r#"dir="s" state="o"/>"#, &second, 1)
            .replace("<roundabout", &format!("{back}<roundabout"));
        let network = imported(&net.replace(r#"tl="m""#, "")).network;
        network.links().iter().map(|link| link.gives_way).collect::<Vec<_>>()
    };
    assert_eq!(turns(["m", "s"]), [Some(true), None, None]);
    assert_eq!(
        turns(["M", "m"]),
        [Some(false), None, None],
        "those who turn left wait for who comes against them"
    );
    assert_eq!(turns(["=", "="]), [None; 3], "right before left");
    assert!(imported(NET).network.links().iter().all(|link| link.gives_way.is_none()), "a light");
}

#[test]
fn a_net_without_projection_says_where_it_was_put() {
    let net = NET.replace("+proj=utm +zone=48 +ellps=WGS84 +datum=WGS84 +units=m +no_defs", "!");
    let Imported { network, report } = imported(&net);
    assert!(report.noted[0].what.contains("without a projection"));
    let found = network.locate(crate::Point { lon: 0.000_9, lat: 0.0 }, 5.0, Some(90.0));
    assert_eq!(network.link(found[0].link).id.as_str(), "in");
    assert!((found[0].offset_m - 100.2).abs() < 0.1, "{found:?}");
}

#[test]
fn wrong_files_are_refused_in_words() {
    let refused = |net: &str| read_any("t.net.xml", net.as_bytes()).unwrap_err().to_string();
    assert!(refused(&NET.replace("+proj=utm", "+proj=omerc")).contains("netconvert"));
    assert!(refused(&NET[..NET.len() - 50]).contains("cut off"));
    assert!(
        refused(&NET.replace("length=\"188\"", "length=\"long\"")).contains("<lane> has length \"long\"")
    );
    assert!(refused("<net/>").contains("holds no road"));
    assert!(matches!(read_any("t", &b""[..]), Err(ImportError::Empty { .. })));
}
