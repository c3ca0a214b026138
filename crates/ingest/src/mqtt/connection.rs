//! One connection of the listener: a task that reads, hands over and acknowledges, with bounded memory.
//!
//! It stops reading while its batch waits for a place in the lane, and while too much of what it sent is not yet
//! acknowledged; the device then waits in TCP. While it does not read, it does not judge the device's silence either.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::End;
use super::packet::{self, Connect, Head, Packet, Publish, QoS, Version};
use crate::ack::Window;
use crate::lane::{Batch, Inbound};
use crate::metrics::Metrics;

/// What a connection may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) packet_bytes: usize,
    pub(super) in_flight_messages: usize,
    pub(super) in_flight_bytes: usize,
    pub(super) idle: Duration,
    pub(super) write: Duration,
}

/// A connection after its CONNECT.
pub(super) struct Connection<S> {
    stream: S,
    version: Version,
    limits: Limits,
    silence: Duration,
    lane: mpsc::Sender<Batch>,
    metrics: Arc<Metrics>,
    window: Arc<Window>,
    /// Read, but not yet understood.
    input: BytesMut,
    /// How much the next read may bring: as little as an idle connection needs, as much as a busy one fills.
    chunk: usize,
    /// To be written.
    output: BytesMut,
    /// Publishes that wait for a place in the lane.
    pending: Option<Batch>,
    /// What was handed over and is not yet released, oldest first.
    in_flight: VecDeque<Sent>,
    in_flight_messages: usize,
    in_flight_bytes: usize,
    /// Bytes of a packet over the limit that are still to come.
    skipping: usize,
    heard: Instant,
}

struct Sent {
    /// Packet ids to acknowledge, in order.
    ids: Vec<u16>,
    messages: usize,
    bytes: usize,
}

/// What ends a connection from outside.
pub(super) struct Stops {
    pub(super) shutdown: CancellationToken,
    pub(super) taken_over: CancellationToken,
}

const SMALLEST_CHUNK: usize = 2 * 1024;
const LARGEST_CHUNK: usize = 64 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(super) fn new(
        stream: S,
        input: BytesMut,
        connect: &Connect,
        limits: Limits,
        lane: mpsc::Sender<Batch>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let keep_alive = Duration::from_secs(u64::from(connect.keep_alive_s)).mul_f64(1.5);
        Self {
            stream,
            version: connect.version,
            limits,
            silence: if keep_alive.is_zero() { limits.idle } else { keep_alive },
            lane,
            metrics,
            window: Window::open(),
            input,
            chunk: SMALLEST_CHUNK,
            output: BytesMut::new(),
            pending: None,
            in_flight: VecDeque::new(),
            in_flight_messages: 0,
            in_flight_bytes: 0,
            skipping: 0,
            heard: Instant::now(),
        }
    }

    /// Runs until it ends; says why, after it has said so to the client.
    pub(super) async fn run(mut self, stops: Stops) -> End {
        let end = match self.serve(&stops).await {
            Ok(()) => self.drain(End::Shutdown).await,
            // What it published before it said goodbye is still acknowledged: it may read that.
            Err(End::Disconnected) => self.drain(End::Disconnected).await,
            Err(end) => end,
        };
        self.say_goodbye(end).await;
        end
    }

    /// Serves until shutdown.
    async fn serve(&mut self, stops: &Stops) -> Result<(), End> {
        // What came together with CONNECT.
        self.take_in()?;
        self.flush().await?;
        let lane = self.lane.clone();
        loop {
            let reading = self.may_read();
            tokio::select! {
                biased;
                () = stops.shutdown.cancelled() => return Ok(()),
                () = stops.taken_over.cancelled() => return Err(End::TakenOver),
                () = self.window.changed(), if !self.in_flight.is_empty() => self.acknowledge().await?,
                place = lane.reserve(), if self.pending.is_some() => {
                    self.send_pending(place.map_err(|_| End::Shutdown)?);
                }
                read = read(&mut self.stream, &mut self.input, self.chunk), if reading => {
                    self.after_read(read?).await?;
                }
                () = sleep_until(self.heard + self.silence), if reading => return Err(End::KeepAlive),
            }
        }
    }

    fn send_pending(&mut self, place: mpsc::Permit<'_, Batch>) {
        if let Some(batch) = self.pending.take() {
            place.send(batch);
        }
        // Its silence begins now: until now it was not listened to.
        self.heard = Instant::now();
    }

    fn may_read(&self) -> bool {
        self.pending.is_none()
            && self.in_flight_messages < self.limits.in_flight_messages
            && self.in_flight_bytes < self.limits.in_flight_bytes
    }

    async fn after_read(&mut self, read: usize) -> Result<(), End> {
        self.heard = Instant::now();
        self.chunk = match read {
            n if n >= self.chunk => (self.chunk * 2).min(LARGEST_CHUNK),
            n if n < self.chunk / 4 => (self.chunk / 2).max(SMALLEST_CHUNK),
            _ => self.chunk,
        };
        self.take_in()?;
        self.flush().await
    }

    /// Understands all packets that are there.
    fn take_in(&mut self) -> Result<(), End> {
        let mut messages = Vec::new();
        let mut sent = Sent { ids: Vec::new(), messages: 0, bytes: 0 };
        let ended = loop {
            match self.next_packet() {
                Ok(Some(Incoming::Packet(packet))) => {
                    if let Err(end) = self.handle(packet, None, &mut messages, &mut sent) {
                        break Err(end);
                    }
                }
                Ok(Some(Incoming::Beginning(packet, length))) => {
                    if let Err(end) = self.handle(packet, Some(length), &mut messages, &mut sent) {
                        break Err(end);
                    }
                }
                Ok(None) => break Ok(()),
                Err(end) => break Err(end),
            }
        };
        self.stage(messages, sent);
        ended
    }

    fn stage(&mut self, messages: Vec<Inbound>, sent: Sent) {
        if messages.is_empty() {
            return;
        }
        self.metrics.received_listener.inc_by(messages.len() as u64);
        self.in_flight_messages += sent.messages;
        self.in_flight_bytes += sent.bytes;
        self.in_flight.push_back(sent);
        let batch = Batch { messages, ticket: self.window.ticket() };
        // Most often there is a place; then nothing has to wait.
        match self.lane.try_send(batch) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(batch) | mpsc::error::TrySendError::Closed(batch)) => {
                self.pending = Some(batch);
            }
        }
    }

    /// Takes the next packet out of the input, if it is complete.
    fn next_packet(&mut self) -> Result<Option<Incoming>, End> {
        self.skip();
        let Some(head) = Head::read(&self.input).map_err(|_| End::Malformed)? else { return Ok(None) };
        if head.remaining > self.limits.packet_bytes {
            return self.beginning_of(head);
        }
        if self.input.len() < head.total() {
            return Ok(None);
        }
        let bytes = self.input.split_to(head.total()).freeze();
        self.understand(head, &bytes).map(|packet| Some(Incoming::Packet(packet)))
    }

    fn understand(&self, head: Head, bytes: &Bytes) -> Result<Packet, End> {
        packet::read(head, bytes, self.version).map_err(|_| End::Malformed)
    }

    /// Of a publish over the limit its beginning is kept for the dead letters, and the rest is thrown away as it comes.
    /// So it is acknowledged: a device that was cut off would send the same again for ever.
    fn beginning_of(&mut self, head: Head) -> Result<Option<Incoming>, End> {
        /// Topic and properties of a publish fit in here, or it is beyond help.
        const BEGINNING: usize = 72 * 1024;
        /// What is kept of the payload.
        const KEPT: usize = 4 * 1024;
        if !head.is_publish() {
            return Err(End::TooLarge);
        }
        let beginning = BEGINNING.min(head.total());
        if self.input.len() < beginning {
            return Ok(None);
        }
        let bytes = self.input.split_to(beginning).freeze();
        self.skipping = head.total() - beginning;
        self.skip();
        let mut packet = self.understand(head, &bytes)?;
        if let Packet::Publish(publish) = &mut packet {
            // Copied, so that a little of it does not keep all of it in memory.
            publish.payload = Bytes::copy_from_slice(publish.payload.get(..KEPT).unwrap_or(&publish.payload));
        }
        Ok(Some(Incoming::Beginning(packet, head.total())))
    }

    fn skip(&mut self) {
        let skipped = self.skipping.min(self.input.len());
        bytes::Buf::advance(&mut self.input, skipped);
        self.skipping -= skipped;
    }

    fn handle(
        &mut self,
        packet: Packet,
        cut_from: Option<usize>,
        messages: &mut Vec<Inbound>,
        sent: &mut Sent,
    ) -> Result<(), End> {
        match packet {
            Packet::Publish(Publish { qos, retain, topic, payload }) => {
                match qos {
                    QoS::Zero => {}
                    QoS::One(id) => sent.ids.push(id),
                    QoS::Two => return Err(End::QosTwo),
                }
                self.metrics.retained.inc_by(u64::from(retain));
                sent.messages += 1;
                sent.bytes += topic.len() + payload.len();
                messages.push(Inbound { topic, payload, cut_from });
            }
            Packet::Ping => packet::write_pong(&mut self.output),
            Packet::Subscribe { id, filters } => {
                packet::write_suback(&mut self.output, self.version, id, filters);
            }
            Packet::Unsubscribe { id, filters } => {
                packet::write_unsuback(&mut self.output, self.version, id, filters);
            }
            Packet::Disconnect => return Err(End::Disconnected),
            Packet::Other => return Err(End::Protocol),
        }
        Ok(())
    }

    /// Acknowledges what was released, in order, with one write.
    async fn acknowledge(&mut self) -> Result<(), End> {
        let mut acknowledged = 0;
        let listening = self.may_read();
        for _ in 0..self.window.take_released() {
            let Some(sent) = self.in_flight.pop_front() else { break };
            self.in_flight_messages -= sent.messages;
            self.in_flight_bytes -= sent.bytes;
            acknowledged += sent.ids.len() as u64;
            sent.ids.into_iter().for_each(|id| packet::write_puback(&mut self.output, id));
        }
        if !listening {
            // As after a wait for the lane.
            self.heard = Instant::now();
        }
        self.flush().await?;
        self.metrics.acknowledged_listener.inc_by(acknowledged);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let written = timeout(self.limits.write, self.stream.write_all(&self.output)).await;
        self.output.clear();
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost),
            Err(_) => Err(End::Stalled),
        }
    }

    /// Hands over what is pending and waits for all acknowledgements, without reading on.
    async fn drain(&mut self, end: End) -> End {
        if let Some(batch) = self.pending.take()
            && self.lane.send(batch).await.is_err()
        {
            return end;
        }
        while !self.in_flight.is_empty() {
            self.window.changed().await;
            if let Err(lost) = self.acknowledge().await {
                return lost;
            }
        }
        end
    }

    /// Tells an MQTT 5 client why, and closes the stream.
    async fn say_goodbye(&mut self, end: End) {
        if let (Version::Five, Some(reason)) = (self.version, end.reason_code()) {
            packet::write_disconnect(&mut self.output, reason);
            self.flush().await.ok();
        }
        timeout(self.limits.write, self.stream.shutdown()).await.ok();
    }
}

enum Incoming {
    Packet(Packet),
    /// Of a packet of that many bytes.
    Beginning(Packet, usize),
}

/// Reads once, at most `chunk` bytes. Cancel-safe.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut BytesMut,
    chunk: usize,
) -> Result<usize, End> {
    input.reserve(chunk);
    match stream.read_buf(input).await {
        Ok(0) | Err(_) => Err(End::Lost),
        Ok(read) => Ok(read),
    }
}
