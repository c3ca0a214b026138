//! The web page: static files that are built from `page/` and embedded in the binary.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use tonic::body::Body;

/// One file of the page.
struct Asset {
    /// As browsers ask for it.
    path: &'static str,
    /// Changes when the bytes do; the same for both forms.
    etag: &'static str,
    bytes: &'static [u8],
    gzip: &'static [u8],
}

const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page loads nothing from elsewhere, talks to its own origin only, and can't be framed; MapLibre makes pictures of
/// `data:` and `blob:` addresses.
const POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Files under it carry a hash in their name, and never change.
const HASHED: &str = "/assets/";

/// Tells whether the page was built when this binary was.
pub(crate) fn is_built() -> bool {
    ASSETS.iter().any(|asset| asset.path == "/index.html")
}

/// Answers a browser's request for a file of the page.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Response<Body> {
    if *method != Method::GET && *method != Method::HEAD {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "the page is only read: GET or HEAD\n");
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let wanted = if path == "/" { "/index.html" } else { path };
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == wanted) else {
        return match is_built() {
            true => text(StatusCode::NOT_FOUND, "no such file\n"),
            false => text(
                StatusCode::NOT_FOUND,
                "the web page was not built into this binary; gRPC-web is served here\n",
            ),
        };
    };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|etag| etag == asset.etag);
    let mut response = match (known, method == Method::HEAD) {
        (true, _) => status(StatusCode::NOT_MODIFIED, Body::empty()),
        (false, true) => status(StatusCode::OK, Body::empty()),
        (false, false) => whole_asset(asset, headers),
    };
    let caching =
        if asset.path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let own = response.headers_mut();
    own.insert(header::ETAG, HeaderValue::from_static(asset.etag));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    own.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(asset.path)));
    guarded(response)
}

/// Returns a file compressed, if that is shorter and the browser takes it.
fn whole_asset(asset: &Asset, headers: &HeaderMap) -> Response<Body> {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let takes_gzip = accepted.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("gzip"));
    if !takes_gzip || asset.gzip.len() >= asset.bytes.len() {
        return status(StatusCode::OK, whole(asset.bytes));
    }
    let mut response = status(StatusCode::OK, whole(asset.gzip));
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Returns a short answer in words.
pub(crate) fn text(code: StatusCode, words: &'static str) -> Response<Body> {
    let mut response = status(code, whole(words.as_bytes()));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    guarded(response)
}

fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn whole(bytes: &'static [u8]) -> Body {
    Body::new(http_body_util::Full::new(bytes::Bytes::from_static(bytes)))
}

fn status(code: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response
}
