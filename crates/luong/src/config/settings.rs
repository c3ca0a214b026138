//! The configuration as values: each room's own `Config`, put together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(skip)]
    pub(crate) data_dir: PathBuf,
    pub(crate) network: NetworkSettings,
    pub(crate) sensors: SensorSettings,
    pub(crate) log: LogSettings,
    pub(crate) mqtt: MqttSettings,
    pub(crate) ingest: ingest::Config,
    pub(crate) clock: ClockSettings,
    pub(crate) analyser: congestion::Config,
    pub(crate) analyse: AnalyseSettings,
    pub(crate) gateway: GatewaySettings,
    pub(crate) admin: AdminSettings,
    pub(crate) simulator: SimulatorSettings,
    pub(crate) shutdown: ShutdownSettings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkSettings {
    file: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SensorSettings {
    file: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogSettings {
    pub(crate) backend: LogBackend,
    dir: String,
    pub(crate) partitions: u32,
    pub(crate) observations_retention_h: u64,
    pub(crate) dead_letters_retention_h: u64,
    pub(crate) events_retention_h: u64,
    pub(crate) local: eventlog::local::Config,
    pub(crate) kafka: eventlog::kafka::Config,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogBackend {
    Local,
    Kafka,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MqttSettings {
    pub(crate) listen: String,
    pub(crate) broker: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockSettings {
    pub(crate) mode: ingest::ClockMode,
    pub(crate) max_skew_s: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnalyseSettings {
    pub(crate) checkpoint_every_s: u64,
    pub(crate) replay_h: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GatewaySettings {
    pub(crate) listen: String,
    pub(crate) dashboard: String,
    #[serde(flatten)]
    pub(crate) limits: gateway::Config,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdminSettings {
    pub(crate) listen: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SimulatorSettings {
    pub(crate) scenario: String,
    pub(crate) seed: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShutdownSettings {
    pub(crate) grace_s: f64,
}

/// Text that turns a listener off.
pub(crate) const OFF: &str = "off";

impl Settings {
    /// Hands to the rooms what they are told by other sections.
    pub(super) fn spread(&mut self) {
        self.ingest.clock_mode = self.clock.mode;
        self.ingest.partitions = self.log.partitions;
        self.ingest.rules.max_skew_s = self.clock.max_skew_s;
        self.analyser.max_skew_s = self.clock.max_skew_s;
        self.ingest.broker.ca_file =
            self.ingest.broker.ca_file.take().filter(|path| !path.as_os_str().is_empty());
    }

    /// Checks what single types can't.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if !(1..=1024).contains(&self.log.partitions) {
            bail!("log.partitions is {}; it must be 1 to 1024", self.log.partitions);
        }
        if self.log.backend == LogBackend::Kafka && self.log.kafka.bootstrap_servers.is_empty() {
            bail!(
                "log.backend is \"kafka\" but log.kafka.bootstrap_servers is empty; name a broker, e.g. 127.0.0.1:9092"
            );
        }
        if self.sensor_file().is_some() && self.network_file().is_none() {
            bail!("sensors.file is set but network.file is not; a registry needs its map");
        }
        if self.network_file().is_some() && self.sensor_file().is_none() {
            bail!("network.file is set but sensors.file is not; without a registry no event can be placed");
        }
        // The analyser's limit, by the name under which it is set.
        if !(self.clock.max_skew_s > 0.0 && self.clock.max_skew_s <= 86_400.0) {
            bail!("clock.max_skew_s is {}; it must be above 0 and at most 86400", self.clock.max_skew_s);
        }
        self.analyser.check()?;
        for (key, address) in [
            ("mqtt.listen", &self.mqtt.listen),
            ("gateway.listen", &self.gateway.listen),
            ("gateway.dashboard", &self.gateway.dashboard),
            ("admin.listen", &self.admin.listen),
        ] {
            let port =
                address.rsplit_once(':').and_then(|(host, port)| Some(port).filter(|_| !host.is_empty()));
            let good = ["", OFF, "auto"].contains(&address.as_str())
                || port.is_some_and(|p| p.parse::<u16>().is_ok());
            if !good {
                bail!("{key} is {address:?}; write it as 127.0.0.1:PORT, or \"off\"");
            }
        }
        let broker = &self.mqtt.broker;
        if !(broker.is_empty() || broker.starts_with("mqtt://") || broker.starts_with("mqtts://")) {
            bail!("mqtt.broker is {broker:?}; write it as mqtt://HOST:PORT or mqtts://HOST:PORT");
        }
        simulator::Scenario::load(&self.simulator.scenario).context("simulator.scenario")?;
        if !(self.shutdown.grace_s.is_finite() && self.shutdown.grace_s > 0.0) {
            bail!("shutdown.grace_s is {}; it must be above 0", self.shutdown.grace_s);
        }
        Ok(())
    }

    pub(crate) fn network_file(&self) -> Option<&Path> {
        some_path(&self.network.file)
    }

    pub(crate) fn sensor_file(&self) -> Option<&Path> {
        some_path(&self.sensors.file)
    }

    /// The log's folder.
    pub(crate) fn log_dir(&self) -> PathBuf {
        some_path(&self.log.dir).map_or_else(|| self.data_dir.join("log"), Path::to_path_buf)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_secs_f64(self.shutdown.grace_s)
    }
}

/// Returns the address of a listener that is on.
pub(crate) fn listener(address: &str) -> Option<&str> {
    Some(address).filter(|address| !address.is_empty() && *address != OFF)
}

fn some_path(text: &str) -> Option<&Path> {
    Some(Path::new(text)).filter(|_| !text.is_empty())
}
