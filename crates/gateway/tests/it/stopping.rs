//! How streams end.

use gateway::Config;
use wire::client::Code;
use wire::v1;

use crate::city::state;
use crate::rig::{PATIENCE, Rig, Store};

#[tokio::test]
async fn streams_end_in_words_when_the_gateway_stops() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(v1::StateFilter::default()).await;
    watch.update().await.unwrap();
    let events = v1::WatchEventsRequest::default();
    let mut events = rig.connection.traffic_events().watch_events(events).await.unwrap().into_inner();
    rig.begin_to_stop();
    let status = watch.update().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{}", status.message());
    let status = events.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    rig.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_does_not_keep_the_gateway_from_stopping() {
    let store = Store::new().await;
    let rig = store.start_with(Config { tick_ms: 1, shutdown_grace_s: 0, ..Config::default() }).await;
    let mut quick = rig.watch(v1::StateFilter::default()).await;
    let _deaf = rig.watch_narrowly(v1::StateFilter::default()).await;
    for round in 1..=20u16 {
        let states: Vec<_> = (0..200).map(|i| state(i, f32::from(round), i64::from(round))).collect();
        rig.store().append_states(&states).await;
        quick.until_speed("s199", f64::from(round)).await;
    }
    tokio::time::timeout(PATIENCE, rig.stop()).await.unwrap();
}

#[tokio::test]
async fn an_old_connection_is_asked_to_come_again() {
    let store = Store::new().await;
    let config = Config { tick_ms: 1, max_connection_age_s: 1, connection_grace_s: 0, ..Config::default() };
    let rig = store.start_with(config).await;
    let mut watch = rig.watch(v1::StateFilter::default()).await;
    let status = loop {
        if let Err(status) = watch.update().await {
            break status;
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("resume"), "{}", status.message());
    // The client connects again by itself.
    rig.resume(v1::StateFilter::default(), &watch.token).await.update().await.unwrap();
}
