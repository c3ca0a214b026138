//! Mosquitto starts, hangs, dies and comes back.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use testbed::{Mosquitto, require};

/// An MQTT 3.1.1 CONNECT: clean session, keepalive 60 s, client id "t".
const CONNECT: [u8; 15] = [0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b't'];

fn connect(broker: &Mosquitto) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", broker.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

fn handshake(broker: &Mosquitto) -> [u8; 4] {
    let mut stream = connect(broker);
    stream.write_all(&CONNECT).unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    answer
}

/// CONNACK, accepted, no session.
const ACCEPTED: [u8; 4] = [0x20, 2, 0, 0];

#[test]
fn it_accepts_as_soon_as_it_is_started_and_again_after_a_kill() {
    let Some(mut broker) = require(Mosquitto::start()) else { return };
    assert_eq!(handshake(&broker), ACCEPTED);
    let port = broker.port();
    broker.kill();
    let refused = TcpStream::connect(("127.0.0.1", port)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    broker.restart().unwrap();
    assert_eq!(broker.port(), port);
    assert_eq!(handshake(&broker), ACCEPTED);
    broker.terminate().unwrap();
}

#[test]
fn frozen_it_takes_connections_and_answers_nothing_until_thawed() {
    let Some(mut broker) = require(Mosquitto::start()) else { return };
    broker.freeze().unwrap();
    let mut stream = connect(&broker);
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    stream.write_all(&CONNECT).unwrap();
    let mut answer = [0; 4];
    let silent = stream.read_exact(&mut answer).unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::WouldBlock);
    broker.thaw().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ACCEPTED);
}

#[test]
fn the_shipped_configuration_is_one_that_mosquitto_takes_without_a_word() {
    let Some(broker) = require(Mosquitto::start()) else { return };
    let log = broker.log();
    // As root it is run by the tests alone.
    for line in log.lines().filter(|line| !line.contains("should not be run as root")) {
        let complains = ["Warning", "Error", "Unknown", "deprecated"].iter().any(|word| line.contains(word));
        assert!(!complains, "{line}");
    }
}
