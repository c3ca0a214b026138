//! The next hour, from readings to a client.

use testbed::{Mosquitto, require};
use wire::client::Connection;
use wire::v1;

use crate::roles::{city, publish};
use crate::service::{Service, wait_until};

/// Noon of a day in event time; a whole number of five minutes.
const NOON: i64 = 1_795_330_800_000;

/// A motorcyclist's pace in a city without a jam.
const SPEED_KMH: f64 = 30.0;

#[test]
fn what_a_loop_says_for_ten_minutes_becomes_a_forecast_that_a_client_gets() {
    // Its client publishes to the listener.
    if require(Mosquitto::start()).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [network, sensors] = city(folder.path());
    let set = [&network, &sensors, "clock.mode=event", "gateway.stale_after_s=0", "mqtt.listen=127.0.0.1:0"];
    let mut service = Service::start(&["up", "--no-simulator"], folder.path(), &set);
    service.ready();
    let mqtt = service.address("MQTT");
    let port = mqtt.rsplit_once(':').unwrap().1.parse().unwrap();
    let lines: Vec<String> = (1..=24)
        .map(|i| {
            let at = NOON + i * 30_000;
            format!(
                r#"{{"seq":{i},"at":{at},"period_s":30,"counts":{{"motorcycle":10}},"speed_kmh":{SPEED_KMH}}}"#
            )
        })
        .collect();
    publish(port, "luong/v1/loop-a/aggregate", &lines);

    let grpc = service.address("gRPC");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let states = wait_until("foretold", || {
        let states = runtime.block_on(forecast(&grpc));
        states.iter().any(|state| state.link_id == "a").then_some(states)
    });
    let of_a: Vec<_> = states.iter().filter(|state| state.link_id == "a").collect();
    assert_eq!(of_a.len(), 6, "one for each horizon");
    for state in &of_a {
        let [low, middle, high] =
            [state.speed_lo_kmh, state.speed_kmh, state.speed_hi_kmh].map(Option::unwrap);
        assert!(low < middle && middle < high && (10.0..=60.0).contains(&middle), "{state:?}");
        assert_eq!(state.source(), v1::Source::Observed);
        assert!(state.forecast_made_at.unwrap().seconds >= NOON / 1000 + 300);
    }
    let of_b: Vec<_> = states.iter().filter(|state| state.link_id == "b").collect();
    assert!(of_b.iter().all(|state| state.source() == v1::Source::Estimated), "{of_b:?}");
    assert_eq!(service.stop(), Some(0));
}

async fn forecast(grpc: &str) -> Vec<v1::LinkState> {
    let connection = Connection::open(&format!("http://{grpc}")).await.unwrap();
    let request = v1::GetForecastRequest::default();
    let mut chunks = connection.traffic_state().get_forecast(request).await.unwrap().into_inner();
    let mut states = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        states.extend(chunk.states);
    }
    states
}
