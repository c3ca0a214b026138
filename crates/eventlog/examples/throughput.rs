//! How many records of 150 bytes a second the embedded log takes, in batches of 1,000, each awaited until it is durable:
//! `cargo run --release -p eventlog --example throughput -- DIRECTORY [SECONDS]`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use eventlog::{Append, Cleanup, Delivery, Log, Record, Start, Subscription, TopicSpec, local};

const BATCH: usize = 1_000;
const PARTITIONS: u32 = 8;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the figures are the example's result")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir: PathBuf = arguments.next().ok_or("name a directory")?.into();
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;
    let log = Log::open_local(&dir, local::Config::default()).await?;
    let retention = Duration::from_secs(3_600);
    let spec = |name: &str, cleanup| TopicSpec { name: name.into(), partitions: PARTITIONS, cleanup };
    log.ensure_topics(&[spec("deleted", Cleanup::Delete { retention }), spec("compacted", Cleanup::Compact)])
        .await?;
    for topic in ["deleted", "compacted"] {
        for callers in [1, 8] {
            let start = Instant::now();
            let cpu = cpu_seconds()?;
            let until = start + Duration::from_secs(seconds);
            let work: Vec<_> =
                (0..callers).map(|_| tokio::spawn(append_until(log.clone(), topic, until))).collect();
            let mut records = 0;
            for caller in work {
                records += caller.await??;
            }
            let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
            println!(
                "{topic}, {callers} callers: {:.0} records/s, {:.2} CPU µs a record",
                records as f64 / wall,
                cpu * 1e6 / records as f64
            );
        }
    }
    let start = Instant::now();
    let records = read_all(&log, "deleted").await?;
    println!("read back: {:.0} records/s", records as f64 / start.elapsed().as_secs_f64());
    let start = Instant::now();
    let keys = log.latest("compacted").await?.records.len();
    println!("newest of {keys} keys: {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    log.close().await?;
    Ok(())
}

async fn append_until(log: Log, topic: &'static str, until: Instant) -> Result<usize, eventlog::Error> {
    let mut records = 0;
    while Instant::now() < until {
        let batch = (records..records + BATCH).map(|i| append(topic, i)).collect();
        log.append(batch).await?.await?;
        records += BATCH;
    }
    Ok(records)
}

fn append(topic: &str, i: usize) -> Append {
    let key = format!("w{:08}.1f", i % 20_000);
    let record = Record {
        key: key.into(),
        value: vec![i as u8; 130].into(),
        headers: Vec::new(),
        timestamp_ms: i as i64,
    };
    Append { topic: topic.into(), partition: i as u32 % PARTITIONS, record }
}

async fn read_all(log: &Log, topic: &str) -> Result<u64, eventlog::Error> {
    let end: u64 = log.end_offsets(topic).await?.iter().sum();
    let mut consumer = log.consume(Subscription::All { topic: topic.into(), start: Start::Earliest }).await?;
    let mut read = 0;
    while read < end {
        if let Delivery::Records(records) = consumer.next(10_000).await? {
            read += records.len() as u64;
        }
    }
    Ok(read)
}

/// Of the whole process, user and system; clock ticks are 10 ms on Linux.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
