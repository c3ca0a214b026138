//! What only the embedded log can show.

use std::fs;
use std::path::Path;

use eventlog::{Delivery, Error, Log, Start, local};
use futures_util::future::join_all;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::conformance::CHECKS;
use crate::support::*;

async fn open(dir: &Path) -> Log {
    Log::open_local(dir, local::Config::default()).await.unwrap()
}

async fn opened() -> (TempDir, Log) {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).await;
    (dir, log)
}

fn format_detail(outcome: Result<Log, Error>) -> String {
    match outcome {
        Err(Error::Format { path, detail }) => format!("{path}: {detail}"),
        Err(other) => panic!("expected a format error, got {other:?}"),
        Ok(_) => panic!("expected a format error, but the log opened"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_log_conforms() {
    let (_dir, log) = opened().await;
    for (name, check) in CHECKS {
        println!("{name}");
        check(log.clone()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_there_after_closing_and_opening() {
    let (dir, log) = opened().await;
    log.ensure_topics(&[deleting("observations", 2), compacted("states", 1)]).await.unwrap();
    append_values(&log, "observations", 1, (0..100).map(|i| i.to_string())).await;
    append(&log, vec![to("states", 0, record("a", "old")), to("states", 0, record("a", "new"))]).await;
    let mut consumer = log.consume(group("observations", "analyse")).await.unwrap();
    assigned(&mut consumer, 2).await;
    consumer.commit(&[(1, 40)]).await.unwrap();
    log.close().await.unwrap();

    let log = open(dir.path()).await;
    assert_eq!(log.end_offsets("observations").await.unwrap(), [0, 100]);
    assert_eq!(log.committed("observations", "analyse").await.unwrap(), [None, Some(40)]);
    assert_eq!(value(&log.latest("states").await.unwrap().records[0]), "new");
    append_values(&log, "observations", 1, ["100".into()]).await;
    let records = read_all(&log, "observations", 101).await;
    assert!(records.iter().all(|fetched| value(fetched) == fetched.offset.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_ends_everyone() {
    let (_dir, log) = opened().await;
    log.ensure_topics(&[deleting("t", 1)]).await.unwrap();
    let mut consumer = log.consume(all("t", Start::Earliest)).await.unwrap();
    let waiting = tokio::spawn(async move { consumer.next(1).await });
    let receipts: Vec<_> =
        join_all((0..100).map(|i| log.append(vec![to("t", 0, record("k", &i.to_string()))]))).await;
    log.close().await.unwrap();

    for receipt in receipts {
        in_time(receipt.unwrap()).await.unwrap();
    }
    match in_time(waiting).await.unwrap() {
        Ok(Delivery::Records(_)) | Err(Error::Closed) => {}
        other => panic!("expected the end, got {other:?}"),
    }
    assert!(matches!(log.append(vec![to("t", 0, record("k", "v"))]).await, Err(Error::Closed)));
    assert!(matches!(log.end_offsets("t").await, Err(Error::Closed)));
    assert!(matches!(log.probe(PATIENCE).await, Err(Error::Closed)));
    log.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_makes_appending_wait_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = local::Config { queue_bytes: 4_096, commit_bytes: 1_024, ..local::Config::default() };
    let log = Log::open_local(dir.path(), config).await.unwrap();
    log.ensure_topics(&[deleting("t", 4)]).await.unwrap();

    let appended = (0..400).map(|i| {
        let log = log.clone();
        tokio::spawn(async move { append_values(&log, "t", i % 4, (0..5).map(|_| "v".repeat(300))).await })
    });
    for outcome in join_all(appended).await {
        outcome.unwrap();
    }

    assert_eq!(log.end_offsets("t").await.unwrap(), [500; 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_opening_is_refused_in_words() {
    let (dir, log) = opened().await;
    let detail = format_detail(Log::open_local(dir.path(), local::Config::default()).await);
    assert!(detail.contains("another process has this log open"), "{detail}");
    log.close().await.unwrap();
    open(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_format_is_refused_in_words() {
    let (dir, log) = opened().await;
    log.close().await.unwrap();
    let format = dir.path().join("FORMAT");

    fs::write(&format, "luong eventlog, local format 2\n").unwrap();
    let detail = format_detail(Log::open_local(dir.path(), local::Config::default()).await);
    assert!(detail.contains("the log has format 2, this program reads format 1"), "{detail}");

    fs::write(&format, "something else").unwrap();
    let detail = format_detail(Log::open_local(dir.path(), local::Config::default()).await);
    assert!(detail.contains("FORMAT: this is not what a log's format file says"), "{detail}");

    fs::remove_file(&format).unwrap();
    let detail = format_detail(Log::open_local(dir.path(), local::Config::default()).await);
    assert!(detail.contains("no FORMAT file"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_store_is_refused_in_words() {
    let (dir, log) = opened().await;
    log.close().await.unwrap();
    fs::write(dir.path().join("store/version"), "FJLLL").unwrap();
    let detail = format_detail(Log::open_local(dir.path(), local::Config::default()).await);
    assert!(detail.contains("another version of fjall"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_half_made_is_made_again() {
    let (dir, log) = opened().await;
    log.close().await.unwrap();
    fs::rename(dir.path().join("store"), dir.path().join("store.new")).unwrap();
    let log = open(dir.path()).await;
    log.ensure_topics(&[deleting("t", 1)]).await.unwrap();
}

/// What the property test does to the log and to a plain list of lists.
#[derive(Clone, Debug)]
enum Step {
    Append { partition: u32, records: usize },
    Read { max: usize },
    Seek { partition: u32, share: f64 },
    Reopen,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3_u32, 1..40_usize).prop_map(|(partition, records)| Step::Append { partition, records }),
        8 => (1..30_usize).prop_map(|max| Step::Read { max }),
        4 => (0..3_u32, 0.0..=1.0).prop_map(|(partition, share)| Step::Seek { partition, share }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn the_log_behaves_like_a_list(steps in prop::collection::vec(any_step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(behave_like_a_list(steps));
    }
}

async fn behave_like_a_list(steps: Vec<Step>) {
    let (dir, mut log) = opened().await;
    log.ensure_topics(&[deleting("t", 3)]).await.unwrap();
    let mut model: [Vec<String>; 3] = Default::default();
    let mut positions = [0_usize; 3];
    let mut consumer = log.consume(all("t", Start::Earliest)).await.unwrap();
    for step in steps {
        match step {
            Step::Append { partition, records } => {
                let list = &mut model[partition as usize];
                let values: Vec<String> =
                    (list.len()..).take(records).map(|i| format!("{partition}/{i}")).collect();
                append_values(&log, "t", partition, values.clone()).await;
                list.extend(values);
            }
            Step::Read { max } => {
                let left = (0..3).any(|p| positions[p] < model[p].len());
                if !left {
                    continue;
                }
                let Delivery::Records(records) = in_time(consumer.next(max)).await.unwrap() else {
                    unreachable!()
                };
                assert!((1..=max).contains(&records.len()));
                for fetched in records {
                    let place = &mut positions[fetched.partition as usize];
                    assert_eq!(fetched.offset, *place as u64);
                    assert_eq!(value(&fetched), model[fetched.partition as usize][*place]);
                    *place += 1;
                }
            }
            Step::Seek { partition, share } => {
                let place = (model[partition as usize].len() as f64 * share) as usize;
                consumer.seek(partition, place as u64).unwrap();
                positions[partition as usize] = place;
            }
            Step::Reopen => {
                log.close().await.unwrap();
                log = open(dir.path()).await;
                let from = positions.map(|place| place as u64).to_vec();
                consumer = log.consume(all("t", Start::Offsets(from))).await.unwrap();
            }
        }
    }
    assert_eq!(log.end_offsets("t").await.unwrap(), model.map(|list| list.len() as u64));
}
