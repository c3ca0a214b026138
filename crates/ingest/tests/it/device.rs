//! A device that says its bytes one by one: what a client library would not let it say, too.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::rig::PATIENCE;

pub(crate) struct Device {
    stream: TcpStream,
}

pub(crate) const TOPIC: &str = "luong/v1/loop-1/aggregate";

/// An event that is told from others by its `seq`.
pub(crate) fn event(seq: u64) -> Vec<u8> {
    format!(r#"{{"seq":{seq},"at":"2026-11-22T07:00:30.000Z","speed_kmh":27.4}}"#).into_bytes()
}

pub(crate) fn text(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text].concat()
}

pub(crate) fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut length = body.len();
    let mut packet = vec![first];
    loop {
        let more = if length > 0x7F { 0x80 } else { 0 };
        packet.push((length & 0x7F) as u8 | more);
        length >>= 7;
        if more == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

pub(crate) fn connect(level: u8, keep_alive_s: u16, id: &str) -> Vec<u8> {
    let properties: &[u8] = if level == 5 { &[0] } else { &[] };
    let head = [&text(b"MQTT")[..], &[level, 0x02], &keep_alive_s.to_be_bytes(), properties].concat();
    packet(0x10, &[head, text(id.as_bytes())].concat())
}

/// A publish of MQTT 3.
pub(crate) fn publish(flags: u8, topic: &[u8], id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let id = id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default();
    packet(0x30 | flags, &[text(topic), id, payload.to_vec()].concat())
}

/// A publish of MQTT 5.
pub(crate) fn publish5(topic: &[u8], id: u16, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let body = [text(topic), id.to_be_bytes().to_vec(), vec![properties.len() as u8], properties.to_vec()];
    packet(0x32, &[body.concat(), payload.to_vec()].concat())
}

impl Device {
    pub(crate) async fn dial(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap() }
    }

    /// Connects with MQTT 3.1.1 (`level` 4) or 5 and reads the CONNACK.
    pub(crate) async fn connect(address: SocketAddr, level: u8) -> Self {
        let mut device = Self::dial(address).await;
        device.say(&connect(level, 60, "")).await;
        let connack = device.packet().await;
        assert_eq!(connack[0], 0x20, "{connack:?}");
        assert_eq!(connack[3], 0, "{connack:?}");
        device
    }

    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Says it, even if nobody listens any more.
    pub(crate) async fn try_say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.ok();
    }

    /// Says that nothing more will come.
    pub(crate) async fn hang_up(&mut self) {
        self.stream.shutdown().await.ok();
    }

    pub(crate) async fn publish(&mut self, id: u16, payload: &[u8]) {
        self.say(&publish(0x02, TOPIC.as_bytes(), Some(id), payload)).await;
    }

    /// Reads one packet whose length is one digit; empty when the listener has closed.
    pub(crate) async fn packet(&mut self) -> Vec<u8> {
        let read = async {
            let mut packet = vec![0; 2];
            if self.stream.read_exact(&mut packet).await.is_err() {
                return Vec::new();
            }
            packet.resize(2 + usize::from(packet[1]), 0);
            self.stream.read_exact(&mut packet[2..]).await.unwrap();
            packet
        };
        timeout(PATIENCE, read).await.expect("the listener answers")
    }

    /// Reads a PUBACK and returns its id.
    pub(crate) async fn acknowledged(&mut self) -> u16 {
        let packet = self.packet().await;
        assert_eq!(packet.get(..2), Some(&[0x40, 2][..]), "{packet:?}");
        u16::from_be_bytes([packet[2], packet[3]])
    }

    /// Reads everything until the listener closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await;
        // A reset is a close, too.
        let _closed = read.expect("the listener closes");
        rest
    }

    /// Tells whether nothing is answered for that long.
    pub(crate) async fn hears_nothing_for(&mut self, long: Duration) -> bool {
        timeout(long, self.stream.read_u8()).await.is_err()
    }
}
