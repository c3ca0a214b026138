//! Publishing over MQTT.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Timestamp;
use simulator::{Broker, Options, Progress, Run, RunError, Scenario, Summary};
use testbed::{Mosquitto, require};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::fake_broker::{Seen, serve};
use super::written;

/// Calm traffic at a fixed time, so that what is published can be compared with what is written.
fn fixed(seconds: u64, speed: f64) -> Run {
    let scenario = Scenario { warmup_s: 120, ..Scenario::load("calm").unwrap() };
    let starts = Some(Timestamp::parse("2026-11-23T00:00:00Z").unwrap());
    let options = Options { speed, duration_s: Some(seconds), starts, ..Options::default() };
    Run::new("calm", scenario, options).unwrap()
}

async fn publish(run: Run, broker: Broker) -> Result<Summary, RunError> {
    run.run(broker, CancellationToken::new(), watch::channel(Progress::default()).0).await
}

/// Returns topic and payload of each line of a file of events.
fn as_published(text: &str) -> BTreeSet<(String, String)> {
    text.lines()
        .map(|line| {
            let rest = line.strip_prefix("{\"sensor_id\":\"").unwrap();
            let (sensor, rest) = rest.split_once("\",\"kind\":\"").unwrap();
            let (kind, rest) = rest.split_once("\",").unwrap();
            let (fields, _) = rest.rsplit_once(",\"received_at\":").unwrap();
            (format!("luong/v1/{sensor}/{kind}"), format!("{{{fields}}}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_keeps_breaking_gets_every_event_in_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let server = tokio::spawn(serve(listener, 400, 30, Arc::clone(&seen)));
    let summary = publish(fixed(60, 0.0), address.into()).await.unwrap();
    let expected = as_published(&written(fixed(60, 0.0)));
    let seen = seen.lock().unwrap();
    assert!(seen.broken >= 2, "{} connections broken", seen.broken);
    assert_eq!(summary.given_up, 0);
    assert!(seen.acknowledged == expected, "{} of {}", seen.acknowledged.len(), expected.len());
    server.abort();
}

#[tokio::test]
async fn no_broker_is_said_in_words() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = tokio::time::timeout(Duration::from_secs(30), publish(fixed(60, 0.0), free.into()));
    let error = error.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("no MQTT broker answers") && error.contains(&free.port().to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_an_endless_scenario_with_all_acknowledged() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(serve(listener, u32::MAX, 0, Arc::default()));
    let (shutdown, (progress, mut watched)) = (CancellationToken::new(), watch::channel(Progress::default()));
    let running = tokio::spawn(fixed(0, 0.0).run(address.into(), shutdown.clone(), progress));
    watched.wait_for(|now| now.second >= 5).await.unwrap();
    shutdown.cancel();
    let summary = tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    assert!(summary.seconds >= 5 && summary.given_up == 0, "{summary:?}");
    assert!(summary.acknowledged > 0);
    server.abort();
}

#[test]
fn a_real_mosquitto_that_restarts_acknowledges_everything() {
    let Some(mut mosquitto) = require(Mosquitto::start()) else { return };
    let broker: Broker = mosquitto.url().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (progress, mut watched) = watch::channel(Progress::default());
    let running = runtime.spawn(fixed(240, 60.0).run(broker, CancellationToken::new(), progress));
    runtime.block_on(watched.wait_for(|now| now.acknowledged > 200)).unwrap();
    mosquitto.kill();
    mosquitto.restart().unwrap();
    let summary = runtime.block_on(running).unwrap().unwrap();
    assert_eq!((summary.seconds, summary.given_up), (240, 0));
    assert_eq!(summary.acknowledged, summary.events);
}
