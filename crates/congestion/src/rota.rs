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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It has heard something, or what it heard has aged.
    Estimate,
    /// It was estimated since the last graph boundary.
    Hand,
    /// It rests on something, and nothing is new.
    Live,
    Nothing,
}

/// By place of the cells.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rota {
    /// Log time at which a cell is to be estimated anew though nothing is heard, ms.
    again_at: Vec<i64>,
    /// Whether a cell was estimated since the graph stage was last handed its estimate.
    unhanded: Vec<bool>,
    /// Places in the order of links.
    #[serde(skip)]
    order: Vec<u32>,
}

impl Rota {
    /// Begins a graph boundary; returns the places of all cells in the order of links, to be given back to [`Self::end`].
    pub(crate) fn begin(&mut self, cells: &[Cell], dirty: &[u32], at: Timestamp) -> Vec<u32> {
        self.make_room(cells.len());
        dirty.iter().for_each(|&place| self.again_at[place as usize] = at.as_millis());
        let mut order = std::mem::take(&mut self.order);
        if order.len() < cells.len() {
            order = (0..cells.len() as u32).collect();
            order.sort_unstable_by_key(|&place| cells[place as usize].link);
        }
        order
    }

    pub(crate) fn turn(&self, place: u32, at: Timestamp) -> Turn {
        match (self.again_at[place as usize], self.unhanded[place as usize]) {
            (again_at, _) if again_at <= at.as_millis() => Turn::Estimate,
            (_, true) => Turn::Hand,
            (NEVER, false) => Turn::Nothing,
            _ => Turn::Live,
        }
    }

    /// Notes that a cell was estimated.
    pub(crate) fn estimated(&mut self, place: u32, at: Timestamp, cell: &Cell, config: &Config) {
        self.make_room(place as usize + 1);
        let again_at =
            if cell.live { cell.changes_at(at, config).min(at.as_millis() + FADED_MS) } else { NEVER };
        self.again_at[place as usize] = again_at;
        self.unhanded[place as usize] = true;
    }

    pub(crate) fn handed(&mut self, place: u32) {
        self.unhanded[place as usize] = false;
    }

    pub(crate) fn end(&mut self, order: Vec<u32>) {
        self.order = order;
    }

    fn make_room(&mut self, cells: usize) {
        if self.again_at.len() < cells {
            self.again_at.resize(cells, NEVER);
            self.unhanded.resize(cells, false);
        }
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
        let order = rota.begin(&cells, &[0], at(5));
        assert_eq!(order, [1, 0]);
        assert_eq!([rota.turn(0, at(5)), rota.turn(1, at(5))], [Turn::Estimate, Turn::Nothing]);
        rota.estimated(0, at(5), &cells[0], &Config::default());
        assert_eq!(rota.turn(0, at(10)), Turn::Hand);
        rota.handed(0);
        assert_eq!([rota.turn(0, at(30)), rota.turn(0, at(35))], [Turn::Live, Turn::Estimate]);
    }

    #[test]
    fn a_cell_of_which_nothing_is_left_is_left_alone() {
        let (mut rota, cells) = (Rota::default(), [Cell::new(0)]);
        rota.begin(&cells, &[0], at(5));
        rota.estimated(0, at(5), &cells[0], &Config::default());
        rota.handed(0);
        assert_eq!(rota.turn(0, at(5000)), Turn::Nothing);
    }
}
