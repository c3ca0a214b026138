//! The built-in listener: MQTT 3.1, 3.1.1 and 5, publish only, QoS 0 and 1.
//!
//! It keeps no sessions and no retained messages, and nobody can subscribe, so a last will is taken and never needed.
//! Devices are not authenticated: whoever can reach the socket can publish. Bind it where only devices are.
//!
//! The codec is our own ([`super::packet`]): of `rumqttc`'s, the one for 3.1.1 refuses the cameras that say `MQIsdp` and
//! the one for 5 takes an empty DISCONNECT for an error; a publisher needs six packets of them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::End;
use super::connection::{Connection, Limits, Stops, read};
use super::packet::{self, BadConnect, Connect, Head, Offer, Version};
use crate::clock::LogClock;
use crate::lane::Lanes;
use crate::metrics::Metrics;
use crate::notice::Notice;

/// What the listener allows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerConfig {
    /// Connections at once; one more is closed at once.
    pub max_connections: usize,
    /// A publish over this goes to the dead letters with its first 4 KiB (`too_large`) and is acknowledged; any other
    /// packet over it ends the connection. Bytes, at least 131072.
    pub max_packet_bytes: u32,
    /// Publishes of one connection that may wait for the log; at this many it is not read on. MQTT 5 clients are told.
    pub in_flight_messages: u16,
    /// The same in bytes.
    pub in_flight_bytes: usize,
    /// How long a client may take to send its CONNECT. Seconds.
    pub connect_timeout_s: f64,
    /// How long a client that announces no keep-alive may be silent. Seconds.
    pub idle_timeout_s: f64,
    /// How long a client may take to read an answer. Seconds.
    pub write_timeout_s: f64,
}

impl Default for ListenerConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_packet_bytes: 256 * 1024,
            in_flight_messages: 4_096,
            in_flight_bytes: 4 * 1024 * 1024,
            connect_timeout_s: 10.0,
            idle_timeout_s: 3_600.0,
            write_timeout_s: 30.0,
        }
    }
}

impl ListenerConfig {
    fn limits(&self) -> Limits {
        /// So that the beginning of a packet over the limit holds its topic.
        const SMALLEST: u32 = 128 * 1024;
        Limits {
            packet_bytes: self.max_packet_bytes.max(SMALLEST) as usize,
            in_flight_messages: usize::from(self.in_flight_messages.max(1)),
            in_flight_bytes: self.in_flight_bytes.max(1),
            idle: seconds(self.idle_timeout_s),
            write: seconds(self.write_timeout_s),
        }
    }
}

/// Takes a configured number of seconds for a duration; what is no duration is a day.
pub(crate) fn seconds(s: f64) -> Duration {
    const DAY: Duration = Duration::from_secs(86_400);
    Duration::try_from_secs_f64(s).map_or(DAY, |d| d.min(DAY * 365))
}

/// What all connections share.
pub(crate) struct Listener {
    config: ListenerConfig,
    lanes: Lanes,
    clock: Arc<LogClock>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    clients: Clients,
    closed: Notice,
    refused: Notice,
    assigned: AtomicU64,
}

impl Listener {
    pub(crate) fn new(
        config: ListenerConfig,
        lanes: Lanes,
        clock: Arc<LogClock>,
        metrics: Arc<Metrics>,
        shutdown: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            lanes,
            clock,
            metrics,
            shutdown,
            clients: Clients::default(),
            closed: Notice::new(),
            refused: Notice::new(),
            assigned: AtomicU64::new(0),
        })
    }

    /// Accepts until shutdown, then waits until every connection has been acknowledged what it sent.
    pub(crate) async fn run(self: Arc<Self>, socket: TcpListener) {
        let places = Arc::new(Semaphore::new(self.config.max_connections.min(Semaphore::MAX_PERMITS)));
        let mut connections = JoinSet::new();
        while let Some(accepted) = self.shutdown.run_until_cancelled(socket.accept()).await {
            while connections.try_join_next().is_some() {}
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    self.rest_after(&error).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.refuse(peer);
                continue;
            };
            // Acknowledgements are small and somebody waits for them.
            stream.set_nodelay(true).ok();
            let listener = Arc::clone(&self);
            connections.spawn(async move {
                listener.serve(stream, peer).await;
                drop(place);
            });
        }
        drop(socket);
        while connections.join_next().await.is_some() {}
    }

    /// Out of file descriptors, most likely: others may close theirs meanwhile.
    async fn rest_after(&self, error: &io::Error) {
        warn!(%error, "could not accept an MQTT connection; trying on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    fn refuse(&self, peer: SocketAddr) {
        self.metrics.refused.inc();
        if let Some(others) = self.refused.due(self.clock.now()) {
            let limit = self.config.max_connections;
            warn!(%peer, others, limit, "MQTT connection refused: raise mqtt.max_connections if these are devices");
        }
    }

    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr) {
        self.metrics.connections.inc();
        let end = self.connect(stream).await;
        self.metrics.connections.dec();
        if let Some(counter) = self.metrics.end(end) {
            counter.inc();
        }
        debug!(%peer, reason = end.name(), "MQTT connection closed");
        let usual = matches!(end, End::Disconnected | End::Lost | End::Shutdown);
        if !usual && let Some(others) = self.closed.due(self.clock.now()) {
            info!(%peer, reason = end.name(), others, "MQTT connection closed");
        }
    }

    /// Waits for CONNECT, answers it and serves the connection.
    pub(super) async fn connect(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> End {
        let mut input = BytesMut::new();
        let patience = seconds(self.config.connect_timeout_s);
        let first = timeout(patience, read_first(&mut stream, &mut input, self.config.limits()));
        let connect = match self.shutdown.run_until_cancelled(first).await {
            None => return End::Shutdown,
            Some(Err(_)) => return End::ConnectTimeout,
            Some(Ok(Err(end))) => return end,
            Some(Ok(Ok(connect))) => connect,
        };
        let mut output = BytesMut::new();
        let connect = match connect {
            Ok(connect) if connect.wants_authentication => {
                packet::write_refusal(&mut output, connect.version, 5, 0x8C);
                Err(End::Protocol)
            }
            Ok(connect) => {
                self.write_connack(&mut output, &connect);
                Ok(connect)
            }
            Err(BadConnect::NotMqtt) => Err(End::NotMqtt),
            Err(BadConnect::Malformed) => Err(End::Malformed),
            Err(BadConnect::Version) => {
                // A client of another version may still read the answer of the nearest one.
                packet::write_refusal(&mut output, Version::Five, 1, 0x84);
                Err(End::Version)
            }
        };
        if !matches!(timeout(patience, stream.write_all(&output)).await, Ok(Ok(()))) {
            return End::Lost;
        }
        match connect {
            Ok(connect) => self.run_connection(stream, input, &connect).await,
            Err(end) => end,
        }
    }

    async fn run_connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        input: BytesMut,
        connect: &Connect,
    ) -> End {
        let Some(lane) = self.lanes.assign() else { return End::Shutdown };
        let (serial, taken_over) = self.clients.enter(&connect.client_id);
        let stops = Stops { shutdown: self.shutdown.clone(), taken_over };
        let limits = self.config.limits();
        let metrics = Arc::clone(&self.metrics);
        let end = Connection::new(stream, input, connect, limits, lane, metrics).run(stops).await;
        self.clients.leave(&connect.client_id, serial);
        end
    }

    fn write_connack(&self, output: &mut BytesMut, connect: &Connect) {
        let number = self.assigned.fetch_add(1, Ordering::Relaxed);
        let assigned = format!("luong-{number}");
        let offer = Offer {
            receive_maximum: self.config.in_flight_messages.max(1),
            packet_bytes: self.config.limits().packet_bytes as u32,
            assigned_id: connect.client_id.is_empty().then_some(assigned.as_str()),
        };
        packet::write_connack(output, connect.version, &offer);
    }
}

/// Reads the first packet, which has to be CONNECT. What comes after it stays in `input`.
async fn read_first<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut BytesMut,
    limits: Limits,
) -> Result<Result<Connect, BadConnect>, End> {
    const CHUNK: usize = 2 * 1024;
    loop {
        read(stream, input, CHUNK).await?;
        let Some(head) = Head::read(input).map_err(|_| End::NotMqtt)? else { continue };
        if !head.is_connect() {
            return Err(End::NotMqtt);
        }
        if head.remaining > limits.packet_bytes {
            return Err(End::TooLarge);
        }
        if input.len() >= head.total() {
            let bytes = input.split_to(head.total()).freeze();
            return Ok(packet::read_connect(head, &bytes));
        }
    }
}

/// Who is connected, by client id: a second connection takes the first one's place. Clients without an id are many.
#[derive(Default)]
struct Clients {
    by_id: Mutex<FxHashMap<Bytes, (u64, CancellationToken)>>,
    serial: AtomicU64,
}

impl Clients {
    fn enter(&self, id: &Bytes) -> (u64, CancellationToken) {
        let (serial, token) = (self.serial.fetch_add(1, Ordering::Relaxed), CancellationToken::new());
        if !id.is_empty() {
            // A copy, because the packet that it is a part of may be large.
            let id = Bytes::copy_from_slice(id);
            if let Some((_, earlier)) = self.lock().insert(id, (serial, token.clone())) {
                earlier.cancel();
            }
        }
        (serial, token)
    }

    fn leave(&self, id: &Bytes, serial: u64) {
        let mut by_id = self.lock();
        if by_id.get(id).is_some_and(|(newest, _)| *newest == serial) {
            by_id.remove(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<Bytes, (u64, CancellationToken)>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
