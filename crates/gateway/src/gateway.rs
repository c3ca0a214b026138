//! Puts the parts together and runs them.

use std::sync::Arc;
use std::time::Duration;

use eventlog::Log;
use model::Timestamp;
use roadnet::{Network, Registry};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use wire::v1::road_network_server::RoadNetworkServer;
use wire::v1::sensors_server::SensorsServer;
use wire::v1::traffic_events_server::TrafficEventsServer;

use crate::book::{BookWriter, EventBook, Keep};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::outlook::{Outlook, OutlookWriter};
use crate::picture::{Layout, Picture, PictureWriter};
use crate::readings;
use crate::server::{Front, Server};
use crate::services::{self, Events, Roads, SensorList};
use crate::shared::{Clock, Readings, Shared};
use crate::tail::{self, Complaints};

/// How often health and freshness are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What a gateway is made of.
pub struct Parts {
    /// Where link states and events come from.
    pub log: Log,
    /// What the states refer to.
    pub network: Arc<Network>,
    /// What stands beside the roads.
    pub registry: Arc<Registry>,
    /// gRPC and gRPC-web are served here.
    pub grpc: Option<TcpListener>,
    /// The web page, and gRPC-web for it, are served here.
    pub dashboard: Option<TcpListener>,
    /// Log time now.
    pub clock: Clock,
    /// Where the metrics go.
    pub metrics: prometheus::Registry,
    /// Stops the gateway.
    pub shutdown: CancellationToken,
}

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A metric's name is taken: two gateways share a registry.
    #[error("a metric can't be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The embedded description of the services is broken.
    #[error("reflection can't be served: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A gateway that runs.
pub struct Gateway {
    shared: Arc<Shared>,
    config: Arc<Config>,
    tasks: TaskTracker,
}

/// How a gateway fares.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Status {
    /// Link states, forecasts and events were read from the log to its end once.
    pub loaded: bool,
    /// Loaded, and the newest link state is not too old.
    pub fresh: bool,
    /// The newest instant that a link state speaks of.
    pub as_of: Option<Timestamp>,
    /// Links of which a state is known.
    pub links_known: usize,
    /// Events that are open.
    pub events_open: usize,
}

impl Gateway {
    /// Starts to follow the log and to serve; must be called within a tokio runtime.
    ///
    /// # Errors
    /// When metrics or reflection can't be set up; nothing runs then.
    pub fn start(config: Config, parts: Parts) -> Result<Self, StartError> {
        let config = Arc::new(config);
        let metrics = Metrics::register(&parts.metrics)?;
        let layout = Arc::new(Layout::new(&parts.network));
        let (states, pictures) = states(&parts, &layout, &metrics);
        let (events, books) = events(&parts, &config, &metrics);
        let (forecasts, outlooks) = forecasts(&parts, &layout, &metrics);
        let shared = Arc::new(Shared {
            network_version: parts.network.version().to_string(),
            network_title: config.title.clone(),
            network: parts.network,
            registry: parts.registry,
            layout,
            pictures,
            books,
            outlooks,
            forecast_kept_ms: i64::try_from(config.forecast_kept_s.saturating_mul(1000)).unwrap_or(i64::MAX),
            readings: Readings::default(),
            metrics: metrics.clone(),
            closing: parts.shutdown,
            clock: parts.clock,
        });
        let health = HealthReporter::new();
        let routes = routes(&shared, &health)?;
        let tasks = TaskTracker::new();
        let closing = || shared.closing.clone();
        tasks.spawn(tail::follow(parts.log.clone(), states, config.tick(), metrics.clone(), closing()));
        tasks.spawn(tail::follow(parts.log.clone(), events, config.tick(), metrics.clone(), closing()));
        tasks.spawn(tail::follow(parts.log.clone(), forecasts, config.tick(), metrics.clone(), closing()));
        tasks.spawn(readings::keep_counting(parts.log, Arc::clone(&shared)));
        for (listener, front) in [(parts.grpc, Front::Bare), (parts.dashboard, Front::Page)] {
            if let Some(listener) = listener {
                let server =
                    Server::new(routes.clone(), front, Arc::clone(&config), metrics.clone(), closing());
                tasks.spawn(server.run(listener));
            }
        }
        let gateway = Self { shared, config, tasks };
        gateway.tasks.spawn(look_after(gateway.watcher(), health));
        gateway.tasks.close();
        Ok(gateway)
    }

    /// Returns how the gateway fares.
    pub fn status(&self) -> Status {
        self.watcher().status()
    }

    /// Waits until everything has ended after the token was cancelled; bounded by the shutdown grace.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }

    fn watcher(&self) -> Watcher {
        Watcher { shared: Arc::clone(&self.shared), config: Arc::clone(&self.config) }
    }
}

fn states(
    parts: &Parts,
    layout: &Arc<Layout>,
    metrics: &Metrics,
) -> (tail::States, watch::Receiver<Option<Arc<Picture>>>) {
    let (pictures, receiver) = watch::channel(None);
    let writer = PictureWriter::new(Arc::clone(&parts.network), Arc::clone(layout), 0);
    let (metrics, clock) = (metrics.clone(), Arc::clone(&parts.clock));
    (tail::States { writer, pictures, metrics, clock, complaints: Complaints::default() }, receiver)
}

fn events(
    parts: &Parts,
    config: &Config,
    metrics: &Metrics,
) -> (tail::Events, watch::Receiver<Option<Arc<EventBook>>>) {
    let (books, receiver) = watch::channel(None);
    let keep = Keep {
        for_ms: i64::try_from(config.cleared_events_kept_s.saturating_mul(1000)).unwrap_or(i64::MAX),
        at_most: config.cleared_events_max,
    };
    let writer = BookWriter::new(Arc::clone(&parts.network), keep, 0);
    (tail::Events { writer, books, metrics: metrics.clone(), complaints: Complaints::default() }, receiver)
}

fn forecasts(
    parts: &Parts,
    layout: &Arc<Layout>,
    metrics: &Metrics,
) -> (tail::Forecasts, watch::Receiver<Option<Arc<Outlook>>>) {
    let (outlooks, receiver) = watch::channel(None);
    let writer = OutlookWriter::new(Arc::clone(&parts.network), Arc::clone(layout));
    (
        tail::Forecasts { writer, outlooks, metrics: metrics.clone(), complaints: Complaints::default() },
        receiver,
    )
}

/// Tells how the gateway fares.
struct Watcher {
    shared: Arc<Shared>,
    config: Arc<Config>,
}

impl Watcher {
    fn status(&self) -> Status {
        let (picture, book) = (self.shared.picture().ok(), self.shared.book().ok());
        let as_of = picture.as_ref().and_then(|picture| picture.as_of());
        let loaded = picture.is_some() && book.is_some() && self.shared.outlook().is_ok();
        let age_s = as_of.map(|as_of| (self.shared.clock)().seconds_since(as_of));
        let limit = self.config.stale_after();
        Status {
            loaded,
            fresh: loaded && age_s.is_some_and(|age| limit.is_none_or(|limit| age <= limit.as_secs_f64())),
            as_of,
            links_known: picture.map_or(0, |picture| picture.known()),
            events_open: book.map_or(0, |book| book.open()),
        }
    }
}

/// Keeps health and freshness true until the gateway stops.
async fn look_after(watcher: Watcher, health: HealthReporter) {
    loop {
        let status = watcher.status();
        let as_of = status.as_of.map(|as_of| (watcher.shared.clock)().seconds_since(as_of));
        watcher.shared.metrics.set_freshness(as_of);
        let closing = watcher.shared.closing.is_cancelled();
        for (service, good) in [
            ("", status.fresh),
            ("luong.v1.TrafficState", status.fresh),
            ("luong.v1.TrafficEvents", status.loaded),
            ("luong.v1.Sensors", status.loaded),
            ("luong.v1.RoadNetwork", true),
        ] {
            let answer = if good && !closing { ServingStatus::Serving } else { ServingStatus::NotServing };
            health.set_service_status(service, answer).await;
        }
        if closing {
            return;
        }
        watcher.shared.closing.run_until_cancelled(tokio::time::sleep(LOOK)).await;
    }
}

fn routes(shared: &Arc<Shared>, health: &HealthReporter) -> Result<axum::Router, StartError> {
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(wire::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let shared_too = || Arc::clone(shared);
    let health = tonic_health::server::HealthService::from_health_reporter(health.clone());
    Ok(Routes::new(RoadNetworkServer::new(Roads(shared_too())))
        .add_service(TrafficEventsServer::new(Events(shared_too())))
        .add_service(SensorsServer::new(SensorList(shared_too())))
        .add_service(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(described().build_v1()?)
        .add_service(described().build_v1alpha()?)
        .into_axum_router()
        .merge(services::routes(shared_too()))
        .fallback(services::unknown))
}
