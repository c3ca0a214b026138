//! `luong up`: the newcomer's first command.

use std::time::Duration;

use testbed::{Python, Signal, require};

use crate::service::{PATIENCE, Service, http, metric, wait_until};

/// Every port free.
const FREE: [&str; 1] = ["mqtt.listen=127.0.0.1:0"];

/// Reads snapshots until most links with a sensor of their own are OBSERVED, and those move from one to the next.
const MOVING: &str = r#"
import sys, time, reflected
city = reflected.Server(sys.argv[1])
states, sensors = city.service("luong.v1.TrafficState"), city.service("luong.v1.Sensors")
instrumented, token = set(), ""
while True:
    page = sensors.ListSensors({"pageSize": 1000, "pageToken": token}, timeout=10)
    instrumented |= {s["linkId"] for s in page.get("sensors", []) if s["kind"] in ("SENSOR_KIND_LOOP", "SENSOR_KIND_RADAR", "SENSOR_KIND_CAMERA", "SENSOR_KIND_AREA_CAMERA")}
    token = page.get("nextPageToken", "")
    if not token: break
first, deadline = {}, time.time() + 60
while time.time() < deadline:
    now = {s["linkId"]: s.get("speedKmh") for chunk in states.GetSnapshot({}, timeout=10) for s in chunk.get("states", []) if s.get("source") == "SOURCE_OBSERVED"}
    observed = {link for link in now if link in instrumented}
    for link in now: first.setdefault(link, now[link])
    moved = sum(1 for link in observed if first[link] != now[link])
    if len(observed) > len(instrumented) / 2 and moved > len(instrumented) / 10:
        print("moving:", len(observed), "of", len(instrumented), "instrumented links observed,", moved, "moved")
        sys.exit(0)
    time.sleep(1)
sys.exit(f"not moving: {len(observed)} of {len(instrumented)} instrumented links observed, {moved} moved")
"#;

#[test]
fn a_newcomer_sees_a_city_move_and_it_goes_on_after_a_restart() {
    let Some(python) = require(Python::find()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut first = Service::start(&["up"], folder.path(), &FREE);
    let grpc = first.address("gRPC");
    python.run(MOVING, &[&grpc], Duration::from_secs(90)).unwrap();
    let admin = first.address("admin");
    assert!(metric(&admin, "luong_analyse_observations_total").unwrap() > 0.0);
    first.program.signal(Signal::Interrupt).unwrap();
    assert_eq!(first.program.wait(Duration::from_secs(15)).unwrap().code(), Some(0));

    let mut second = Service::start(&["up", "--no-simulator"], folder.path(), &FREE);
    second.ready();
    let admin = second.address("admin");
    wait_until("restored", || (metric(&admin, "luong_gateway_links_known")? > 0.0).then_some(()));
    assert_eq!(second.stop(), Some(0));
}

#[test]
fn the_admin_endpoint_tells_about_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(&["up", "--no-simulator"], folder.path(), &FREE);
    service.ready();
    let admin = service.address("admin");
    assert!(http(&admin, "/livez").starts_with("HTTP/1.1 200"));
    assert!(http(&admin, "/version").contains("network_version"));
    assert!(http(&admin, "/metrics").contains("luong_ingest_"));
    assert_eq!(service.stop(), Some(0));
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Service::start(&["up", "--no-simulator"], folder.path(), &FREE);
    first.ready();
    let mut second = Service::start(&["up", "--no-simulator"], folder.path(), &FREE);
    assert_eq!(second.program.wait(PATIENCE).unwrap().code(), Some(1));
    assert!(second.program.stderr().contains("another process"), "{}", second.program.stderr());
    assert_eq!(first.stop(), Some(0));
}
