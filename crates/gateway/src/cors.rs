//! Which web pages of other origins may call.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tonic::body::Body;

/// What browsers may read of an answer.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, luong-reset-reason";
/// What browsers may send.
const TAKEN: &str = "content-type, x-grpc-web, x-user-agent, grpc-timeout, authorization";
/// A day: browsers ask again then at the latest.
const REMEMBERED_S: &str = "86400";

/// The origins that may call.
#[derive(Clone, Debug)]
pub(crate) struct Origins(pub(crate) std::sync::Arc<[String]>);

impl Origins {
    /// Returns the origin of a request, if it may call.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?;
        self.0.iter().any(|pattern| matches(pattern, text)).then(|| origin.clone())
    }
}

/// Answers a browser that asks whether it may call.
pub(crate) fn preflight(allowed: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if allowed.is_some() {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(TAKEN));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_S));
    }
    permit(response, allowed)
}

/// Lets the page that called read the answer.
pub(crate) fn permit(mut response: Response<Body>, allowed: Option<HeaderValue>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

/// `*`, an origin, or an origin with `*` for its port.
fn matches(pattern: &str, origin: &str) -> bool {
    let any_port = || {
        let port = origin.strip_prefix(pattern.strip_suffix(":*")?)?;
        Some(port.is_empty() || port.strip_prefix(':')?.parse::<u16>().is_ok())
    };
    pattern == "*" || pattern == origin || any_port() == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_any_but_a_host_may_not() {
        assert!(matches("http://localhost:*", "http://localhost:5173"));
        assert!(matches("http://localhost:*", "http://localhost"));
        assert!(!matches("http://localhost:*", "http://localhost.evil.example"));
        assert!(!matches("http://localhost:*", "http://localhost:1.evil.example"));
        assert!(!matches("https://a.example", "https://a.example.evil.example"));
    }
}
