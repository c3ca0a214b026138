//! The analyser: one observation, ticks, replay, recovery and memory, and how each grows from 10 k to 1 M links.
//!
//! Times are this thread's own on the processor: on a shared machine the clock on the wall tells of the neighbours.

mod floor;
mod rig;

use anyhow::Result;

use self::rig::{Heard, Rig};
use crate::fixture;
use crate::table::Table;

/// 50 k is the size that budgets are set for, 300 k the memory's, 1 M that of recovery.
const SIZES: [usize; 5] = [10_000, 50_000, 100_000, 300_000, 1_000_000];

/// Steps of log time: link states, and the graph's work.
const STATES_MS: i64 = 250;
const GRAPH_MS: i64 = 5_000;

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    SIZES.into_iter().try_for_each(|links| of_size(table, links))
}

pub(crate) fn of_size(table: &mut Table, links: usize) -> Result<()> {
    let dense = fixture::city(links)?;
    let before = rig::resident_bytes()?;
    let mut rig = Rig::new(&dense);
    let bytes = (rig::resident_bytes()? - before) / links as f64;
    rig.name(
        table,
        "memory",
        format!("{bytes:.0} B a link, of it readings of 5 min {} B", rig.readings_bytes()),
    );
    let observe = rig.observe_all();
    let copy = rig.copy_observations();
    rig.row(table, "observe", observe, ("copy the observation", copy), "0.3 µs");
    for (what, heard, bar) in [("all heard", Heard::All, "50 ms"), ("5 % heard", Heard::OneIn(20), "5 ms")] {
        let tick = rig.tick(STATES_MS, heard);
        rig.row(
            table,
            &format!("tick, {what}"),
            tick,
            ("copy the states told", rig.copy_told(heard)),
            bar_at(links, bar),
        );
    }
    let rate = 1.0 / rig.replay();
    rig.name(table, "replay", format!("{:.2} M observations/s per core", rate / 1e6));
    rig.recovery(table)?;
    drop(rig);
    let sparse = fixture::city_with_loops(dense.network, 5, 2);
    let mut rig = Rig::new(&sparse);
    let floor = floor::forest(&sparse.network);
    for (what, heard, bar) in [("all heard", Heard::All, "50 ms"), ("5 % heard", Heard::OneIn(20), "5 ms")] {
        let tick = rig.tick(GRAPH_MS, heard);
        rig.row(
            table,
            &format!("graph tick, loops on 2 of 5, {what}"),
            tick,
            ("sort + union-find", floor),
            bar_at(links, bar),
        );
    }
    Ok(())
}

/// The bar is set for one size.
fn bar_at(links: usize, bar: &str) -> &str {
    if links == 50_000 { bar } else { "-" }
}
