//! What librdkafka is told. What the log's promises rest on is set here and can't be overridden.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Bytes that a batch's own header takes on top of its records; 588 makes the default the broker's own limit.
const BATCH_HEADER_BYTES: usize = 588;

/// Settings that the promises rest on, and what to do instead of setting them.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", "set log.kafka.bootstrap_servers"),
    ("metadata.broker.list", "set log.kafka.bootstrap_servers"),
    ("enable.idempotence", "it is always on"),
    ("acks", "it is always all"),
    ("request.required.acks", "it is always all"),
    ("delivery.timeout.ms", "records are never given up"),
    ("message.timeout.ms", "records are never given up"),
    ("message.max.bytes", "set log.kafka.max_record_bytes"),
    ("queue.buffering.max.messages", "set log.kafka.queue_bytes"),
    ("queue.buffering.max.kbytes", "set log.kafka.queue_bytes"),
    ("transactional.id", "transactions are not used"),
    ("group.id", "the roles name their groups"),
    ("enable.auto.commit", "positions are committed by the roles"),
    ("enable.auto.offset.store", "positions are committed by the roles"),
    ("auto.offset.reset", "it is always earliest, so that nothing is missed"),
    ("partition.assignment.strategy", "it is always cooperative-sticky"),
    ("isolation.level", "it is always read_uncommitted"),
    ("enable.partition.eof", "it is the log's own"),
];

/// How to reach Kafka and how to use it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `host:port` of one or more brokers, comma-separated.
    pub bootstrap_servers: String,
    /// Further librdkafka settings, passed through as they are.
    pub client: BTreeMap<String, String>,
    /// Copies of each partition of a topic that is created; 0 = what the broker's default says.
    pub replication_factor: u16,
    /// Bytes of records that may wait for the brokers; when full, `append` waits.
    pub queue_bytes: usize,
    /// Bytes that one record may have, key and headers included.
    pub max_record_bytes: usize,
    /// Milliseconds that a record waits for others to travel with.
    pub linger_ms: u32,
    /// Seconds that closing waits for the brokers' last acknowledgements.
    pub close_timeout_s: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bootstrap_servers: "127.0.0.1:9092".to_owned(),
            client: BTreeMap::new(),
            replication_factor: 0,
            queue_bytes: 64 << 20,
            max_record_bytes: 1_048_000,
            linger_ms: 5,
            close_timeout_s: 30,
        }
    }
}

impl Config {
    /// Checks the settings and makes what all clients share.
    pub(super) fn client_settings(&self) -> Result<ClientConfig, Error> {
        let refused = |detail| Error::Backend { what: "configure the Kafka client", detail };
        if self.bootstrap_servers.trim().is_empty() {
            return Err(refused(
                "log.kafka.bootstrap_servers is empty; name one broker at least, as host:port".to_owned(),
            ));
        }
        for (key, value) in &self.client {
            if let Some((_, instead)) = RESERVED.iter().find(|(reserved, _)| reserved == key) {
                return Err(refused(format!("log.kafka.client can't set {key}: {instead}")));
            }
            if key == "security.protocol" && value.to_lowercase().contains("ssl") {
                return Err(refused(format!(
                    "security.protocol = {value}: this program is built without TLS to Kafka; use a plaintext listener on \
                     a network of its own, or a TLS tunnel (such as stunnel) beside this program"
                )));
            }
        }
        let mut settings = ClientConfig::new();
        settings
            .set("client.id", "luong")
            .set("socket.keepalive.enable", "true")
            // 2 s instead of 10: a broker that is back is used again soon.
            .set("reconnect.backoff.max.ms", "2000");
        settings.extend(self.client.clone());
        settings.set("bootstrap.servers", &self.bootstrap_servers);
        Ok(settings)
    }

    /// Largest batch that the producer makes and a new topic takes.
    pub(super) fn max_batch_bytes(&self) -> usize {
        self.max_record_bytes + BATCH_HEADER_BYTES
    }

    /// The producer: every record on all in-sync replicas, in order, once, however long it takes.
    pub(super) fn producer(&self, settings: &ClientConfig) -> ClientConfig {
        let mut settings = settings.clone();
        settings
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", self.linger_ms.to_string())
            .set("batch.num.messages", "100000")
            .set("message.max.bytes", self.max_batch_bytes().to_string())
            // An expired record's outcome would be unknown (librdkafka#4134): it is tried until it is there.
            .set("delivery.timeout.ms", "0")
            // The bound is queue_bytes, kept before librdkafka is asked: its own would stop a batch half-way.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2147483647");
        settings
    }
}

/// A consumer: reads all that is there from where it is told, commits only what it is told.
pub(super) fn consumer(settings: &ClientConfig) -> ClientConfig {
    let mut consumer = ClientConfig::new();
    consumer
        // 16 MB of records read ahead instead of 64.
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.error.backoff.ms", "100");
    consumer
        .extend(settings.config_map().iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    consumer
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_uncommitted")
        .set("partition.assignment.strategy", "cooperative-sticky");
    consumer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(key: &str, value: &str) -> String {
        let client = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Config { client, ..Config::default() }.client_settings().unwrap_err().to_string()
    }

    #[test]
    fn what_the_promises_rest_on_cannot_be_set() {
        assert_eq!(
            refusal("acks", "1"),
            "configure the Kafka client: log.kafka.client can't set acks: it is always all"
        );
        assert!(refusal("group.id", "mine").contains("the roles name their groups"));
    }

    #[test]
    fn tls_is_refused_in_words() {
        for protocol in ["ssl", "SASL_SSL"] {
            assert!(
                refusal("security.protocol", protocol).contains("built without TLS to Kafka"),
                "{protocol}"
            );
        }
    }

    #[test]
    fn a_passed_setting_reaches_every_client() {
        let client = BTreeMap::from([("client.rack".to_owned(), "a".to_owned())]);
        let config = Config { client, ..Config::default() };
        let settings = config.client_settings().unwrap();
        assert_eq!(config.producer(&settings).get("client.rack"), Some("a"));
        assert_eq!(consumer(&settings).get("client.rack"), Some("a"));
    }

    #[test]
    fn the_largest_batch_is_what_brokers_take_by_default() {
        assert_eq!(Config::default().max_batch_bytes(), 1_048_588);
    }
}
