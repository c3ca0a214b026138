//! Three processes joined by Kafka alone, with a real broker before them; each is killed in turn.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use eventlog::{Delivery, Log, Start, Subscription};
use testbed::{Kafka, Mosquitto, Program, Python, require};
use wire::LogRecord;

use crate::service::{PATIENCE, Service, http, wait_until};

/// Four links in a row, a loop on each.
const LINKS: [&str; 4] = ["a", "b", "c", "d"];

/// Seconds of event time between two kills; the loops report every second.
const SECONDS: usize = 15;

/// Motorcycles that a loop counts in a second.
const VEHICLES: usize = 7;

/// Start of the minute of event time in which all vehicles pass.
const MINUTE: i64 = 1_795_330_800_000;

/// Prints each change of a link's flow; comes back with its resume token when the gateway goes away.
const WATCH: &str = r#"
import sys, time, grpc, reflected
token = ""
while True:
    try:
        states = reflected.Server(sys.argv[1]).service("luong.v1.TrafficState")
        for update in states.WatchState({"resumeToken": token}):
            token = update.get("resumeToken", token)
            for state in update.get("states", []):
                if "flowVph" in state:
                    print("flow", state["linkId"], state["validAt"], round(state["flowVph"]), flush=True)
    except grpc.RpcError as error:
        print("lost:", error.code(), error.details(), flush=True)
        time.sleep(0.2)
"#;

/// Writes the map and the registry; returns their paths as settings.
pub(crate) fn city(folder: &Path) -> [String; 2] {
    let features: Vec<String> = LINKS
        .iter()
        .enumerate()
        .map(|(i, id)| {
            let (from, to) = (106.68 + i as f64 * 0.003, 106.683 + i as f64 * 0.003);
            format!(
                r#"{{"type":"Feature","properties":{{"link_id":"{id}","class":"primary","lanes":2,"speed_limit_kmh":50}},
                "geometry":{{"type":"LineString","coordinates":[[{from},20.85],[{to},20.85]]}}}}"#
            )
        })
        .collect();
    let map = folder.join("city.geojson");
    std::fs::write(&map, format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(",")))
        .unwrap();
    let network = folder.join("city.roadnet");
    let imported = Command::new(env!("CARGO_BIN_EXE_luong"))
        .args(["network", "import"])
        .arg(&map)
        .arg("--out")
        .arg(&network)
        .output()
        .unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let rows: String = LINKS.iter().map(|id| format!("loop-{id},loop,{id},150,,,,,0,,native\n")).collect();
    let header = "sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format\n";
    let sensors = folder.join("sensors.csv");
    std::fs::write(&sensors, format!("{header}{rows}")).unwrap();
    [format!("network.file={}", network.display()), format!("sensors.file={}", sensors.display())]
}

/// Publishes lines to one topic at QoS 1; returns when who listens at the port has acknowledged all.
pub(crate) fn publish(port: u16, topic: &str, lines: &[String]) {
    let mut client = Command::new("mosquitto_pub")
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-t", topic, "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = client.stdin.take().unwrap();
    stdin.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    drop(stdin);
    assert!(client.wait().unwrap().success());
}

/// Reports one round's quarter of the minute from all links.
fn report(broker: &Mosquitto, round: usize) {
    for link in LINKS {
        let lines: Vec<String> = (round * SECONDS..(round + 1) * SECONDS)
            .map(|second| {
                let at = MINUTE + 1000 * (second as i64 + 1);
                let counts = format!(r#"{{"motorcycle":{VEHICLES}}}"#);
                format!(r#"{{"seq":{second},"at":{at},"period_s":1,"counts":{counts},"speed_kmh":30}}"#)
            })
            .collect();
        publish(broker.port(), &format!("luong/v1/loop-{link}/aggregate"), &lines);
    }
}

/// Counts the identities in the observations topic.
async fn identities(bootstrap_servers: &str) -> usize {
    let config =
        eventlog::kafka::Config { bootstrap_servers: bootstrap_servers.to_owned(), ..Default::default() };
    let log = Log::open_kafka(config).unwrap();
    let ends: u64 = log.end_offsets(wire::topic::OBSERVATIONS).await.unwrap().iter().sum();
    let topic = wire::topic::OBSERVATIONS.into();
    let mut consumer = log.consume(Subscription::All { topic, start: Start::Earliest }).await.unwrap();
    let (mut read, mut seen) = (0, BTreeSet::new());
    while read < ends {
        if let Delivery::Records(records) = consumer.next(10_000).await.unwrap() {
            read += records.len() as u64;
            for fetched in records {
                if let LogRecord::Observation(o) = wire::decode_log_record(&fetched.record.value).unwrap() {
                    seen.insert((o.sensor.to_string(), o.seq));
                }
            }
        }
    }
    seen.len()
}

fn wait_for_flow(watch: &mut Program, link: &str, vehicles_per_minute: usize, analyse: &mut Service) {
    let (valid_at, flow) = ("2026-11-22", vehicles_per_minute * 60);
    let line = format!("flow {link} {valid_at}");
    let found = watch.wait_for(PATIENCE, |said| {
        (said.starts_with(&line) && said.ends_with(&format!(" {flow}"))).then(|| said.to_owned())
    });
    if found.is_err() {
        let metrics = http(&analyse.address("admin"), "/metrics");
        panic!("{link}: never {flow} veh/h:\n{}\n{}\n{metrics}", watch.stdout(), analyse.program.stderr());
    }
}

#[test]
fn killing_each_role_in_turn_loses_nothing_and_doubles_nothing() {
    let (Some(broker), Some(kafka), Some(python)) =
        (require(Mosquitto::start()), require(Kafka::start()), require(Python::find()))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [network, sensors] = city(folder.path());
    let servers = kafka.bootstrap_servers();
    let kafka_set = format!("log.kafka.bootstrap_servers={servers}");
    let grpc = format!("gateway.listen=127.0.0.1:{}", free_port());
    let broker_set = format!("mqtt.broker={}", broker.url());
    let set = [
        &network,
        &sensors,
        &kafka_set,
        &broker_set,
        &grpc,
        "log.backend=kafka",
        "log.partitions=2",
        "clock.mode=event",
        "analyse.checkpoint_every_s=1",
    ];
    let start = |role: &str| Service::start(&[role], &folder.path().join(role), &set);
    let mut ingest = start("ingest");
    let mut analyse = start("analyse");
    let mut serve = start("serve");
    for service in [&mut ingest, &mut analyse, &mut serve] {
        service.ready();
    }
    let address = serve.address("gRPC");
    let mut watch = python.spawn(WATCH, &[&address]).unwrap();

    report(&broker, 0);
    ingest.program.kill();
    report(&broker, 1);
    let ingest = start("ingest");
    analyse.program.kill();
    report(&broker, 2);
    let mut analyse = start("analyse");
    serve.program.kill();
    report(&broker, 3);
    let mut serve = start("serve");
    serve.ready();

    let rounds = 4;
    let expected = rounds * SECONDS * LINKS.len();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    wait_until("everything in the log", || {
        (runtime.block_on(identities(&servers)) == expected).then_some(())
    });
    // What comes after the minute lets its boundary pass.
    for link in LINKS {
        let later = format!(r#"{{"seq":999,"at":{},"period_s":1,"queue_m":0}}"#, MINUTE + 61_000);
        publish(broker.port(), &format!("luong/v1/loop-{link}/aggregate"), &[later]);
    }
    for link in LINKS {
        wait_for_flow(&mut watch, link, rounds * SECONDS * VEHICLES, &mut analyse);
    }
    for service in [ingest, analyse, serve] {
        assert_eq!(service.stop(), Some(0));
    }
}

/// A port that a restarted gateway can have again.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
