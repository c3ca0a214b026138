//! Devices that see the traffic imperfectly.
//!
//! Each second the devices look at the vehicles ([`Sensing::look`]); what they say goes through [`faults`] (dead,
//! stuck, chattering, a wrong clock) and through the [`field`] (lost, doubled, late).

mod camera;
mod eye;
mod faults;
mod field;
mod fleet;
mod induction;
mod matcher;
mod radar;

use model::{ReadingKind, SignalState, Timestamp};
use roadnet::{LinkIndex, SensorKind};

use crate::city::City;
use crate::event::{Fields, Message};
use crate::random::{Draw, Stream};
use crate::scenario::Scenario;
use crate::traffic::Traffic;
use camera::Camera;
use field::FieldPath;
use fleet::Fleets;
use induction::Induction;
use matcher::Matchers;
use radar::Radar;

pub(crate) use faults::Fault;

/// All devices of a city.
#[derive(Debug)]
pub(crate) struct Sensing<'a> {
    city: &'a City,
    seed: u64,
    scenario: &'a Scenario,
    /// Event time of second 0.
    starts: Timestamp,
    devices: Vec<Device>,
    fleets: Fleets,
    matchers: Matchers,
    field: FieldPath,
    voices: Vec<Voice>,
}

#[derive(Debug)]
enum Device {
    Loop(Induction),
    Camera(Camera),
    Radar(Radar),
    Signal { sensor: u32, link: LinkIndex, shown: Option<SignalState> },
}

/// What one device keeps to speak: its count of events and what is wrong with it.
#[derive(Clone, Debug)]
struct Voice {
    next_seq: u64,
    fault: Option<Fault>,
    /// What a stuck device repeats, per lane.
    last: Vec<(ReadingKind, u8, Fields)>,
}

/// Something that a device says at a second of the run, before faults and the way to the broker.
#[derive(Clone, Debug)]
struct Said {
    sensor: u32,
    kind: ReadingKind,
    /// Tells apart what one device says of several lanes at once.
    lane: u8,
    /// After the beginning of the run.
    at_ms: i64,
    fields: Fields,
}

impl<'a> Sensing<'a> {
    pub(crate) fn new(city: &'a City, scenario: &'a Scenario, seed: u64, starts: Timestamp) -> Self {
        let sensors = city.registry.sensors();
        let devices = sensors
            .iter()
            .enumerate()
            .filter_map(|(i, sensor)| {
                let (i, link) = (i as u32, sensor.link?);
                match sensor.kind {
                    SensorKind::Loop => Some(Device::Loop(Induction::new(city, scenario, seed, i, link))),
                    SensorKind::AreaCamera => Some(Device::Camera(Camera::new(city, seed, i, link))),
                    SensorKind::Radar => Some(Device::Radar(Radar::new(city, i, link))),
                    SensorKind::Signal => Some(Device::Signal { sensor: i, link, shown: None }),
                    _ => None,
                }
            })
            .collect();
        // Microseconds: greater than any count of a run that began earlier, as long as no device speaks a million times
        // a second. A service that remembers the earlier run takes nothing for a repetition.
        let first = u64::try_from(starts.as_millis()).unwrap_or(0) * 1000;
        let voices = (0..sensors.len() as u32)
            .map(|i| Voice {
                next_seq: first,
                fault: Fault::draw(&city.registry, scenario, seed, i),
                last: Vec::new(),
            })
            .collect();
        Self {
            city,
            seed,
            scenario,
            starts,
            devices,
            fleets: Fleets::new(city),
            matchers: Matchers::new(city),
            field: FieldPath::new(&scenario.field, seed),
            voices,
        }
    }

    /// Looks at the traffic after a step and returns the events that arrive until then, in order of arrival. `second`
    /// counts from the beginning of the run.
    pub(crate) fn look(&mut self, traffic: &Traffic<'_>, second: u64) -> Vec<Message> {
        let mut said = Vec::new();
        let mut look = Look {
            city: self.city,
            scenario: self.scenario,
            seed: self.seed,
            traffic,
            second,
            said: &mut said,
        };
        for device in &mut self.devices {
            match device {
                Device::Loop(device) => device.look(&mut look),
                Device::Camera(device) => device.look(&mut look),
                Device::Radar(device) => device.look(&mut look),
                Device::Signal { sensor, link, shown } => tell_signal(&mut look, *sensor, *link, shown),
            }
        }
        self.fleets.look(&mut look);
        self.matchers.look(&mut look);
        for one in said {
            self.speak(one, second);
        }
        self.field.arrived(self.starts.plus_millis(second as i64 * 1000))
    }

    /// Returns everything that is still under way.
    pub(crate) fn rest(&mut self) -> Vec<Message> {
        self.field.arrived(Timestamp::from_millis(i64::MAX))
    }

    fn speak(&mut self, said: Said, second: u64) {
        let voice = &mut self.voices[said.sensor as usize];
        let Some((fields, clock_ms)) = faults::through(voice, &said, second) else { return };
        let seq = voice.next_seq;
        voice.next_seq += 1;
        let at = self.starts.plus_millis(said.at_ms);
        let fields = fields.after(seq, at.plus_millis(clock_ms));
        self.field.send(
            Message { sensor: said.sensor, kind: said.kind, arrives: at, fields },
            self.voices[said.sensor as usize].next_seq,
        );
    }

    /// Yields the devices that are or will be broken.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (u32, &Fault)> {
        self.voices.iter().enumerate().filter_map(|(i, v)| Some((i as u32, v.fault.as_ref()?)))
    }
}

/// What the devices look at.
struct Look<'a, 'b> {
    city: &'a City,
    scenario: &'a Scenario,
    seed: u64,
    traffic: &'b Traffic<'a>,
    second: u64,
    said: &'b mut Vec<Said>,
}

impl Look<'_, '_> {
    fn draw(&self, stream: Stream, entity: u64) -> Draw {
        Draw::new(self.seed, stream, entity, self.second)
    }

    fn say(&mut self, sensor: u32, kind: ReadingKind, lane: u8, fields: Fields) {
        self.said.push(Said { sensor, kind, lane, at_ms: self.second as i64 * 1000, fields });
    }

    fn say_within(&mut self, sensor: u32, kind: ReadingKind, share: f64, fields: Fields) {
        let at_ms = self.second as i64 * 1000 - (1000.0 * (1.0 - share)) as i64;
        self.said.push(Said { sensor, kind, lane: 0, at_ms, fields });
    }
}

/// Returns in which second of its period a device reports: spread over the period, so that a city's devices do not
/// all speak at once.
fn phase(seed: u64, sensor: u32, period_s: u64) -> u64 {
    Draw::new(seed, Stream::Placement, u64::from(sensor), 1).bits() % period_s.max(1)
}

fn tell_signal(look: &mut Look<'_, '_>, sensor: u32, link: LinkIndex, shown: &mut Option<SignalState>) {
    let Some((state, cycle_s)) = look.traffic.signal(link) else { return };
    if *shown == Some(state) {
        return;
    }
    *shown = Some(state);
    let name = match state {
        SignalState::Red => "red",
        SignalState::Amber => "amber",
        SignalState::Green => "green",
        SignalState::Dark => "dark",
        SignalState::Flashing => "flashing",
    };
    let group = look.city.network.link(link).id.as_str();
    let fields =
        Fields::default().text("group", group).text("state", name).integer("cycle_s", u64::from(cycle_s));
    look.say(sensor, ReadingKind::Signal, 0, fields);
}
