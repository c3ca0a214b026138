//! Whose turn it is to be estimated at a graph boundary.
//!
//! A reading changes its link's estimate at once. Where nothing is heard, readings only grow older, and fade. So a link that hears
//! nothing is estimated anew now and then, and a link whose devices report each minute or oftener only when one of them does: the
//! work of a boundary grows with what was heard.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::link::Cell;

/// What only fades is estimated anew after this time, ms: little against the minutes in which it fades, and no less than the
/// usual periods of devices, so that who is heard is not estimated in between.
const FADED_MS: i64 = 60_000;

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
    pub(crate) fn estimated(&mut self, place: u32, at: Timestamp, cell: &Cell) {
        let again_at = cell.changes_at(at).min(at.as_millis() + FADED_MS);
        self.again_at[place as usize] = if cell.live { again_at } else { NEVER };
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
        rota.estimated(0, at(5), &cells[0]);
        assert_eq!(due(&mut rota, &[], 10), [(0, Turn::Hand)]);
        rota.handed(0);
        assert_eq!(due(&mut rota, &[], 30), [(0, Turn::Live)]);
        assert_eq!(due(&mut rota, &[1], 65), [(1, Turn::Estimate), (0, Turn::Estimate)]);
    }

    #[test]
    fn a_cell_of_which_nothing_is_left_is_left_alone() {
        let (mut rota, cells) = (Rota::default(), [Cell::new(0)]);
        rota.due(&cells, [0].into_iter(), at(5), true);
        rota.estimated(0, at(5), &cells[0]);
        rota.handed(0);
        assert_eq!(rota.due(&cells, [].into_iter(), at(5000), true), []);
    }
}
