//! What a `.net.xml` says, before anything is made of it.

use std::io::BufRead;

use compact_str::CompactString;
use model::{ClassSet, VehicleClass};
use quick_xml::events::BytesStart;
use rustc_hash::{FxHashMap, FxHashSet};

use super::classes;
use crate::import::Failure;
use crate::import::xml::{Element, for_each_attribute, for_each_element};

/// What a `.net.xml` says.
#[derive(Default)]
pub(super) struct Net {
    /// PROJ's parameters; `!` or empty for a net without a place.
    pub(super) projection: String,
    /// Subtract it from coordinates to get the projection's.
    offset: [f64; 2],
    pub(super) edges: Vec<Edge>,
    pub(super) junctions: FxHashMap<CompactString, Junction>,
    /// Per edge, those that may follow.
    pub(super) connections: FxHashMap<CompactString, Vec<CompactString>>,
    /// Edges at whose end a traffic light stands.
    pub(super) signalled: FxHashSet<CompactString>,
    pub(super) roundabouts: FxHashSet<CompactString>,
    /// By edge, whether all who go on from it, but for those who turn back, give way.
    minor: FxHashMap<CompactString, bool>,
}

pub(super) struct Junction {
    pub(super) position: [f64; 2],
    pub(super) signal: bool,
}

#[derive(Default)]
pub(super) struct Edge {
    pub(super) id: CompactString,
    pub(super) from: CompactString,
    pub(super) to: CompactString,
    /// SUMO's `type`: `highway.primary`, or nothing.
    pub(super) kind: CompactString,
    pub(super) name: CompactString,
    function: CompactString,
    pub(super) shape: Vec<[f64; 2]>,
    lanes: Vec<Lane>,
}

#[derive(Default)]
pub(super) struct Lane {
    allowed: ClassSet,
    pub(super) speed_mps: f32,
    pub(super) length_m: f32,
    pub(super) width_m: Option<f32>,
    pub(super) shape: Vec<[f64; 2]>,
}

impl Edge {
    pub(super) fn dropped_because(&self) -> Option<&'static str> {
        match self.function.as_str() {
            "internal" => Some("edges inside junctions"),
            "crossing" | "walkingarea" => Some("crossings and walking areas"),
            _ if self.allowed().is_empty() => Some("edges without a lane for road vehicles"),
            _ => None,
        }
    }

    /// Returns who may use one of its lanes.
    pub(super) fn allowed(&self) -> ClassSet {
        self.lanes.iter().fold(ClassSet::NONE, |all, lane| ClassSet(all.0 | lane.allowed.0))
    }

    /// Returns the lanes for motor vehicles; where there are none, those for bicycles.
    pub(super) fn road_lanes(&self) -> Vec<&Lane> {
        let motor: Vec<_> = self.lanes.iter().filter(|lane| lane.allowed.iter().any(is_motor)).collect();
        if motor.is_empty() {
            self.lanes.iter().filter(|lane| !lane.allowed.is_empty()).collect()
        } else {
            motor
        }
    }
}

/// A two-wheeler without more is allowed wherever bicycles are.
fn is_motor(class: VehicleClass) -> bool {
    !matches!(class, VehicleClass::Bicycle | VehicleClass::TwoWheeler)
}

pub(super) fn parse(from: impl BufRead) -> Result<Net, Failure> {
    let mut net = Net::default();
    let mut open: Option<Edge> = None;
    for_each_element(from, |element| {
        match element {
            Element::Start(start) => net.start(start, &mut open)?,
            Element::End("edge") => net.edges.extend(open.take()),
            Element::End(_) => {}
        }
        Ok(())
    })?;
    net.shift();
    Ok(net)
}

impl Net {
    fn start(&mut self, start: &BytesStart<'_>, open: &mut Option<Edge>) -> Result<(), Failure> {
        match start.name().into_inner() {
            "location" => self.location(start),
            "edge" => {
                *open = Some(edge(start)?);
                Ok(())
            }
            "lane" => {
                let lane = lane(start)?;
                if let Some(edge) = open {
                    edge.lanes.push(lane);
                }
                Ok(())
            }
            "junction" => self.junction(start),
            "connection" => self.connection(start),
            "roundabout" => for_each_attribute(start, |key, value| {
                if key == "edges" {
                    self.roundabouts.extend(value.split_whitespace().map(CompactString::from));
                }
            }),
            _ => Ok(()),
        }
    }

    fn location(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        let mut offset = String::new();
        for_each_attribute(start, |key, value| match key {
            "netOffset" => offset = value.into_owned(),
            "projParameter" => self.projection = value.into_owned(),
            _ => {}
        })?;
        self.offset = position(&offset).ok_or_else(|| wrong("location", "netOffset", &offset))?;
        Ok(())
    }

    fn junction(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        let [mut id, mut kind, mut x, mut y] = [const { CompactString::const_new("") }; 4];
        for_each_attribute(start, |key, value| match key {
            "id" => id = value.into(),
            "type" => kind = value.into(),
            "x" => x = value.into(),
            "y" => y = value.into(),
            _ => {}
        })?;
        if kind == "internal" {
            return Ok(());
        }
        let position =
            position(&format!("{x},{y}")).ok_or_else(|| wrong("junction", "x, y", &format!("{x}, {y}")))?;
        self.junctions.insert(id, Junction { position, signal: kind.starts_with("traffic_light") });
        Ok(())
    }

    fn connection(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        let (mut from, mut to) = (CompactString::default(), CompactString::default());
        let (mut signal, mut back, mut minor) = (false, false, None);
        for_each_attribute(start, |key, value| match key {
            "from" => from = value.into(),
            "to" => to = value.into(),
            "tl" => signal = !value.is_empty(),
            "dir" => back = value == "t",
            "state" => minor = is_minor(&value),
            _ => {}
        })?;
        if from.starts_with(':') {
            return Ok(());
        }
        if signal {
            self.signalled.insert(from.clone());
        }
        if let Some(minor) = minor.filter(|_| !back) {
            self.minor.entry(from.clone()).and_modify(|all| *all &= minor).or_insert(minor);
        }
        let onward = self.connections.entry(from).or_default();
        if !onward.contains(&to) {
            onward.push(to);
        }
        Ok(())
    }

    /// Tells whether those who come to the edge's end give way; `None` before a signal and where the net does not say.
    pub(super) fn gives_way(&self, edge: &str) -> Option<bool> {
        self.minor.get(edge).copied().filter(|_| !self.signalled.contains(edge))
    }

    /// Turns the net's coordinates into the projection's. A net without a place keeps its own.
    fn shift(&mut self) {
        if matches!(self.projection.as_str(), "" | "!") {
            return;
        }
        let [dx, dy] = self.offset;
        let shapes = self.edges.iter_mut().flat_map(|edge| {
            std::iter::once(&mut edge.shape).chain(edge.lanes.iter_mut().map(|lane| &mut lane.shape))
        });
        let points =
            shapes.flatten().chain(self.junctions.values_mut().map(|junction| &mut junction.position));
        for position in points {
            *position = [position[0] - dx, position[1] - dy];
        }
    }
}

/// Tells what a connection's state says of who goes first: a minor link, a stop sign, or a stop sign on all arms, beside a major
/// one (SUMO's `LinkState`). Signals, merges like a zip and right before left leave it open.
fn is_minor(state: &str) -> Option<bool> {
    match state {
        "m" | "s" | "w" => Some(true),
        "M" => Some(false),
        _ => None,
    }
}

fn edge(start: &BytesStart<'_>) -> Result<Edge, Failure> {
    let mut edge = Edge::default();
    let mut shape = None;
    for_each_attribute(start, |key, value| match key {
        "id" => edge.id = value.into(),
        "from" => edge.from = value.into(),
        "to" => edge.to = value.into(),
        "type" => edge.kind = value.into(),
        "name" => edge.name = value.into(),
        "function" => edge.function = value.into(),
        "shape" => shape = Some(value),
        _ => {}
    })?;
    if let Some(text) = shape {
        edge.shape = positions(&text).ok_or_else(|| wrong("edge", "shape", &edge.id))?;
    }
    Ok(edge)
}

fn lane(start: &BytesStart<'_>) -> Result<Lane, Failure> {
    let mut lane = Lane::default();
    let (mut allow, mut disallow, mut problem) = (None, None, None);
    for_each_attribute(start, |key, value| {
        let mut number = || {
            value.parse::<f32>().unwrap_or_else(|_| {
                problem.get_or_insert_with(|| wrong("lane", key, &value));
                0.0
            })
        };
        match key {
            "speed" => lane.speed_mps = number(),
            "length" => lane.length_m = number(),
            "width" => lane.width_m = Some(number()).filter(|&width| width > 0.0),
            "allow" => allow = Some(value),
            "disallow" => disallow = Some(value),
            "shape" => match positions(&value) {
                Some(shape) => lane.shape = shape,
                None => problem = Some(wrong("lane", key, &value)),
            },
            _ => {}
        }
    })?;
    lane.allowed = classes::allowed(allow.as_deref(), disallow.as_deref());
    problem.map_or(Ok(lane), Err)
}

/// Reads `x,y` or `x,y,z`.
fn position(text: &str) -> Option<[f64; 2]> {
    let mut parts = text.split(',').map(|part| part.trim().parse::<f64>().ok().filter(|n| n.is_finite()));
    Some([parts.next()??, parts.next()??])
}

fn positions(text: &str) -> Option<Vec<[f64; 2]>> {
    text.split_whitespace().map(position).collect()
}

fn wrong(element: &str, attribute: &str, value: &str) -> Failure {
    Failure::Malformed(format!(
        "a <{element}> has {attribute} {value:?}, which is not what SUMO writes there"
    ))
}
