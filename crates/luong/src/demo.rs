//! The demo scenario of `luong up`: simulated sensors that speak to our own listener over real MQTT.

use std::net::SocketAddr;

use anyhow::Context as _;
use simulator::{Broker, Options, Progress, Run, Scenario};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::config::Settings;

/// Returns the city in which the configured scenario plays.
pub(crate) fn city(settings: &Settings) -> anyhow::Result<simulator::city::City> {
    Ok(scenario(settings)?.city(settings.simulator.seed)?)
}

/// Publishes the scenario to the listener until `stop`.
pub(crate) async fn play(
    settings: Settings,
    listener: SocketAddr,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let options = Options { seed: settings.simulator.seed, duration_s: Some(0), ..Options::default() };
    let run = Run::new(&settings.simulator.scenario, scenario(&settings)?, options)?;
    let broker = Broker { host: listener.ip().to_string(), port: listener.port(), login: None };
    let (progress, _) = watch::channel(Progress::default());
    let summary = run.run(broker, stop, progress).await?;
    info!(events = summary.events, acknowledged = summary.acknowledged, "scenario ended");
    Ok(())
}

fn scenario(settings: &Settings) -> anyhow::Result<Scenario> {
    Scenario::load(&settings.simulator.scenario).context("simulator.scenario")
}
