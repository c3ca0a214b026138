//! Publishers that others wrote, against the listener: `rumqttc` of both versions, and `mosquitto_pub` of all three.

use std::time::Duration;

use ingest::Config;
use testbed::require;
use tokio::process::Command;
use tokio::time::timeout;

use crate::device::{TOPIC, event};
use crate::rig::{PATIENCE, Rig};

const MESSAGES: u64 = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn rumqttc_3_1_1_is_acknowledged_for_all_that_it_publishes() {
    let rig = Rig::start(Config::default()).await;
    let mut options = rumqttc::MqttOptions::new("peer", "127.0.0.1", rig.address.port());
    options.set_inflight(100);
    let (client, mut event_loop) = rumqttc::AsyncClient::new(options, 100);
    let publishing = tokio::spawn(async move {
        for seq in 0..MESSAGES {
            client.publish(TOPIC, rumqttc::QoS::AtLeastOnce, false, event(seq)).await.unwrap();
        }
        client
    });
    let acknowledged = async {
        let mut acknowledged = 0;
        while acknowledged < MESSAGES {
            let event = event_loop.poll().await.unwrap();
            acknowledged += u64::from(matches!(event, rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_))));
        }
    };
    timeout(PATIENCE, acknowledged).await.expect("all acknowledged");
    publishing.await.unwrap();
    assert_eq!(rig.observations(0).await.len() as u64, MESSAGES);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rumqttc_5_is_acknowledged_for_all_that_it_publishes() {
    use rumqttc::v5::mqttbytes::{QoS, v5::Packet};
    let rig = Rig::start(Config::default()).await;
    let mut options = rumqttc::v5::MqttOptions::new("peer", "127.0.0.1", rig.address.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut event_loop) = rumqttc::v5::AsyncClient::new(options, 100);
    let publishing = tokio::spawn(async move {
        for seq in 0..MESSAGES {
            client.publish(TOPIC, QoS::AtLeastOnce, false, event(seq)).await.unwrap();
        }
        client
    });
    let acknowledged = async {
        let mut acknowledged = 0;
        while acknowledged < MESSAGES {
            match event_loop.poll().await.unwrap() {
                rumqttc::v5::Event::Incoming(Packet::PubAck(_)) => acknowledged += 1,
                rumqttc::v5::Event::Incoming(Packet::ConnAck(connack)) => {
                    let properties = connack.properties.unwrap();
                    assert_eq!((connack.session_present, properties.receive_max), (false, Some(4096)));
                    assert_eq!((properties.max_qos, properties.topic_alias_max), (Some(1), None));
                    assert_eq!(properties.max_packet_size, Some(256 * 1024));
                }
                _ => {}
            }
        }
    };
    timeout(PATIENCE, acknowledged).await.expect("all acknowledged");
    publishing.await.unwrap();
    assert_eq!(rig.observations(0).await.len() as u64, MESSAGES);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_pub_of_every_version_is_acknowledged() {
    let Some(program) = require(testbed::tool("mosquitto_pub")) else { return };
    let rig = Rig::start(Config::default()).await;
    let port = rig.address.port().to_string();
    for (seq, version) in [(1, "mqttv31"), (2, "mqttv311"), (3, "mqttv5")] {
        let message = String::from_utf8(event(seq)).unwrap();
        let arguments =
            ["-h", "127.0.0.1", "-p", &port, "-V", version, "-q", "1", "-t", TOPIC, "-m", &message];
        let will = ["--will-topic", "luong/v1/loop-1/alert", "--will-payload", "gone"];
        let published = Command::new(&program).args(arguments).args(will).status();
        assert!(timeout(PATIENCE, published).await.expect("it ends").unwrap().success(), "{version}");
    }
    assert_eq!(rig.observations(3).await.len(), 3);
    // A will is taken and never sent: the device said goodbye, and nobody could hear it.
    assert_eq!(rig.dead_letters(0).await, []);
    rig.stop().await;
}
