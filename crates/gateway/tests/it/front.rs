//! What clients that are not gRPC over HTTP/2 see: gRPC-web, CORS, the page; and the standard services.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use wire::v1;

use crate::city::state;
use crate::rig::{PATIENCE, Rig};

/// Sends one HTTP/1.1 request and returns the whole answer's head and body; the server closes afterwards.
async fn http1(at: SocketAddr, head: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(at).await.unwrap();
    let head = format!("{head}\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8(answer[..end].to_vec()).unwrap().to_ascii_lowercase(), answer[end + 4..].to_vec())
}

/// Takes the chunks of HTTP/1.1's transfer encoding apart.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    whole
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

#[tokio::test]
async fn a_browser_reads_a_snapshot_over_grpc_web_and_http1() {
    let rig = Rig::new().await;
    rig.store().append_states(&[state(4, 44.0, 0)]).await;
    rig.watch(v1::StateFilter::default()).await.until_speed("s4", 44.0).await;
    let request = framed(&wire::encode(&v1::GetSnapshotRequest::default()));
    for at in [rig.grpc, rig.dashboard] {
        let head = "POST /luong.v1.TrafficState/GetSnapshot HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\norigin: http://localhost:5173";
        let (head, body) = http1(at, head, &request).await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("access-control-allow-origin: http://localhost:5173"), "{head}");
        let body = if head.contains("transfer-encoding: chunked") { unchunked(&body) } else { body };
        let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
        let chunk: v1::StateChunk = wire::decode(&body[5..5 + length]).unwrap();
        assert_eq!(chunk.states, [wire::link_state_message(&state(4, 44.0, 0))]);
        let trailers = &body[5 + length..];
        assert_eq!(trailers[0], 0x80, "gRPC-web ends with a frame of trailers");
        assert!(String::from_utf8_lossy(&trailers[5..]).contains("grpc-status:0"));
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_call() {
    let rig = Rig::new().await;
    let ask = |origin: &str| {
        format!(
            "OPTIONS /luong.v1.TrafficState/WatchState HTTP/1.1\r\norigin: {origin}\r\naccess-control-request-method: POST"
        )
    };
    let (head, _) = http1(rig.grpc, &ask("http://localhost:5173"), b"").await;
    assert!(head.contains("access-control-allow-origin: http://localhost:5173"), "{head}");
    assert!(head.contains("access-control-allow-headers: content-type"), "{head}");
    let (head, _) = http1(rig.grpc, &ask("https://elsewhere.example"), b"").await;
    assert!(!head.contains("access-control-allow"), "{head}");
}

#[tokio::test]
async fn the_page_is_served_with_a_strict_policy_and_a_tag() {
    let rig = Rig::new().await;
    let (head, body) = http1(rig.dashboard, "GET / HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/html; charset=utf-8"), "{head}");
    assert!(
        head.contains("content-security-policy: default-src 'none'") && !head.contains("unsafe"),
        "{head}"
    );
    assert!(head.contains("date: "), "{head}");
    assert!(String::from_utf8(body).unwrap().to_lowercase().contains("<!doctype html>"));
    let (compressed, small) = http1(rig.dashboard, "GET / HTTP/1.1\r\naccept-encoding: gzip, br", b"").await;
    assert!(
        compressed.contains("content-encoding: gzip") && small.starts_with(&[0x1f, 0x8b]),
        "{compressed}"
    );
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: w/")).unwrap();
    let tag = format!("W/{tag}");
    let (head, body) = http1(rig.dashboard, &format!("GET / HTTP/1.1\r\nif-none-match: {tag}"), b"").await;
    assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{head}");
    let (head, _) = http1(rig.dashboard, "GET /../Cargo.toml HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let (head, _) = http1(rig.dashboard, "POST / HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 405"), "{head}");
}

#[tokio::test]
async fn a_browser_at_the_grpc_address_is_told_where_it_is() {
    let rig = Rig::new().await;
    let (head, body) = http1(rig.grpc, "GET / HTTP/1.1", b"").await;
    assert!(head.starts_with("http/1.1 415"), "{head}");
    assert!(String::from_utf8(body).unwrap().contains("gateway.dashboard"));
}

#[tokio::test]
async fn health_follows_the_freshness_of_the_picture() {
    let rig = Rig::new().await;
    let mut client = HealthClient::new(rig.connection.channel());
    let request = HealthCheckRequest { service: "luong.v1.TrafficState".into() };
    let mut health = client.watch(request).await.unwrap().into_inner();
    assert!(rig.gateway.status().loaded && !rig.gateway.status().fresh, "nothing is known yet");
    rig.store().append_states(&[state(1, 30.0, 0)]).await;
    rig.watch(v1::StateFilter::default()).await.until_speed("s1", 30.0).await;
    assert!(rig.gateway.status().fresh);
    until_health(&mut health, ServingStatus::Serving).await;
    rig.set_clock(61_000);
    assert!(!rig.gateway.status().fresh);
    until_health(&mut health, ServingStatus::NotServing).await;
}

async fn until_health(
    health: &mut tonic::Streaming<tonic_health::pb::HealthCheckResponse>,
    wanted: ServingStatus,
) {
    let asking = async { while health.message().await.unwrap().unwrap().status() != wanted {} };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
}

#[tokio::test]
async fn reflection_names_every_service() {
    let rig = Rig::new().await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(rig.connection.channel());
    let answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = answers.into_inner().message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        "grpc.health.v1.Health",
        "luong.v1.RoadNetwork",
        "luong.v1.Routing",
        "luong.v1.Sensors",
        "luong.v1.TrafficEvents",
        "luong.v1.TrafficState",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
}
