//! The gateway: a snapshot of 100 k links beside encoding and copying it, and what one more watcher costs.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use eventlog::{Append, Cleanup, Log, Record, TopicSpec};
use gateway::{Gateway, Parts};
use model::{LinkState, Source};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_util::sync::CancellationToken;
use wire::client::Connection;
use wire::v1;

use crate::fixture::{self, City};
use crate::pipeline::Measured;
use crate::table::{Table, median_of};

const LINKS: usize = 100_000;
const PARTITIONS: u32 = 8;
const WATCHERS: usize = 50;
const TICKS: usize = 300;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(measure_in(table))
}

async fn measure_in(table: &mut Table) -> Result<()> {
    let city = fixture::city(LINKS)?;
    let folder = tempfile::tempdir()?;
    let mut process = Measured::start(&["--gateway", &folder.path().join("log").display().to_string()])?;
    let address = format!("http://{}", process.address);
    snapshot(table, &address, &states(&city, 0)).await?;
    watchers(table, &address, &mut process).await
}

/// Runs a gateway over a log of its own; each line of standard input is a tick. Until standard input ends.
pub(crate) fn measured_process(log: &str) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(gateway_until_told(log))
}

async fn gateway_until_told(log: &str) -> Result<()> {
    let city = fixture::city(LINKS)?;
    let log = Log::open_local(log.as_ref(), eventlog::local::Config::default()).await?;
    let topic =
        |name: &str| TopicSpec { name: name.into(), partitions: PARTITIONS, cleanup: Cleanup::Compact };
    log.ensure_topics(&[
        topic(wire::topic::LINK_STATES),
        topic(wire::topic::FORECASTS),
        topic(wire::topic::EVENTS),
        topic(wire::topic::OBSERVATIONS),
    ])
    .await?;
    append(&log, &city, &states(&city, 0)).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let gateway = start(&city, &log, listener, stop.clone())?;
    while gateway.status().links_known < city.network.links().len() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    writeln!(std::io::stdout(), "{address}")?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut round = 0;
    while lines.next_line().await?.is_some() {
        round += 1;
        let changed: Vec<_> = states(&city, round).into_iter().step_by(1_000).collect();
        append(&log, &city, &changed).await?;
    }
    stop.cancel();
    gateway.stopped().await;
    Ok(log.close().await?)
}

fn start(
    city: &City,
    log: &Log,
    grpc: tokio::net::TcpListener,
    shutdown: CancellationToken,
) -> Result<Gateway> {
    let parts = Parts {
        log: log.clone(),
        network: city.network.clone(),
        registry: city.registry.clone(),
        grpc: Some(grpc),
        dashboard: None,
        clock: Arc::new(fixture::now),
        metrics: prometheus::Registry::new(),
        shutdown,
    };
    Ok(Gateway::start(gateway::Config::default(), parts)?)
}

async fn snapshot(table: &mut Table, address: &str, states: &[LinkState]) -> Result<()> {
    let connection = Connection::open(address).await?;
    let mut runs = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        let mut chunks =
            connection.traffic_state().get_snapshot(v1::GetSnapshotRequest::default()).await?.into_inner();
        let mut links = 0;
        while let Some(chunk) = chunks.message().await? {
            links += chunk.states.len();
        }
        assert_eq!(links, states.len(), "a snapshot holds every link");
        runs.push(start.elapsed().as_secs_f64());
    }
    runs.sort_by(f64::total_cmp);
    let floor = median_of(1, || {
        let all: Vec<u8> = states.iter().flat_map(|state| wire::encode_link_state(state).to_vec()).collect();
        std::hint::black_box(all);
    });
    let what = "snapshot of 100 k links, over TCP, decoded by the client";
    table.time(what, runs[2], Some(("encode + memcpy", floor)), "5 x");
    Ok(())
}

/// CPU time of the gateway's process with many watchers, less that with one, for each watcher and tick.
async fn watchers(table: &mut Table, address: &str, process: &mut Measured) -> Result<()> {
    let few = ticks(address, process, 1).await?;
    let many = ticks(address, process, WATCHERS).await?;
    let each = (many - few) / ((WATCHERS - 1) * TICKS) as f64;
    table.time(
        "one more watcher, a tick of 100 changed links, the gateway's CPU",
        each,
        None,
        "8 µs a frame",
    );
    Ok(())
}

async fn ticks(address: &str, process: &mut Measured, watchers: usize) -> Result<f64> {
    let mut streams = Vec::new();
    for _ in 0..watchers {
        let connection = Connection::open(address).await?;
        let request = v1::WatchStateRequest::default();
        let mut stream = connection.traffic_state().watch_state(request).await?.into_inner();
        while !stream.message().await?.is_some_and(|update| update.complete) {}
        streams.push((connection, stream));
    }
    let before = process.cpu_s()?;
    for _ in 0..TICKS {
        process.tell("tick")?;
        for (_, stream) in &mut streams {
            while stream.message().await?.is_some_and(|update| update.states.is_empty()) {}
        }
    }
    Ok(process.cpu_s()? - before)
}

fn states(city: &City, round: usize) -> Vec<LinkState> {
    let at = fixture::now();
    let state = |(i, link): (usize, &roadnet::Link)| LinkState {
        speed_kmh: Some(((i + round * 7) % 60) as f32 + 0.5),
        speed_lo_kmh: Some(10.0),
        speed_hi_kmh: Some(60.0),
        free_flow_speed_kmh: Some(50.0),
        flow_vph: Some(800.0),
        flow_pcuph: Some(400.0),
        flow_mcuph: Some(1_500.0),
        density_vpkm: Some(20.0),
        travel_time_s: Some(12.5),
        delay_s: Some(3.25),
        queue_m: Some(0.0),
        congested: Some(false),
        source: Source::Observed,
        age_s: Some(4.0),
        ..LinkState::unknown(link.id.clone(), at)
    };
    city.network.links().iter().enumerate().map(state).collect()
}

async fn append(log: &Log, city: &City, states: &[LinkState]) -> Result<()> {
    let records = states.iter().map(|state| {
        let link = city.network.find(state.link.as_str()).expect("a link of this city");
        Append {
            topic: wire::topic::LINK_STATES.into(),
            partition: city.network.partition(link, PARTITIONS),
            record: Record {
                key: Bytes::copy_from_slice(state.link.as_str().as_bytes()),
                value: wire::encode_link_state(state),
                headers: Vec::new(),
                timestamp_ms: state.valid_at.as_millis(),
            },
        }
    });
    Ok(log.append(records.collect()).await?.await?)
}
