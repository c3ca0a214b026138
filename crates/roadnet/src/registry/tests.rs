use super::*;
use crate::testing::two_way_street;
use crate::{LinkIndex, SensorKind};

const HEADER: &str = "sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format\n";

fn read(rows: &str) -> RegistryReport {
    Registry::from_csv_or_geojson(format!("{HEADER}{rows}").as_bytes(), &two_way_street())
}

fn said(report: &RegistryReport) -> Vec<String> {
    report.faults.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn assert_rejected(row: &str, wanted: &str) {
    let report = read(row);
    assert!(report.registry.sensors().is_empty(), "{row} was taken");
    assert_eq!(report.rejected(), 1, "{:?}", said(&report));
    assert_eq!(said(&report)[0], wanted);
}

#[test]
fn a_named_link_and_a_snapped_one_are_taken() {
    let report = read(concat!(
        "loop-1,loop,west,12.5,1,106.6805,20.86,270,0,30,native\n",
        "cam-1,area_camera,,,,106.6805,20.8601,80,40,30,\n",
        "fleet,probe_fleet,,,,,,,,10,gtfs-rt\n",
        "light,signal,east,,,,,,,,\n",
    ));
    assert_eq!(said(&report), [""; 0]);
    let sensors = report.registry.sensors();
    assert_eq!(
        (sensors[0].link, sensors[0].offset_m, sensors[0].lane),
        (Some(LinkIndex(1)), Some(12.5), Some(1))
    );
    assert_eq!((sensors[1].link, sensors[1].kind), (Some(LinkIndex(0)), SensorKind::AreaCamera));
    assert!((sensors[1].offset_m.unwrap() - 52.0).abs() < 0.1, "{:?}", sensors[1]);
    assert_eq!((sensors[2].link, sensors[2].format.as_str()), (None, "gtfs-rt"));
    assert_eq!(sensors[3].offset_m, Some(two_way_street().links()[0].length_m), "a light stands at the end");
    assert_eq!(report.snapped, 1);
}

#[test]
fn each_wrong_row_says_where_what_and_what_to_do() {
    assert_rejected(
        "a,lidar,east,1,,,,,,,\n",
        "line 2: rejected: a: kind: unknown kind \"lidar\"; use one of loop, radar, camera, area_camera, bluetooth, probe_fleet, signal",
    );
    assert_rejected(
        "a,loop,north,1,,,,,,,\n",
        "line 2: rejected: a: link_id: no link \"north\" in this network; was the registry made for another map or version? leave it empty to snap by lon, lat",
    );
    assert_rejected(
        "a,loop,east,200,,,,,,,\n",
        "line 2: rejected: a: offset_m: 200 m lies beyond the link's end at 104.1 m; measure from the link's start",
    );
    assert_rejected(
        "a,loop,east,NaN,,,,,,,\n",
        "line 2: rejected: a: offset_m: \"NaN\" is not a number from 0 to 1000000; mend it or leave it empty",
    );
    assert_rejected(
        "a,loop,,,,,,,,,\n",
        "line 2: rejected: a: link_id: neither link_id nor lon and lat say where it is; give link_id and offset_m, or lon and lat",
    );
    assert_rejected(
        "a,loop,east,,,,,,,,\n",
        "line 2: rejected: a: offset_m: is empty, and so are lon and lat; give the distance from the link's start",
    );
    assert_rejected(
        "a,loop,,,,106.6805,20.8601,,,,\n",
        "line 2: rejected: a: heading_deg: east (11 m away) and west (11 m) fit alike; give heading_deg, or link_id and offset_m",
    );
    assert_rejected(
        "a,loop,,,,106.6805,20.8609,90,,,\n",
        "line 2: rejected: a: lon: no link within 50 m of it that runs towards 90° (nearest is east, 100 m away); mend lon, lat, heading_deg, or give link_id and offset_m",
    );
    assert_rejected("a,loop,,,,106.6805,,90,,,\n", "line 2: rejected: a: lat: is empty; give a value");
    assert_rejected(",loop,east,1,,,,,,,\n", "line 2: rejected: sensor_id: is empty; give a value");
    assert_rejected(
        "a\u{7}b,loop,east,1,,,,,,,\n",
        "line 2: rejected: a\u{7}b: sensor_id: holds a control character; rename it",
    );
    assert_rejected(
        "a,loop,east\n",
        "line 2: rejected: a: has 3 fields where the header has 11; check commas and quotes",
    );
}

#[test]
fn the_rows_after_a_wrong_one_are_taken() {
    let report =
        read("a,loop,east,1,,,,,,,\nb,lidar,east,1,,,,,,,\na,loop,west,2,,,,,,,\nc,loop,west,3,,,,,,,\n");
    let taken: Vec<_> = report.registry.sensors().iter().map(|sensor| sensor.id.as_str()).collect();
    assert_eq!(taken, ["a", "c"]);
    assert_eq!(
        said(&report)[1],
        "line 4: rejected: a: sensor_id: is used on line 2 already; give each sensor its own name"
    );
}

#[test]
fn what_is_only_odd_is_a_warning() {
    let report = read("a,area_camera,east,20,3,106.69,20.86,,50,30,\n");
    let columns: Vec<_> = report.faults.iter().map(|fault| (fault.column, fault.severity)).collect();
    assert_eq!(
        columns,
        [("link_id", Severity::Warning), ("lane", Severity::Warning), ("length_m", Severity::Warning)]
    );
    assert_eq!(report.registry.sensors().len(), 1);
}

#[test]
fn a_file_that_is_no_registry_says_so() {
    let of = |text: &[u8]| said(&Registry::from_csv_or_geojson(text, &two_way_street()));
    assert_eq!(
        of(b"name;kind\n"),
        ["line 1: rejected: sensor_id: no such column in the header; the first line must name the columns"]
    );
    assert!(of(b"sensor_id,kind,colour\n")[0].contains("unknown column \"colour\" is ignored"));
    assert!(of(b"{\"type\":\"Feature\"}")[0].contains("without a list of features"));
    assert!(of(b"{\"features\":[")[0].contains("can't be read"));
    assert!(of(b"sensor_id,kind\n\xff\xfe,loop\n")[0].starts_with("line 2: rejected: can't be read"));
}

#[test]
fn geojson_says_the_same_as_csv() {
    let text = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"Point","coordinates":[106.6805,20.8601]},
         "properties":{"sensor_id":"r","kind":"radar","heading_deg":260,"period_s":30}},
        {"type":"Feature","geometry":null,"properties":{"sensor_id":7,"kind":"loop","link_id":"east","offset_m":5.5}},
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[]},"properties":{"sensor_id":"l"}}]}"#;
    let report = Registry::from_csv_or_geojson(text.as_bytes(), &two_way_street());
    let sensors = report.registry.sensors();
    assert_eq!((sensors[0].id.as_str(), sensors[0].link), ("r", Some(LinkIndex(1))));
    assert_eq!((sensors[1].id.as_str(), sensors[1].offset_m), ("7", Some(5.5)));
    assert_eq!(
        said(&report),
        [
            "line 3: rejected: l: can't be read: its geometry is not a point with longitude and latitude; mend it there"
        ]
    );
}
