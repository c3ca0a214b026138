//! The admin endpoint: `/metrics`, `/livez`, `/readyz`, `/version`. First to answer, last to go.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Tells whether a role can do its job now, or in words why not.
pub(crate) type Readiness = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the endpoint tells.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) metrics: Registry,
    /// Per role, in the order in which they were started.
    pub(crate) ready: Arc<Vec<(&'static str, Readiness)>>,
    pub(crate) version: serde_json::Value,
    /// Cancelled as soon as the service begins to stop.
    pub(crate) stopping: CancellationToken,
}

/// Serves until `done`.
pub(crate) async fn serve(
    listener: TcpListener,
    admin: Admin,
    done: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(admin);
    axum::serve(listener, routes).with_graceful_shutdown(done.cancelled_owned()).await
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, String) {
    let mut all = true;
    let mut text = String::new();
    if admin.stopping.is_cancelled() {
        all = false;
        text.push_str("service: stopping\n");
    }
    for (role, ready) in admin.ready.iter() {
        let line = match ready() {
            Ok(()) => "ready".to_owned(),
            Err(why) => {
                all = false;
                why
            }
        };
        text.push_str(&format!("{role}: {line}\n"));
    }
    (if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, text)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let mut body = Vec::new();
    match TextEncoder::new().encode(&admin.metrics.gather(), &mut body) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], body),
        Err(error) => {
            let text = error.to_string().into_bytes();
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], text)
        }
    }
}

async fn version(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], format!("{}\n", admin.version))
}
