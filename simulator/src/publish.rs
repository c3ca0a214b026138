//! Publishes over MQTT 3.1.1 at QoS 1, acknowledged, over several connections.
//!
//! Each connection keeps what the broker has not acknowledged. When it breaks, a new client sends all of that again:
//! rumqttc's own retransmission after a broker's restart can go round in circles (bytebeamio/rumqtt#1056). An event may
//! so arrive twice, never not at all; its identity tells the service.

mod connection;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use connection::{Connection, Letter};

/// A broker's address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broker {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User and password.
    pub login: Option<(String, String)>,
}

/// A text that is no broker's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// Not of the form.
    #[error("{0:?} is no broker: mqtt://[user:password@]host[:port] is wanted")]
    Form(String),
    /// TLS.
    #[error("{0:?}: the simulator publishes without TLS only; give an mqtt:// listener of the broker")]
    Tls(String),
}

/// The broker can't be reached.
#[derive(Debug, thiserror::Error)]
#[error("no MQTT broker answers at {host}:{port}: {detail}; start one there or give another with --broker")]
pub struct PublishError {
    host: String,
    port: u16,
    detail: String,
}

impl FromStr for Broker {
    type Err = BrokerError;

    fn from_str(text: &str) -> Result<Self, BrokerError> {
        let wrong = || BrokerError::Form(text.to_owned());
        let rest = match text.split_once("://") {
            Some(("mqtt" | "tcp", rest)) => rest,
            Some(("mqtts" | "ssl", _)) => return Err(BrokerError::Tls(text.to_owned())),
            Some(_) => return Err(wrong()),
            None => text,
        };
        let (login, address) = match rest.trim_end_matches('/').rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, rest.trim_end_matches('/')),
        };
        let login = login.map(|l| l.split_once(':').unwrap_or((l, "")));
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (address, 1883),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { host, port, login: login.map(|(user, password)| (user.to_owned(), password.to_owned())) })
    }
}

impl From<SocketAddr> for Broker {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port(), login: None }
    }
}

/// What the connections have done together.
#[derive(Default, Debug)]
pub(crate) struct Counters {
    acknowledged: AtomicU64,
}

impl Counters {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// Letters that wait for a connection; the sender waits when so many do.
const LANE: usize = 256;
/// How long the first connection may take.
const FIRST_CONNECTION: Duration = Duration::from_secs(10);
/// How long a shutdown waits for acknowledgements.
const DRAIN: Duration = Duration::from_secs(3);

/// Several connections to one broker.
#[derive(Debug)]
pub(crate) struct Publisher {
    lanes: Vec<mpsc::Sender<Letter>>,
    tasks: Vec<JoinHandle<()>>,
    counters: Arc<Counters>,
    taken: u64,
}

impl Publisher {
    /// Connects; fails when the broker does not answer within 10 s.
    pub(crate) async fn connect(
        broker: &Broker,
        connections: NonZeroUsize,
        seed: u64,
        shutdown: &CancellationToken,
    ) -> Result<Self, PublishError> {
        let counters = Arc::new(Counters::default());
        let (mut lanes, mut tasks) = (Vec::new(), Vec::new());
        for i in 0..connections.get() {
            let (lane, inbox) = mpsc::channel(LANE);
            let (ready, mut up) = mpsc::channel(1);
            let name = format!("luong-sim-{}-{seed}-{i}", std::process::id());
            let connection = Connection::new(broker.clone(), name, inbox, Arc::clone(&counters), ready);
            let task = tokio::spawn(connection.serve());
            let first = async {
                let mut why = "it does not answer".to_owned();
                while let Some(state) = up.recv().await {
                    match state {
                        Ok(()) => return Ok(()),
                        Err(detail) => why = detail,
                    }
                }
                Err(why)
            };
            let waited = tokio::select! {
                () = shutdown.cancelled() => Ok(()),
                waited = timeout(FIRST_CONNECTION, first) => {
                    waited.unwrap_or_else(|_| Err("no connection within 10 s".to_owned()))
                }
            };
            if let Err(detail) = waited {
                task.abort();
                return Err(PublishError { host: broker.host.clone(), port: broker.port, detail });
            }
            lanes.push(lane);
            tasks.push(task);
        }
        Ok(Self { lanes, tasks, counters, taken: 0 })
    }

    /// Hands a message to the device's connection; waits while that is full. Cancel-safe: a message is taken whole or
    /// not at all.
    pub(crate) async fn send(&mut self, device: usize, topic: String, payload: String) {
        let lane = &self.lanes[device % self.lanes.len()];
        if lane.send(Letter { topic, payload: payload.into() }).await.is_err() {
            tracing::error!("an MQTT connection's task has ended; its events are not published");
        }
        self.taken += 1;
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Closes the connections once all is acknowledged, after a shutdown within 3 s; returns how many events were
    /// acknowledged and how many were given up.
    pub(crate) async fn finish(self, shutdown: &CancellationToken) -> (u64, u64) {
        drop(self.lanes);
        for mut task in self.tasks {
            let late = async {
                shutdown.cancelled().await;
                tokio::time::sleep(DRAIN).await;
            };
            tokio::select! {
                _ = &mut task => {}
                () = late => task.abort(),
            }
        }
        let acknowledged = self.counters.acknowledged();
        (acknowledged, self.taken.saturating_sub(acknowledged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_address_reads_with_and_without_its_parts() {
        let plain: Broker = "mqtt://broker.example".parse().unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("broker.example", 1883));
        let full: Broker = "mqtt://user:p@ss@127.0.0.1:1884/".parse().unwrap();
        assert_eq!((full.host.as_str(), full.port), ("127.0.0.1", 1884));
        assert_eq!(full.login, Some(("user".to_owned(), "p@ss".to_owned())));
        assert_eq!("mqtt://[::1]:99".parse::<Broker>().unwrap().host, "::1");
    }

    #[test]
    fn what_is_no_broker_is_refused() {
        for text in ["http://x", "mqtt://", "mqtt://host:port"] {
            assert!(matches!(text.parse::<Broker>(), Err(BrokerError::Form(_))), "{text}");
        }
        assert!(matches!("mqtts://x".parse::<Broker>(), Err(BrokerError::Tls(_))));
    }
}
