//! What the gateway counts.

use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::book::Entered;
use crate::picture::Offered;

/// All metrics of the gateway; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    state_watchers: IntGauge,
    event_watchers: IntGauge,
    connections: IntGauge,
    frames: IntCounter,
    bytes: IntCounter,
    conflated: IntCounter,
    links_known: IntGauge,
    events_open: IntGauge,
    forecasts_known: IntGauge,
    freshness: Gauge,
    commits: IntCounter,
    delay: Histogram,
    records: IntCounterVec,
    log_errors: IntCounter,
}

/// A watcher, counted as long as it lives.
pub(crate) struct Watching(IntGauge);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| register(registry, IntGauge::new(name, help)?);
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let delay = HistogramOpts::new(
            "luong_gateway_state_delay_seconds",
            "From the newest instant that a commit speaks of to the commit.",
        )
        .buckets(vec![0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0]);
        let records =
            Opts::new("luong_gateway_records_total", "Records read from the log, by what became of them.");
        Ok(Self {
            state_watchers: gauge("luong_gateway_state_watchers", "Open WatchState streams.")?,
            event_watchers: gauge("luong_gateway_event_watchers", "Open WatchEvents streams.")?,
            connections: gauge("luong_gateway_connections", "Open connections.")?,
            frames: counter("luong_gateway_frames_total", "Link state messages given to clients.")?,
            bytes: counter("luong_gateway_frame_bytes_total", "Bytes of these messages.")?,
            conflated: counter(
                "luong_gateway_conflated_commits_total",
                "Commits that a watcher got together with a later one, because it was slow or asked for an interval.",
            )?,
            links_known: gauge("luong_gateway_links_known", "Links of which a state is known.")?,
            events_open: gauge("luong_gateway_events_open", "Events that are open.")?,
            forecasts_known: gauge("luong_gateway_forecasts_known", "Links of which there is a forecast.")?,
            freshness: register(
                registry,
                Gauge::new(
                    "luong_gateway_freshness_seconds",
                    "Age of the newest link state; -1 = none is known.",
                )?,
            )?,
            commits: counter(
                "luong_gateway_commits_total",
                "Steps from one picture of the links to the next.",
            )?,
            delay: register(registry, Histogram::with_opts(delay)?)?,
            records: register(registry, IntCounterVec::new(records, &["outcome"])?)?,
            log_errors: counter("luong_gateway_log_errors_total", "Failed attempts to read the log.")?,
        })
    }

    pub(crate) fn watching_states(&self) -> Watching {
        counted(&self.state_watchers)
    }

    pub(crate) fn watching_events(&self) -> Watching {
        counted(&self.event_watchers)
    }

    pub(crate) fn connected(&self) -> Watching {
        counted(&self.connections)
    }

    pub(crate) fn frame_sent(&self, bytes: usize) {
        self.frames.inc();
        self.bytes.inc_by(bytes as u64);
    }

    pub(crate) fn conflated(&self, commits: u64) {
        self.conflated.inc_by(commits);
    }

    pub(crate) fn links_committed(&self, known: usize, delay_s: Option<f64>) {
        self.commits.inc();
        self.links_known.set(known as i64);
        if let Some(delay_s) = delay_s {
            self.delay.observe(delay_s.max(0.0));
        }
    }

    pub(crate) fn events_committed(&self, open: usize) {
        self.events_open.set(open as i64);
    }

    pub(crate) fn forecasts_committed(&self, known: usize) {
        self.forecasts_known.set(known as i64);
    }

    pub(crate) fn set_freshness(&self, seconds: Option<f64>) {
        self.freshness.set(seconds.unwrap_or(-1.0));
    }

    pub(crate) fn log_failed(&self) {
        self.log_errors.inc();
    }

    pub(crate) fn state_record(&self, outcome: Offered) {
        let outcome = match outcome {
            Offered::Taken => "taken",
            Offered::Repeated => "repeated",
            Offered::UnknownLink => "unknown_link",
            Offered::Broken => "broken",
        };
        self.records.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn event_record(&self, outcome: Entered) {
        let outcome = match outcome {
            Entered::Taken => "taken",
            Entered::Repeated => "repeated",
            Entered::Broken => "broken",
        };
        self.records.with_label_values(&[outcome]).inc();
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn counted(gauge: &IntGauge) -> Watching {
    gauge.inc();
    Watching(gauge.clone())
}
