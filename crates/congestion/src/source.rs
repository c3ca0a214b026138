//! What a partition remembers of each sensor, side by side: a reading touches one cache line of it, not one for each matter.

use model::LinkId;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::clock::DeviceClock;
use crate::identity::Series;
use crate::site::Device;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) clock: DeviceClock,
    pub(crate) series: Series,
    /// Of which link it spoke last: most always speak of one. Its name stands here, so that it need not be looked up, nor read
    /// from the map, which is cold.
    #[serde(skip)]
    pub(crate) spoke_of: Option<(LinkId, Place)>,
}

/// A link and its place among the cells of the partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) link: u32,
    pub(crate) cell: u32,
}

/// Sensors that stand in the partition, by their number among those; the others (fleets, strangers) by their number.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    at_home: Vec<Source>,
    guests: FxHashMap<u32, Source>,
}

/// What a checkpoint holds: the map as a sorted list.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    at_home: Vec<Source>,
    guests: Vec<(u32, Source)>,
}

impl Sources {
    /// Returns the sensor's record in that partition, if it has one.
    pub(crate) fn find(&self, sensor: u32, device: Option<&Device>, partition: u32) -> Option<&Source> {
        match device.and_then(|device| device.number_in(partition)) {
            Some(number) => self.at_home.get(number as usize),
            None => self.guests.get(&sensor),
        }
    }

    /// Returns the sensor's record in that partition, a new one where there is none.
    pub(crate) fn of(&mut self, sensor: u32, device: Option<&Device>, partition: u32) -> &mut Source {
        let Some(number) = device.and_then(|device| device.number_in(partition)) else {
            return self.guests.entry(sensor).or_default();
        };
        let place = number as usize;
        if self.at_home.len() <= place {
            self.at_home.resize_with(place + 1, Source::default);
        }
        &mut self.at_home[place]
    }

    pub(crate) fn save(&self) -> Saved {
        let mut guests: Vec<_> =
            self.guests.iter().map(|(sensor, source)| (*sensor, source.clone())).collect();
        guests.sort_unstable_by_key(|(sensor, _)| *sensor);
        Saved { at_home: self.at_home.clone(), guests }
    }

    pub(crate) fn load(saved: Saved) -> Self {
        Self { at_home: saved.at_home, guests: saved.guests.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_fits_into_a_cache_line_but_for_its_link() {
        let link = size_of::<Option<(LinkId, Place)>>();
        assert!(size_of::<Source>() <= 64 + link, "{}", size_of::<Source>());
    }
}
