//! Whose turn it is to be estimated at a graph boundary.
//!
//! A reading changes its link's estimate at once. Where nothing is heard, readings only grow older: now and then one moves from a band
//! of the window into the next, and in between all fade alike. So a link that hears nothing is estimated anew then, not at each
//! boundary, and the work of a boundary grows with what was heard.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Config;
use crate::link::Cell;

/// What only fades is estimated anew after this time, ms: little against the minutes and the hour in which it fades.
const FADED_MS: i64 = 30_000;

/// Never: the cell has nothing left that could age.
const NEVER: i64 = i64::MAX;

/// What is to be done with a cell at a graph boundary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Turn {
    Nothing,
    /// It rests on something, and nothing is new.
    Live,
    /// It was estimated since the last graph boundary.
    Hand,
    /// It has heard something, or what it heard has aged.
    Estimate,
}

/// By place of the cells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rota {
    /// Log time at which a cell is to be estimated anew though nothing is heard, ms.
    again_at: Vec<i64>,
    /// Whether a cell was estimated since the graph stage was last handed its estimate.
    unhanded: Vec<bool>,
    /// Link of each place.
    #[serde(skip)]
    links: Vec<u32>,
}

impl Rota {
    /// Returns places in the order of their links, not of arrival.
    pub(crate) fn in_order(&mut self, cells: &[Cell], places: impl Iterator<Item = u32>) -> Vec<u32> {
        self.make_room(cells);
        let mut keyed: Vec<(u32, u32)> = places.map(|place| (self.links[place as usize], place)).collect();
        keyed.sort_unstable();
        keyed.into_iter().map(|(_, place)| place).collect()
    }

    /// Begins a graph boundary; returns the places whose turn it is to do something, in the order of links. `live`: whether that is
    /// so of those of which nothing is new.
    pub(crate) fn due(
        &mut self,
        cells: &[Cell],
        dirty: impl Iterator<Item = u32>,
        at: Timestamp,
        live: bool,
    ) -> Vec<(u32, Turn)> {
        self.make_room(cells);
        dirty.for_each(|place| self.again_at[place as usize] = at.as_millis());
        let least = if live { Turn::Live } else { Turn::Hand };
        let turns =
            (0..cells.len() as u32).map(|place| (self.links[place as usize], place, self.turn(place, at)));
        let mut due: Vec<(u32, u32, Turn)> = turns.filter(|(_, _, turn)| *turn >= least).collect();
        due.sort_unstable_by_key(|(link, ..)| *link);
        due.into_iter().map(|(_, place, turn)| (place, turn)).collect()
    }

    fn turn(&self, place: u32, at: Timestamp) -> Turn {
        match (self.again_at[place as usize], self.unhanded[place as usize]) {
            (again_at, _) if again_at <= at.as_millis() => Turn::Estimate,
            (_, true) => Turn::Hand,
            (NEVER, false) => Turn::Nothing,
            _ => Turn::Live,
        }
    }

    /// Notes that a cell was estimated.
    pub(crate) fn estimated(&mut self, place: u32, at: Timestamp, cell: &Cell, config: &Config) {
        let again_at =
            if cell.live { cell.changes_at(at, config).min(at.as_millis() + FADED_MS) } else { NEVER };
        self.again_at[place as usize] = again_at;
        self.unhanded[place as usize] = true;
    }

    pub(crate) fn handed(&mut self, place: u32) {
        self.unhanded[place as usize] = false;
    }

    fn make_room(&mut self, cells: &[Cell]) {
        let new = cells[self.links.len()..].iter().map(|cell| cell.link);
        self.links.extend(new);
        self.again_at.resize(cells.len(), NEVER);
        self.unhanded.resize(cells.len(), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        Timestamp::from_millis(s * 1000)
    }

    #[test]
    fn a_cell_is_estimated_when_it_hears_something_and_when_what_it_heard_has_aged() {
        let (mut rota, mut cells) = (Rota::default(), [Cell::new(9), Cell::new(4)]);
        cells[0].live = true;
        let due = |rota: &mut Rota, dirty: &[u32], s| rota.due(&cells, dirty.iter().copied(), at(s), true);
        assert_eq!(due(&mut rota, &[0], 5), [(0, Turn::Estimate)]);
        rota.estimated(0, at(5), &cells[0], &Config::default());
        assert_eq!(due(&mut rota, &[], 10), [(0, Turn::Hand)]);
        rota.handed(0);
        assert_eq!(due(&mut rota, &[], 30), [(0, Turn::Live)]);
        assert_eq!(due(&mut rota, &[1], 35), [(1, Turn::Estimate), (0, Turn::Estimate)]);
    }

    #[test]
    fn a_cell_of_which_nothing_is_left_is_left_alone() {
        let (mut rota, cells) = (Rota::default(), [Cell::new(0)]);
        rota.due(&cells, [0].into_iter(), at(5), true);
        rota.estimated(0, at(5), &cells[0], &Config::default());
        rota.handed(0);
        assert_eq!(rota.due(&cells, [].into_iter(), at(5000), true), []);
    }
}
