//! Starts a gateway over a log in a folder of its own, and talks to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use eventlog::{Append, Cleanup, Log, Record, TopicSpec};
use gateway::{Config, Gateway, Parts};
use model::{Forecast, LinkState, Timestamp, TrafficEvent};
use roadnet::{Network, Registry};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wire::client::{Connection, Streaming};
use wire::v1;
use wire::v1::state_update::Kind;

use crate::city;

const PARTITIONS: u32 = 4;
/// Longer than anything takes on a busy machine, shorter than a hanging test is bearable.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A log and the gateway over it.
pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) connection: Connection,
    pub(crate) grpc: SocketAddr,
    pub(crate) dashboard: SocketAddr,
    pub(crate) metrics: prometheus::Registry,
    shutdown: CancellationToken,
    store: Store,
}

/// What outlives a gateway.
pub(crate) struct Store {
    pub(crate) log: Log,
    pub(crate) network: Arc<Network>,
    registry: Arc<Registry>,
    clock: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Store {
    pub(crate) async fn new() -> Self {
        Self::with_links(city::LINKS).await
    }

    pub(crate) async fn with_links(links: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open_local(folder.path(), eventlog::local::Config::default()).await.unwrap();
        let topic =
            |name: &str| TopicSpec { name: name.into(), partitions: PARTITIONS, cleanup: Cleanup::Compact };
        let observations = TopicSpec {
            cleanup: Cleanup::Delete { retention: Duration::from_secs(3600) },
            ..topic(wire::topic::OBSERVATIONS)
        };
        let topics = [
            topic(wire::topic::LINK_STATES),
            topic(wire::topic::FORECASTS),
            topic(wire::topic::EVENTS),
            observations,
        ];
        log.ensure_topics(&topics).await.unwrap();
        let network = Arc::new(city::network(links));
        let registry = Arc::new(city::registry(&network));
        let clock = Arc::new(AtomicI64::new(city::NOON.as_millis()));
        Self { log, network, registry, clock, _folder: folder }
    }

    pub(crate) async fn start(self) -> Rig {
        self.start_with(Config { tick_ms: 1, ..Config::default() }).await
    }

    pub(crate) async fn start_with(self, config: Config) -> Rig {
        let [grpc, dashboard] =
            [TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await];
        let (grpc, dashboard) = (grpc.unwrap(), dashboard.unwrap());
        let (grpc_at, dashboard_at) = (grpc.local_addr().unwrap(), dashboard.local_addr().unwrap());
        let (clock, shutdown, metrics) =
            (Arc::clone(&self.clock), CancellationToken::new(), prometheus::Registry::new());
        let parts = Parts {
            log: self.log.clone(),
            network: Arc::clone(&self.network),
            registry: Arc::clone(&self.registry),
            grpc: Some(grpc),
            dashboard: Some(dashboard),
            clock: Arc::new(move || Timestamp::from_millis(clock.load(Ordering::Relaxed))),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
        };
        let gateway = Gateway::start(config, parts).unwrap();
        let connection = Connection::open(&format!("http://{grpc_at}")).await.unwrap();
        let rig = Rig {
            gateway,
            connection,
            grpc: grpc_at,
            dashboard: dashboard_at,
            metrics,
            shutdown,
            store: self,
        };
        rig.loaded().await;
        rig
    }

    pub(crate) async fn append_states(&self, states: &[LinkState]) {
        let append = |state: &LinkState| {
            let link = self.network.find(state.link.as_str());
            let partition = link.map_or(0, |link| self.network.partition(link, PARTITIONS));
            append(wire::topic::LINK_STATES, partition, state.link.as_str(), wire::encode_link_state(state))
        };
        let receipt = self.log.append(states.iter().map(append).collect()).await.unwrap();
        receipt.await.unwrap();
    }

    pub(crate) async fn append_forecasts(&self, forecasts: &[Forecast]) {
        let append = |forecast: &Forecast| {
            let link = self.network.find(forecast.link.as_str());
            let partition = link.map_or(0, |link| self.network.partition(link, PARTITIONS));
            let value = wire::encode_forecast(forecast);
            append(wire::topic::FORECASTS, partition, forecast.link.as_str(), value)
        };
        self.log.append(forecasts.iter().map(append).collect()).await.unwrap().await.unwrap();
    }

    pub(crate) async fn append_events(&self, events: &[TrafficEvent]) {
        let append = |event: &TrafficEvent| {
            let partition = wire::topic::partition_of_key(event.id.as_bytes(), PARTITIONS);
            append(wire::topic::EVENTS, partition, &event.id, wire::encode_event(event))
        };
        let receipt = self.log.append(events.iter().map(append).collect()).await.unwrap();
        receipt.await.unwrap();
    }

    pub(crate) async fn append_raw_state(&self, link: &str, bytes: &'static [u8]) {
        let broken = append(wire::topic::LINK_STATES, 0, link, bytes::Bytes::from_static(bytes));
        self.log.append(vec![broken]).await.unwrap().await.unwrap();
    }

    /// Writes a clock marker into each partition of the observations; returns how many.
    pub(crate) async fn append_markers(&self) -> f64 {
        let marker =
            |partition| append(wire::topic::OBSERVATIONS, partition, "", wire::encode_marker(city::NOON));
        self.log.append((0..PARTITIONS).map(marker).collect()).await.unwrap().await.unwrap();
        f64::from(PARTITIONS)
    }

    /// Takes a link's state away, as compaction knows it.
    pub(crate) async fn append_tombstone(&self, link: &str) {
        let index = self.network.find(link).unwrap();
        let partition = self.network.partition(index, PARTITIONS);
        let gone = append(wire::topic::LINK_STATES, partition, link, bytes::Bytes::new());
        self.log.append(vec![gone]).await.unwrap().await.unwrap();
    }
}

impl Rig {
    pub(crate) async fn new() -> Self {
        Store::new().await.start().await
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Moves the gateway's clock to so long after noon.
    pub(crate) fn set_clock(&self, after_ms: i64) {
        self.store.clock.store((city::NOON + after_ms).as_millis(), Ordering::Relaxed);
    }

    /// Stops the gateway and returns what outlives it.
    pub(crate) async fn stop(self) -> Store {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.gateway.stopped())
            .await
            .expect("the gateway stops in bounded time");
        self.store
    }

    /// Tells the gateway to stop, without waiting.
    pub(crate) fn begin_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Watches over a connection of its own, whose buffers are as small as HTTP/2 allows.
    pub(crate) async fn watch_narrowly(&self, filter: v1::StateFilter) -> Watch {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap();
        let narrow = endpoint.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        let mut client = v1::traffic_state_client::TrafficStateClient::new(narrow.connect().await.unwrap());
        let request = v1::WatchStateRequest { filter: Some(filter), ..Default::default() };
        Watch::new(client.watch_state(request).await.unwrap().into_inner())
    }

    pub(crate) async fn watch(&self, filter: v1::StateFilter) -> Watch {
        self.resume(filter, "").await
    }

    pub(crate) async fn resume(&self, filter: v1::StateFilter, resume_token: &str) -> Watch {
        let request = v1::WatchStateRequest {
            filter: Some(filter),
            resume_token: resume_token.into(),
            min_interval: None,
        };
        Watch::new(self.connection.traffic_state().watch_state(request).await.unwrap().into_inner())
    }

    pub(crate) async fn snapshot(&self, filter: v1::StateFilter) -> BTreeMap<String, v1::LinkState> {
        let request = v1::GetSnapshotRequest { filter: Some(filter) };
        let mut chunks = self.connection.traffic_state().get_snapshot(request).await.unwrap().into_inner();
        let mut states = BTreeMap::new();
        while let Some(chunk) = chunks.message().await.unwrap() {
            states.extend(chunk.states.into_iter().map(|state| (state.link_id.clone(), state)));
        }
        states
    }

    /// Returns the value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let families = self.metrics.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a metric of that name");
        let metric = &family.get_metric()[0];
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }

    async fn loaded(&self) {
        let loaded = async {
            while !self.gateway.status().loaded {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, loaded).await.expect("the gateway reads an almost empty log at once");
    }
}

/// What a client of `WatchState` keeps.
pub(crate) struct Watch {
    stream: Streaming<v1::StateUpdate>,
    /// What it knows, as the contract says to fold updates.
    pub(crate) states: BTreeMap<String, v1::LinkState>,
    pub(crate) token: String,
    pub(crate) last: v1::StateUpdate,
}

impl Watch {
    fn new(stream: Streaming<v1::StateUpdate>) -> Self {
        Self { stream, states: BTreeMap::new(), token: String::new(), last: v1::StateUpdate::default() }
    }

    /// Takes the next update; the stream's end is an error.
    pub(crate) async fn update(&mut self) -> Result<&v1::StateUpdate, wire::client::Status> {
        let next =
            tokio::time::timeout(PATIENCE, self.stream.message()).await.expect("an update comes in time");
        let update = next?.expect("a watch never ends without a status");
        if update.kind() == Kind::Snapshot && self.last.complete {
            self.states.clear();
        }
        for state in &update.states {
            self.states.insert(state.link_id.clone(), state.clone());
        }
        for id in &update.left_filter_link_ids {
            self.states.remove(id);
        }
        self.token.clone_from(&update.resume_token);
        self.last = update;
        Ok(&self.last)
    }

    /// Takes updates until one is complete and `holds`.
    pub(crate) async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        loop {
            self.update().await.unwrap();
            if self.last.complete && holds(self) {
                return;
            }
        }
    }

    /// Takes updates until the link has that speed.
    pub(crate) async fn until_speed(&mut self, link: &str, speed_kmh: f64) {
        self.until(|watch| watch.speed(link) == Some(speed_kmh)).await;
    }

    pub(crate) fn speed(&self, link: &str) -> Option<f64> {
        self.states.get(link)?.speed_kmh
    }
}

fn append(topic: &str, partition: u32, key: &str, value: bytes::Bytes) -> Append {
    let record = Record {
        key: key.to_owned().into(),
        value,
        headers: Vec::new(),
        timestamp_ms: std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64,
    };
    Append { topic: topic.into(), partition, record }
}
