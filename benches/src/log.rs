//! The embedded log alone, beside a file that is written and synced.

use std::fs::File;
use std::io::Write as _;

use anyhow::Result;
use bytes::Bytes;
use eventlog::{Append, Cleanup, Log, Record, TopicSpec};
use roadnet::LinkIndex;

use crate::fixture;
use crate::table::{Table, median_of};

const BATCHES: usize = 200;
const BATCH: usize = 1_000;
const PARTITIONS: u32 = 8;

/// The topic's settings that both kinds of log are measured with.
pub(crate) fn topic(name: &str) -> TopicSpec {
    let week = std::time::Duration::from_secs(7 * 86_400);
    TopicSpec { name: name.into(), partitions: PARTITIONS, cleanup: Cleanup::Delete { retention: week } }
}

/// Observations as they stand in the log.
pub(crate) fn batches(count: usize) -> Result<Vec<Vec<Append>>> {
    let city = fixture::city(10_000)?;
    let links = city.network.links().len() as u32;
    let now = fixture::now();
    let one = |seq: usize| {
        let link = LinkIndex(seq as u32 % links);
        let observation = fixture::observation(&city.network, link, seq as u64, now);
        Append {
            topic: wire::topic::OBSERVATIONS.into(),
            partition: city.network.partition(link, PARTITIONS),
            record: Record {
                key: Bytes::copy_from_slice(observation.link.as_str().as_bytes()),
                value: wire::encode_observation(&observation),
                headers: Vec::new(),
                timestamp_ms: now.as_millis(),
            },
        }
    };
    Ok((0..count).map(|batch| (0..BATCH).map(|i| one(batch * BATCH + i)).collect()).collect())
}

/// Appends all, many in flight, and waits until all is durable.
pub(crate) async fn append_all(log: &Log, batches: &[Vec<Append>]) -> Result<()> {
    let mut receipts = Vec::with_capacity(batches.len());
    for batch in batches {
        receipts.push(log.append(batch.clone()).await?);
    }
    for receipt in receipts {
        receipt.await?;
    }
    Ok(())
}

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let batches = batches(BATCHES)?;
    let folder = tempfile::tempdir()?;
    let log =
        runtime.block_on(Log::open_local(&folder.path().join("log"), eventlog::local::Config::default()))?;
    runtime.block_on(log.ensure_topics(&[topic(wire::topic::OBSERVATIONS)]))?;
    let ours = median_of(BATCHES * BATCH, || {
        runtime.block_on(append_all(&log, &batches)).expect("the disk has room");
    });
    let mut file = File::create(folder.path().join("floor"))?;
    let floor = median_of(BATCHES * BATCH, || {
        for batch in &batches {
            let bytes: Vec<u8> = batch.iter().flat_map(|a| a.record.value.iter().copied()).collect();
            file.write_all(&bytes).and_then(|()| file.sync_data()).expect("the disk has room");
        }
    });
    table.time(
        "append to the local log, a record (batches of 1,000)",
        ours,
        Some(("write + fdatasync", floor)),
        "-",
    );
    Ok(())
}
