//! Appends what changed to the log.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use congestion::Changes;
use eventlog::{Append, Log, Receipt, Record};
use model::{LinkState, TrafficEvent};
use roadnet::Network;
use wire::topic;

use super::metrics::Metrics;

/// Receipts waited for at once: the log's own bounded queue is the real limit, this bounds what a checkpoint waits for.
const OUTSTANDING: usize = 256;

pub(super) struct Output {
    log: Log,
    network: Arc<Network>,
    partitions: u32,
    link_states: Arc<str>,
    events: Arc<str>,
    /// Newest revision of each event that the log held when this process started.
    known: HashMap<String, u32>,
    outstanding: Vec<Receipt>,
}

impl Output {
    pub(super) async fn new(log: Log, network: Arc<Network>, partitions: u32) -> anyhow::Result<Self> {
        let mut known = HashMap::new();
        for fetched in log.latest(topic::EVENTS).await?.records {
            if let Ok(event) = wire::decode_event(&fetched.record.value) {
                known.insert(event.id, event.revision);
            }
        }
        Ok(Self {
            log,
            network,
            partitions,
            link_states: topic::LINK_STATES.into(),
            events: topic::EVENTS.into(),
            known,
            outstanding: Vec::new(),
        })
    }

    /// Hands the changes over to the log; waits while its queue is full.
    pub(super) async fn append(&mut self, changes: Changes, metrics: &Metrics) -> anyhow::Result<()> {
        if changes.states.is_empty() && changes.events.is_empty() {
            return Ok(());
        }
        let mut batch = Vec::with_capacity(changes.states.len() + changes.events.len());
        metrics.states.inc_by(changes.states.len() as u64);
        batch.extend(changes.states.iter().filter_map(|state| self.state_record(state)));
        for event in &changes.events {
            if self.known.get(&event.id).is_some_and(|&revision| revision >= event.revision) {
                metrics.repeated.inc();
                continue;
            }
            metrics.events.with_label_values(&[event.kind.name()]).inc();
            batch.push(self.event_record(event));
        }
        let receipt = self.log.append(batch).await?;
        self.outstanding.push(receipt);
        if self.outstanding.len() >= OUTSTANDING {
            self.settle().await?;
        }
        Ok(())
    }

    /// Waits until everything that was handed over is durable.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        for receipt in self.outstanding.drain(..) {
            receipt.await?;
        }
        Ok(())
    }

    fn state_record(&self, state: &LinkState) -> Option<Append> {
        let link = self.network.find(state.link.as_str())?;
        Some(Append {
            topic: self.link_states.clone(),
            partition: self.network.partition(link, self.partitions),
            record: Record {
                key: Bytes::copy_from_slice(state.link.as_str().as_bytes()),
                value: wire::encode_link_state(state),
                headers: Vec::new(),
                timestamp_ms: state.valid_at.as_millis(),
            },
        })
    }

    fn event_record(&self, event: &TrafficEvent) -> Append {
        Append {
            topic: self.events.clone(),
            partition: topic::partition_of_key(event.id.as_bytes(), self.partitions),
            record: Record {
                key: Bytes::copy_from_slice(event.id.as_bytes()),
                value: wire::encode_event(event),
                headers: cloud_event(event),
                timestamp_ms: event.at.as_millis(),
            },
        }
    }
}

/// Returns the CloudEvents 1.0 attributes in Kafka's binary mode (CloudEvents Kafka binding, section 3.2).
fn cloud_event(event: &TrafficEvent) -> Vec<(String, Bytes)> {
    [
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", format!("{}/{}", event.id, event.revision)),
        ("ce_type", format!("luong.v1.{}.{}", event.kind.name(), event.change.name())),
        ("ce_source", "/luong/analyse".to_owned()),
        ("ce_time", event.at.to_string()),
        ("content-type", "application/protobuf".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
    .collect()
}
