//! How fast: run by a person, in release, on a quiet machine.
//! `cargo test -p ingest --release --test it -- --ignored --nocapture --test-threads 1 speed`

use std::hint::black_box;
use std::time::Instant;

use ingest::{ClockMode, Config, Encoding, ListenerConfig, Rules, decode};
use model::ReadingKind;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::city;
use crate::device::{connect, publish};
use crate::golden;
use crate::rig::Rig;

/// CPU time, because somebody else may be using the machine, too.
fn ns_each(rounds: u32, mut run: impl FnMut()) -> f64 {
    for _ in 0..rounds / 10 {
        run();
    }
    let cpu = cpu_s();
    for _ in 0..rounds {
        run();
    }
    (cpu_s() - cpu) * 1e9 / f64::from(rounds)
}

/// The least that a JSON parser does with our fields: the contract's example into plain fields.
#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only parsed")]
struct Floor<'a> {
    seq: u64,
    at: &'a str,
    period_s: f64,
    lane: u8,
    counts: FloorCounts,
    speed_kmh: f64,
    speed_mean: &'a str,
    occupancy: f64,
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only parsed")]
struct FloorCounts {
    motorcycle: u32,
    car: u32,
    bus: u32,
}

#[test]
#[ignore = "measures"]
fn speed_of_decoding_and_placing() {
    const ROUNDS: u32 = 1_000_000;
    let normaliser = city::normaliser(Rules::default(), ClockMode::Wall);
    for golden in golden::golden() {
        let kind = golden.reading.kind();
        let sensor = match kind {
            ReadingKind::Probe => "fleet",
            ReadingKind::TravelTime => "bt-2",
            _ => "loop-1",
        };
        let protobuf = golden::bytes(golden.protobuf_hex);
        let both = |encoding, bytes: &[u8]| {
            ns_each(ROUNDS, || {
                let event = decode(encoding, kind, black_box(bytes)).unwrap();
                black_box(normaliser.normalise(sensor, event, city::NOW).unwrap());
            })
        };
        let json = golden.json.as_bytes();
        let decoded =
            ns_each(ROUNDS, || drop(black_box(decode(Encoding::Json, kind, black_box(json)).unwrap())));
        let (whole, protobuf) = (both(Encoding::Json, json), both(Encoding::Protobuf, &protobuf));
        println!(
            "{:<12} {:>4} B: JSON decode {decoded:>5.0} ns, and placed {whole:>5.0} ns; protobuf {protobuf:>5.0} ns",
            kind.name(),
            json.len()
        );
    }
    let json = include_str!("golden/aggregate.json");
    let floor = ns_each(ROUNDS, || {
        black_box(sonic_rs::from_str::<Floor<'_>>(black_box(json)).unwrap());
    });
    println!("floor: the parser alone on aggregate {floor:.0} ns");
}

/// CPU seconds of this process.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime, in ticks of 10 ms.
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

#[test]
#[ignore = "measures"]
fn speed_of_the_listener_into_the_log() {
    for (connections, threads) in [(1, 1), (8, 1), (8, 2), (200, 2)] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        runtime.block_on(measure(connections, threads));
    }
}

async fn measure(connections: u64, threads: usize) {
    const MESSAGES: u64 = 1_000_000;
    let each = MESSAGES / connections;
    let listener = ListenerConfig { in_flight_messages: 20_000, ..ListenerConfig::default() };
    let rig = Rig::start(Config { listener, lanes: threads, ..Config::default() }).await;
    let mut bytes = Vec::new();
    for seq in 0..each {
        let at = city::NOW + -((seq % 1000) as i64);
        let payload = format!(
            r#"{{"seq":{seq},"at":"{at}","period_s":30,"lane":1,"counts":{{"motorcycle":41,"car":12,"bus":1}},"speed_kmh":27.4,"speed_mean":"time","occupancy":0.31}}"#
        );
        bytes.extend(publish(
            2,
            b"luong/v1/loop-1/aggregate",
            Some((seq % 65_535 + 1) as u16),
            payload.as_bytes(),
        ));
    }
    let bytes: &'static [u8] = bytes.leak();
    let (started, cpu) = (Instant::now(), cpu_s());
    let mut devices = JoinSet::new();
    for number in 0..connections {
        let address = rig.address;
        devices.spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&connect(4, 0, &number.to_string())).await.unwrap();
            let (mut reader, mut writer) = stream.into_split();
            let writing = tokio::spawn(async move { writer.write_all(bytes).await.map(|()| writer) });
            let mut answers = vec![0; 64 * 1024];
            let mut left = 4 * (each as usize + 1);
            while left > 0 {
                left -= reader.read(&mut answers).await.unwrap();
            }
            writing.await.unwrap().unwrap();
        });
    }
    while let Some(done) = devices.join_next().await {
        done.unwrap();
    }
    let (s, cpu) = (started.elapsed().as_secs_f64(), cpu_s() - cpu);
    println!(
        "{connections:>4} connections, {threads} threads: {:>8.0} events/s acknowledged, {:.2} us CPU each, devices included",
        (each * connections) as f64 / s,
        cpu * 1e6 / (each * connections) as f64
    );
    rig.stop().await;
}
