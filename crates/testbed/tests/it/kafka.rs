//! Kafka starts, hangs, dies and comes back.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use testbed::{Kafka, require};

/// `ApiVersions` version 0 (key 18), correlation id 7, no client id: the first thing that every client asks.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

fn ask(kafka: &Kafka, patience: Duration) -> std::io::Result<[u8; 10]> {
    let mut stream = TcpStream::connect(kafka.bootstrap_servers())?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(&API_VERSIONS)?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

/// The correlation id, then error code 0.
fn assert_served(kafka: &Kafka) {
    let answer = ask(kafka, Duration::from_secs(10)).unwrap();
    assert_eq!(&answer[4..], [0, 0, 0, 7, 0, 0]);
}

#[test]
fn it_serves_hangs_and_serves_again_after_a_kill() {
    let Some(mut kafka) = require(Kafka::start()) else { return };
    assert_served(&kafka);

    kafka.freeze().unwrap();
    let silent = ask(&kafka, Duration::from_millis(200)).unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::WouldBlock);
    kafka.thaw().unwrap();
    assert_served(&kafka);

    let address = kafka.bootstrap_servers();
    kafka.kill();
    assert_eq!(TcpStream::connect(&address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    kafka.restart().unwrap();
    assert_eq!(kafka.bootstrap_servers(), address);
    assert_served(&kafka);
}
