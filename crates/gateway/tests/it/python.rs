//! A client that is not ours: Python's grpcio, which knows of the services only what reflection tells it.

use std::time::Duration;

use testbed::{Python, require};

use crate::city::state;
use crate::rig::Rig;

/// Longer than Python takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strangers_client_reads_snapshots_and_watches() {
    let Some(python) = require(Python::find()) else { return };
    let rig = Rig::new().await;
    rig.store().append_states(&[state(3, 30.0, 0), state(4, 20.0, 0)]).await;
    let mut watch = rig.watch(wire::v1::StateFilter::default()).await;
    watch.until(|watch| watch.states.len() == 2).await;
    let script = r#"
import itertools, json, sys
import grpc, reflected
server = reflected.Server(sys.argv[1])
states = server.service("luong.v1.TrafficState")
snapshot = [s for chunk in states.GetSnapshot({}, timeout=20) for s in chunk.get("states", [])]
watched = list(itertools.islice(states.WatchState({"filter": {"observedOnly": True}}, timeout=20), 2))
links = [l for chunk in server.service("luong.v1.RoadNetwork").GetNetwork({}, timeout=20) for l in chunk["links"]]
health = server.service("grpc.health.v1.Health").Check({"service": "luong.v1.TrafficState"}, timeout=20)
try:
    list(states.GetSnapshot({"filter": {"linkIds": ["nowhere"]}}, timeout=20))
    refusal = None
except grpc.RpcError as error:
    refusal = [error.code().name, error.details()]
print(json.dumps({
    "services": server.services(),
    "speeds": {s["linkId"]: s["speedKmh"] for s in snapshot},
    "kinds": [u["kind"] for u in watched],
    "observed": [s["linkId"] for u in watched for s in u.get("states", [])],
    "links": len(links),
    "health": health["status"],
    "refusal": refusal,
}, sort_keys=True))
"#;
    let address = rig.grpc.to_string();
    let printed = tokio::task::spawn_blocking(move || python.run(script, &[&address], PATIENCE))
        .await
        .unwrap()
        .unwrap();
    let said = |part: &str| assert!(printed.contains(part), "{part} is not in {printed}");
    said(r#""speeds": {"s3": 30.0, "s4": 20.0}"#);
    said(r#""kinds": ["KIND_SNAPSHOT", "KIND_DELTA"], "links": 200, "observed": ["s3"]"#);
    said(r#""health": "SERVING""#);
    said(r#""refusal": ["INVALID_ARGUMENT", "filter.link_ids[0]: no link \"nowhere\" in this network"]"#);
    said(r#""luong.v1.TrafficState""#);
}
