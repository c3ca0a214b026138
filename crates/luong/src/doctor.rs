//! `luong doctor`: tries what the service will need, and says in words what to mend.

use std::io::Write as _;
use std::net::ToSocketAddrs as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::{TcpListener, TcpStream};

use crate::city;
use crate::config::{LogBackend, OFF, Settings, listener};
use crate::service::{Roles, open_log};

/// Longer than a healthy broker takes, short enough to wait for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Default ports of `mqtt://` and `mqtts://`.
const MQTT_PORTS: [(&str, u16); 2] = [("mqtt://", 1883), ("mqtts://", 8883)];

/// Runs every check; fails when one does.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut failed = 0;
    let mut tell = |what: &str, result: anyhow::Result<String>| {
        failed += usize::from(result.is_err());
        write_line(what, &result)
    };
    tell("network and sensors", check_city(&settings))?;
    tell("data folder", check_folder(&settings))?;
    tell("log", check_log(&settings).await)?;
    if !settings.mqtt.broker.is_empty() {
        tell("mqtt.broker", check_broker(&settings.mqtt.broker).await)?;
    }
    // Only `luong up`, which needs the embedded log, has a listener of its own accord.
    let mqtt_listen = match (settings.mqtt.listen.as_str(), settings.log.backend) {
        ("auto", LogBackend::Local) => Roles::MQTT_IN_UP,
        ("auto", LogBackend::Kafka) => OFF,
        (address, _) => address,
    };
    for (key, address) in [
        ("mqtt.listen", mqtt_listen),
        ("gateway.listen", &settings.gateway.listen),
        ("gateway.dashboard", &settings.gateway.dashboard),
        ("admin.listen", &settings.admin.listen),
    ] {
        if let Some(address) = listener(address) {
            tell(key, check_port(key, address).await)?;
        }
    }
    if failed > 0 {
        bail!("{failed} to mend");
    }
    Ok(())
}

fn write_line(what: &str, result: &anyhow::Result<String>) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    match result {
        Ok(found) => writeln!(out, "ok    {what}: {found}"),
        Err(error) => writeln!(out, "MEND  {what}: {error:#}"),
    }
}

fn check_city(settings: &Settings) -> anyhow::Result<String> {
    let city = city::load(settings)?;
    Ok(format!(
        "{}, {} links, {} sensors",
        city.title,
        city.network.links().len(),
        city.sensors.sensors().len()
    ))
}

fn check_folder(settings: &Settings) -> anyhow::Result<String> {
    let folder = &settings.data_dir;
    let hint = || format!("{}: choose a folder that can be written with --data-dir", folder.display());
    std::fs::create_dir_all(folder).with_context(hint)?;
    let probe = folder.join(".doctor");
    std::fs::write(&probe, b"").with_context(hint)?;
    std::fs::remove_file(&probe).with_context(hint)?;
    Ok(format!("{} can be written", folder.display()))
}

async fn check_log(settings: &Settings) -> anyhow::Result<String> {
    let log = open_log(settings).await?;
    log.probe(PATIENCE).await?;
    log.close().await?;
    Ok(match settings.log.backend {
        LogBackend::Local => format!("{} opens", settings.log_dir().display()),
        LogBackend::Kafka => format!("{} answers and the topics fit", settings.log.kafka.bootstrap_servers),
    })
}

async fn check_broker(url: &str) -> anyhow::Result<String> {
    let Some((rest, default_port)) =
        MQTT_PORTS.iter().find_map(|&(scheme, port)| Some((url.strip_prefix(scheme)?, port)))
    else {
        bail!("write it as mqtt://HOST:PORT or mqtts://HOST:PORT");
    };
    let host = rest.rsplit('@').next().unwrap_or(rest).trim_end_matches('/');
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:{default_port}") };
    match tokio::time::timeout(PATIENCE, TcpStream::connect(&address)).await {
        Ok(Ok(_)) => Ok(format!("{address} takes connections")),
        Ok(Err(error)) => bail!("{address}: {error}; is the broker running, and the port right?"),
        Err(_) => bail!("{address} does not answer; is a firewall between?"),
    }
}

async fn check_port(key: &str, address: &str) -> anyhow::Result<String> {
    address
        .to_socket_addrs()
        .with_context(|| format!("{address} is not an address; write it as 127.0.0.1:PORT"))?
        .next()
        .with_context(|| format!("{address} names no address"))?;
    TcpListener::bind(address).await.with_context(|| {
        format!("{address}: is it in use already? Choose another with --set {key}=127.0.0.1:PORT")
    })?;
    Ok(format!("{address} is free"))
}
