//! What can be counted from outside. Names are part of the contract with operators; the README has the table.

use model::ReadingKind;
use prometheus::{
    Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry, core::Collector,
};

use crate::Reason;
use crate::mqtt::End;

/// All counters of ingest; cheap to count with, labels resolved once.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) received_listener: IntCounter,
    pub(crate) received_broker: IntCounter,
    pub(crate) acknowledged_listener: IntCounter,
    pub(crate) acknowledged_broker: IntCounter,
    pub(crate) retained: IntCounter,
    pub(crate) shed: IntCounter,
    pub(crate) unknown_fields: IntCounter,
    pub(crate) values_removed: IntCounter,
    pub(crate) markers: IntCounter,
    pub(crate) log_failures: IntCounter,
    pub(crate) in_flight: IntGauge,
    pub(crate) durable_s: Histogram,
    pub(crate) connections: IntGauge,
    pub(crate) refused: IntCounter,
    pub(crate) broker_connected: IntGauge,
    pub(crate) broker_connects: IntCounter,
    observations: Vec<IntCounter>,
    rejects: Vec<IntCounter>,
    ends: Vec<IntCounter>,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// When a name is taken: ingest was started twice with one registry.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let r = Registrar(registry);
        let received = r.labelled("messages_received_total", "Publishes received over MQTT.", "source")?;
        let acknowledged = r.labelled(
            "messages_acknowledged_total",
            "QoS 1 publishes acknowledged, after the log held them.",
            "source",
        )?;
        let observations =
            r.labelled("observations_total", "Observations that the log holds, by kind.", "kind")?;
        let rejects =
            r.labelled("dead_letters_total", "Events that the dead letters hold, by reason.", "reason")?;
        let ends = r.labelled(
            "connections_closed_total",
            "Connections of the listener that ended, by why.",
            "reason",
        )?;
        Ok(Self {
            received_listener: received.with_label_values(&["listener"]),
            received_broker: received.with_label_values(&["broker"]),
            acknowledged_listener: acknowledged.with_label_values(&["listener"]),
            acknowledged_broker: acknowledged.with_label_values(&["broker"]),
            retained: r
                .counter("retained_messages_total", "Publishes with the retain flag; used like others.")?,
            shed: r
                .counter("messages_shed_total", "QoS 0 publishes thrown away because all lanes were full.")?,
            unknown_fields: r
                .counter("unknown_fields_total", "Fields of native events that nobody knows.")?,
            values_removed: r
                .counter("values_removed_total", "Events that lost a value outside its physical range.")?,
            markers: r.counter("clock_markers_total", "Clock markers that the log holds.")?,
            log_failures: r
                .counter("log_failures_total", "Batches that the log did not take; tried again.")?,
            in_flight: r
                .gauge("in_flight_messages", "Publishes between their lane and the log's acknowledgement.")?,
            durable_s: r.histogram(
                "durable_seconds",
                "From taking a batch off its lane to the log's acknowledgement.",
                &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0],
            )?,
            connections: r.gauge("connections", "Open connections of the listener.")?,
            refused: r.counter("connections_refused_total", "Connections over the listener's limit.")?,
            broker_connected: r.gauge("broker_connected", "1 while connected to the broker.")?,
            broker_connects: r.counter("broker_connects_total", "Times that the broker was connected to.")?,
            observations: ReadingKind::ALL.map(|kind| observations.with_label_values(&[kind.name()])).into(),
            rejects: Reason::ALL.map(|reason| rejects.with_label_values(&[reason.name()])).into(),
            ends: End::ALL.map(|end| ends.with_label_values(&[end.name()])).into(),
        })
    }

    pub(crate) fn observation(&self, kind: ReadingKind) -> Option<&IntCounter> {
        self.observations.get(kind as usize)
    }

    pub(crate) fn reject(&self, reason: Reason) -> Option<&IntCounter> {
        self.rejects.get(reason as usize)
    }

    pub(crate) fn end(&self, end: End) -> Option<&IntCounter> {
        self.ends.get(end as usize)
    }
}

struct Registrar<'a>(&'a Registry);

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: C) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(format!("luong_ingest_{name}"), help)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::with_opts(Self::opts(name, help))?)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::with_opts(Self::opts(name, help))?)
    }

    fn labelled(&self, name: &str, help: &str, label: &str) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Self::opts(name, help), &[label])?)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let opts = HistogramOpts::new(format!("luong_ingest_{name}"), help).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(opts)?)
    }
}
