//! Devices that break.

use roadnet::{Registry, SensorKind};

use super::{Said, Voice};
use crate::event::Fields;
use crate::random::{Draw, Stream};
use crate::scenario::Scenario;

/// What is wrong with a device, and since when.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// Second of the run.
    pub(crate) from_s: u64,
    pub(crate) clock_ms: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FaultKind {
    /// Says nothing.
    Dead,
    /// Says the same again and again.
    Stuck,
    /// Its clock is off.
    Clock,
    /// Counts far too much.
    Chatter,
}

impl FaultKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Stuck => "stuck",
            Self::Clock => "clock",
            Self::Chatter => "chatter",
        }
    }
}

/// Devices break within the first hour, so that short runs see it.
const BREAKS_WITHIN_S: u64 = 3600;

impl Fault {
    /// Returns what will be wrong with the device; nothing for most.
    pub(super) fn draw(registry: &Registry, scenario: &Scenario, seed: u64, sensor: u32) -> Option<Self> {
        let kind = registry.sensors()[sensor as usize].kind;
        if !matches!(kind, SensorKind::Loop | SensorKind::AreaCamera) {
            return None;
        }
        let faults = &scenario.faults;
        let mut draw = Draw::new(seed, Stream::Fault, u64::from(sensor), 0);
        let mut left = draw.unit();
        let shares = [
            (FaultKind::Dead, faults.dead),
            (FaultKind::Stuck, faults.stuck),
            (FaultKind::Clock, faults.clock),
            (FaultKind::Chatter, faults.chatter),
        ];
        let kind = shares.into_iter().find_map(|(kind, share)| {
            left -= share;
            (left < 0.0).then_some(kind)
        })?;
        let within = match scenario.duration_s {
            0 => BREAKS_WITHIN_S,
            duration => duration.min(BREAKS_WITHIN_S) * 2 / 3,
        };
        let late = if draw.chance(0.5) { -1.0 } else { 1.0 };
        let at_once = kind == FaultKind::Clock;
        Some(Self {
            kind,
            from_s: if at_once { 0 } else { draw.below(within as usize) as u64 },
            clock_ms: if at_once { (late * faults.clock_offset_s * 1000.0) as i64 } else { 0 },
        })
    }
}

/// Returns what the device really says and by how much its clock is off; `None` when it is silent.
pub(super) fn through(voice: &mut Voice, said: &Said, second: u64) -> Option<(Fields, i64)> {
    let fault = voice.fault.filter(|fault| second >= fault.from_s);
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::Dead) => None,
        Some(FaultKind::Stuck) => {
            let key = (said.kind, said.lane);
            match voice.last.iter().find(|(kind, lane, _)| (*kind, *lane) == key) {
                Some((_, _, fields)) => Some((fields.clone(), 0)),
                None => {
                    voice.last.push((said.kind, said.lane, said.fields.clone()));
                    Some((said.fields.clone(), 0))
                }
            }
        }
        Some(FaultKind::Chatter) => Some((said.fields.multiplied("counts", 9), 0)),
        Some(FaultKind::Clock) => Some((said.fields.clone(), fault.map_or(0, |fault| fault.clock_ms))),
        None => Some((said.fields.clone(), 0)),
    }
}
