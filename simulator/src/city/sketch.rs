//! Makes a plan of streets that somebody drew as lines: where two cross there is a junction, where one ends near
//! another it joins it.

use std::collections::BTreeMap;

use roadnet::{Point, RoadClass};

use super::names::identifier;
use super::{Plan, Road, Site, ZoneKind, metres};

/// Lines on a map.
pub(crate) struct Sketch {
    pub(crate) origin: Point,
    pub(crate) streets: Vec<Street>,
}

/// One line.
pub(crate) struct Street {
    pub(crate) name: String,
    pub(crate) class: RoadClass,
    pub(crate) lanes: f32,
    pub(crate) one_way: bool,
    pub(crate) bridge: bool,
    /// Crosses others above or below them: joins only at its ends and at `joins`.
    pub(crate) apart: bool,
    pub(crate) freight: bool,
    /// What is at its dead ends.
    pub(crate) ends: Option<ZoneKind>,
    pub(crate) line: Vec<Point>,
    /// Vertices at which a street apart joins others.
    pub(crate) joins: Vec<usize>,
}

/// An end this near to another street joins it: the drawing is no better than that.
const SNAP_M: f64 = 130.0;
/// Crossings nearer than this are one junction.
const MERGE_M: f64 = 45.0;
/// Signals stand at least this far apart.
const SIGNAL_SPACING_M: f64 = 170.0;

type Xy = [f64; 2];

/// A place on a street that is a junction: distance along it, and the junction.
type Stop = (f64, usize);

impl Sketch {
    /// Returns junctions and the roads between them.
    pub(crate) fn plan(self) -> Plan {
        let mut board = Board::new(&self);
        board.cross_all();
        board.join_ends();
        let roads = board.roads(&self);
        let mut nodes: Vec<Site> =
            board.sites.iter().map(|&at| Site { at, signal: false, zone: None }).collect();
        place_zones(&self, &board, &roads, &mut nodes);
        place_signals(&roads, &mut nodes);
        Plan { origin: self.origin, nodes, roads }
    }
}

struct Board {
    lines: Vec<Vec<Xy>>,
    apart: Vec<bool>,
    joins: Vec<Vec<usize>>,
    sites: Vec<Xy>,
    stops: Vec<Vec<Stop>>,
}

impl Board {
    fn new(sketch: &Sketch) -> Self {
        let place = |p: &Point| {
            let (east, north) = metres(sketch.origin, *p);
            [east, north]
        };
        Self {
            lines: sketch.streets.iter().map(|s| s.line.iter().map(place).collect()).collect(),
            apart: sketch.streets.iter().map(|s| s.apart).collect(),
            joins: sketch.streets.iter().map(|s| s.joins.clone()).collect(),
            sites: Vec::new(),
            stops: vec![Vec::new(); sketch.streets.len()],
        }
    }

    fn site(&mut self, at: Xy) -> usize {
        if let Some(known) = self.sites.iter().position(|&other| distance(other, at) < MERGE_M) {
            return known;
        }
        self.sites.push(at);
        self.sites.len() - 1
    }

    fn stop(&mut self, street: usize, along_m: f64, site: usize) {
        if self.stops[street].iter().all(|&(_, other)| other != site) {
            self.stops[street].push((along_m, site));
        }
    }

    fn cross_all(&mut self) {
        for a in 0..self.lines.len() {
            for b in a + 1..self.lines.len() {
                if !self.apart[a] && !self.apart[b] {
                    self.cross(a, b);
                }
            }
        }
    }

    fn cross(&mut self, a: usize, b: usize) {
        let mut found = Vec::new();
        let mut before_a = 0.0;
        for i in 1..self.lines[a].len() {
            let (a0, a1) = (self.lines[a][i - 1], self.lines[a][i]);
            let mut before_b = 0.0;
            for j in 1..self.lines[b].len() {
                let (b0, b1) = (self.lines[b][j - 1], self.lines[b][j]);
                if let Some((s, t)) = intersection(a0, a1, b0, b1) {
                    found.push((
                        between(a0, a1, s),
                        before_a + s * distance(a0, a1),
                        before_b + t * distance(b0, b1),
                    ));
                }
                before_b += distance(b0, b1);
            }
            before_a += distance(a0, a1);
        }
        for (at, along_a, along_b) in found {
            let site = self.site(at);
            self.stop(a, along_a, site);
            self.stop(b, along_b, site);
        }
    }

    /// Joins each street's ends, and the marked vertices of streets apart, to what is near.
    fn join_ends(&mut self) {
        for street in 0..self.lines.len() {
            let line = self.lines[street].clone();
            let mut along_m = 0.0;
            for (i, &at) in line.iter().enumerate() {
                if i > 0 {
                    along_m += distance(line[i - 1], at);
                }
                if i == 0 || i == line.len() - 1 || self.joins[street].contains(&i) {
                    let site = self.join(street, at);
                    self.stop(street, along_m, site);
                }
            }
        }
    }

    fn join(&mut self, street: usize, at: Xy) -> usize {
        let near = self.sites.iter().enumerate().map(|(i, &other)| (distance(other, at), i));
        if let Some((_, site)) = near.filter(|&(d, _)| d < SNAP_M / 2.0).min_by(|a, b| a.0.total_cmp(&b.0)) {
            return site;
        }
        let others = (0..self.lines.len()).filter(|&other| other != street && !self.apart[other]);
        let nearest = others
            .map(|other| (nearest_on(&self.lines[other], at), other))
            .min_by(|a, b| a.0.distance_m.total_cmp(&b.0.distance_m));
        match nearest {
            Some((foot, other)) if foot.distance_m < SNAP_M => {
                let site = self.site(foot.at);
                self.stop(other, foot.along_m, site);
                site
            }
            _ => self.site(at),
        }
    }

    fn roads(&mut self, sketch: &Sketch) -> Vec<Road> {
        let mut pieces: BTreeMap<String, usize> = BTreeMap::new();
        let mut taken = std::collections::BTreeSet::new();
        let mut roads = Vec::new();
        for (i, street) in sketch.streets.iter().enumerate() {
            self.stops[i].sort_by(|a, b| a.0.total_cmp(&b.0));
            for pair in self.stops[i].windows(2) {
                let (from, to) = (pair[0].1, pair[1].1);
                if !taken.insert((from.min(to), from.max(to))) {
                    continue;
                }
                let name = identifier(&street.name);
                let piece = pieces.entry(name.clone()).or_default();
                *piece += 1;
                roads.push(Road {
                    id: format!("{name}.{piece}"),
                    name: street.name.clone(),
                    from,
                    to,
                    via: vertices_between(&self.lines[i], pair[0].0, pair[1].0),
                    class: street.class,
                    lanes: street.lanes,
                    one_way: street.one_way,
                    bridge: street.bridge,
                    freight: street.freight,
                });
            }
        }
        roads
    }
}

/// Puts the marked ends on the map, a centre where small streets of the middle meet, and quarters along the rest.
fn place_zones(sketch: &Sketch, board: &Board, roads: &[Road], nodes: &mut [Site]) {
    let mut arms = vec![0; nodes.len()];
    for road in roads {
        arms[road.from] += 1;
        arms[road.to] += 1;
    }
    for (street, stops) in sketch.streets.iter().zip(&board.stops) {
        for &(_, site) in stops.iter().take(1).chain(stops.last()) {
            if arms[site] == 1 {
                nodes[site].zone = street.ends.or(nodes[site].zone);
            }
        }
    }
    for road in roads {
        let quiet = matches!(road.class, RoadClass::Tertiary | RoadClass::Alley | RoadClass::Secondary);
        for site in [road.from, road.to] {
            let [east, north] = nodes[site].at;
            let central = (-3200.0..400.0).contains(&east) && (1000.0..2800.0).contains(&north);
            if quiet && nodes[site].zone.is_none() {
                nodes[site].zone = Some(if central { ZoneKind::Centre } else { ZoneKind::Quarter });
            }
        }
    }
}

/// Puts a signal where at least two streets for cars cross, the busiest first, none too near to another.
fn place_signals(roads: &[Road], nodes: &mut [Site]) {
    let mut weight = vec![0.0; nodes.len()];
    let mut arms = vec![0; nodes.len()];
    for road in roads.iter().filter(|road| road.class < RoadClass::Unclassified) {
        let fast = if road.class == RoadClass::Motorway { -100.0 } else { f64::from(road.lanes) };
        for site in [road.from, road.to] {
            weight[site] += fast;
            arms[site] += 1;
        }
    }
    let mut order: Vec<usize> = (0..nodes.len()).filter(|&i| arms[i] >= 3 && weight[i] >= 4.0).collect();
    order.sort_by(|&a, &b| weight[b].total_cmp(&weight[a]).then(a.cmp(&b)));
    let mut chosen: Vec<usize> = Vec::new();
    for site in order {
        if chosen.iter().all(|&other| distance(nodes[other].at, nodes[site].at) >= SIGNAL_SPACING_M) {
            nodes[site].signal = true;
            chosen.push(site);
        }
    }
}

fn distance(a: Xy, b: Xy) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

fn between(a: Xy, b: Xy, share: f64) -> Xy {
    [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]
}

/// Returns where two segments cross, as shares of each.
fn intersection(a0: Xy, a1: Xy, b0: Xy, b1: Xy) -> Option<(f64, f64)> {
    let (r, s) = ([a1[0] - a0[0], a1[1] - a0[1]], [b1[0] - b0[0], b1[1] - b0[1]]);
    let cross = |u: Xy, v: Xy| u[0] * v[1] - u[1] * v[0];
    let denominator = cross(r, s);
    if denominator.abs() < 1e-9 {
        return None;
    }
    let apart = [b0[0] - a0[0], b0[1] - a0[1]];
    let (t, u) = (cross(apart, s) / denominator, cross(apart, r) / denominator);
    ((0.0..=1.0).contains(&t) && (0.0..=1.0).contains(&u)).then_some((t, u))
}

struct Foot {
    at: Xy,
    along_m: f64,
    distance_m: f64,
}

fn nearest_on(line: &[Xy], at: Xy) -> Foot {
    let mut best = Foot { at: line[0], along_m: 0.0, distance_m: f64::INFINITY };
    let mut before = 0.0;
    for pair in line.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let length = distance(a, b);
        let dot = (at[0] - a[0]) * (b[0] - a[0]) + (at[1] - a[1]) * (b[1] - a[1]);
        let share = (dot / (length * length)).clamp(0.0, 1.0);
        let foot = between(a, b, share);
        if distance(foot, at) < best.distance_m {
            best = Foot { at: foot, along_m: before + share * length, distance_m: distance(foot, at) };
        }
        before += length;
    }
    best
}

fn vertices_between(line: &[Xy], from_m: f64, to_m: f64) -> Vec<Xy> {
    let mut along = 0.0;
    let mut inside = Vec::new();
    for pair in line.windows(2) {
        along += distance(pair[0], pair[1]);
        if along > from_m + MERGE_M && along < to_m - MERGE_M {
            inside.push(pair[1]);
        }
    }
    inside
}
