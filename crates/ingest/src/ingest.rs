//! The running whole: sockets, lanes, markers, and their end in the right order.

use std::sync::Arc;
use std::time::Duration;

use eventlog::Log;
use roadnet::{Network, Registry};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::clock::{Clock, Complete, EventTime, LogClock};
use crate::lane::{self, Lanes, RecordKeys, Worker};
use crate::marker::write_markers;
use crate::metrics::Metrics;
use crate::mqtt::broker::{Broker, BrokerConfigError};
use crate::mqtt::listener::Listener;
use crate::normalise::{ClockMode, Normaliser};
use crate::notice::Notice;
use crate::status::{Health, Status};

/// What ingest stands on; all of it is given.
pub struct Parts {
    /// Where devices connect; bound by the caller. Absent = no built-in listener.
    pub listener: Option<TcpListener>,
    /// URL of an existing broker. Absent = none.
    pub broker: Option<String>,
    /// Where observations go; its topics are there already.
    pub log: Log,
    /// The city.
    pub network: Arc<Network>,
    /// Its sensors.
    pub registry: Arc<Registry>,
    /// Wall clock.
    pub clock: Clock,
    /// Where the metrics are registered.
    pub metrics: prometheus::Registry,
}

/// Why ingest could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The broker's settings are wrong.
    #[error(transparent)]
    Broker(#[from] BrokerConfigError),
    /// A metric could not be registered: ingest runs already with this registry.
    #[error("metrics of ingest: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A running ingest. Dropped without [`Ingest::shutdown`], it stops at once; what was not acknowledged is sent again by
/// the devices.
pub struct Ingest {
    intake: JoinSet<()>,
    workers: JoinSet<()>,
    stop: CancellationToken,
    health: Arc<Health>,
}

impl Ingest {
    /// Starts everything; `stop` ends it like [`Ingest::shutdown`], which is still to be called to wait for the end.
    ///
    /// # Errors
    /// When the broker's settings are wrong or the metrics are registered already.
    pub fn start(config: Config, parts: Parts, stop: &CancellationToken) -> Result<Self, StartError> {
        let stop = stop.child_token();
        let metrics = Arc::new(Metrics::register(&parts.metrics)?);
        let health = Arc::new(Health::default());
        let clock = LogClock::new(parts.clock);
        let event_time = EventTime::new();
        let keys = Arc::new(RecordKeys::new(&parts.network, config.partitions));
        let (lanes, queues) = Lanes::open(config.lanes, config.lane_batches);
        let worker = Arc::new(Worker {
            log: parts.log.clone(),
            normaliser: Arc::new(Normaliser::new(
                parts.network,
                parts.registry,
                config.rules.clone(),
                config.clock_mode,
            )),
            records: Arc::clone(&keys),
            clock: Arc::clone(&clock),
            event_time: Arc::clone(&event_time),
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            rejected: Notice::new(),
        });
        let (mut intake, mut workers) = (JoinSet::new(), JoinSet::new());
        if let (Some(url), Some(lane)) = (&parts.broker, lanes.assign()) {
            let (metrics, health) = (Arc::clone(&metrics), Arc::clone(&health));
            let (broker, event_loop) = Broker::new(config.broker.clone(), url, lane, metrics, health)?;
            intake.spawn(broker.run(event_loop, stop.clone()));
        }
        if let Some(socket) = parts.listener {
            let metrics = Arc::clone(&metrics);
            let listener =
                Listener::new(config.listener.clone(), lanes, Arc::clone(&clock), metrics, stop.clone());
            intake.spawn(listener.run(socket));
        }
        for queue in queues {
            workers.spawn(lane::work(Arc::clone(&worker), queue));
        }
        let complete = match config.clock_mode {
            ClockMode::Wall => Complete::Received(clock),
            ClockMode::Event => Complete::Happened(event_time),
        };
        let period = Duration::from_millis(config.marker_period_ms);
        let markers =
            write_markers(parts.log, keys, complete, metrics, Arc::clone(&health), period, stop.clone());
        intake.spawn(markers);
        Ok(Self { intake, workers, stop, health })
    }

    /// Tells whether events are taken and acknowledged, or why not.
    pub fn status(&self) -> Status {
        self.health.status()
    }

    /// Returns something that tells the same from elsewhere.
    pub fn status_handle(&self) -> StatusHandle {
        StatusHandle(Arc::clone(&self.health))
    }

    /// Stops taking events in, waits until the log holds all that were taken and they are acknowledged, and ends. It
    /// waits as long as the log does not take them: bound it with a timeout; what is dropped then was not acknowledged.
    pub async fn shutdown(mut self) {
        self.health.stopping();
        self.stop.cancel();
        // The senders of the lanes go with the intake, and the workers end with the last of them.
        while self.intake.join_next().await.is_some() {}
        while self.workers.join_next().await.is_some() {}
    }
}

/// Tells from elsewhere what [`Ingest::status`] tells.
#[derive(Clone, Debug)]
pub struct StatusHandle(Arc<Health>);

impl StatusHandle {
    /// Tells whether events are taken and acknowledged, or why not.
    pub fn status(&self) -> Status {
        self.0.status()
    }
}
