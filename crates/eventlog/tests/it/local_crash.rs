//! The embedded log and sudden ends: SIGKILL, torn and broken journals, a disk that says no.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eventlog::{Error, Log, local};
use proptest::prelude::*;

use crate::support::*;

/// Names the directory for the child process.
const DIRECTORY: &str = "EVENTLOG_CRASH_TEST_DIRECTORY";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in 0..5 {
        acknowledged.extend(append_until_killed(dir.path(), 40 + 60 * round));
    }

    let log = Log::open_local(dir.path(), local::Config::default()).await.unwrap();
    let ends = log.end_offsets("t").await.unwrap();
    let records = read_all(&log, "t", ends.iter().sum::<u64>() as usize).await;
    for partition in 0..3 {
        let offsets =
            records.iter().filter(|fetched| fetched.partition == partition).map(|fetched| fetched.offset);
        assert!(offsets.eq(0..ends[partition as usize]), "offsets of partition {partition} have gaps");
    }
    let found: BTreeSet<&str> = records.iter().map(value).collect();
    assert_eq!(found.len(), records.len(), "a record is there twice");
    let lost: Vec<_> = acknowledged.iter().filter(|value| !found.contains(value.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
    let newest = log.latest("newest").await.unwrap();
    assert_eq!(newest.positions, log.end_offsets("newest").await.unwrap());
}

/// Runs the child below until it has had `enough` batches acknowledged, kills it, and returns what was acknowledged.
fn append_until_killed(dir: &Path, enough: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["local_crash::child_that_appends", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut killed = false;
    let mut batches = 0;
    // Also what it managed to say between our decision and its end.
    while let Some(Ok(line)) = lines.next() {
        let Some((_, values)) = line.split_once("acknowledged ") else { continue };
        // The last line may be cut short by the kill: it ends with a full stop only when it is whole.
        let Some(values) = values.strip_suffix(" .") else { continue };
        acknowledged.extend(values.split(' ').map(str::to_owned));
        batches += 1;
        if batches >= enough && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    assert!(killed, "the child ended by itself after {batches} batches");
    child.wait().unwrap();
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the child process of a_killed_process_loses_nothing_that_was_acknowledged"]
async fn child_that_appends() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let config = local::Config { segment_bytes: 100_000, ..local::Config::default() };
    let log = Log::open_local(Path::new(&dir), config).await.unwrap();
    log.ensure_topics(&[deleting("t", 3), compacted("newest", 1)]).await.unwrap();
    let run = std::process::id();
    let mut writers = Vec::new();
    for writer in 0..4 {
        let log = log.clone();
        writers.push(tokio::spawn(async move {
            for batch in 0.. {
                let values: Vec<String> = (0..7).map(|i| format!("{run}/{writer}/{batch}/{i}")).collect();
                let mut appends: Vec<_> =
                    (0..).zip(&values).map(|(i, v)| to("t", i % 3, record("k", v))).collect();
                appends.push(to("newest", 0, record(&format!("{writer}"), &values[0])));
                append(&log, appends).await;
                let line = format!("\nacknowledged {} .\n", values.join(" "));
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

/// A log of 20 acknowledged batches of 10 records, and the journal that holds them.
async fn log_with_a_journal(dir: &Path) -> PathBuf {
    let log = Log::open_local(dir, local::Config::default()).await.unwrap();
    log.ensure_topics(&[deleting("t", 1)]).await.unwrap();
    for batch in 0..20 {
        append_values(&log, "t", 0, (0..10).map(|i| (batch * 10 + i).to_string())).await;
    }
    log.close().await.unwrap();
    // A crash has no time for a last watermark.
    fs::remove_file(dir.join("WATERMARK")).unwrap();
    let mut journals: Vec<PathBuf> = fs::read_dir(dir.join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .collect();
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

fn end_of(journal: &[u8]) -> usize {
    journal.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, ..ProptestConfig::default() })]

    #[test]
    fn a_torn_journal_opens_with_whole_batches(torn in 1..3_000_usize, garbage in prop::collection::vec(any::<u8>(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(open_after(|journal| {
            let end = end_of(journal) - torn;
            journal.truncate(end);
            journal.extend_from_slice(&garbage);
        }, |end| (0..200).contains(&end) && end % 10 == 0));
    }

    #[test]
    fn a_garbled_last_batch_is_cut_off(back in 1..150_usize, flip in 1..=255_u8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(open_after(|journal| {
            let at = end_of(journal) - back;
            journal[at] ^= flip;
        }, |end| end == 190));
    }
}

async fn open_after(damage: impl FnOnce(&mut Vec<u8>), expected: impl FnOnce(u64) -> bool) {
    let dir = tempfile::tempdir().unwrap();
    let journal = log_with_a_journal(dir.path()).await;
    let mut bytes = fs::read(&journal).unwrap();
    damage(&mut bytes);
    fs::write(&journal, bytes).unwrap();

    let log = Log::open_local(dir.path(), local::Config::default()).await.unwrap();
    let end = log.end_offsets("t").await.unwrap()[0];
    assert!(expected(end), "the log ends at {end}");
    append_values(&log, "t", 0, [end.to_string()]).await;
    let records = read_all(&log, "t", end as usize + 1).await;
    assert!(records.iter().all(|fetched| value(fetched) == fetched.offset.to_string()));
    log.close().await.unwrap();
    // What was appended after the damage is there after one more opening.
    let log = Log::open_local(dir.path(), local::Config::default()).await.unwrap();
    assert_eq!(log.end_offsets("t").await.unwrap(), [end + 1]);
}

async fn refusal(dir: &Path) -> String {
    match Log::open_local(dir, local::Config::default()).await {
        Err(Error::Format { path, detail }) => format!("{path}: {detail}"),
        Err(other) => panic!("expected a format error, got {other:?}"),
        Ok(_) => panic!("expected a format error, but the log opened"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_journal_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let journal = log_with_a_journal(dir.path()).await;
    let mut bytes = fs::read(&journal).unwrap();
    let middle = end_of(&bytes) / 2;
    bytes[middle..middle + 8].fill(0);
    fs::write(&journal, bytes).unwrap();

    let detail = refusal(dir.path()).await;
    assert!(detail.contains("the journal is broken at byte"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_ends_before_its_watermark_is_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let journal = log_with_a_journal(dir.path()).await;
    fs::write(dir.path().join("WATERMARK"), "t\t200\n").unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    bytes.truncate(end_of(&bytes) / 2);
    fs::write(&journal, bytes).unwrap();

    let detail = refusal(dir.path()).await;
    assert!(
        detail.contains("topic t partition 0 ends at offset") && detail.contains("durable up to 200"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_says_no_fails_the_receipt_and_all_that_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open_local(dir.path(), local::Config::default()).await.unwrap();
    log.ensure_topics(&[deleting("a", 1), deleting("b", 1)]).await.unwrap();
    append_values(&log, "a", 0, ["durable".into()]).await;
    // The first record of a topic needs a new folder; where folders go there is a file now.
    let keyspaces = dir.path().join("store/keyspaces");
    fs::rename(&keyspaces, dir.path().join("away")).unwrap();
    fs::write(&keyspaces, "").unwrap();

    let receipt = log.append(vec![to("b", 0, record("k", "v"))]).await.unwrap();
    let detail = backend_detail(in_time(receipt).await.unwrap_err());
    assert!(detail.contains("the log takes nothing more"), "{detail}");
    let detail = backend_detail(log.append(vec![to("a", 0, record("k", "v"))]).await.err().unwrap());
    assert!(detail.contains("the log takes nothing more"), "{detail}");
    let detail = backend_detail(log.probe(PATIENCE).await.unwrap_err());
    assert!(detail.contains("the log takes nothing more"), "{detail}");
    drop(log);

    // Mended and opened again, what was acknowledged is there.
    fs::remove_file(&keyspaces).unwrap();
    fs::rename(dir.path().join("away"), &keyspaces).unwrap();
    let log = open_when_free(dir.path()).await;
    assert_eq!(value(&read_all(&log, "a", 1).await[0]), "durable");
}

/// The threads of a log that was dropped, not closed, end a little later.
async fn open_when_free(dir: &Path) -> Log {
    let mut attempts = 0;
    loop {
        match Log::open_local(dir, local::Config::default()).await {
            Err(Error::Format { detail, .. }) if detail.contains("another process") && attempts < 300 => {
                attempts += 1
            }
            outcome => return outcome.unwrap(),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}
