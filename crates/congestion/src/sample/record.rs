//! A window's samples in a checkpoint: records of one width, copied in one go. A city of a million loops has twenty million of them, and
//! reading each field by itself took most of a recovery.

use std::fmt;

use model::SignalState;
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use super::{Sample, What};

/// Stamp, sensor, quality, lane, kind, and seven numbers.
const WIDTH: usize = 8 + 4 + 2 + 1 + 1 + 7 * 4;

/// By the number that [`SignalState`] has.
const STATES: [SignalState; 5] =
    [SignalState::Red, SignalState::Amber, SignalState::Green, SignalState::Dark, SignalState::Flashing];

pub(crate) fn serialize<S: Serializer>(samples: &[Sample], serializer: S) -> Result<S::Ok, S::Error> {
    let records: Vec<[u8; WIDTH]> = samples.iter().map(record).collect();
    serializer.serialize_bytes(records.as_flattened())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sample>, D::Error> {
    struct Records;

    impl Visitor<'_> for Records {
        type Value = Vec<Sample>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the bytes of readings")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            let (records, rest) = bytes.as_chunks::<WIDTH>();
            let samples = records.iter().map(sample).collect::<Option<Vec<_>>>();
            samples.filter(|_| rest.is_empty()).ok_or_else(|| E::custom("bytes that are no readings"))
        }
    }

    deserializer.deserialize_bytes(Records)
}

fn record(sample: &Sample) -> [u8; WIDTH] {
    let (kind, numbers) = numbers(&sample.what);
    let mut bytes = [0; WIDTH];
    bytes[..8].copy_from_slice(&sample.at.to_le_bytes());
    bytes[8..12].copy_from_slice(&sample.sensor.to_le_bytes());
    bytes[12..14].copy_from_slice(&sample.quality.to_le_bytes());
    (bytes[14], bytes[15]) = (sample.lane, kind);
    bytes[16..].copy_from_slice(numbers.map(u32::to_le_bytes).as_flattened());
    bytes
}

/// `None`: there is no such kind.
fn sample(bytes: &[u8; WIDTH]) -> Option<Sample> {
    let (at, rest) = bytes.split_first_chunk()?;
    let (sensor, rest) = rest.split_first_chunk()?;
    let (quality, rest) = rest.split_first_chunk()?;
    let (&[lane, kind], rest) = rest.split_first_chunk()?;
    let (words, _) = rest.as_chunks::<4>();
    let numbers: [u32; 7] = std::array::from_fn(|i| u32::from_le_bytes(words[i]));
    Some(Sample {
        at: i64::from_le_bytes(*at),
        sensor: u32::from_le_bytes(*sensor),
        lane,
        quality: u16::from_le_bytes(*quality),
        what: what(kind, numbers)?,
    })
}

fn numbers(what: &What) -> (u8, [u32; 7]) {
    let bits = |numbers: [f32; 7]| numbers.map(f32::to_bits);
    match *what {
        What::Count { period_s, n, pcu, mcu, persons, speed, occupancy } => {
            (0, bits([period_s, n, pcu, mcu, persons, speed, occupancy]))
        }
        What::Passage { pcu, mcu, persons, speed } => (1, bits([pcu, mcu, persons, speed, 0.0, 0.0, 0.0])),
        What::Queue { queue_m, stopped } => (2, bits([queue_m, stopped, 0.0, 0.0, 0.0, 0.0, 0.0])),
        What::Probe { vehicle, speed, offset_m } => {
            (3, [vehicle, speed.to_bits(), offset_m.to_bits(), 0, 0, 0, 0])
        }
        What::Signal { group, state } => (4, [group, state as u32, 0, 0, 0, 0, 0]),
        What::Alert { confidence } => (5, bits([confidence, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])),
    }
}

fn what(kind: u8, numbers: [u32; 7]) -> Option<What> {
    let float = numbers.map(f32::from_bits);
    Some(match kind {
        0 => {
            let [period_s, n, pcu, mcu, persons, speed, occupancy] = float;
            What::Count { period_s, n, pcu, mcu, persons, speed, occupancy }
        }
        1 => What::Passage { pcu: float[0], mcu: float[1], persons: float[2], speed: float[3] },
        2 => What::Queue { queue_m: float[0], stopped: float[1] },
        3 => What::Probe { vehicle: numbers[0], speed: float[1], offset_m: float[2] },
        4 => What::Signal { group: numbers[0], state: *STATES.get(numbers[1] as usize)? },
        5 => What::Alert { confidence: float[0] },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Window;

    fn all_kinds() -> Vec<Sample> {
        let signals = STATES.map(|state| What::Signal { group: 7, state });
        let mut whats = vec![
            What::Count {
                period_s: 30.0,
                n: 4.0,
                pcu: 2.5,
                mcu: 5.0,
                persons: 6.0,
                speed: 31.5,
                occupancy: 0.25,
            },
            What::Passage { pcu: 0.25, mcu: 1.0, persons: 1.2, speed: 40.0 },
            What::Queue { queue_m: 55.0, stopped: 9.0 },
            What::Probe { vehicle: u32::MAX, speed: 12.0, offset_m: 3.5 },
            What::Alert { confidence: 0.9 },
        ];
        whats.extend(signals);
        let sample =
            |(i, what)| Sample { at: -1 - i64::from(i), sensor: i, lane: i as u8, quality: 0x8001, what };
        (0..).zip(whats).map(sample).collect()
    }

    #[test]
    fn a_sample_of_each_kind_comes_back_as_it_was() {
        for one in all_kinds() {
            assert_eq!(sample(&record(&one)), Some(one));
        }
    }

    #[test]
    fn what_was_not_measured_stays_so() {
        let one = Sample {
            at: 1,
            sensor: 1,
            lane: 0,
            quality: 0,
            what: What::Queue { queue_m: f32::NAN, stopped: 1.0 },
        };
        let back = sample(&record(&one)).expect("a sample");
        assert!(matches!(back.what, What::Queue { queue_m, stopped: 1.0 } if queue_m.is_nan()));
    }

    #[test]
    fn unknown_kinds_and_states_and_cut_records_are_refused() {
        let mut window = Window::default();
        all_kinds().into_iter().for_each(|one| window.insert(one));
        let bytes = postcard::to_stdvec(&window).expect("plain values");
        assert_eq!(postcard::from_bytes::<Window>(&bytes), Ok(window));
        let read = |bytes: &[u8]| postcard::from_bytes::<Window>(&postcard::to_stdvec(bytes).expect("bytes"));
        let one = record(&all_kinds()[9]);
        assert!(read(&one).is_ok());
        for (place, wrong) in [(15, 6), (20, 5)] {
            let mut bytes = one;
            bytes[place] = wrong;
            assert!(read(&bytes).is_err());
        }
        assert!(read(&one[1..]).is_err());
    }
}
