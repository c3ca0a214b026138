//! Any bytes: no panic, no hang, and the listener goes on for the others.
//!
//! A short run is part of every test run. A long one, for a person:
//! `FUZZ_SECONDS=600 cargo test -p ingest --release --test it -- --ignored --nocapture fuzz`

use std::time::{Duration, Instant};

use ingest::{Config, EventTopic, ListenerConfig, decode, native};
use model::ReadingKind;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tokio::task::JoinSet;

use crate::device::{Device, TOPIC, connect, event, packet, publish, publish5, text};
use crate::golden;
use crate::rig::{Rig, metric_of};

/// Something that is nearly an event: a golden one, with bytes changed, cut, repeated or put in.
fn nearly_an_event() -> impl Strategy<Value = Vec<u8>> {
    let goldens: Vec<Vec<u8>> = golden::golden()
        .iter()
        .flat_map(|golden| [golden.json.as_bytes().to_vec(), golden::bytes(golden.protobuf_hex)])
        .chain([event(1)])
        .collect();
    let mutation = (any::<Index>(), 0..6_u8, any::<Vec<u8>>());
    (prop::sample::select(goldens), prop::collection::vec(mutation, 0..6)).prop_map(
        |(mut bytes, mutations)| {
            for (place, how, with) in mutations {
                mutate(&mut bytes, place, how, &with);
            }
            bytes
        },
    )
}

fn mutate(bytes: &mut Vec<u8>, place: Index, how: u8, with: &[u8]) {
    const WORDS: [&[u8]; 8] =
        [b"null", b"-1", b"1e400", b"{\"a\":", b"[[[[", b"\"\\ud800\"", b"\xff", b"99999999999999999999"];
    if bytes.is_empty() {
        return;
    }
    let at = place.index(bytes.len());
    match how {
        0 => bytes[at] ^= with.first().copied().unwrap_or(0x80),
        1 => bytes.truncate(at),
        2 => drop(bytes.splice(at..at, with.iter().copied())),
        3 => drop(bytes.splice(at..at, place.get(&WORDS).iter().copied())),
        4 => drop(bytes.drain(..at)),
        _ => bytes.extend_from_within(at..),
    }
}

/// What a client might say: packets in any order, some of them broken.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let flags = 0..16_u8;
    let one = prop_oneof![
        4 => (flags, any::<u16>(), nearly_an_event()).prop_map(|(flags, id, payload)| {
            publish(flags, TOPIC.as_bytes(), (flags & 6 != 0).then_some(id), &payload)
        }),
        2 => (any::<u16>(), any::<Vec<u8>>(), nearly_an_event())
            .prop_map(|(id, properties, payload)| publish5(TOPIC.as_bytes(), id, &properties, &payload)),
        1 => (any::<u8>(), any::<Vec<u8>>()).prop_map(|(first, body)| packet(first, &body)),
        1 => any::<Vec<u8>>(),
        1 => Just(vec![0xC0, 0]),
        1 => Just(packet(0x82, &[vec![0, 1, 0], text(b"#"), vec![1]].concat())),
    ];
    let greeting = prop_oneof![
        8 => (prop::sample::select(vec![3, 4, 5]), 0..3_u16).prop_map(|(level, s)| connect(level, s, "fuzz")),
        1 => any::<Vec<u8>>(),
        1 => any::<Vec<u8>>().prop_map(|body| packet(0x10, &body)),
        1 => (any::<u8>(), any::<Vec<u8>>())
            .prop_map(|(flags, body)| packet(0x10, &[text(b"MQTT"), vec![5, flags], body].concat())),
    ];
    (greeting, prop::collection::vec(one, 0..8), prop::collection::vec(any::<(Index, u8)>(), 0..3)).prop_map(
        |(greeting, packets, flips)| {
            let mut bytes = [greeting, packets.concat()].concat();
            for (place, with) in flips {
                mutate(&mut bytes, place, 0, &[with]);
            }
            bytes
        },
    )
}

fn decode_all_ways(bytes: &[u8]) {
    let topic = EventTopic::parse(bytes);
    for kind in ReadingKind::ALL {
        for encoding in [ingest::Encoding::Json, ingest::Encoding::Protobuf] {
            let Ok(event) = decode(encoding, kind, bytes) else { continue };
            assert_eq!(event.reading.kind(), kind);
        }
    }
    if let Ok(text) = str::from_utf8(bytes) {
        drop(native::decode_line(text));
    }
    drop(topic);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop_oneof![nearly_an_event(), any::<Vec<u8>>()]) {
        decode_all_ways(&bytes);
    }
}

/// Talks to the listener in many voices until the time is up; a well-behaved device is served all the while.
async fn fuzz_listener(seconds: Duration) {
    let listener =
        ListenerConfig { connect_timeout_s: 0.2, idle_timeout_s: 0.2, ..ListenerConfig::default() };
    let rig = Rig::start(Config { listener, ..Config::default() }).await;
    let address = rig.address;
    let mut runner = TestRunner::default();
    let strategy = conversation();
    let started = Instant::now();
    let (mut conversations, mut good) = (0_u64, Device::dial(address).await);
    good.say(&connect(4, 60, "good")).await;
    good.packet().await;
    let mut voices = JoinSet::new();
    let mut id = 0_u16;
    while started.elapsed() < seconds {
        let bytes = strategy.new_tree(&mut runner).unwrap().current();
        conversations += 1;
        voices.spawn(async move {
            let mut device = Device::dial(address).await;
            device.try_say(&bytes).await;
            // A keep-alive of hours may have been said, and a packet begun: only the end of the stream ends that.
            device.hang_up().await;
            device.rest().await;
        });
        if voices.len() >= 64 {
            voices.join_next().await.unwrap().unwrap();
            id = id % 60_000 + 1;
            good.publish(id, &event(u64::from(id))).await;
            assert_eq!(good.acknowledged().await, id);
        }
    }
    while let Some(voice) = voices.join_next().await {
        voice.unwrap();
    }
    println!(
        "{conversations} conversations, {} events",
        rig.metric("luong_ingest_messages_received_total", "")
    );
    // A voice that hung up does not wait for the log; the drain does.
    let metrics = rig.metrics.clone();
    rig.stop().await;
    assert_eq!(metric_of(&metrics, "luong_ingest_in_flight_messages", ""), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bytes_stop_the_listener() {
    fuzz_listener(Duration::from_secs(2)).await;
}

/// Half of the time each: decoders, listener.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs as long as FUZZ_SECONDS says"]
async fn fuzz_for_a_long_time() {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(600);
    let half = Duration::from_secs(seconds) / 2;
    let (mut runner, started, mut inputs) = (TestRunner::default(), Instant::now(), 0_u64);
    let strategy = prop_oneof![nearly_an_event(), any::<Vec<u8>>()];
    while started.elapsed() < half {
        decode_all_ways(&strategy.new_tree(&mut runner).unwrap().current());
        inputs += 1;
    }
    println!("{inputs} inputs decoded");
    fuzz_listener(half).await;
}
