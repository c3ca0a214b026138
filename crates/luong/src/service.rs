//! Wires the roles, waits, and stops them in order.

mod listeners;
mod log;
mod running;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use model::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::{LogBackend, Settings};
use crate::service::running::Running;

pub(crate) use log::open as open_log;

/// Which roles this process plays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Roles {
    pub(crate) ingest: bool,
    pub(crate) analyse: bool,
    pub(crate) serve: bool,
    pub(crate) simulator: bool,
}

impl Roles {
    pub(crate) const INGEST: Self = Self { ingest: true, ..Self::NONE };
    pub(crate) const ANALYSE: Self = Self { analyse: true, ..Self::NONE };
    pub(crate) const SERVE: Self = Self { serve: true, ..Self::NONE };
    const NONE: Self = Self { ingest: false, analyse: false, serve: false, simulator: false };
    pub(crate) const MQTT_IN_UP: &str = "127.0.0.1:1883";

    /// Everything in one process.
    pub(crate) fn up(no_simulator: bool) -> Self {
        Self { ingest: true, analyse: true, serve: true, simulator: !no_simulator }
    }

    /// Returns what this process does, for people.
    pub(crate) fn names(self) -> String {
        let all = [
            (self.ingest, "ingest"),
            (self.analyse, "analyse"),
            (self.serve, "serve"),
            (self.simulator, "simulator"),
        ];
        let played: Vec<_> = all.into_iter().filter_map(|(plays, name)| plays.then_some(name)).collect();
        played.join(" + ")
    }

    /// Fills in what depends on the roles, and refuses what can't work.
    pub(crate) fn complete(self, mut settings: Settings) -> anyhow::Result<Settings> {
        let all = self.ingest && self.analyse && self.serve;
        if !all && settings.log.backend == LogBackend::Local {
            bail!(
                "log.backend is \"local\", and the embedded log lives in one process: run `luong up`, or set \
                 log.backend = \"kafka\" and log.kafka.bootstrap_servers to join separate roles"
            );
        }
        if !all && settings.network_file().is_none() {
            bail!("network.file and sensors.file must be set; only `luong up` has a demo city");
        }
        if self.simulator && settings.network_file().is_some() {
            bail!(
                "the demo scenario plays in its own city: with network.file set, run `luong up --no-simulator`"
            );
        }
        if settings.mqtt.listen == "auto" {
            settings.mqtt.listen = if all { Self::MQTT_IN_UP } else { crate::config::OFF }.to_owned();
        }
        if self.ingest
            && crate::config::listener(&settings.mqtt.listen).is_none()
            && settings.mqtt.broker.is_empty()
        {
            bail!("nothing to ingest from: set mqtt.broker to a broker's URL, or mqtt.listen to an address");
        }
        Ok(settings)
    }
}

pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The only place where the service asks what time it is.
pub(crate) fn wall_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Runs the roles until `stop` or until one fails; then drains.
pub(crate) async fn run(settings: Settings, roles: Roles, stop: CancellationToken) -> anyhow::Result<()> {
    let grace = settings.grace();
    let Some(started) = stop.run_until_cancelled(Running::start(settings, roles)).await else {
        return Ok(());
    };
    let mut running = started?;
    let outcome = tokio::select! {
        () = stop.cancelled() => Ok(()),
        failed = running.first_failure() => Err(failed),
    };
    if tokio::time::timeout(grace, running.drain()).await.is_err() {
        warn!(
            grace_s = grace.as_secs_f64(),
            "not drained in time; what was not acknowledged will be sent again"
        );
    }
    running.end().await;
    outcome
}
