//! An MQTT 3.1.1 publisher that costs next to nothing: packets are laid out beforehand, acknowledgements are counted.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Bytes of a PUBACK.
const PUBACK: usize = 4;

pub(crate) struct Publisher {
    stream: TcpStream,
    acknowledged: Arc<AtomicU64>,
    sent: u64,
}

impl Publisher {
    /// Connects and starts to count acknowledgements.
    pub(crate) fn connect(address: &str, client_id: &str) -> Result<Self> {
        let mut stream = TcpStream::connect(address).with_context(|| format!("no MQTT at {address}"))?;
        stream.set_nodelay(true)?;
        let mut connect = vec![0x10, 12 + client_id.len() as u8, 0, 4];
        connect.extend(b"MQTT\x04\x02\x00\x3c");
        connect.extend((client_id.len() as u16).to_be_bytes());
        connect.extend(client_id.as_bytes());
        stream.write_all(&connect)?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        if answer != [0x20, 2, 0, 0] {
            bail!("CONNECT was answered {answer:?}");
        }
        let acknowledged = Arc::new(AtomicU64::new(0));
        let (mut reader, counter) = (stream.try_clone()?, acknowledged.clone());
        std::thread::spawn(move || count(&mut reader, &counter));
        Ok(Self { stream, acknowledged, sent: 0 })
    }

    /// Publishes at QoS 1 a batch of (topic, payload), no more than `window` unacknowledged.
    pub(crate) fn publish(&mut self, batch: &[(String, String)], window: u64) -> Result<()> {
        let mut packets = Vec::with_capacity(batch.len() * 256);
        for (topic, payload) in batch {
            self.sent += 1;
            packet(&mut packets, topic, payload, (self.sent % 65_535) as u16 + 1);
        }
        self.wait(self.sent.saturating_sub(window))?;
        Ok(self.stream.write_all(&packets)?)
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn settle(&self) -> Result<()> {
        self.wait(self.sent)
    }

    fn wait(&self, for_acknowledged: u64) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.acknowledged.load(Ordering::Acquire) < for_acknowledged {
            if Instant::now() > deadline {
                bail!("{} of {} acknowledged", self.acknowledged.load(Ordering::Acquire), self.sent);
            }
            std::thread::park_timeout(Duration::from_micros(200));
        }
        Ok(())
    }
}

fn count(reader: &mut TcpStream, acknowledged: &AtomicU64) {
    let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        bytes += n;
        acknowledged.store((bytes / PUBACK) as u64, Ordering::Release);
    }
}

fn packet(to: &mut Vec<u8>, topic: &str, payload: &str, id: u16) {
    to.push(0x32);
    let mut length = 2 + topic.len() + 2 + payload.len();
    while length >= 128 {
        to.push((length % 128) as u8 | 0x80);
        length /= 128;
    }
    to.push(length as u8);
    to.extend((topic.len() as u16).to_be_bytes());
    to.extend(topic.as_bytes());
    to.extend(id.to_be_bytes());
    to.extend(payload.as_bytes());
}
