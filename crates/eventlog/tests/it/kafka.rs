//! Real Apache Kafka: the suite, and a broker that dies or hangs.

use std::time::Duration;

use eventlog::{Delivery, Error, Log, Start, kafka};
use testbed::{Kafka, require};

use crate::conformance::CHECKS;
use crate::support::*;

fn log_at(bootstrap_servers: String) -> Log {
    Log::open_kafka(kafka::Config { bootstrap_servers, ..kafka::Config::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_conforms() {
    let Some(broker) = require(Kafka::shared()) else { return };
    let log = log_at(broker.bootstrap_servers());
    for (name, check) in CHECKS {
        println!("{name}");
        check(log.clone()).await;
    }
    log.close().await.unwrap();
    assert!(matches!(log.append(vec![to("t", 0, record("k", "v"))]).await, Err(Error::Closed)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_shares_its_partitions_and_hands_them_on() {
    let Some(broker) = require(Kafka::shared()) else { return };
    let log = log_at(broker.bootstrap_servers());
    let topic = "group-shares";
    log.ensure_topics(&[deleting(topic, 4)]).await.unwrap();
    for partition in 0..4 {
        append_values(&log, topic, partition, (0..10).map(|i| i.to_string())).await;
    }

    let mut first = log.consume(group(topic, "sharers")).await.unwrap();
    assert_eq!(assigned(&mut first, 4).await, [0, 1, 2, 3]);
    assert_eq!(read(&mut first, 40).await.len(), 40);
    let mut second = log.consume(group(topic, "sharers")).await.unwrap();
    let (revoked, taken) = tokio::join!(revoked(&mut first, 2), assigned(&mut second, 2));
    assert_eq!(revoked, taken);

    // What moved is read again from the start: the first reader committed nothing.
    let moved = read(&mut second, 20).await;
    assert!(moved.iter().all(|fetched| taken.contains(&fetched.partition)), "{:?}", places(&moved));
    drop(second);
    assert_eq!(assigned(&mut first, 2).await, revoked);
}

async fn revoked(consumer: &mut eventlog::Consumer, n: usize) -> Vec<u32> {
    let mut partitions = Vec::new();
    while partitions.len() < n {
        match in_time(consumer.next(1)).await.unwrap() {
            Delivery::Revoked(more) => partitions.extend(more),
            other => panic!("expected a revocation, got {other:?}"),
        }
    }
    partitions.sort_unstable();
    partitions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_makes_appending_wait_and_loses_nothing() {
    let Some(broker) = require(Kafka::shared()) else { return };
    let config = kafka::Config {
        bootstrap_servers: broker.bootstrap_servers(),
        queue_bytes: 20_000,
        ..kafka::Config::default()
    };
    let log = Log::open_kafka(config).unwrap();
    log.ensure_topics(&[deleting("full-queue", 2)]).await.unwrap();
    let batch =
        |i: u32| (0..20).map(move |_| to("full-queue", i % 2, record("k", &"v".repeat(400)))).collect();

    let mut receipts = Vec::new();
    for i in 0..100 {
        receipts.push(in_time(log.append(batch(i))).await.unwrap());
    }
    for receipt in receipts {
        in_time(receipt).await.unwrap();
    }

    assert_eq!(log.end_offsets("full-queue").await.unwrap(), [1_000, 1_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_broker_refuses_fails_its_receipt_and_nothing_else() {
    let Some(broker) = require(Kafka::shared()) else { return };
    let bootstrap_servers = broker.bootstrap_servers();
    let narrow = kafka::Config { bootstrap_servers, max_record_bytes: 2_000, ..kafka::Config::default() };
    let narrow = Log::open_kafka(narrow).unwrap();
    narrow.ensure_topics(&[deleting("narrow", 1)]).await.unwrap();

    // The topic takes 2,588 bytes a batch; this log does not know.
    let log = log_at(broker.bootstrap_servers());
    let large = eventlog::Record { value: bytes(10_000), ..record("k", "") };
    let refused = log.append(vec![to("narrow", 0, large)]).await.unwrap();
    let detail = backend_detail(in_time(refused).await.unwrap_err());
    assert!(detail.contains("Message size too large") && detail.contains("append it again"), "{detail}");
    append_values(&log, "narrow", 0, ["after".into()]).await;
    assert_eq!(value(&read_all(&log, "narrow", 1).await[0]), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_does_not_leave_its_group_and_misses_nothing() {
    let Some(broker) = require(Kafka::shared()) else { return };
    // The shortest that the broker allows: who does not poll for so long is thrown out.
    let client = [("session.timeout.ms", "6000"), ("max.poll.interval.ms", "6000")];
    let client = client.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let config =
        kafka::Config { bootstrap_servers: broker.bootstrap_servers(), client, ..kafka::Config::default() };
    let log = Log::open_kafka(config).unwrap();
    log.ensure_topics(&[deleting("slow-reader", 2)]).await.unwrap();
    for partition in [0, 1] {
        append_values(&log, "slow-reader", partition, (0..20_000).map(|i| i.to_string())).await;
    }

    let mut slow = log.consume(group("slow-reader", "slow")).await.unwrap();
    assigned(&mut slow, 2).await;
    assert_eq!(read(&mut slow, 10).await.len(), 10);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let mut next = [0; 2];
    let rest = read(&mut slow, 40_000 - 10).await;
    for fetched in &rest {
        let next = &mut next[fetched.partition as usize];
        *next = fetched.offset;
    }
    assert_eq!(next, [19_999; 2]);
    slow.commit(&[(0, 20_000), (1, 20_000)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_a_killed_and_a_hanging_broker() {
    let Some(mut broker) = require(Kafka::start()) else { return };
    let log = log_at(broker.bootstrap_servers());
    let topic = "outlives";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    let mut reader = log.consume(all(topic, Start::Earliest)).await.unwrap();
    append_values(&log, topic, 0, (0..1_000).map(|i| i.to_string())).await;

    broker.kill();
    let during_kill = batch(topic, 1_000..2_000);
    let during_kill = in_time(log.append(during_kill)).await.unwrap();
    assert!(log.probe(Duration::from_millis(500)).await.is_err(), "a dead broker answered");
    tokio::task::block_in_place(|| broker.restart()).unwrap();
    in_time(during_kill).await.unwrap();
    in_time(log.probe(PATIENCE)).await.unwrap();

    broker.freeze().unwrap();
    let during_hang = in_time(log.append(batch(topic, 2_000..3_000))).await.unwrap();
    let early = tokio::time::timeout(Duration::from_secs(2), during_hang).await;
    assert!(early.is_err(), "a hanging broker acknowledged");
    let again = in_time(log.append(batch(topic, 3_000..4_000))).await.unwrap();
    broker.thaw().unwrap();
    in_time(again).await.unwrap();

    let records = read(&mut reader, 4_000).await;
    assert!(records.iter().map(|fetched| fetched.offset).eq(0..4_000));
    assert!(records.iter().all(|fetched| value(fetched) == fetched.offset.to_string()));
    log.close().await.unwrap();
}

fn batch(topic: &str, values: std::ops::Range<u32>) -> Vec<eventlog::Append> {
    values.map(|i| to(topic, 0, record("k", &i.to_string()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_there_is_said_in_words() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let log = log_at(nobody.clone());
    let detail = backend_detail(log.probe(Duration::from_millis(500)).await.unwrap_err());
    assert!(detail.contains(&nobody) && detail.contains("log.kafka.bootstrap_servers"), "{detail}");
}

#[test]
fn an_unknown_client_setting_is_refused_in_words() {
    let client = [("no.such.setting".to_owned(), "1".to_owned())].into();
    let outcome = Log::open_kafka(kafka::Config { client, ..kafka::Config::default() });
    let detail = backend_detail(outcome.err().unwrap());
    assert!(detail.contains("no.such.setting"), "{detail}");
}
