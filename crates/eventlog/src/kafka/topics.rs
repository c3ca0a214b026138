//! Topics: made where they are missing, checked where they are there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use tracing::{info, warn};

use super::callbacks::Callbacks;
use super::{PATIENCE, Shared, blocking, failed, patiently};
use crate::{Cleanup, Error, TopicSpec};

const WHAT: &str = "create and check the topics";

/// By default brokers refuse records from more than an hour in the future. Ours carry a clock that a replay or a
/// simulation sets, and a record that can never be appended would hold up all behind it.
const ANY_TIME: (&str, &str) = ("message.timestamp.after.max.ms", "9223372036854775807");

/// Creates what is missing, checks all, and returns how many partitions each has.
pub(super) async fn ensure(shared: &Arc<Shared>, specs: &[TopicSpec]) -> Result<Vec<(Arc<str>, u32)>, Error> {
    let admin: AdminClient<DefaultClientContext> =
        shared.settings.create().map_err(|error| failed("configure the Kafka client", &error))?;
    let mut found = Vec::with_capacity(specs.len());
    for spec in specs {
        let partitions = match look(shared, &spec.name).await? {
            Some(partitions) => partitions,
            None => {
                create(shared, &admin, spec).await?;
                wait_for(shared, &spec.name).await?
            }
        };
        check_partitions(spec, partitions)?;
        check_settings(&admin, spec).await?;
        found.push((spec.name.clone(), partitions));
    }
    Ok(found)
}

/// Number of the topic's partitions, if it is there.
pub(super) fn partitions(query: &BaseConsumer<Callbacks>, topic: &str) -> KafkaResult<Option<u32>> {
    let metadata = query.fetch_metadata(Some(topic), PATIENCE)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(None) };
    match found.error().map(RDKafkaErrorCode::from) {
        None => Ok(Some(found.partitions().len() as u32)),
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}

async fn look(shared: &Arc<Shared>, topic: &Arc<str>) -> Result<Option<u32>, Error> {
    let (shared, topic) = (shared.clone(), topic.clone());
    blocking(WHAT, move || patiently(|| partitions(&shared.query, &topic))).await
}

/// A new topic shows up at the brokers a little after its creation was answered.
async fn wait_for(shared: &Arc<Shared>, topic: &Arc<str>) -> Result<u32, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(partitions) = look(shared, topic).await? {
            return Ok(partitions);
        }
        if Instant::now() > deadline {
            let detail = format!("topic {topic} was created but does not show up; look at the brokers' logs");
            return Err(Error::Backend { what: WHAT, detail });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn create(
    shared: &Shared,
    admin: &AdminClient<DefaultClientContext>,
    spec: &TopicSpec,
) -> Result<(), Error> {
    let mut outcome = try_to_create(shared, admin, spec, &[ANY_TIME]).await?;
    if outcome == Err(RDKafkaErrorCode::InvalidConfig) {
        // Brokers before 3.6 do not know the setting, and need none.
        outcome = try_to_create(shared, admin, spec, &[]).await?;
    }
    match outcome {
        // Another process was quicker: what it made is checked like any other.
        Ok(()) | Err(RDKafkaErrorCode::TopicAlreadyExists) => {
            info!(topic = %spec.name, partitions = spec.partitions, cleanup = policy(spec.cleanup), "topic created");
            Ok(())
        }
        Err(code) => {
            let detail = format!(
                "topic {}: {code}; check the user's rights and log.kafka.replication_factor",
                spec.name
            );
            Err(Error::Backend { what: WHAT, detail })
        }
    }
}

async fn try_to_create(
    shared: &Shared,
    admin: &AdminClient<DefaultClientContext>,
    spec: &TopicSpec,
    settings: &[(&str, &str)],
) -> Result<Result<(), RDKafkaErrorCode>, Error> {
    let replication = match shared.config.replication_factor {
        0 => -1,
        copies => i32::from(copies),
    };
    let largest = shared.config.max_batch_bytes().to_string();
    let retention = retention_ms(spec.cleanup).map(|ms| ms.to_string());
    let mut topic = NewTopic::new(&spec.name, spec.partitions as i32, TopicReplication::Fixed(replication))
        .set("cleanup.policy", policy(spec.cleanup))
        .set("max.message.bytes", &largest);
    if let Some(retention) = &retention {
        topic = topic.set("retention.ms", retention);
    }
    for (name, value) in settings {
        topic = topic.set(name, value);
    }
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    let outcome = admin.create_topics([&topic], &options).await.map_err(|error| failed(WHAT, &error))?;
    match outcome.into_iter().next() {
        Some(outcome) => Ok(outcome.map(drop).map_err(|(_, code)| code)),
        None => Err(Error::Backend { what: WHAT, detail: "the broker gave no answer".to_owned() }),
    }
}

fn check_partitions(spec: &TopicSpec, found: u32) -> Result<(), Error> {
    if found == spec.partitions {
        return Ok(());
    }
    let wanted = spec.partitions;
    Err(mismatch(
        spec,
        format!(
            "it has {found} partitions, the configuration asks for {wanted}; set log.partitions = {found}, or delete the topic \
         (a key's partition would change otherwise)"
        ),
    ))
}

async fn check_settings(admin: &AdminClient<DefaultClientContext>, spec: &TopicSpec) -> Result<(), Error> {
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let answer = admin.describe_configs(&[ResourceSpecifier::Topic(&spec.name)], &options).await;
    match answer.map_err(|error| failed(WHAT, &error))?.into_iter().next() {
        Some(Ok(settings)) => check_cleanup(spec, &settings),
        Some(Err(code)) => {
            warn!(topic = %spec.name, %code, "the topic's settings can't be read, so they are not checked; grant DescribeConfigs");
            Ok(())
        }
        None => Ok(()),
    }
}

fn check_cleanup(spec: &TopicSpec, settings: &ConfigResource) -> Result<(), Error> {
    let value = |name| settings.get(name).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    let parts = |policy: &str| policy.split(',').map(|part| part.trim().to_owned()).collect::<BTreeSet<_>>();
    let (found, wanted) = (value("cleanup.policy"), policy(spec.cleanup));
    if parts(found) != parts(wanted) {
        return Err(mismatch(
            spec,
            format!(
                "its cleanup.policy is {found}, it must be {wanted}; change it with kafka-configs, or delete the topic"
            ),
        ));
    }
    // -1 = for ever. Longer than asked for is the operator's choice; shorter loses records.
    let kept_ms = value("retention.ms").parse::<i64>().ok().filter(|ms| *ms >= 0);
    if let (Some(kept_ms), Some(wanted_ms)) = (kept_ms, retention_ms(spec.cleanup))
        && kept_ms < wanted_ms
    {
        return Err(mismatch(
            spec,
            format!(
                "its retention.ms is {kept_ms}, it must be {wanted_ms} at least; change it with kafka-configs"
            ),
        ));
    }
    Ok(())
}

fn mismatch(spec: &TopicSpec, detail: String) -> Error {
    Error::TopicMismatch { topic: spec.name.to_string(), detail }
}

fn policy(cleanup: Cleanup) -> &'static str {
    match cleanup {
        Cleanup::Delete { .. } => "delete",
        Cleanup::Compact => "compact",
        Cleanup::CompactAndDelete { .. } => "compact,delete",
    }
}

fn retention_ms(cleanup: Cleanup) -> Option<i64> {
    match cleanup {
        Cleanup::Compact => None,
        Cleanup::Delete { retention } | Cleanup::CompactAndDelete { retention } => {
            Some(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX))
        }
    }
}
