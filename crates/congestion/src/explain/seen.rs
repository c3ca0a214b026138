//! What a link's own sensors said, and what it weighs.

use model::{Quality, SensorId, Timestamp};
use roadnet::LinkIndex;

use super::trace::{Trace, total};
use super::{Evidence, Heard, Said, Scatter, speed};
use crate::bands::{self, Stretches};
use crate::evidence::Means;
use crate::link::{Cell, Odds};
use crate::partition::{Context, Partition};
use crate::sample::{Sample, What};

/// What was seen of a link.
pub(super) struct Seen {
    pub(super) sensors: Vec<Heard>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) typical_weight: f64,
    pub(super) odds: Odds,
}

/// Returns what the link's own sensors say of it at that instant, by its newest estimate.
pub(super) fn of(partition: &Partition, link: LinkIndex, at: Timestamp, context: &Context<'_>) -> Seen {
    let heard = partition.cell(link.0).filter(|_| at > Timestamp::MIN);
    let Some(cell) = heard else {
        return Seen {
            sensors: Vec::new(),
            evidence: Vec::new(),
            typical_weight: 1.0,
            odds: Odds::default(),
        };
    };
    let mut trace = Trace::default();
    let odds = cell.trace(&partition.typical, partition.health(), context, |step| trace.take(step));
    let jammed = cell.own.belief.jammed;
    let site = &context.sites[link.index()];
    let evidence = trace.pieces.iter().map(|piece| Evidence {
        means: piece.means,
        age_s: bands::ages_s(piece.band, context.config),
        speed: speed(piece.heard.seen, site),
        gated: piece.heard.gated,
        weight: piece.weight(jammed),
        jam_odds: piece.jam_odds,
    });
    Seen {
        evidence: evidence.collect(),
        sensors: sensors(cell, &trace, partition, at, context),
        typical_weight: trace.typical_weight(jammed),
        odds,
    }
}

/// Readings of one sensor, and how many of each band and means are its.
struct Group<'a> {
    newest: &'a Sample,
    readings: usize,
    parts: Vec<(usize, Means)>,
}

fn sensors(
    cell: &Cell,
    trace: &Trace,
    partition: &Partition,
    at: Timestamp,
    context: &Context<'_>,
) -> Vec<Heard> {
    let now = at.as_millis();
    let jammed = cell.own.belief.jammed;
    let (mut groups, mut stretches) = (Vec::<Group<'_>>::new(), Stretches::default());
    for sample in cell.window().all().iter().rev() {
        let place =
            groups.iter().position(|group| group.newest.sensor == sample.sensor).unwrap_or_else(|| {
                groups.push(Group { newest: sample, readings: 0, parts: Vec::new() });
                groups.len() - 1
            });
        let group = &mut groups[place];
        group.readings += 1;
        // What is not believed is named, and weighs nothing.
        let believed = Some(sample).filter(|sample| partition.health().believes(sample));
        let means =
            believed.and_then(|sample| Means::of(sample, context.devices.get(sample.sensor as usize)));
        group.parts.extend(means.map(|means| (stretches.place(sample, cell.estimated_at).0, means)));
    }
    let all = |part: &(usize, Means)| groups.iter().flat_map(|g| &g.parts).filter(|p| *p == part).count();
    let piece = |part: &(usize, Means)| trace.pieces.iter().find(|p| (p.band, p.means) == *part);
    let weigh = |part: &(usize, Means)| piece(part).map_or(0.0, |p| p.weight(jammed) / all(part) as f64);
    let mut heard: Vec<Heard> = groups
        .iter()
        .map(|group| Heard {
            sensor: name(group.newest.sensor, partition, context),
            readings: group.readings,
            age_s: age_s(group.newest, now),
            newest: said(&group.newest.what),
            quality: Quality(group.newest.quality.into())
                .with(partition.health().quality(group.newest.sensor)),
            weight: total(group.parts.iter().map(weigh)),
            scatter: scatter(group.newest.sensor, partition),
        })
        .collect();
    heard.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    heard
}

fn scatter(sensor: u32, partition: &Partition) -> Option<Scatter> {
    let learned = partition.health().learned_scatter(sensor)?;
    let (minutes, gated) = learned.minutes();
    (minutes > 0).then(|| Scatter { variance_ratio: learned.ratio(), minutes, gated })
}

fn age_s(sample: &Sample, now: i64) -> f64 {
    (now - sample.at) as f64 / 1000.0
}

fn name(sensor: u32, partition: &Partition, context: &Context<'_>) -> SensorId {
    let registered = context.registry.sensors().get(sensor as usize).map(|sensor| sensor.id.clone());
    registered.or_else(|| partition.stranger_named(sensor)).unwrap_or_default()
}

fn said(what: &What) -> Said {
    let known = |value: f32| (!value.is_nan()).then_some(value);
    match *what {
        What::Count { n, speed, occupancy, .. } => {
            Said::Counted { vehicles: known(n), speed_kmh: known(speed), occupancy: known(occupancy) }
        }
        What::Passage { speed, .. } => Said::Passed { speed_kmh: known(speed) },
        What::Queue { queue_m, .. } => Said::Queued { queue_m: known(queue_m) },
        What::Probe { speed, .. } => Said::Drove { speed_kmh: speed },
        What::Signal { .. } => Said::Signal,
        What::Alert { confidence } => Said::Alert { confidence },
    }
}
