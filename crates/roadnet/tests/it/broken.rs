//! Maps with bytes changed, removed, repeated: an error or a network, never a panic.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use roadnet::Registry;
use roadnet::import::read_any;

use crate::pbf;

const SUMO: &str = r#"<net version="1.9"><location netOffset="-675000.00,-2306500.00" projParameter="+proj=utm +zone=48 +ellps=WGS84"/>
<edge id="a" from="1" to="2" type="highway.primary" shape="0,0 100,0"><lane id="a_0" index="0" disallow="bus" speed="13.89" length="99" width="3.2" shape="0,0 99,0"/></edge>
<edge id="b" from="2" to="1"><lane id="b_0" index="0" speed="13.89" length="99" shape="99,3 0,3"/></edge>
<junction id="1" type="dead_end" x="0" y="0"/><junction id="2" type="traffic_light" x="100" y="0"/>
<connection from="a" to="b" fromLane="0" toLane="0" tl="2"/></net>"#;

const GEOJSON: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"LineString",
"coordinates":[[106.68,20.86],[106.681,20.86]]},"properties":{"link_id":"a","class":"primary","lanes":2,"oneway":false,
"allowed":["car"],"next":["a.b"]}}]}"#;

const CSV: &str = "sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format\n\
s,loop,w1.0f,12,1,106.68,20.86,90,0,30,native\nt,camera,,,,106.6805,20.86,90,40,30,\n";

/// One thing that happens to a file.
#[derive(Clone, Debug)]
enum Harm {
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
}

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Harm::Set(at, byte)),
        1 => (at(), at()).prop_map(|(a, b)| Harm::Cut(a, b)),
        1 => (at(), at()).prop_map(|(a, b)| Harm::Repeat(a, b)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
    ]
}

fn harmed(whole: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for harm in harms.iter().filter(|_| !whole.is_empty()) {
        let length = bytes.len().max(1);
        let span = |a: &prop::sample::Index, b: &prop::sample::Index| {
            let (a, b) = (a.index(length), b.index(length));
            a.min(b)..a.max(b).min(bytes.len())
        };
        match harm {
            Harm::Set(at, byte) if !bytes.is_empty() => bytes[at.index(length)] = *byte,
            Harm::Set(..) => {}
            Harm::Cut(a, b) => drop(bytes.drain(span(a, b))),
            Harm::Repeat(a, b) => {
                let range = span(a, b);
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, again);
            }
            Harm::Insert(at, new) => {
                let at = at.index(length).min(bytes.len());
                bytes.splice(at..at, new.iter().copied());
            }
        }
    }
    bytes
}

/// What comes out must hold together.
fn import(bytes: &[u8]) {
    let Ok(imported) = read_any("t", bytes) else { return };
    let mut file = Vec::new();
    imported.network.write(&mut file).expect("a Vec takes all");
    roadnet::Network::read(file.as_slice()).expect("what was written can be read");
    roadnet::check::check(&imported.network);
}

proptest! {
    #[test]
    fn a_harmed_map_never_panics(harms in prop::collection::vec(harm(), 1..4), which in 0usize..4) {
        let pbf = pbf::file();
        let whole: [&[u8]; 4] = [&pbf, pbf::XML.as_bytes(), SUMO.as_bytes(), GEOJSON.as_bytes()];
        import(&harmed(whole[which], &harms));
    }

    #[test]
    fn a_harmed_gzip_never_panics(harms in prop::collection::vec(harm(), 1..4)) {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
        zipped.write_all(pbf::XML.as_bytes()).unwrap();
        import(&harmed(&zipped.finish().unwrap(), &harms));
    }

    #[test]
    fn a_harmed_registry_never_panics(harms in prop::collection::vec(harm(), 1..6)) {
        let network = read_any("t", pbf::XML.as_bytes()).unwrap().network;
        let bytes = harmed(CSV.as_bytes(), &harms);
        let report = Registry::from_csv_or_geojson(bytes.as_slice(), &network);
        prop_assert!(report.registry.sensors().len() <= bytes.len());
    }
}

#[test]
fn all_four_maps_are_whole_before_they_are_harmed() {
    for whole in [pbf::file().as_slice(), pbf::XML.as_bytes(), SUMO.as_bytes(), GEOJSON.as_bytes()] {
        let network = read_any("t", whole).unwrap().network;
        assert!(network.links().len() >= 2);
    }
}
