//! Appends what changed to the log.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use congestion::Changes;
use eventlog::{Append, Log, Receipt, Record};
use model::{EventChange, Forecast, LinkId, LinkState, Timestamp, TrafficEvent};
use roadnet::Network;
use tracing::warn;
use wire::topic;

use super::metrics::Metrics;

/// Receipts waited for at once: the log's own bounded queue is the real limit, this bounds what a checkpoint waits for.
const OUTSTANDING: usize = 256;

pub(super) struct Output {
    log: Log,
    network: Arc<Network>,
    partitions: u32,
    link_states: Arc<str>,
    forecasts: Arc<str>,
    events: Arc<str>,
    /// The newest change of each event in the log, ours included.
    known: HashMap<String, TrafficEvent>,
    /// Events whose changes this analyser has told or repeated: it will tell their end, too.
    ours: HashSet<String>,
    outstanding: Vec<Receipt>,
}

impl Output {
    pub(super) fn new(log: Log, network: Arc<Network>, partitions: u32) -> Self {
        Self {
            log,
            network,
            partitions,
            link_states: topic::LINK_STATES.into(),
            forecasts: topic::FORECASTS.into(),
            events: topic::EVENTS.into(),
            known: HashMap::new(),
            ours: HashSet::new(),
            outstanding: Vec::new(),
        }
    }

    /// Reads which events the log knows; the analyser begins anew.
    pub(super) async fn read_known(&mut self) -> anyhow::Result<()> {
        self.settle().await?;
        self.ours.clear();
        self.known.clear();
        for fetched in self.log.latest(topic::EVENTS).await?.records {
            match wire::decode_event(&fetched.record.value) {
                Ok(event) => drop(self.known.insert(event.id.clone(), event)),
                Err(error) => warn!(%error, offset = fetched.offset, "record of the events topic skipped"),
            }
        }
        Ok(())
    }

    /// Hands the changes over to the log; waits while its queue is full.
    pub(super) async fn append(&mut self, changes: Changes, metrics: &Metrics) -> anyhow::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut batch: Vec<_> = changes.states.iter().filter_map(|state| self.state_record(state)).collect();
        metrics.states.inc_by(batch.len() as u64);
        metrics.forecasts.inc_by(changes.forecasts.len() as u64);
        batch.extend(changes.forecasts.iter().filter_map(|forecast| self.forecast_record(forecast)));
        for event in changes.events {
            self.ours.insert(event.id.clone());
            if self.known.get(&event.id).is_some_and(|known| known.revision >= event.revision) {
                metrics.repeated.inc();
                continue;
            }
            metrics.events.with_label_values(&[event.kind.name()]).inc();
            batch.push(self.event_record(&event));
            self.remember(event);
        }
        self.hand_over(batch).await
    }

    /// Tells all states and forecasts at once, after what was missed is folded.
    pub(super) async fn append_snapshot(
        &mut self,
        states: Vec<LinkState>,
        forecasts: Vec<Forecast>,
        metrics: &Metrics,
    ) -> anyhow::Result<()> {
        self.append(Changes { states, forecasts, ..Changes::default() }, metrics).await
    }

    /// Clears events that the log holds open on our links and that this analyser, which started over, knows nothing of:
    /// nobody else would ever tell their end.
    pub(super) async fn clear_orphans(
        &mut self,
        links: &BTreeSet<LinkId>,
        at: Timestamp,
    ) -> anyhow::Result<()> {
        let orphan = |event: &&TrafficEvent| {
            event.change != EventChange::Cleared
                && !self.ours.contains(&event.id)
                && event.link.as_ref().is_some_and(|link| links.contains(link))
        };
        let mut cleared: Vec<_> = self.known.values().filter(orphan).cloned().collect();
        cleared.sort_by(|a, b| a.id.cmp(&b.id));
        for event in &mut cleared {
            event.revision += 1;
            event.change = EventChange::Cleared;
            event.at = at;
            event.detail = "the analyser started over and does not see it any more".to_owned();
        }
        let batch = cleared.iter().map(|event| self.event_record(event)).collect();
        cleared.into_iter().for_each(|event| self.remember(event));
        self.hand_over(batch).await
    }

    /// Keeps what must not be told twice. An event that is over is never told again by the analyser that told its end;
    /// one that starts over reads the log first.
    fn remember(&mut self, event: TrafficEvent) {
        if event.change == EventChange::Cleared {
            self.ours.remove(&event.id);
            self.known.remove(&event.id);
        } else {
            self.known.insert(event.id.clone(), event);
        }
    }

    async fn hand_over(&mut self, batch: Vec<Append>) -> anyhow::Result<()> {
        if batch.is_empty() {
            return Ok(());
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
        self.link_record(&self.link_states, &state.link, wire::encode_link_state(state), state.valid_at)
    }

    fn forecast_record(&self, forecast: &Forecast) -> Option<Append> {
        self.link_record(&self.forecasts, &forecast.link, wire::encode_forecast(forecast), forecast.made_at)
    }

    fn link_record(&self, topic: &Arc<str>, link: &LinkId, value: Bytes, at: Timestamp) -> Option<Append> {
        let index = self.network.find(link.as_str())?;
        Some(Append {
            topic: topic.clone(),
            partition: self.network.partition(index, self.partitions),
            record: Record {
                key: Bytes::copy_from_slice(link.as_str().as_bytes()),
                value,
                headers: Vec::new(),
                timestamp_ms: at.as_millis(),
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
