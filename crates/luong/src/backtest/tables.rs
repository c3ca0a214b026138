//! The two files that a backtest writes.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use congestion::Analyzer;
use flate2::Compression;
use flate2::write::GzEncoder;
use model::{HeadKind, LinkState, SensorId, Timestamp, TrafficEvent};
use serde::Serialize;

use crate::output::Output;

const COLUMNS: [&str; 16] = [
    "at",
    "link_id",
    "speed_kmh",
    "speed_lo_kmh",
    "speed_hi_kmh",
    "flow_vph",
    "flow_pcuph",
    "flow_mcuph",
    "density_vpkm",
    "travel_time_s",
    "delay_s",
    "queue_m",
    "los",
    "congested",
    "source",
    "age_s",
];

/// A file, packed when its name ends in `.gz`.
enum Sink {
    Plain(Output),
    Packed(GzEncoder<Output>),
}

impl Sink {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = Output::create(path)?;
        Ok(if path.extension().is_some_and(|e| e == "gz") {
            Self::Packed(GzEncoder::new(file, Compression::default()))
        } else {
            Self::Plain(file)
        })
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.finish(),
            Self::Packed(packed) => packed.finish()?.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Packed(packed) => packed.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Packed(packed) => packed.flush(),
        }
    }
}

/// STATES.csv.
pub(super) struct States {
    csv: csv::Writer<Sink>,
    rows: u64,
}

impl States {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let mut csv = csv::Writer::from_writer(Sink::create(path)?);
        csv.write_record(COLUMNS)?;
        Ok(Self { csv, rows: 0 })
    }

    /// Writes one row a link.
    pub(super) fn write(&mut self, at: Timestamp, analyzer: &Analyzer) -> anyhow::Result<()> {
        let at = at.to_string();
        for state in analyzer.snapshot() {
            self.csv.write_record(row(&at, &state))?;
            self.rows += 1;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> anyhow::Result<u64> {
        let sink = self.csv.into_inner().map_err(|error| error.into_error());
        sink.and_then(Sink::finish).context("can't write the states")?;
        Ok(self.rows)
    }
}

/// What is not known is empty.
fn row(at: &str, state: &LinkState) -> [String; 16] {
    let number = |value: Option<f32>| value.map(|v| v.to_string()).unwrap_or_default();
    [
        at.to_owned(),
        state.link.to_string(),
        number(state.speed_kmh),
        number(state.speed_lo_kmh),
        number(state.speed_hi_kmh),
        number(state.flow_vph),
        number(state.flow_pcuph),
        number(state.flow_mcuph),
        number(state.density_vpkm),
        number(state.travel_time_s),
        number(state.delay_s),
        number(state.queue_m),
        state.level_of_service.map(|level| level.to_string()).unwrap_or_default(),
        state.congested.map(|congested| congested.to_string()).unwrap_or_default(),
        state.source.name().to_owned(),
        number(state.age_s),
    ]
}

/// EVENTS.ndjson.
pub(super) struct Events {
    sink: Sink,
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    id: &'a str,
    r#type: &'static str,
    change: &'static str,
    link_id: Option<&'a str>,
    head_link_id: Option<&'a str>,
    links: Vec<&'a str>,
    sensor_id: Option<&'a str>,
    queue_m: Option<f32>,
    delay_veh_h: Option<f32>,
    delay_person_h: Option<f32>,
    growth_m_per_min: Option<f32>,
    head_kind: Option<&'static str>,
    blocks_in_s: Option<f32>,
    confidence: Option<f32>,
    detail: &'a str,
}

impl Events {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        Ok(Self { sink: Sink::create(path)? })
    }

    /// Writes one line a change.
    pub(super) fn write(&mut self, events: &[TrafficEvent]) -> anyhow::Result<()> {
        for event in events {
            serde_json::to_writer(&mut self.sink, &line(event))?;
            self.sink.write_all(b"\n")?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.sink.finish()
    }
}

fn line(event: &TrafficEvent) -> Line<'_> {
    Line {
        at: event.at.to_string(),
        id: &event.id,
        r#type: event.kind.name(),
        change: event.change.name(),
        link_id: event.link.as_ref().map(|link| link.as_str()),
        head_link_id: event.head_link.as_ref().map(|link| link.as_str()),
        links: event.links.iter().map(|link| link.as_str()).collect(),
        sensor_id: event.sensor.as_ref().map(SensorId::as_str),
        queue_m: event.queue_m,
        delay_veh_h: event.delay_veh_h,
        delay_person_h: event.delay_person_h,
        growth_m_per_min: event.growth_m_per_min,
        head_kind: event.head_kind.map(HeadKind::name),
        blocks_in_s: event.blocks_in_s,
        confidence: event.confidence,
        detail: &event.detail,
    }
}
