//! The roles that run in this process, and their end in the right order.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use eventlog::Log;
use gateway::Gateway;
use ingest::Ingest;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::Roles;
use super::listeners::{Listeners, address};
use crate::admin::{self, Admin, Readiness};
use crate::analyse::{self, Analyse};
use crate::banner::{self, Place};
use crate::city::{self, City};
use crate::config::{LogBackend, Settings};
use crate::demo;

type Role = JoinHandle<anyhow::Result<()>>;

/// What runs. Each role has a token of its own, so that they can be stopped one after the other.
pub(super) struct Running {
    log: Log,
    simulator: Option<(Role, CancellationToken)>,
    ingest: Option<Ingest>,
    analyse: Option<(Role, CancellationToken)>,
    gateway: Option<(Arc<Gateway>, CancellationToken)>,
    admin: Option<(Role, CancellationToken)>,
    stopping: CancellationToken,
}

impl Running {
    /// Starts the roles: who reads before who writes, the admin endpoint first.
    pub(super) async fn start(settings: Settings, roles: Roles) -> anyhow::Result<Self> {
        let city = city::load(&settings)?;
        let listeners = Listeners::bind(&settings, roles).await?;
        let places = places(&listeners);
        let mqtt = listeners.mqtt.as_ref().map(|socket| socket.local_addr()).transpose()?;
        let metrics = prometheus::Registry::new();
        let log = super::open_log(&settings).await?;
        let mut start =
            Start { settings: &settings, city: &city, log: &log, metrics: &metrics, ready: Vec::new() };
        let gateway = roles.serve.then(|| start.gateway(listeners.grpc, listeners.dashboard)).transpose()?;
        let analyse = roles.analyse.then(|| start.analyse());
        let ingest = roles.ingest.then(|| start.ingest(listeners.mqtt)).transpose()?;
        let stopping = CancellationToken::new();
        let ready = std::mem::take(&mut start.ready);
        let admin = listeners.admin.map(|socket| {
            let done = CancellationToken::new();
            let admin = Admin {
                metrics: metrics.clone(),
                ready: Arc::new(ready),
                version: version(&city),
                stopping: stopping.clone(),
            };
            let served = admin::serve(socket, admin, done.clone());
            (tokio::spawn(async { served.await.context("admin endpoint") }), done)
        });
        let simulator = match mqtt {
            Some(mqtt) if roles.simulator => Some(start_simulator(settings.clone(), mqtt)),
            _ => None,
        };
        announce(&settings, roles, &city, &places);
        Ok(Self { log, simulator, ingest, analyse, gateway, admin, stopping })
    }

    /// Waits until a role ends that should not.
    pub(super) async fn first_failure(&mut self) -> anyhow::Error {
        tokio::select! {
            error = failure("simulator", &mut self.simulator) => error,
            error = failure("analyse", &mut self.analyse) => error,
            error = failure("admin", &mut self.admin) => error,
        }
    }

    /// Stops in the order in which data flows: not ready, intake, what is in between, what reads, the log.
    pub(super) async fn drain(&mut self) {
        self.stopping.cancel();
        stop(self.simulator.take()).await;
        if let Some(ingest) = self.ingest.take() {
            ingest.shutdown().await;
        }
        stop(self.analyse.take()).await;
        if let Some((gateway, token)) = self.gateway.take() {
            token.cancel();
            gateway.stopped().await;
        }
        if let Err(error) = self.log.close().await {
            error!(%error, "closing the log");
        }
    }

    /// Stops answering about ourselves: the last thing to go.
    pub(super) async fn end(&mut self) {
        if let Some((role, token)) = self.admin.take() {
            token.cancel();
            role.abort();
        }
        info!("stopped");
    }
}

/// What the roles are started with.
struct Start<'a> {
    settings: &'a Settings,
    city: &'a City,
    log: &'a Log,
    metrics: &'a prometheus::Registry,
    ready: Vec<(&'static str, Readiness)>,
}

impl Start<'_> {
    fn gateway(
        &mut self,
        grpc: Option<tokio::net::TcpListener>,
        dashboard: Option<tokio::net::TcpListener>,
    ) -> anyhow::Result<(Arc<Gateway>, CancellationToken)> {
        let shutdown = CancellationToken::new();
        let parts = gateway::Parts {
            log: self.log.clone(),
            network: self.city.network.clone(),
            registry: self.city.sensors.clone(),
            grpc,
            dashboard,
            clock: super::wall_clock(),
            metrics: self.metrics.clone(),
            shutdown: shutdown.clone(),
        };
        let mut config = self.settings.gateway.limits.clone();
        if config.title.is_empty() {
            config.title.clone_from(&self.city.title);
        }
        let gateway = Arc::new(Gateway::start(config, parts)?);
        let asked = gateway.clone();
        self.ready.push(("serve", Arc::new(move || serving(&asked))));
        Ok((gateway, shutdown))
    }

    fn analyse(&mut self) -> (Role, CancellationToken) {
        let (stop, status) = (CancellationToken::new(), analyse::Status::default());
        let analyse = Analyse::new(self.settings, self.city, self.log.clone());
        let asked = status.clone();
        self.ready.push(("analyse", Arc::new(move || asked.ready())));
        (tokio::spawn(analyse::run(analyse, self.metrics.clone(), status, stop.clone())), stop)
    }

    fn ingest(&mut self, listener: Option<tokio::net::TcpListener>) -> anyhow::Result<Ingest> {
        let broker = &self.settings.mqtt.broker;
        let parts = ingest::Parts {
            listener,
            broker: (!broker.is_empty()).then(|| broker.clone()),
            log: self.log.clone(),
            network: self.city.network.clone(),
            registry: self.city.sensors.clone(),
            clock: super::wall_clock(),
            metrics: self.metrics.clone(),
        };
        let ingest = Ingest::start(self.settings.ingest.clone(), parts, &CancellationToken::new())?;
        let asked = ingest.status_handle();
        self.ready.push(("ingest", Arc::new(move || taking(&asked.status()))));
        Ok(ingest)
    }
}

fn serving(gateway: &Gateway) -> Result<(), String> {
    match gateway.status() {
        status if !status.loaded => Err("link states are being read from the log".to_owned()),
        _ => Ok(()),
    }
}

fn taking(status: &ingest::Status) -> Result<(), String> {
    match status {
        ingest::Status::Ready => Ok(()),
        ingest::Status::NotReady(why) => Err(why.join("; ")),
    }
}

fn version(city: &City) -> serde_json::Value {
    serde_json::json!({
        "name": "luong",
        "version": env!("CARGO_PKG_VERSION"),
        "network": city.title,
        "network_version": city.network.version().to_string(),
    })
}

fn places(listeners: &Listeners) -> Vec<Place> {
    let all = [
        ("MQTT", "", address(listeners.mqtt.as_ref())),
        ("gRPC", "", address(listeners.grpc.as_ref())),
        ("page", "http://", address(listeners.dashboard.as_ref())),
        ("admin", "http://", address(listeners.admin.as_ref())),
    ];
    all.into_iter()
        .filter_map(|(what, scheme, at)| Some(Place { what, at: format!("{scheme}{}", at?) }))
        .collect()
}

fn announce(settings: &Settings, roles: Roles, city: &City, places: &[Place]) {
    let log = match settings.log.backend {
        LogBackend::Local => settings.log_dir().display().to_string(),
        LogBackend::Kafka => settings.log.kafka.bootstrap_servers.clone(),
    };
    let facts = format!(
        "{} links, {} sensors, {}, log in {log}",
        city.network.links().len(),
        city.sensors.sensors().len(),
        roles.names(),
    );
    if let Err(error) = banner::write(&city.title, &facts, places) {
        warn!(%error, "the banner could not be printed");
    }
}

/// Waits for a role's end, which nobody asked for; forgets the role then.
async fn failure(name: &str, role: &mut Option<(Role, CancellationToken)>) -> anyhow::Error {
    let Some((running, _)) = role else { return std::future::pending().await };
    let ended = running.await;
    *role = None;
    match ended {
        Ok(Ok(())) => anyhow!("{name} ended by itself"),
        Ok(Err(error)) => error.context(format!("{name} failed")),
        Err(panic) => anyhow!("{name} ended: {panic}"),
    }
}

fn start_simulator(settings: Settings, mqtt: SocketAddr) -> (Role, CancellationToken) {
    let stop = CancellationToken::new();
    (tokio::spawn(demo::play(settings, mqtt, stop.clone())), stop)
}

async fn stop(role: Option<(Role, CancellationToken)>) {
    let Some((role, token)) = role else { return };
    token.cancel();
    match role.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => error!("{error:#}"),
        Err(panic) => error!(%panic, "a role ended badly"),
    }
}
