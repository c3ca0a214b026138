//! Bytes -> observation, beside the parser alone.

use anyhow::Result;
use roadnet::LinkIndex;

use crate::fixture;
use crate::table::{Table, median_of};

const EVENTS: usize = 200_000;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let city = fixture::city(10_000)?;
    let rules = ingest::Rules::default();
    let normaliser =
        ingest::Normaliser::new(city.network.clone(), city.registry.clone(), rules, ingest::ClockMode::Wall);
    let now = fixture::now();
    let links = city.network.links().len() as u32;
    let events: Vec<_> = (0..EVENTS as u64)
        .map(|seq| {
            let link = LinkIndex((seq as u32).wrapping_mul(2_654_435_761) % links);
            (fixture::topic(link), fixture::payload(seq, now))
        })
        .collect();
    let ours = median_of(EVENTS, || {
        for (topic, payload) in &events {
            let topic = ingest::EventTopic::parse(topic.as_bytes()).expect("a good topic");
            let decoded =
                ingest::decode(topic.encoding, topic.kind, payload.as_bytes()).expect("a good event");
            std::hint::black_box(normaliser.normalise(topic.sensor, decoded, now).expect("a known sensor"));
        }
    });
    let floor = median_of(EVENTS, || {
        for (_, payload) in &events {
            let parsed: sonic_rs::Value = sonic_rs::from_str(payload).expect("good JSON");
            std::hint::black_box(parsed);
        }
    });
    table.time("decode + normalise, JSON 190 B", ours, Some(("sonic-rs to a value", floor)), "3 x");
    Ok(())
}
