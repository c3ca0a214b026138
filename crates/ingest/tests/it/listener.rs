//! The built-in listener: what a well-behaved publisher gets, and a badly behaved one.

use std::time::Duration;

use ingest::{Config, ListenerConfig, Status};
use tokio::task::JoinSet;

use crate::city;
use crate::device::{Device, TOPIC, connect, event, packet, publish, publish5, text};
use crate::rig::{PATIENCE, Rig, metric_of};

/// A connection that is closed without a word.
const NOTHING: [u8; 0] = [];

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_acknowledged_and_in_the_log() {
    let rig = Rig::start(Config::default()).await;
    for level in [4, 5] {
        let mut device = Device::connect(rig.address, level).await;
        let payload = event(u64::from(level));
        match level {
            5 => device.say(&publish5(TOPIC.as_bytes(), 7, &[], &payload)).await,
            _ => device.publish(7, &payload).await,
        }
        assert_eq!(device.acknowledged().await, 7);
        // It is there already: the acknowledgement came after.
        let found = rig.observations(0).await;
        let observation = found.iter().find(|o| o.seq == Some(u64::from(level))).expect("in the log");
        assert_eq!((observation.sensor.as_str(), observation.link.as_str()), ("loop-1", "w1.0f"));
        assert_eq!(observation.received_at, city::NOW);
    }
    assert_eq!(rig.ingest.status(), Status::Ready);
    let metrics = rig.metrics.clone();
    rig.stop().await;
    // The device may read the last acknowledgement before it is counted.
    assert_eq!(metric_of(&metrics, "luong_ingest_messages_acknowledged_total", "listener"), 2.0);
    assert_eq!(metric_of(&metrics, "luong_ingest_observations_total", "aggregate"), 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_come_in_the_order_of_receipt_and_none_is_missing() {
    const EACH: u16 = 3_000;
    let rig = Rig::start(Config::default()).await;
    let mut devices = JoinSet::new();
    for number in 0..4_u64 {
        let address = rig.address;
        devices.spawn(async move {
            let mut device = Device::connect(address, 4).await;
            let mut bytes = Vec::new();
            for id in 1..=EACH {
                // Every seventh is poison; it is acknowledged in its place.
                let payload = if id % 7 == 0 { b"{".to_vec() } else { event(number << 32 | u64::from(id)) };
                bytes.extend(publish(0x02, TOPIC.as_bytes(), Some(id), &payload));
            }
            device.say(&bytes).await;
            for id in 1..=EACH {
                assert_eq!(device.acknowledged().await, id);
            }
        });
    }
    while let Some(done) = devices.join_next().await {
        done.unwrap();
    }
    let poison = usize::from(EACH / 7) * 4;
    let observations = rig.observations(0).await;
    let mut seen: Vec<_> = observations.iter().filter_map(|o| o.seq).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), usize::from(EACH) * 4 - poison);
    assert_eq!(rig.dead_letters(poison).await.len(), poison);
    assert_eq!(rig.metric("luong_ingest_in_flight_messages", ""), 0.0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_publisher_sends_before_it_says_goodbye_is_acknowledged() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::dial(rig.address).await;
    let goodbye = [connect(4, 60, "d"), publish(0x02, TOPIC.as_bytes(), Some(1), &event(1)), vec![0xE0, 0]];
    device.say(&goodbye.concat()).await;
    assert_eq!(device.rest().await, [0x20, 2, 0, 0, 0x40, 2, 0, 1]);
    assert_eq!(rig.observations(1).await.len(), 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_acknowledges_what_was_taken_and_tells_mqtt_5_why() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 5).await;
    device.say(&publish5(TOPIC.as_bytes(), 1, &[], &event(1))).await;
    assert_eq!(rig.observations(1).await.len(), 1);
    rig.stop().await;
    assert_eq!(device.rest().await, [0x40, 2, 0, 1, 0xE0, 1, 0x8B]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    for id in 1..=100 {
        device.publish(id, &event(u64::from(id))).await;
    }
    for id in 1..=100 {
        assert_eq!(device.acknowledged().await, id);
    }
    let (log, folder) = rig.stop().await;
    log.close().await.unwrap();
    let log = crate::rig::open_log(&folder).await;
    let count = crate::rig::read(&log, wire::topic::OBSERVATIONS, 100, |value| {
        matches!(wire::decode_log_record(value), Ok(wire::LogRecord::Observation(_))).then_some(())
    });
    assert_eq!(count.await.len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_publish_passes_through_for_the_analyser_to_recognise() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    device.publish(1, &event(1)).await;
    device.say(&publish(0x0A, TOPIC.as_bytes(), Some(1), &event(1))).await;
    assert_eq!((device.acknowledged().await, device.acknowledged().await), (1, 1));
    let found = rig.observations(2).await;
    assert_eq!(found[0].identity(), found[1].identity());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qos_0_and_the_retain_flag_are_taken_like_the_rest() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    device.say(&publish(0x01, TOPIC.as_bytes(), None, &event(1))).await;
    assert_eq!(rig.observations(1).await.len(), 1);
    assert_eq!(rig.metric("luong_ingest_retained_messages_total", ""), 1.0);
    device.say(&[0xC0, 0]).await;
    assert_eq!(device.packet().await, [0xD0, 0], "QoS 0 has no acknowledgement; the ping's answer is next");
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_subscribe() {
    let rig = Rig::start(Config::default()).await;
    let mut three = Device::connect(rig.address, 4).await;
    three
        .say(&packet(0x82, &[vec![0, 9], text(b"luong/#"), vec![1], text(b"$SYS/#"), vec![0]].concat()))
        .await;
    assert_eq!(three.packet().await, [0x90, 4, 0, 9, 0x80, 0x80]);
    three.say(&packet(0xA2, &[vec![0, 10], text(b"luong/#")].concat())).await;
    assert_eq!(three.packet().await, [0xB0, 2, 0, 10]);
    let mut five = Device::connect(rig.address, 5).await;
    five.say(&packet(0x82, &[vec![0, 9, 0], text(b"luong/#"), vec![1]].concat())).await;
    assert_eq!(five.packet().await, [0x90, 4, 0, 9, 0, 0x87]);
    five.say(&packet(0xA2, &[vec![0, 10, 0], text(b"luong/#")].concat())).await;
    assert_eq!(five.packet().await, [0xB0, 4, 0, 10, 0, 0x11]);
    // Both go on.
    three.publish(1, &event(1)).await;
    assert_eq!(three.acknowledged().await, 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_takes_the_client_id_over() {
    let rig = Rig::start(Config::default()).await;
    let mut first = Device::dial(rig.address).await;
    first.say(&connect(5, 60, "camera-7")).await;
    assert_eq!(first.packet().await[0], 0x20);
    let mut second = Device::dial(rig.address).await;
    second.say(&connect(4, 60, "camera-7")).await;
    assert_eq!(second.packet().await, [0x20, 2, 0, 0]);
    assert_eq!(first.rest().await, [0xE0, 1, 0x8E]);
    second.publish(1, &event(1)).await;
    assert_eq!(second.acknowledged().await, 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_odd_cameras_are_let_in() {
    let rig = Rig::start(Config::default()).await;
    let will = [text(b"status"), text(b"gone")].concat();
    let odd: [(&str, Vec<u8>); 6] = [
        ("MQTT 3.1", [text(b"MQIsdp"), vec![3, 0x02, 0, 60], text(b"bosch")].concat()),
        ("a will", [text(b"MQTT"), vec![4, 0x26, 0, 60], text(b"c"), will].concat()),
        ("a will's flags without a will", [text(b"MQTT"), vec![4, 0x3A, 0, 60], text(b"c")].concat()),
        ("the reserved flag", [text(b"MQTT"), vec![4, 0x03, 0, 60], text(b"c")].concat()),
        ("a password alone", [text(b"MQTT"), vec![4, 0x42, 0, 60], text(b"c"), text(b"pw")].concat()),
        ("no id, and a session", [text(b"MQTT"), vec![4, 0x00, 0, 60], text(b"")].concat()),
    ];
    for (what, body) in odd {
        let mut device = Device::dial(rig.address).await;
        device.say(&packet(0x10, &body)).await;
        assert_eq!(device.packet().await, [0x20, 2, 0, 0], "{what}");
        device.publish(1, &event(1)).await;
        assert_eq!(device.acknowledged().await, 1, "{what}");
    }
    rig.stop().await;
}

/// What ends a connection, and what MQTT 5 is told.
#[tokio::test(flavor = "multi_thread")]
async fn bad_packets_end_the_connection_with_their_documented_answer() {
    let rig = Rig::start(Config::default()).await;
    let before_connect: [(&str, Vec<u8>, &[u8]); 8] = [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), &[]),
        ("TLS", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00], &[]),
        ("noise", vec![0xFF; 300], &[]),
        ("a length of five digits", vec![0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], &[]),
        ("PUBLISH first", publish(0x00, b"a", None, b"x"), &[]),
        ("another protocol", packet(0x10, &[text(b"AMQP"), vec![4, 2, 0, 60], text(b"c")].concat()), &[]),
        (
            "MQTT 6",
            packet(0x10, &[text(b"MQTT"), vec![6, 2, 0, 60], text(b"c")].concat()),
            &[0x20, 3, 0, 0x84, 0],
        ),
        ("CONNECT that ends early", packet(0x10, &[text(b"MQTT"), vec![4, 2, 0]].concat()), &[]),
    ];
    for (what, bytes, answer) in before_connect {
        let mut device = Device::dial(rig.address).await;
        device.try_say(&bytes).await;
        assert_eq!(device.rest().await, answer, "{what}");
    }
    let mut authenticating = Device::dial(rig.address).await;
    let properties = [vec![0x15], text(b"SCRAM")].concat();
    let body = [text(b"MQTT"), vec![5, 2, 0, 60, properties.len() as u8], properties, text(b"c")];
    authenticating.say(&packet(0x10, &body.concat())).await;
    assert_eq!(authenticating.rest().await, [0x20, 3, 0, 0x8C, 0]);

    let after_connect: [(&str, Vec<u8>, u8); 9] = [
        ("QoS 2", packet(0x34, &[text(b"a"), vec![0, 1, 0]].concat()), 0x9B),
        ("QoS 3", packet(0x36, &[text(b"a"), vec![0, 1, 0]].concat()), 0x81),
        ("packet id 0", publish5(b"a", 0, &[], b"x"), 0x81),
        ("a topic that is longer than its packet", packet(0x32, &[0xFF, 0xFF, b'a']), 0x81),
        ("properties that are longer than their packet", packet(0x30, &[0, 1, b'a', 0x7F]), 0x81),
        ("a topic alias that was not offered", publish5(b"", 1, &[0x23, 0, 1], b"x"), 0x81),
        ("a length of five digits", vec![0x32, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 0x81),
        ("CONNECT again", connect(5, 60, "x"), 0x82),
        ("a SUBSCRIBE over the limit", vec![0x82, 0x80, 0x80, 0x80, 0x01], 0x95),
    ];
    for (what, bytes, reason) in after_connect {
        let mut five = Device::connect(rig.address, 5).await;
        five.try_say(&bytes).await;
        assert_eq!(five.rest().await, [0xE0, 1, reason], "{what}");
        let mut three = Device::connect(rig.address, 4).await;
        if !what.contains("propert") && !what.contains("alias") {
            three.try_say(&bytes).await;
            assert_eq!(three.rest().await, NOTHING, "{what}");
        }
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_a_bad_packet_is_not_lost() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    let good = publish(0x02, TOPIC.as_bytes(), Some(1), &event(1));
    device.try_say(&[good, vec![0x36, 2, 0, 0]].concat()).await;
    device.rest().await;
    assert_eq!(rig.observations(1).await.len(), 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_in_pieces_is_one_packet() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::dial(rig.address).await;
    let all = [connect(4, 60, "slow"), publish(0x02, TOPIC.as_bytes(), Some(1), &event(1))].concat();
    for byte in all {
        device.say(&[byte]).await;
    }
    assert_eq!(device.packet().await, [0x20, 2, 0, 0]);
    assert_eq!(device.acknowledged().await, 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_events_over_mqtt_are_kept_and_acknowledged() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    let picture = vec![0xFF; 20_000];
    let cases: [(&[u8], &[u8], &str); 8] = [
        (TOPIC.as_bytes(), b"", "empty_payload"),
        (TOPIC.as_bytes(), br#"{"at":"2026-11-22T07:00:30.000Z","spe"#, "bad_json"),
        (TOPIC.as_bytes(), &picture, "bad_json"),
        (b"luong/v1/loop-1", b"{}", "bad_topic"),
        (b"luong/v1/+/aggregate", b"{}", "bad_topic"),
        (b"luong/v1/loop-1/#", b"{}", "unknown_kind"),
        (b"\xff\xfe", b"{}", "bad_topic"),
        (b"", b"{}", "bad_topic"),
    ];
    for (id, (topic, payload, _)) in (1..).zip(&cases) {
        device.say(&publish(0x02, topic, Some(id), payload)).await;
        assert_eq!(device.acknowledged().await, id);
    }
    let letters = rig.dead_letters(cases.len()).await;
    for (topic, payload, reason) in cases {
        let kept = letters.iter().any(|letter| {
            letter.payload == payload
                && letter.reason == reason
                && letter.topic == String::from_utf8_lossy(topic)
                && !letter.detail.is_empty()
        });
        assert!(kept, "{reason} {topic:?}");
        assert!(rig.metric("luong_ingest_dead_letters_total", reason) >= 1.0);
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_a_picture_of_20_kib_is_taken_for_its_values() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    let picture = "A".repeat(20_000);
    let payload =
        format!(r#"{{"seq":1,"at":"2026-11-22T07:00:30.000Z","speed_kmh":27,"picture":"{picture}"}}"#);
    device.publish(1, payload.as_bytes()).await;
    assert_eq!(device.acknowledged().await, 1);
    assert_eq!(rig.observations(1).await.len(), 1);
    assert_eq!(rig.metric("luong_ingest_unknown_fields_total", ""), 1.0);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_over_the_limit_is_kept_in_part_and_acknowledged_so_that_it_does_not_come_again() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    device.publish(1, &vec![b'x'; 3_000_000]).await;
    device.publish(2, &event(2)).await;
    assert_eq!((device.acknowledged().await, device.acknowledged().await), (1, 2));
    let letters = rig.dead_letters(1).await;
    assert_eq!((letters[0].reason.as_str(), letters[0].payload.len()), ("too_large", 4096));
    assert!(letters[0].detail.contains("3000"), "{}", letters[0].detail);
    assert_eq!(rig.observations(1).await.len(), 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_beyond_the_keep_alive_ends_a_connection() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::dial(rig.address).await;
    device.say(&connect(5, 1, "")).await;
    device.packet().await;
    assert_eq!(device.rest().await, [0xE0, 1, 0x8D]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_who_it_is_is_closed() {
    let listener = ListenerConfig { connect_timeout_s: 0.2, ..ListenerConfig::default() };
    let rig = Rig::start(Config { listener, ..Config::default() }).await;
    let mut silent = Device::dial(rig.address).await;
    assert_eq!(silent.rest().await, NOTHING);
    let mut slow = Device::dial(rig.address).await;
    slow.say(&[0x10]).await;
    assert_eq!(slow.rest().await, NOTHING);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_over_the_limit_is_closed_and_the_others_stay() {
    let listener = ListenerConfig { max_connections: 1, ..ListenerConfig::default() };
    let rig = Rig::start(Config { listener, ..Config::default() }).await;
    let mut first = Device::connect(rig.address, 4).await;
    let mut second = Device::dial(rig.address).await;
    assert_eq!(second.rest().await, NOTHING);
    assert_eq!(rig.metric("luong_ingest_connections_refused_total", ""), 1.0);
    first.publish(1, &event(1)).await;
    assert_eq!(first.acknowledged().await, 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_window_slows_down_and_loses_nothing() {
    let listener = ListenerConfig { in_flight_messages: 1, in_flight_bytes: 1, ..ListenerConfig::default() };
    let config = Config { listener, lanes: 1, lane_batches: 1, ..Config::default() };
    let rig = Rig::start(config).await;
    let mut device = Device::connect(rig.address, 4).await;
    for id in 1..=500 {
        device.publish(id, &event(u64::from(id))).await;
    }
    for id in 1..=500 {
        assert_eq!(device.acknowledged().await, id);
    }
    assert_eq!(rig.observations(500).await.len(), 500);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_closed_is_never_acknowledged_for() {
    let rig = Rig::start(Config::default()).await;
    let mut device = Device::connect(rig.address, 4).await;
    rig.log.close().await.unwrap();
    device.publish(1, &event(1)).await;
    assert!(device.hears_nothing_for(Duration::from_millis(300)).await);
    let Status::NotReady(why) = rig.ingest.status() else { panic!("not ready") };
    assert!(why[0].contains("closed"), "{why:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_gets_markers_that_say_no_more_than_is_true() {
    let config = Config { marker_period_ms: 20, ..Config::default() };
    let rig = Rig::start(config).await;
    let mut device = Device::connect(rig.address, 4).await;
    device.publish(1, &event(1)).await;
    device.acknowledged().await;
    let later = city::NOW + 5_000;
    rig.clock.store(later.as_millis(), std::sync::atomic::Ordering::Relaxed);
    let told = async {
        loop {
            let markers = rig.markers(1).await;
            if markers.iter().filter(|&&at| at == later).count() >= crate::rig::PARTITIONS as usize {
                return markers;
            }
        }
    };
    let markers = tokio::time::timeout(PATIENCE, told).await.expect("markers come");
    assert!(markers.iter().all(|&at| at == city::NOW || at == later), "{markers:?}");
    rig.stop().await;
}
