//! What the role counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use model::Timestamp;
use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

pub(super) struct Metrics {
    pub(super) observations: IntCounter,
    pub(super) undecodable: IntCounter,
    pub(super) states: IntCounter,
    pub(super) forecasts: IntCounter,
    pub(super) events: IntCounterVec,
    pub(super) repeated: IntCounter,
    pub(super) checkpoints: IntCounter,
    pub(super) from_the_future: IntCounter,
    complained: AtomicU64,
    advance: Histogram,
    log_time: Gauge,
}

impl Metrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let events = IntCounterVec::new(
            Opts::new(
                "luong_analyse_events_total",
                "Changes of events appended to the log, by kind of event.",
            ),
            &["kind"],
        )?;
        let advance = Histogram::with_opts(
            HistogramOpts::new("luong_analyse_tick_seconds", "Time to work off one boundary of log time.")
                .buckets(vec![0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0]),
        )?;
        let log_time = Gauge::new(
            "luong_analyse_log_time_seconds",
            "Newest log time that was worked off, as seconds since 1970.",
        )?;
        registry.register(Box::new(events.clone()))?;
        registry.register(Box::new(advance.clone()))?;
        registry.register(Box::new(log_time.clone()))?;
        Ok(Self {
            observations: counter("luong_analyse_observations_total", "Observations folded.")?,
            undecodable: counter(
                "luong_analyse_undecodable_records_total",
                "Records of the observations topic that are no observations.",
            )?,
            states: counter("luong_analyse_link_states_total", "Link states appended to the log.")?,
            forecasts: counter("luong_analyse_forecasts_total", "Forecasts appended to the log.")?,
            repeated: counter(
                "luong_analyse_repeated_events_total",
                "Changes of events not appended again because the log holds them since before a restart.",
            )?,
            from_the_future: counter(
                "luong_analyse_future_records_total",
                "Records not believed because they were received in the future.",
            )?,
            complained: AtomicU64::new(0),
            checkpoints: counter("luong_analyse_checkpoints_total", "Checkpoints written.")?,
            events,
            advance,
            log_time,
        })
    }

    /// Tells whether a further record from the future is worth a line: the 1st, the 1,001st, …
    pub(super) fn complain_of_the_future(&self) -> bool {
        self.complained.fetch_add(1, Ordering::Relaxed).is_multiple_of(1_000)
    }

    /// Runs a tick; notes how long it took if it passed a boundary.
    pub(super) fn timed(
        &self,
        at: Timestamp,
        tick: impl FnOnce() -> congestion::Changes,
    ) -> congestion::Changes {
        let start = Instant::now();
        let changes = tick();
        if !changes.is_empty() {
            self.advance.observe(start.elapsed().as_secs_f64());
            self.log_time.set(at.as_millis() as f64 / 1000.0);
        }
        changes
    }
}
