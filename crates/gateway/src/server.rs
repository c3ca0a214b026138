//! Connections: HTTP/1.1 and HTTP/2, each with limits, so that no client can take what belongs to others.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic_web::{GrpcWebLayer, GrpcWebService};
use tower::{Layer as _, Service as _};
use tracing::{debug, warn};

use crate::config::Config;
use crate::cors::{Origins, permit, preflight};
use crate::metrics::Metrics;
use crate::page;

/// A connection on which no request came after this is closed.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// HTTP/2 pings: a dead peer is found within 30 s.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);
/// What hyper buffers for a stream whose client is slow: its default of 400 KiB would let 1,000 of them hold 400 MB.
const SEND_BUFFER: usize = 32 * 1024;
/// The same for HTTP/1.1.
const HTTP1_BUFFER: usize = 64 * 1024;
/// After a failed accept (no file descriptors left, mostly).
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What an address serves beside gRPC and gRPC-web.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Front {
    /// Nothing.
    Bare,
    /// The web page.
    Page,
}

/// Serves one address.
#[derive(Clone)]
pub(crate) struct Server {
    grpc: GrpcWebService<Router>,
    front: Front,
    origins: Origins,
    config: Arc<Config>,
    metrics: Metrics,
    closing: CancellationToken,
}

impl Server {
    pub(crate) fn new(
        services: Router,
        front: Front,
        config: Arc<Config>,
        metrics: Metrics,
        closing: CancellationToken,
    ) -> Self {
        let origins = Origins(config.cors_origins.clone().into());
        Self { grpc: GrpcWebLayer::new().layer(services), front, origins, config, metrics, closing }
    }

    /// Accepts connections until the gateway stops, then waits until the last of them has ended.
    pub(crate) async fn run(self, listener: TcpListener) {
        let connections = TaskTracker::new();
        let places = Arc::new(Semaphore::new(self.config.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        loop {
            let accepted = self.closing.run_until_cancelled(accept(&listener, &places)).await;
            let Some((socket, peer, place)) = accepted else { break };
            let server = self.clone();
            connections.spawn(async move {
                server.serve(socket, peer).await;
                drop(place);
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn serve(self, socket: TcpStream, peer: SocketAddr) {
        let _connected = self.metrics.connected();
        if let Err(error) = socket.set_nodelay(true) {
            return debug!(%error, %peer, "connection ended at once");
        }
        let connection = self.closing.child_token();
        let asked = Arc::new(AtomicBool::new(false));
        let service = hyper::service::service_fn({
            let (server, connection, asked) = (self.clone(), connection.clone(), Arc::clone(&asked));
            move |mut request: Request<Incoming>| {
                asked.store(true, Ordering::Relaxed);
                request.extensions_mut().insert(connection.clone());
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer(request).await) }
            }
        });
        let builder = self.builder();
        let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service));
        tokio::select! {
            ended = served.as_mut() => return told(ended, peer),
            () = silence(&asked) => return debug!(%peer, "no request came; connection closed"),
            () = self.old_or_closing() => {}
        }
        served.as_mut().graceful_shutdown();
        let grace = Duration::from_secs(self.config.connection_grace_s);
        tokio::select! {
            ended = served.as_mut() => return told(ended, peer),
            () = sleep(grace) => {}
            () = self.closing.cancelled() => {}
        }
        connection.cancel();
        let grace = Duration::from_secs(self.config.shutdown_grace_s);
        tokio::select! {
            ended = served.as_mut() => told(ended, peer),
            () = sleep(grace) => debug!(%peer, "connection did not end in time; cut"),
        }
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(FIRST_REQUEST)
            .max_buf_size(HTTP1_BUFFER);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.config.max_streams_per_connection)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PONG);
        builder
    }

    async fn old_or_closing(&self) {
        let Some(age) = self.config.connection_age() else {
            return self.closing.cancelled().await;
        };
        tokio::select! {
            () = sleep(age) => {}
            () = self.closing.cancelled() => {}
        }
    }

    async fn answer(mut self, request: Request<Incoming>) -> Response<Body> {
        let origin = self.origins.allowed(request.headers());
        if request.method() == Method::OPTIONS {
            return preflight(origin);
        }
        if is_grpc(&request) {
            // The router and its layer are always ready, and never fail.
            let answered = self.grpc.call(request).await;
            return match answered {
                Ok(response) => permit(response, origin),
                Err(never) => match never {},
            };
        }
        match self.front {
            Front::Page => page::answer(request.method(), request.uri().path(), request.headers()),
            Front::Bare => page::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this address speaks gRPC and gRPC-web; the web page has its own (gateway.dashboard)\n",
            ),
        }
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => return (socket, peer, place),
            Err(error) => {
                warn!(%error, "a connection can't be accepted");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Ends when no request came in time; never, when one came.
async fn silence(asked: &AtomicBool) {
    sleep(FIRST_REQUEST).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn told(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>, peer: SocketAddr) {
    if let Err(error) = ended {
        debug!(%error, %peer, "connection ended");
    }
}
