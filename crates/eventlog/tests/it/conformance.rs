//! What holds for every backend. Each check takes a log of its own or one shared with the others, so it uses topics
//! that carry its own name.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{Cleanup, Delivery, Error, Log, Record, Start, TopicSpec};

use crate::support::*;

type Check = fn(Log) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// All checks by name.
pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("records come back whole and in order", |log| Box::pin(whole_and_in_order(log))),
    ("a receipt means that the record is there", |log| Box::pin(receipt_means_there(log))),
    ("reading starts where it is asked to", |log| Box::pin(reading_starts(log))),
    ("a group goes on where it committed", |log| Box::pin(group_goes_on(log))),
    ("seek before the first record", |log| Box::pin(seek_before_first(log))),
    ("seek back and forth", |log| Box::pin(seek_back_and_forth(log))),
    ("the newest record of each key", |log| Box::pin(newest_of_each_key(log))),
    ("offsets at a time", |log| Box::pin(offsets_at_a_time(log))),
    ("records from any time are taken", |log| Box::pin(any_time(log))),
    ("topics are created once and checked", |log| Box::pin(topics_are_checked(log))),
    ("what is not there is said", |log| Box::pin(what_is_not_there(log))),
    ("a megabyte goes in, too much does not", |log| Box::pin(large_records(log))),
    ("next is cancel-safe", |log| Box::pin(next_is_cancel_safe(log))),
    ("two readers do not disturb each other", |log| Box::pin(two_readers(log))),
    ("a waiting reader wakes up", |log| Box::pin(waiting_reader_wakes(log))),
    ("batches of one caller keep their order", |log| Box::pin(batches_keep_order(log))),
    ("committing alone is refused", |log| Box::pin(committing_alone(log))),
    ("appends are counted", |log| Box::pin(appends_are_counted(log))),
    ("the log answers a probe", |log| Box::pin(answers_a_probe(log))),
];

async fn whole_and_in_order(log: Log) {
    let topic = "whole-and-in-order";
    log.ensure_topics(&[deleting(topic, 3)]).await.unwrap();
    let timestamp_ms = now_ms();
    let full = Record {
        key: Bytes::from_static(b"w1.0f"),
        value: Bytes::from_static(&[0, 1, 2, 255]),
        headers: vec![
            ("ce_id".into(), "7".into()),
            ("ce_id".into(), "8".into()),
            ("empty".into(), Bytes::new()),
        ],
        timestamp_ms,
    };
    let bare = Record { timestamp_ms, ..Record::default() };
    let sent: Vec<Record> = (0..30).map(|i| if i % 2 == 0 { full.clone() } else { bare.clone() }).collect();

    append(&log, sent.iter().enumerate().map(|(i, r)| to(topic, i as u32 % 3, r.clone())).collect()).await;

    let records = read_all(&log, topic, 30).await;
    for partition in 0..3 {
        let ours: Vec<_> = records.iter().filter(|fetched| fetched.partition == partition).collect();
        let expected = sent.iter().skip(partition as usize).step_by(3);
        assert!(ours.iter().map(|fetched| &fetched.record).eq(expected), "partition {partition}: {ours:?}");
        assert!(ours.iter().map(|fetched| fetched.offset).eq(0..10), "partition {partition}: {ours:?}");
    }
    assert_eq!(log.end_offsets(topic).await.unwrap(), [10, 10, 10]);
}

async fn receipt_means_there(log: Log) {
    let topic = "receipt-means-there";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();

    in_time(log.append(Vec::new()).await.unwrap()).await.unwrap();
    append_values(&log, topic, 0, ["a".to_owned()]).await;

    assert_eq!(log.end_offsets(topic).await.unwrap(), [1]);
    assert_eq!(value(&read_all(&log, topic, 1).await[0]), "a");
}

async fn reading_starts(log: Log) {
    let topic = "reading-starts";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    append_values(&log, topic, 0, ["a".into(), "b".into(), "c".into()]).await;
    append_values(&log, topic, 1, ["x".into()]).await;

    let mut at_end = log.consume(all(topic, Start::End)).await.unwrap();
    let mut from = log.consume(all(topic, Start::Offsets(vec![2, 0]))).await.unwrap();
    append_values(&log, topic, 1, ["y".into()]).await;

    let mut records = read(&mut from, 3).await;
    records.sort_by_key(|fetched| (fetched.partition, fetched.offset));
    assert_eq!(places(&records), [(0, 2), (1, 0), (1, 1)]);
    assert_eq!(places(&read(&mut at_end, 1).await), [(1, 1)]);
    assert_quiet(&mut at_end).await;
    assert!(log.consume(all(topic, Start::Offsets(vec![0]))).await.is_err());
}

async fn group_goes_on(log: Log) {
    let topic = "group-goes-on";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    append_values(&log, topic, 0, (0..10).map(|i| i.to_string())).await;
    append_values(&log, topic, 1, (0..4).map(|i| i.to_string())).await;

    let mut first = log.consume(group(topic, "analyse")).await.unwrap();
    assert_eq!(assigned(&mut first, 2).await, [0, 1]);
    assert_eq!(read(&mut first, 14).await.len(), 14);
    first.commit(&[(0, 6)]).await.unwrap();
    drop(first);

    assert_eq!(log.committed(topic, "analyse").await.unwrap(), [Some(6), None]);
    let mut second = log.consume(group(topic, "analyse")).await.unwrap();
    assigned(&mut second, 2).await;
    let mut records = read(&mut second, 8).await;
    records.sort_by_key(|fetched| (fetched.partition, fetched.offset));
    assert_eq!(places(&records), [(0, 6), (0, 7), (0, 8), (0, 9), (1, 0), (1, 1), (1, 2), (1, 3)]);
    assert_quiet(&mut second).await;
}

async fn seek_before_first(log: Log) {
    let topic = "seek-before-first";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    append_values(&log, topic, 0, (0..5).map(|i| i.to_string())).await;
    append_values(&log, topic, 1, (0..5).map(|i| i.to_string())).await;

    let mut consumer = log.consume(group(topic, "analyse")).await.unwrap();
    assigned(&mut consumer, 2).await;
    consumer.seek(0, 4).unwrap();
    consumer.seek(1, 3).unwrap();

    let mut records = read(&mut consumer, 3).await;
    records.sort_by_key(|fetched| (fetched.partition, fetched.offset));
    assert_eq!(places(&records), [(0, 4), (1, 3), (1, 4)]);
    assert_quiet(&mut consumer).await;
}

async fn seek_back_and_forth(log: Log) {
    let topic = "seek-back-and-forth";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    for batch in 0..10 {
        append_values(&log, topic, 0, (0..10).map(|i| format!("{}", batch * 10 + i))).await;
    }
    let mut consumer = log.consume(all(topic, Start::Earliest)).await.unwrap();
    assert_eq!(read(&mut consumer, 15).await.len(), 15);

    consumer.seek(0, 90).unwrap();
    assert_eq!(value(&read(&mut consumer, 1).await[0]), "90");
    consumer.seek(0, 3).unwrap();
    let records = read(&mut consumer, 97).await;

    assert!(records.iter().map(|fetched| fetched.offset).eq(3..100));
    assert!(records.iter().all(|fetched| value(fetched) == fetched.offset.to_string()));
}

async fn newest_of_each_key(log: Log) {
    let topic = "newest-of-each-key";
    log.ensure_topics(&[compacted(topic, 2)]).await.unwrap();
    let empty = log.latest(topic).await.unwrap();
    assert!(empty.records.is_empty());
    assert_eq!(empty.positions, [0, 0]);

    append(
        &log,
        vec![
            to(topic, 0, record("a", "old")),
            to(topic, 0, record("a", "newer")),
            to(topic, 0, record("gone", "soon")),
            to(topic, 1, record("b", "only")),
        ],
    )
    .await;
    append(&log, vec![to(topic, 0, record("gone", "")), to(topic, 0, record("a", "newest"))]).await;
    append(&log, vec![to(topic, 1, record("back", "")), to(topic, 1, record("back", "again"))]).await;

    let mut latest = log.latest(topic).await.unwrap();
    latest.records.sort_by_key(|fetched| fetched.record.key.clone());
    let found: Vec<_> = latest.records.iter().map(|f| (f.partition, f.offset, value(f))).collect();
    assert_eq!(found, [(0, 4, "newest"), (1, 0, "only"), (1, 2, "again")]);
    assert_eq!(latest.positions, [5, 3]);

    let mut tail = log.consume(all(topic, Start::Offsets(latest.positions))).await.unwrap();
    append(&log, vec![to(topic, 0, record("a", "after"))]).await;
    assert_eq!(value(&read(&mut tail, 1).await[0]), "after");
}

async fn offsets_at_a_time(log: Log) {
    let topic = "offsets-at-a-time";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    let t0 = now_ms() - 10_000;
    for i in 0..10 {
        let at = Record { timestamp_ms: t0 + i * 100, ..record("k", "v") };
        append(&log, vec![to(topic, 0, at)]).await;
    }

    assert_eq!(log.offsets_at(topic, t0 - 1).await.unwrap(), [0, 0]);
    assert_eq!(log.offsets_at(topic, t0 + 300).await.unwrap(), [3, 0]);
    assert_eq!(log.offsets_at(topic, t0 + 301).await.unwrap(), [4, 0]);
    assert_eq!(log.offsets_at(topic, t0 + 901).await.unwrap(), [10, 0]);
}

async fn any_time(log: Log) {
    let topic = "any-time";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let year_ms = 365 * 24 * 3_600_000;
    let times = [now_ms() + year_ms, now_ms(), now_ms() - year_ms];
    append(
        &log,
        times.iter().map(|&at| to(topic, 0, Record { timestamp_ms: at, ..record("k", "v") })).collect(),
    )
    .await;

    let found: Vec<i64> =
        read_all(&log, topic, 3).await.iter().map(|fetched| fetched.record.timestamp_ms).collect();
    assert_eq!(found, times);
}

async fn topics_are_checked(log: Log) {
    let topic = "topics-are-checked";
    let retention = Duration::from_secs(3600);
    let both = TopicSpec {
        name: name("topics-are-checked-both"),
        partitions: 1,
        cleanup: Cleanup::CompactAndDelete { retention },
    };
    log.ensure_topics(&[deleting(topic, 2), both.clone()]).await.unwrap();
    append_values(&log, topic, 1, ["kept".into()]).await;
    log.ensure_topics(&[deleting(topic, 2), both]).await.unwrap();
    assert_eq!(value(&read_all(&log, topic, 1).await[0]), "kept");

    for (wrong, word) in [(deleting(topic, 3), "partitions"), (compacted(topic, 2), "ompact")] {
        match log.ensure_topics(&[wrong]).await {
            Err(Error::TopicMismatch { topic: named, detail }) => {
                assert_eq!(named, topic);
                assert!(detail.contains(word), "{detail}");
            }
            other => panic!("expected a mismatch, got {other:?}"),
        }
    }
}

async fn what_is_not_there(log: Log) {
    let topic = "what-is-not-there";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    let missing = |error: Error| match error {
        Error::NoPartition { topic, partition } => (topic, partition),
        other => panic!("expected a missing partition, got {other:?}"),
    };

    let batch = vec![to(topic, 0, record("k", "v")), to(topic, 2, record("k", "v"))];
    assert_eq!(missing(log.append(batch).await.err().unwrap()), (topic.to_owned(), 2));
    assert_eq!(log.end_offsets(topic).await.unwrap(), [0, 0]);
    let batch = vec![to("nowhere", 0, record("k", "v"))];
    assert_eq!(missing(log.append(batch).await.err().unwrap()).0, "nowhere");
    assert_eq!(missing(log.consume(all("nowhere", Start::End)).await.err().unwrap()).0, "nowhere");
    assert_eq!(missing(log.latest("nowhere").await.unwrap_err()).0, "nowhere");
    assert_eq!(missing(log.end_offsets("nowhere").await.unwrap_err()).0, "nowhere");
    assert_eq!(missing(log.offsets_at("nowhere", 0).await.unwrap_err()).0, "nowhere");
    let mut consumer = log.consume(all(topic, Start::End)).await.unwrap();
    assert_eq!(missing(consumer.seek(2, 0).unwrap_err()), (topic.to_owned(), 2));
}

async fn large_records(log: Log) {
    let topic = "large-records";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let large = Record { value: bytes(1_000_000), ..record("k", "") };
    append(&log, vec![to(topic, 0, large.clone())]).await;
    let records = read_all(&log, topic, 1).await;
    assert!(records[0].record == large, "a large record came back changed");

    let too_large = Record { value: bytes(20_000_000), ..record("k", "") };
    let detail = backend_detail(log.append(vec![to(topic, 0, too_large)]).await.err().unwrap());
    assert!(detail.contains(topic) && detail.contains("bytes"), "{detail}");
    append_values(&log, topic, 0, ["after".into()]).await;
    assert_eq!(log.end_offsets(topic).await.unwrap(), [2]);
}

async fn next_is_cancel_safe(log: Log) {
    let topic = "next-is-cancel-safe";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let mut consumer = log.consume(all(topic, Start::Earliest)).await.unwrap();
    let writer = tokio::spawn({
        let log = log.clone();
        async move {
            for i in 0..200 {
                append_values(&log, topic, 0, [i.to_string()]).await;
            }
        }
    });

    let mut records = Vec::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while records.len() < 200 {
        assert!(tokio::time::Instant::now() < deadline, "only {} records came", records.len());
        // Whichever comes first: most calls of `next` are given up half-way.
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            delivery = consumer.next(7) => {
                if let Delivery::Records(more) = delivery.unwrap() { records.extend(more) }
            }
        }
        if let Ok(Ok(Delivery::Records(more))) =
            tokio::time::timeout(Duration::from_micros(300), consumer.next(3)).await
        {
            records.extend(more);
        }
    }
    assert!(records.iter().map(|fetched| fetched.offset).eq(0..200), "{:?}", places(&records));
    writer.await.unwrap();
}

async fn two_readers(log: Log) {
    let topic = "two-readers";
    log.ensure_topics(&[deleting(topic, 2)]).await.unwrap();
    let mut fast = log.consume(all(topic, Start::Earliest)).await.unwrap();
    let mut slow = log.consume(all(topic, Start::Earliest)).await.unwrap();
    for partition in [0, 1] {
        append_values(&log, topic, partition, (0..50).map(|i| i.to_string())).await;
    }

    assert_eq!(read(&mut slow, 1).await.len(), 1);
    assert_eq!(read(&mut fast, 100).await.len(), 100);
    assert_eq!(read(&mut slow, 99).await.len(), 99);
}

async fn waiting_reader_wakes(log: Log) {
    let topic = "waiting-reader-wakes";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let mut consumer = log.consume(all(topic, Start::End)).await.unwrap();
    let waiting = tokio::spawn(async move { read(&mut consumer, 1).await });
    tokio::task::yield_now().await;

    append_values(&log, topic, 0, ["wake up".into()]).await;

    assert_eq!(value(&in_time(waiting).await.unwrap()[0]), "wake up");
}

async fn batches_keep_order(log: Log) {
    let topic = "batches-keep-order";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let mut receipts = Vec::new();
    for batch in 0..100 {
        let records = (0..20).map(|i| to(topic, 0, record("k", &(batch * 20 + i).to_string()))).collect();
        receipts.push(log.append(records).await.unwrap());
    }
    for receipt in receipts {
        in_time(receipt).await.unwrap();
    }

    let records = read_all(&log, topic, 2_000).await;
    assert!(records.iter().all(|fetched| value(fetched) == fetched.offset.to_string()));
}

async fn committing_alone(log: Log) {
    let topic = "committing-alone";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let mut consumer = log.consume(all(topic, Start::End)).await.unwrap();
    let detail = backend_detail(consumer.commit(&[(0, 0)]).await.unwrap_err());
    assert!(detail.contains("group"), "{detail}");
}

async fn answers_a_probe(log: Log) {
    log.probe(PATIENCE).await.unwrap();
}

async fn appends_are_counted(log: Log) {
    let topic = "appends-are-counted";
    log.ensure_topics(&[deleting(topic, 1)]).await.unwrap();
    let registry = prometheus::Registry::new();
    log.register_metrics(&registry).unwrap();
    let count = |name: &str| -> f64 {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name).expect("a registered metric");
        let metric = &family.get_metric()[0];
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    };
    let before = count("luong_eventlog_appended_records_total");

    let receipt = log.append((0..5).map(|_| to(topic, 0, record("k", "v"))).collect()).await.unwrap();
    let dropped = log.append(vec![to(topic, 0, record("k", "v"))]).await.unwrap();
    assert_eq!(count("luong_eventlog_waiting_batches"), 2.0);
    in_time(receipt).await.unwrap();
    drop(dropped);

    assert_eq!(count("luong_eventlog_appended_records_total") - before, 5.0);
    assert_eq!(count("luong_eventlog_waiting_batches"), 0.0);
    assert!(log.register_metrics(&registry).is_err(), "registered twice");
}
