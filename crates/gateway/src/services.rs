//! The services of `luong.v1`.

mod events;
mod forecast;
mod network;
mod sensors;
mod state;

use std::pin::Pin;

use futures_util::Stream;
use tonic::Status;

pub(crate) use events::Events;
pub(crate) use network::Roads;
pub(crate) use sensors::SensorList;
pub(crate) use state::routes;

/// A streaming answer of a generated service.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Answers a call that no service takes.
pub(crate) async fn unknown(uri: http::Uri) -> http::Response<tonic::body::Body> {
    let status = match uri.path().strip_prefix("/luong.v1.Routing/") {
        Some(method @ ("GetRoute" | "GetTravelTimes")) => not_built(method),
        _ => Status::unimplemented(format!("no method {}", uri.path())),
    };
    status.into_http()
}

/// Answers for what is not built: never a made-up value.
fn not_built(what: &str) -> Status {
    Status::unimplemented(format!("{what} is not built yet"))
}
