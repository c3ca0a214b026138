//! PBF files made here, byte by byte, without compression: what a change of a byte does is met by the decoder itself.

use roadnet::import::read_any;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn packed(field: u64, values: &[u64]) -> Vec<u8> {
    bytes(field, &values.iter().flat_map(|&value| varint(value)).collect::<Vec<_>>())
}

/// Signed differences, as PBF stores ids and places.
fn deltas(field: u64, values: &[i64]) -> Vec<u8> {
    let mut before = 0;
    let differences = values.iter().map(|&value| {
        let difference = value - before;
        before = value;
        ((difference << 1) ^ (difference >> 63)).cast_unsigned()
    });
    packed(field, &differences.collect::<Vec<_>>())
}

fn blob(kind: &str, content: &[u8]) -> Vec<u8> {
    let blob = bytes(1, content);
    let header = [bytes(1, kind.as_bytes()), number(3, blob.len() as u64)].concat();
    [&(header.len() as u32).to_be_bytes()[..], &header, &blob].concat()
}

/// Three streets that meet at node 2, with a light there and a forbidden turn.
pub(crate) fn file() -> Vec<u8> {
    let texts = [
        "",
        "highway",
        "residential",
        "traffic_signals",
        "type",
        "restriction",
        "no_left_turn",
        "from",
        "via",
        "to",
    ];
    let texts: Vec<u8> = texts.iter().flat_map(|text| bytes(1, text.as_bytes())).collect();
    let nodes = [
        deltas(1, &[1, 2, 3, 4]),
        deltas(8, &[208_600_000, 208_600_000, 208_600_000, 208_610_000]),
        deltas(9, &[1_066_800_000, 1_066_810_000, 1_066_820_000, 1_066_810_000]),
        packed(10, &[0, 1, 3, 0, 0, 0]),
    ];
    let way = |id: u64, nodes: &[i64]| {
        bytes(3, &[number(1, id), packed(2, &[1]), packed(3, &[2]), deltas(8, nodes)].concat())
    };
    let relation = [
        number(1, 9),
        packed(2, &[4, 5]),
        packed(3, &[5, 6]),
        packed(8, &[7, 8, 9]),
        deltas(9, &[1, 2, 3]),
        packed(10, &[1, 0, 1]),
    ];
    let groups = [
        bytes(2, &bytes(2, &nodes.concat())),
        bytes(2, &[way(1, &[1, 2]), way(2, &[2, 3]), way(3, &[2, 4])].concat()),
        bytes(2, &bytes(4, &relation.concat())),
    ];
    let header = [bytes(4, b"OsmSchema-V0.6"), bytes(4, b"DenseNodes")].concat();
    let data = [bytes(1, &texts), groups.concat()].concat();
    [blob("OSMHeader", &header), blob("OSMData", &data)].concat()
}

/// The same map as [`file`].
pub(crate) const XML: &str = "<?xml version='1.0'?><osm version='0.6'>
    <node id='1' lon='106.68' lat='20.86'/>
    <node id='2' lon='106.681' lat='20.86'><tag k='highway' v='traffic_signals'/></node>
    <node id='3' lon='106.682' lat='20.86'/><node id='4' lon='106.681' lat='20.861'/>
    <way id='1'><nd ref='1'/><nd ref='2'/><tag k='highway' v='residential'/></way>
    <way id='2'><nd ref='2'/><nd ref='3'/><tag k='highway' v='residential'/></way>
    <way id='3'><nd ref='2'/><nd ref='4'/><tag k='highway' v='residential'/></way>
    <relation id='9'><member type='way' ref='1' role='from'/><member type='node' ref='2' role='via'/>
    <member type='way' ref='3' role='to'/><tag k='type' v='restriction'/><tag k='restriction' v='no_left_turn'/>
    </relation></osm>";

#[test]
fn pbf_and_xml_of_one_map_give_one_network() {
    let pbf = read_any("t.osm.pbf", file().as_slice()).unwrap();
    let xml = read_any("t.osm", XML.as_bytes()).unwrap();
    assert_eq!(pbf.network.version(), xml.network.version());
    assert_eq!(pbf.network.links().len(), 6);
    assert_eq!(pbf.report.noted, xml.report.noted);
    let from = pbf.network.find("w1.0f").unwrap();
    let onward: Vec<_> =
        pbf.network.downstream(from).iter().map(|&l| pbf.network.link(l).id.as_str()).collect();
    assert_eq!(onward, ["w2.0f"], "the left turn is forbidden");
}

#[test]
fn each_place_to_cut_a_file_off_gives_an_error_in_words() {
    let whole = file();
    for length in 0..whole.len() {
        let error = read_any("t.osm.pbf", &whole[..length]).unwrap_err().to_string();
        let said =
            ["empty", "cut off", "not a map", "holds no road"].iter().any(|words| error.contains(words));
        assert!(said, "cut at {length}: {error}");
    }
}

#[test]
fn what_can_not_be_read_says_why() {
    let refused = |header: &[u8], data: &[u8]| {
        let file = [blob("OSMHeader", header), blob("OSMData", data)].concat();
        read_any("t.osm.pbf", file.as_slice()).unwrap_err().to_string()
    };
    assert!(
        refused(&bytes(4, b"HistoricalInformation"), &[])
            .contains("requires the feature \"HistoricalInformation\"")
    );
    let strange = bytes(2, &bytes(3, &packed(2, &[99])));
    assert!(
        refused(&[], &bytes(2, &bytes(3, &[packed(2, &[99]), packed(3, &[99])].concat())))
            .contains("text that is not there"),
        "{strange:?}"
    );
    let zstd = [blob("OSMHeader", &[]), {
        let blob = bytes(7, b"....");
        let header = [bytes(1, b"OSMData"), number(3, blob.len() as u64)].concat();
        [&(header.len() as u32).to_be_bytes()[..], &header, &blob].concat()
    }]
    .concat();
    assert!(read_any("t", zstd.as_slice()).unwrap_err().to_string().contains("osmium cat"));
}
