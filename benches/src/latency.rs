//! Publish -> gRPC delta at 10 k events/s through the whole service, and what `luong up` takes of memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use model::Timestamp;
use testbed::Program;
use wire::client::Connection;
use wire::v1;

use crate::fixture;
use crate::load::Publisher;
use crate::table::{Table, duration};

const EVENTS_PER_S: u64 = 10_000;
const SAMPLES: usize = 200;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    memory(table)?;
    latency(table)
}

/// The service's binary, beside this one.
fn service(arguments: &[&str], folder: &std::path::Path) -> Result<Program> {
    let binary = std::env::current_exe()?.with_file_name("luong");
    if !binary.is_file() {
        bail!("{} is not there; build it with cargo build --release -p luong", binary.display());
    }
    let mut all = vec!["up".to_owned(), "--data-dir".to_owned(), folder.display().to_string()];
    for key in ["mqtt.listen", "gateway.listen", "gateway.dashboard", "admin.listen"] {
        all.extend(["--set".to_owned(), format!("{key}=127.0.0.1:0")]);
    }
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    Ok(Program::spawn(binary, all)?)
}

fn address(service: &mut Program, what: &str) -> Result<String> {
    Ok(service.wait_for(PATIENCE, |line| Some(line.trim().strip_prefix(what)?.trim().to_owned()))?)
}

fn memory(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut up = service(&[], folder.path())?;
    address(&mut up, "gRPC")?;
    std::thread::sleep(Duration::from_secs(90));
    let status = std::fs::read_to_string(format!("/proc/{}/status", up.id()))?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells the peak")?;
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    table.figure(
        "`luong up` with the demo city, peak memory after 90 s",
        format!("{:.0} MB", kib / 1024.0),
        "300 MB",
    );
    Ok(())
}

fn latency(table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let city = fixture::city(10_000)?;
    let files = write_city(&city, folder.path())?;
    let [network, sensors] = &files;
    let arguments = ["--no-simulator", "--set", network, "--set", sensors];
    let mut up = service(&arguments, &folder.path().join("data"))?;
    let (mqtt, grpc) = (address(&mut up, "MQTT")?, address(&mut up, "gRPC")?);
    let stop = Arc::new(AtomicBool::new(false));
    let background = std::thread::spawn({
        let (mqtt, stop) = (mqtt.clone(), stop.clone());
        let links = city.network.links().len() as u32;
        move || steady(&mqtt, links, &stop)
    });
    let sampled = tokio::runtime::Runtime::new()?.block_on(sample(&city, &mqtt, &format!("http://{grpc}")));
    stop.store(true, Ordering::Relaxed);
    let sent = background.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))??;
    let mut delays = sampled?;
    delays.sort_by(f64::total_cmp);
    let (p50, p99) = (delays[SAMPLES / 2], delays[SAMPLES * 99 / 100]);
    let figure = format!("p50 {}, p99 {} at {sent:.0} events/s", duration(p50), duration(p99));
    table.figure("publish -> gRPC delta, 10 k links", figure, "p50 300 ms, p99 1 s");
    Ok(())
}

/// Publishes at a steady rate on all links but the first; returns the rate that was reached.
fn steady(mqtt: &str, links: u32, stop: &AtomicBool) -> Result<f64> {
    let mut publisher = Publisher::connect(mqtt, "steady")?;
    let (start, mut seq) = (Instant::now(), 0_u64);
    while !stop.load(Ordering::Relaxed) {
        let due = (start.elapsed().as_secs_f64() * EVENTS_PER_S as f64) as u64;
        let now = fixture::now();
        let batch: Vec<_> = (seq..due)
            .map(|seq| {
                let link = roadnet::LinkIndex(1 + (seq * 7_919 % u64::from(links - 1)) as u32);
                (fixture::topic(link), fixture::payload(seq, now))
            })
            .collect();
        seq = due.max(seq);
        publisher.publish(&batch, 20_000)?;
        std::thread::sleep(Duration::from_millis(5));
    }
    publisher.settle()?;
    Ok(seq as f64 / start.elapsed().as_secs_f64())
}

/// Publishes on the first link alone, and waits for the delta that rests on it.
async fn sample(city: &fixture::City, mqtt: &str, grpc: &str) -> Result<Vec<f64>> {
    let mut publisher = Publisher::connect(mqtt, "sampler")?;
    let link = roadnet::LinkIndex(0);
    let request = v1::WatchStateRequest::default();
    let mut updates = Connection::open(grpc).await?.traffic_state().watch_state(request).await?.into_inner();
    let id = city.network.link(link).id.to_string();
    let mut delays = Vec::with_capacity(SAMPLES);
    // Warm: the first seconds fill windows and caches.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for seq in 0..SAMPLES as u64 {
        let (at, start) = (fixture::now(), Instant::now());
        publisher.publish(&[(fixture::topic(link), fixture::payload(seq, at))], 100)?;
        loop {
            let update = updates.message().await?.context("the stream ended")?;
            if update.states.iter().any(|state| state.link_id == id && rests_on(state, at)) {
                break;
            }
            if start.elapsed() > PATIENCE {
                bail!("no delta of {id} within {PATIENCE:?}");
            }
        }
        delays.push(start.elapsed().as_secs_f64());
        // Not in step with the service's own ticks.
        tokio::time::sleep(Duration::from_millis(50 + seq * 37 % 250)).await;
    }
    Ok(delays)
}

/// Tells whether a state's newest observation is the one of `at`.
fn rests_on(state: &v1::LinkState, at: Timestamp) -> bool {
    let (Some(valid_at), Some(age_s)) = (&state.valid_at, state.age_s) else { return false };
    let valid_ms = valid_at.seconds * 1000 + i64::from(valid_at.nanos / 1_000_000);
    valid_ms - (age_s * 1000.0).round() as i64 >= at.as_millis() - 1
}

fn write_city(city: &fixture::City, folder: &std::path::Path) -> Result<[String; 2]> {
    let (network, sensors) = (folder.join("city.roadnet"), folder.join("sensors.csv"));
    city.network.write(std::fs::File::create(&network)?)?;
    let mut rows =
        "sensor_id,kind,link_id,offset_m,lane,lon,lat,heading_deg,length_m,period_s,format\n".to_owned();
    for sensor in city.registry.sensors() {
        let link = city.network.link(sensor.link.context("every loop has a link")?);
        rows.push_str(&format!(
            "{},loop,{},{:.1},,,,,0,30,native\n",
            sensor.id,
            link.id,
            link.length_m / 2.0
        ));
    }
    std::fs::write(&sensors, rows)?;
    Ok([format!("network.file={}", network.display()), format!("sensors.file={}", sensors.display())])
}
