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

/// The cell has heard something.
const AT_ONCE: i64 = i64::MIN;

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
    /// Log time at which a cell is to be estimated anew though nothing is heard, ms; `AT_ONCE` where something was.
    again_at: Vec<i64>,
    /// Whether a cell was estimated since the graph stage was last handed its estimate.
    unhanded: Vec<bool>,
    /// Cells that have heard something since they were estimated.
    heard: Vec<u32>,
    /// Places, in the order of their links.
    #[serde(skip)]
    in_order: Vec<u32>,
    /// Where each place is in that order.
    #[serde(skip)]
    ranks: Vec<u32>,
}

impl Rota {
    /// Notes that a cell has heard something.
    pub(crate) fn hear(&mut self, place: u32) {
        if self.again_at.len() <= place as usize {
            self.again_at.resize(place as usize + 1, NEVER);
        }
        let again_at = &mut self.again_at[place as usize];
        if *again_at != AT_ONCE {
            *again_at = AT_ONCE;
            self.heard.push(place);
        }
    }

    /// Returns the places that have heard something, in the order of their links, not of arrival.
    pub(crate) fn heard(&mut self, cells: &[Cell]) -> Vec<u32> {
        self.make_room(cells);
        let mut heard: Vec<u32> = self.heard.drain(..).map(|place| self.ranks[place as usize]).collect();
        heard.sort_unstable();
        heard.iter_mut().for_each(|place| *place = self.in_order[*place as usize]);
        heard
    }

    /// Begins a graph boundary; returns the places whose turn it is to do something, in the order of links. `live`: whether that is
    /// so of those of which nothing is new.
    pub(crate) fn due(&mut self, cells: &[Cell], at: Timestamp, live: bool) -> Vec<(u32, Turn)> {
        self.make_room(cells);
        self.heard.clear();
        let least = if live { Turn::Live } else { Turn::Hand };
        let turns = self.in_order.iter().map(|&place| (place, self.turn(place, at)));
        turns.filter(|(_, turn)| *turn >= least).collect()
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
        let known = self.in_order.len();
        if known == cells.len() {
            return;
        }
        self.in_order.extend(known as u32..cells.len() as u32);
        self.in_order.sort_by_key(|place| cells[*place as usize].link);
        self.ranks.resize(cells.len(), 0);
        for (rank, place) in self.in_order.iter().enumerate() {
            self.ranks[*place as usize] = rank as u32;
        }
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
        let due = |rota: &mut Rota, heard: &[u32], s| {
            heard.iter().for_each(|place| rota.hear(*place));
            rota.due(&cells, at(s), true)
        };
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
        rota.hear(0);
        rota.due(&cells, at(5), true);
        rota.estimated(0, at(5), &cells[0]);
        rota.handed(0);
        assert_eq!(rota.due(&cells, at(5000), true), []);
    }
}
