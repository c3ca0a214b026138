//! `TrafficState`: served by hand, since its frames are made of bytes that are encoded already.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use wire::v1;

use super::forecast::forecast;
use super::not_built;
use crate::frames::{FrameBody, FrameBuilder};
use crate::picture::Picture;
use crate::selection::Selection;
use crate::shared::Shared;
use crate::watch::StateWatcher;

/// 4 MiB: what gRPC servers take by default; some 200,000 link ids.
const MOST_REQUEST: usize = 4 << 20;
/// A request comes with its call; a client that holds it back this long is gone, or means harm.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Returns the routes of `luong.v1.TrafficState`.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/luong.v1.TrafficState/GetSnapshot", post(get_snapshot))
        .route("/luong.v1.TrafficState/WatchState", post(watch_state))
        .route(
            "/luong.v1.TrafficState/GetLinkHistory",
            post(async || not_built("GetLinkHistory").into_http::<Body>()),
        )
        .route("/luong.v1.TrafficState/GetForecast", post(get_forecast))
        .with_state(shared)
}

async fn get_snapshot(State(shared): State<Arc<Shared>>, call: Request<axum::body::Body>) -> Response<Body> {
    let closing = closing(&call, &shared);
    match read::<v1::GetSnapshotRequest>(call).await.and_then(|asked| snapshot(shared, &asked, closing)) {
        Ok(frames) => streaming(frames),
        Err(status) => status.into_http(),
    }
}

async fn get_forecast(State(shared): State<Arc<Shared>>, call: Request<axum::body::Body>) -> Response<Body> {
    let closing = closing(&call, &shared);
    match read::<v1::GetForecastRequest>(call).await.and_then(|asked| forecast(shared, &asked, closing)) {
        Ok(frames) => streaming(frames),
        Err(status) => status.into_http(),
    }
}

async fn watch_state(State(shared): State<Arc<Shared>>, call: Request<axum::body::Body>) -> Response<Body> {
    let closing = closing(&call, &shared);
    match read(call).await.and_then(|asked| StateWatcher::new(shared, &asked, closing)) {
        Ok(watcher) => streaming(watcher.frames()),
        Err(status) => status.into_http(),
    }
}

/// Answers with frames of the newest picture, each as of its own moment: a client that reads slowly holds no old picture.
fn snapshot(
    shared: Arc<Shared>,
    asked: &v1::GetSnapshotRequest,
    closing: CancellationToken,
) -> Result<impl Stream<Item = Result<Bytes, Status>> + use<>, Status> {
    let selection = Selection::new(asked.filter.as_ref(), &shared.network, &shared.layout)?;
    shared.picture()?;
    Ok(stream::unfold(Some(0), move |next| {
        let answer = next.map(|next| match shared.picture() {
            _ if closing.is_cancelled() => (Err(shared.farewell()), None),
            Err(status) => (Err(status), None),
            Ok(picture) => {
                let (frame, next) = snapshot_frame(&picture, &selection, next, &shared);
                shared.metrics.frame_sent(frame.len());
                (Ok(frame), next)
            }
        });
        std::future::ready(answer)
    }))
}

/// Returns the frame that begins at an area, and where the next one begins.
fn snapshot_frame(
    picture: &Picture,
    selection: &Selection,
    mut next: usize,
    shared: &Shared,
) -> (Bytes, Option<usize>) {
    let mut frame = FrameBuilder::new();
    let areas = selection.areas(picture);
    while next < areas && !frame.is_full() {
        let (tile, asked) = selection.area(next);
        let tile = &picture.tiles()[tile];
        tile.put_chunk_entries(asked & selection.passing(tile), frame.entries());
        next += 1;
    }
    let header = v1::StateChunk {
        network_version: shared.network_version.clone(),
        as_of: picture.as_of().map(wire::to_proto_time),
        states: Vec::new(),
    };
    (frame.finish(&wire::encode(&header)), (next < areas).then_some(next))
}

/// Reads the one message of a call.
async fn read<M: Default + wire::Message>(call: Request<axum::body::Body>) -> Result<M, Status> {
    let body = timeout(REQUEST_TIME, Limited::new(call.into_body(), MOST_REQUEST).collect()).await;
    let body = body.map_err(|_| Status::deadline_exceeded("the request did not come within 10 s"))?;
    let bytes =
        body.map_err(|error| Status::invalid_argument(format!("the request can't be read: {error}")))?;
    let bytes = bytes.to_bytes();
    let (prefix, message) = bytes
        .split_first_chunk::<5>()
        .ok_or_else(|| Status::invalid_argument("the request has no message"))?;
    if prefix[0] != 0 {
        return Err(Status::unimplemented("compressed requests are not understood"));
    }
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if length != message.len() {
        return Err(Status::invalid_argument("the request is cut off, or has more than one message"));
    }
    wire::decode(message).map_err(|error| Status::invalid_argument(format!("the request is {error}")))
}

fn streaming(frames: impl Stream<Item = Result<Bytes, Status>> + Send + 'static) -> Response<Body> {
    let mut response = Response::new(Body::new(FrameBody::new(frames)));
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    response
}

/// Returns what ends the call's streams: its connection's end, which the gateway's end brings about too.
fn closing(call: &Request<axum::body::Body>, shared: &Shared) -> CancellationToken {
    call.extensions().get::<CancellationToken>().unwrap_or(&shared.closing).clone()
}
