//! Cities of any size, made up from a seed: a jittered grid of streets with arteries, a river with few bridges, a
//! ring road, alleys across some blocks, and a port where the river leaves.

use roadnet::{Point, RoadClass};

use super::{City, Instruments, Plan, PlanError, Road, Site, ZoneKind, equip};
use crate::random::{Draw, Stream};

/// Side of a block.
const BLOCK_M: f64 = 190.0;
/// Every so many streets one is an artery.
const ARTERY_EVERY: usize = 5;
/// Every so many arteries one crosses the river.
const BRIDGE_EVERY: usize = 2;
/// Blocks with an alley across.
const ALLEY_SHARE: f64 = 0.12;
/// Links that a node of the grid brings on average: two streets, two ways each, and its share of the alleys.
const LINKS_PER_NODE: f64 = 3.84;
/// Quarters where trips begin; more would cost memory and change little.
const MOST_QUARTERS: usize = 1500;
const LEAST_LINKS: usize = 150;

/// Returns a made-up city of about that many links; the same for the same seed.
///
/// # Errors
/// When fewer than 150 links are asked for.
pub fn synthetic(seed: u64, links: usize) -> Result<City, PlanError> {
    if links < LEAST_LINKS {
        return Err(PlanError::TooSmall { least: LEAST_LINKS, asked: links });
    }
    let side = (links as f64 / LINKS_PER_NODE).sqrt().round() as usize + 1;
    let (network, zones) = Grid { seed, side }.plan().build()?;
    let registry = equip(&network, &Instruments::default(), seed);
    let title = format!("a made-up city of {} links (seed {seed})", network.links().len());
    Ok(City { title, network, registry, zones })
}

struct Grid {
    seed: u64,
    side: usize,
}

/// One street of the grid from one node to the next.
#[derive(Clone, Copy)]
struct Step {
    name: &'static str,
    row: usize,
    column: usize,
    to: (usize, usize),
}

impl Grid {
    fn plan(&self) -> Plan {
        let mut nodes = self.nodes();
        let mut roads = Vec::new();
        for row in 0..self.side {
            for column in 0..self.side {
                roads.extend(self.streets_from(row, column));
            }
        }
        self.place_zones(&mut nodes, &roads);
        // Somewhere in the gulf of Tonkin, so that nobody takes it for a real place.
        Plan { origin: Point { lon: 108.0, lat: 19.5 }, nodes, roads }
    }

    fn node(&self, row: usize, column: usize) -> usize {
        row * self.side + column
    }

    fn nodes(&self) -> Vec<Site> {
        let half = self.side as f64 * BLOCK_M / 2.0;
        (0..self.side * self.side)
            .map(|i| {
                let (row, column) = (i / self.side, i % self.side);
                let mut draw = Draw::new(self.seed, Stream::City, i as u64, 0);
                let mut jitter = || draw.between(-22.0, 22.0);
                let at = [
                    column as f64 * BLOCK_M - half + jitter(),
                    row as f64 * BLOCK_M - half + jitter() + self.river_gap_m(row),
                ];
                Site { at, signal: self.has_signal(row, column), zone: None }
            })
            .collect()
    }

    /// The river flows below the middle row.
    fn river_row(&self) -> usize {
        self.side / 2
    }

    fn river_gap_m(&self, row: usize) -> f64 {
        if row >= self.river_row() { 250.0 } else { 0.0 }
    }

    fn on_ring(&self, row: usize, column: usize) -> bool {
        let inset = self.side / 8;
        let ring = [inset, self.side - 1 - inset];
        let inside = ring[0]..=ring[1];
        inset > 0
            && ((ring.contains(&row) && inside.contains(&column))
                || (ring.contains(&column) && inside.contains(&row)))
    }

    fn is_artery(line: usize) -> bool {
        line % ARTERY_EVERY == 2
    }

    fn has_signal(&self, row: usize, column: usize) -> bool {
        let inner = (1..self.side - 1).contains(&row) && (1..self.side - 1).contains(&column);
        inner && (Self::is_artery(row) || Self::is_artery(column)) && (row + column).is_multiple_of(2)
    }

    fn streets_from(&self, row: usize, column: usize) -> Vec<Road> {
        let mut draw = Draw::new(self.seed, Stream::City, self.node(row, column) as u64, 1);
        let mut roads = Vec::new();
        if column + 1 < self.side {
            roads.push(self.road(Step { name: "Row", row, column, to: (row, column + 1) }));
        }
        if row + 1 < self.side && (row + 1 != self.river_row() || self.has_bridge(column)) {
            roads.push(self.road(Step { name: "Column", row, column, to: (row + 1, column) }));
        }
        let corner = row + 1 < self.side && column + 1 < self.side && row + 1 != self.river_row();
        if draw.chance(ALLEY_SHARE) && corner {
            roads.push(self.alley(Step { name: "Alley", row, column, to: (row + 1, column + 1) }));
        }
        roads
    }

    fn has_bridge(&self, column: usize) -> bool {
        column % (ARTERY_EVERY * BRIDGE_EVERY) == 2
    }

    fn road(&self, step: Step) -> Road {
        let along_row = step.to.0 == step.row;
        let line = if along_row { step.row } else { step.column };
        let bridge = !along_row && step.to.0 == self.river_row();
        let ring = self.on_ring(step.row, step.column) && self.on_ring(step.to.0, step.to.1);
        let quay = along_row && line == self.river_row();
        let (class, lanes) = match () {
            () if ring || quay => (RoadClass::Trunk, 3.0),
            () if bridge => (RoadClass::Primary, 2.0),
            () if Self::is_artery(line) => (RoadClass::Primary, 2.0),
            () if line.is_multiple_of(2) => (RoadClass::Tertiary, 1.0),
            () => (RoadClass::Residential, 1.0),
        };
        // Every fourth small street is one-way, in alternating directions, as old towns have it.
        let one_way = class == RoadClass::Residential && line % 4 == 1 && !bridge;
        let flip = one_way && line % 8 == 1;
        self.between(step, Look { class, lanes, one_way, flip, bridge, freight: ring || quay })
    }

    fn alley(&self, step: Step) -> Road {
        let look = Look {
            class: RoadClass::Alley,
            lanes: 1.0,
            one_way: false,
            flip: false,
            bridge: false,
            freight: false,
        };
        self.between(step, look)
    }

    fn between(&self, step: Step, look: Look) -> Road {
        let mut ends = (self.node(step.row, step.column), self.node(step.to.0, step.to.1));
        if look.flip {
            ends = (ends.1, ends.0);
        }
        let line = if step.name == "Row" { step.row } else { step.column };
        Road {
            id: format!("{}{}-{}.", step.name.to_lowercase(), step.row, step.column),
            name: format!("{} {line}", step.name),
            from: ends.0,
            to: ends.1,
            via: Vec::new(),
            class: look.class,
            lanes: look.lanes,
            one_way: look.one_way,
            bridge: look.bridge,
            freight: look.freight,
        }
    }

    /// Gates where arteries leave, a port where the quay ends, a centre in the middle, quarters elsewhere.
    fn place_zones(&self, nodes: &mut [Site], roads: &[Road]) {
        let edge = [0, self.side - 1];
        let share = (MOST_QUARTERS as f64 / nodes.len() as f64).min(0.2);
        let mut reached = vec![false; nodes.len()];
        for road in roads.iter().filter(|road| road.class != RoadClass::Alley) {
            reached[road.from] = true;
            reached[road.to] = true;
        }
        for (i, site) in nodes.iter_mut().enumerate().filter(|(i, _)| reached[*i]) {
            let (row, column) = (i / self.side, i % self.side);
            let mut draw = Draw::new(self.seed, Stream::City, i as u64, 2);
            let middle = |line: usize| line.abs_diff(self.side / 2) <= self.side / 10;
            site.zone = if column == self.side - 1 && row == self.river_row() {
                Some(ZoneKind::Port)
            } else if (edge.contains(&row) && Self::is_artery(column))
                || (edge.contains(&column) && (Self::is_artery(row) || row == self.river_row()))
            {
                Some(ZoneKind::Gate)
            } else if draw.chance(share) {
                Some(if middle(row) && middle(column) { ZoneKind::Centre } else { ZoneKind::Quarter })
            } else {
                None
            };
        }
    }
}

struct Look {
    class: RoadClass,
    lanes: f32,
    one_way: bool,
    flip: bool,
    bridge: bool,
    freight: bool,
}
