//! Through a real Mosquitto, published by its own `mosquitto_pub`.

use std::process::Stdio;
use std::time::Duration;

use ingest::{BrokerConfig, Config, Status};
use model::ReadingKind;
use testbed::{Mosquitto, require};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::device::{TOPIC, event, publish5};
use crate::golden;
use crate::rig::{PATIENCE, Rig};

/// Five seconds is the shortest keep-alive: hangs are noticed soonest.
fn config() -> Config {
    let broker = BrokerConfig { keep_alive_s: 5, ..BrokerConfig::default() };
    Config { broker, ..Config::default() }
}

async fn start(broker: &Mosquitto) -> Rig {
    let rig = Rig::start_with(config(), Some(broker.url())).await;
    until(|| rig.ingest.status() == Status::Ready).await;
    rig
}

async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it comes to that");
}

/// Publishes each line as one message at QoS 1.
fn publisher(broker: &Mosquitto, topic: &str) -> Option<Child> {
    let program = require(testbed::tool("mosquitto_pub"))?;
    let port = broker.port().to_string();
    let command = Command::new(program)
        .args(["-h", "127.0.0.1", "-p", &port, "-t", topic, "-q", "1", "-l"])
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    Some(command.unwrap())
}

/// Publishes and waits until the broker has taken all of it.
async fn publish(broker: &Mosquitto, topic: &str, lines: &[Vec<u8>]) -> Option<()> {
    let mut child = publisher(broker, topic)?;
    let mut input = child.stdin.take().unwrap();
    input.write_all(&[lines.join(&b'\n'), b"\n".to_vec()].concat()).await.unwrap();
    drop(input);
    assert!(timeout(PATIENCE, child.wait()).await.expect("mosquitto_pub ends").unwrap().success());
    Some(())
}

fn events(seqs: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    seqs.map(event).collect()
}

/// The sequence numbers that the log holds, each once.
async fn seqs(rig: &Rig, at_least: usize) -> Vec<u64> {
    let mut seqs: Vec<u64> = rig.observations(at_least).await.iter().filter_map(|o| o.seq).collect();
    seqs.sort_unstable();
    seqs.dedup();
    seqs
}

/// Waits until the log holds that many different sequence numbers.
async fn until_seqs(rig: &Rig, count: usize) -> Vec<u64> {
    let waiting = async {
        loop {
            let found = seqs(rig, 0).await;
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("all arrive")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_in_both_encodings_goes_through_a_broker() {
    let Some(broker) = require(Mosquitto::start()) else { return };
    let rig = start(&broker).await;
    let sensor = |kind| match kind {
        ReadingKind::Probe => "fleet",
        ReadingKind::TravelTime => "bt-2",
        _ => "loop-1",
    };
    for golden in golden::golden() {
        let kind = golden.reading.kind();
        let json = golden.json.replace('\n', " ").into_bytes();
        let topic = format!("luong/v1/{}/{}", sensor(kind), kind.name());
        if publish(&broker, &topic, &[json]).await.is_none() {
            return;
        }
        // As a message of its own: protobuf may hold a line's end.
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), golden::bytes(golden.protobuf_hex)).unwrap();
        let port = broker.port().to_string();
        let topic = format!("luong/v1pb/{}/{}", sensor(kind), kind.name());
        let sent = Command::new(testbed::tool("mosquitto_pub").unwrap())
            .args(["-h", "127.0.0.1", "-p", &port, "-t", &topic, "-q", "1", "-f"])
            .arg(file.path())
            .status();
        assert!(sent.await.unwrap().success());
    }
    let found = rig.observations(14).await;
    assert_eq!(rig.dead_letters(0).await, []);
    for kind in ReadingKind::ALL {
        let mut pair = found.iter().filter(|o| o.reading.kind() == kind);
        let (json, protobuf) = (pair.next().unwrap(), pair.next().unwrap());
        assert_eq!((json, pair.next()), (protobuf, None));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_forgets_a_message_only_after_the_log_holds_it() {
    let Some(broker) = require(Mosquitto::start()) else { return };
    // A process whose log takes nothing, and which dies.
    let rig = start(&broker).await;
    rig.log.close().await.unwrap();
    if publish(&broker, TOPIC, &events(0..200)).await.is_none() {
        return;
    }
    until(|| rig.metric("luong_ingest_messages_received_total", "broker") >= 200.0).await;
    drop(rig);
    // The next one under the same name gets all of it.
    let rig = start(&broker).await;
    assert_eq!(until_seqs(&rig, 200).await, (0..200).collect::<Vec<_>>());
    until(|| rig.metric("luong_ingest_messages_acknowledged_total", "broker") >= 200.0).await;
    rig.stop().await;
    // And the one after that nothing.
    let rig = start(&broker).await;
    publish(&broker, TOPIC, &events(900..901)).await;
    assert_eq!(seqs(&rig, 1).await, [900]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_restarts_is_found_again_and_nothing_that_it_kept_is_lost() {
    let Some(mut broker) = require(Mosquitto::start()) else { return };
    let rig = start(&broker).await;
    if publish(&broker, TOPIC, &events(0..50)).await.is_none() {
        return;
    }
    until_seqs(&rig, 50).await;
    broker.kill();
    until(|| rig.ingest.status() != Status::Ready).await;
    // Killed, it forgot our session, too: the subscription has to be made again.
    broker.restart().unwrap();
    until(|| rig.ingest.status() == Status::Ready).await;
    publish(&broker, TOPIC, &events(50..100)).await;
    assert_eq!(until_seqs(&rig, 100).await, (0..100).collect::<Vec<_>>());
    assert!(rig.metric("luong_ingest_broker_connects_total", "") >= 2.0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_is_noticed_and_nothing_is_lost() {
    let Some(mut broker) = require(Mosquitto::start()) else { return };
    let rig = start(&broker).await;
    let Some(mut child) = publisher(&broker, TOPIC) else { return };
    let mut input = child.stdin.take().unwrap();
    let line = |seq| [event(seq), b"\n".to_vec()].concat();
    let (first, rest): (Vec<_>, Vec<_>) =
        ((0..1_000).map(line).collect(), (1_000..2_000).map(line).collect());
    input.write_all(&first.concat()).await.unwrap();
    until_seqs(&rig, 1).await;
    broker.freeze().unwrap();
    // On its own, because the publisher takes no more than its pipe holds while the broker hangs.
    let writing = tokio::spawn(async move { input.write_all(&rest.concat()).await });
    until(|| rig.ingest.status() != Status::Ready).await;
    broker.thaw().unwrap();
    writing.await.unwrap().unwrap();
    assert!(timeout(PATIENCE, child.wait()).await.expect("mosquitto_pub ends").unwrap().success());
    assert_eq!(until_seqs(&rig, 2_000).await, (0..2_000).collect::<Vec<_>>());
    until(|| rig.ingest.status() == Status::Ready).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_a_group_share_the_messages_and_take_each_once() {
    let Some(broker) = require(Mosquitto::start()) else { return };
    let first = start(&broker).await;
    let other = BrokerConfig { client_id: "luong-ingest-2".into(), ..config().broker };
    let second = Rig::start_with(Config { broker: other, ..config() }, Some(broker.url())).await;
    until(|| second.ingest.status() == Status::Ready).await;
    if publish(&broker, TOPIC, &events(0..400)).await.is_none() {
        return;
    }
    let received = |rig: &Rig| rig.metric("luong_ingest_messages_acknowledged_total", "broker");
    until(|| received(&first) + received(&second) >= 400.0).await;
    let (a, b) = (seqs(&first, 0).await, seqs(&second, 0).await);
    assert!(!a.is_empty() && !b.is_empty());
    let mut all = [a, b].concat();
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<_>>());
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_waited_for() {
    let Some(mut broker) = require(Mosquitto::start()) else { return };
    broker.kill();
    let rig = Rig::start_with(config(), Some(broker.url())).await;
    let Status::NotReady(why) = rig.ingest.status() else { panic!("ready without a broker") };
    assert!(why[0].contains("not connected to the MQTT broker"), "{why:?}");
    broker.restart().unwrap();
    until(|| rig.ingest.status() == Status::Ready).await;
    if publish(&broker, TOPIC, &events(0..1)).await.is_some() {
        assert_eq!(seqs(&rig, 1).await, [0]);
    }
    rig.stop().await;
}

/// A broker that says what the test wants: for what a real one can't be made to do.
struct Puppet {
    socket: TcpListener,
}

impl Puppet {
    async fn start() -> (Self, Rig) {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", socket.local_addr().unwrap());
        (Self { socket }, Rig::start_with(config(), Some(url)).await)
    }

    /// Takes the next connection and answers its CONNECT and its SUBSCRIBE.
    async fn accept(&self, session_present: u8, granted: u8) -> TcpStream {
        let (mut stream, _) =
            timeout(PATIENCE, self.socket.accept()).await.expect("ingest connects").unwrap();
        assert_eq!(hear(&mut stream).await[0], 0x10);
        stream.write_all(&[0x20, 3, session_present, 0, 0]).await.unwrap();
        let subscribe = hear(&mut stream).await;
        assert_eq!(subscribe[0], 0x82);
        stream.write_all(&[0x90, 5, subscribe[2], subscribe[3], 0, granted, granted]).await.unwrap();
        stream
    }
}

/// Reads one packet whose length is one digit.
async fn hear(stream: &mut TcpStream) -> Vec<u8> {
    let read = async {
        let mut packet = vec![0; 2];
        stream.read_exact(&mut packet).await.unwrap();
        packet.resize(2 + usize::from(packet[1]), 0);
        stream.read_exact(&mut packet[2..]).await.unwrap();
        packet
    };
    timeout(PATIENCE, read).await.expect("ingest speaks")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_refuses_the_subscription_is_named_as_the_cause() {
    let (puppet, rig) = Puppet::start().await;
    let _connection = puppet.accept(0, 0x87).await;
    until(|| matches!(rig.ingest.status(), Status::NotReady(why) if why[0].contains("subscription"))).await;
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_over_a_lost_connection_is_not_acknowledged_over_the_next() {
    let (puppet, rig) = Puppet::start().await;
    for round in 0..20_u64 {
        // The connection is lost while a burst is on its way to the log.
        let mut first = puppet.accept(1, 1).await;
        let burst: Vec<u8> = (1..=200)
            .flat_map(|id| publish5(TOPIC.as_bytes(), id, &[], &event(round << 32 | u64::from(id))))
            .collect();
        first.write_all(&burst).await.unwrap();
        drop(first);
        // On the next one the broker sends another message under an id of the burst. What is acknowledged is that one.
        let mut second = puppet.accept(1, 1).await;
        second.write_all(&publish5(TOPIC.as_bytes(), 7, &[], &event(round << 32 | 7_000))).await.unwrap();
        assert_eq!(hear(&mut second).await, [0x40, 2, 0, 7]);
        let found = rig.observations(0).await;
        assert!(found.iter().any(|o| o.seq == Some(round << 32 | 7_000)), "acknowledged, so in the log");
    }
    rig.stop().await;
}
