//! Binds what the roles listen on, before anything else is started.

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::Roles;
use crate::config::{Settings, listener};

/// Sockets that are ours.
pub(super) struct Listeners {
    pub(super) admin: Option<TcpListener>,
    pub(super) mqtt: Option<TcpListener>,
    pub(super) grpc: Option<TcpListener>,
    pub(super) dashboard: Option<TcpListener>,
}

impl Listeners {
    pub(super) async fn bind(settings: &Settings, roles: Roles) -> anyhow::Result<Self> {
        let gateway = &settings.gateway;
        Ok(Self {
            admin: bind("admin.listen", Some(&settings.admin.listen)).await?,
            mqtt: bind("mqtt.listen", roles.ingest.then_some(&settings.mqtt.listen)).await?,
            grpc: bind("gateway.listen", roles.serve.then_some(&gateway.listen)).await?,
            dashboard: bind("gateway.dashboard", roles.serve.then_some(&gateway.dashboard)).await?,
        })
    }
}

async fn bind(key: &str, address: Option<&String>) -> anyhow::Result<Option<TcpListener>> {
    let Some(address) = address.and_then(|address| listener(address)) else { return Ok(None) };
    let socket = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another with --set {key}=127.0.0.1:PORT")
    })?;
    Ok(Some(socket))
}

/// Returns where a socket really listens.
pub(super) fn address(socket: Option<&TcpListener>) -> Option<String> {
    Some(socket?.local_addr().ok()?.to_string())
}
