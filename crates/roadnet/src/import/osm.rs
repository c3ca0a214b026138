//! OpenStreetMap: ways become links, cut at the nodes where they meet.
//!
//! Piece *n* of way *w* is the link `w{w}.{n}f` along the way's nodes and `w{w}.{n}b` against them. What a way's tags say
//! is read in [`access`] (class and vehicles), [`direction`] (one-way), [`attributes`] (lanes, width, speed, name) with
//! [`super::defaults`] where the map is silent; [`signs`] and [`turns`] read nodes and relations.

mod access;
mod attributes;
mod cut;
mod direction;
mod map;
mod pbf;
mod signs;
mod turns;
mod values;
mod xml;

use std::io::{BufRead, Read};

use compact_str::{CompactString, ToCompactString, format_compact};
use model::LinkId;
use rustc_hash::FxHashMap;

use self::access::Road;
use self::attributes::Way as Attributes;
use self::cut::Piece;
use self::direction::Kind;
use self::map::{OsmMap, Tags, Way};
use self::signs::Signs;
use self::turns::{LinkAt, Turns};
use super::report::Tallies;
use super::{Failure, Imported};
use crate::{BuildError, NetworkBuilder, NewLink, NodeIndex, Point};

pub(super) fn read_pbf(from: impl Read) -> Result<Imported, Failure> {
    pbf::read(from).map(import)
}

pub(super) fn read_xml(from: impl BufRead) -> Result<Imported, Failure> {
    xml::read(from).map(import)
}

/// Along a way's nodes, or against them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Forward,
    Backward,
}

impl Side {
    const fn letter(self) -> char {
        match self {
            Self::Forward => 'f',
            Self::Backward => 'b',
        }
    }
}

fn import(mut map: OsmMap) -> Imported {
    map.places.sort();
    let mut tallies = Tallies::default();
    for (what, count) in ["nodes", "ways", "relations"].into_iter().zip(map.counts) {
        tallies.read.count(what, count);
    }
    tallies.read.count("ways with a highway tag", map.ways.len());
    let roads = roads(std::mem::take(&mut map.ways), &mut tallies);
    tallies.read.count("ways taken as roads", roads.len());
    tallies.read.count("turn restrictions", map.restrictions.len());
    let pieces = cut::cut(&roads, &map.places, &mut tallies);
    let mut find = |what, signs| Signs::find(what, signs, &map, &roads, &pieces, &mut tallies);
    let signals = find("traffic lights", &map.signals);
    let give_ways = find("signs to stop or to give way", &map.give_ways);
    let mut links = Links {
        map: &map,
        signals: &signals,
        give_ways: &give_ways,
        builder: NetworkBuilder::default(),
        nodes: FxHashMap::default(),
        turns: Turns::default(),
        tallies,
    };
    for (number, piece) in pieces.iter().enumerate() {
        links.add(&roads[piece.road], piece, number);
    }
    let Links { mut builder, turns, mut tallies, .. } = links;
    turns.apply(&map.restrictions, &mut builder, &mut tallies);
    Imported { network: builder.build(), report: tallies.report() }
}

/// Keeps the ways that vehicles may use.
fn roads(ways: Vec<Way>, tallies: &mut Tallies) -> Vec<(Way, Road)> {
    let mut roads = Vec::new();
    for way in ways {
        match access::road(&way.tags) {
            Ok(road) => roads.push((way, road)),
            Err(why) => tallies.dropped.add(&why, format_compact!("way {}", way.id)),
        }
    }
    roads
}

/// Makes links of pieces.
struct Links<'a> {
    map: &'a OsmMap,
    signals: &'a Signs,
    give_ways: &'a Signs,
    builder: NetworkBuilder,
    nodes: FxHashMap<i64, NodeIndex>,
    turns: Turns,
    tallies: Tallies,
}

impl Links<'_> {
    fn add(&mut self, (way, road): &(Way, Road), piece: &Piece, number: usize) {
        let nodes = &way.nodes[piece.nodes.clone()];
        let mut line: Vec<Point> =
            nodes.iter().filter_map(|&node| self.map.places.get(node)).map(|place| place.point()).collect();
        let directions = direction::directions(&way.tags, road.allowed);
        if directions.kind == Kind::Changing && piece.number == 0 {
            let what = "ways with oneway=reversible or alternating: taken as two-way";
            self.tallies.noted.add(what, format_compact!("way {}", way.id));
        }
        let attributes = Attributes { tags: &way.tags, road, kind: directions.kind };
        let (start, end) = (nodes[0], nodes[nodes.len() - 1]);
        for (side, allowed) in [(Side::Forward, directions.forward), (Side::Backward, directions.backward)] {
            if !allowed.is_empty() {
                let (from, to) = if side == Side::Forward { (start, end) } else { (end, start) };
                let mut new = attributes.link(side, allowed, directions.main);
                new.id = LinkId(format_compact!("w{}.{}{}", way.id, piece.number, side.letter()));
                new.geometry.clone_from(&line);
                new.signal_at_end = self.signals.at_end(number, side, to);
                // Who sees no sign may give way all the same: the map has few.
                new.gives_way = self.give_ways.at_end(number, side, to).then_some(true);
                self.add_link(new, way.id, from, to);
            }
            line.reverse();
        }
    }

    fn add_link(&mut self, mut new: NewLink, way: i64, from: i64, to: i64) {
        (new.from, new.to) = (self.node(from), self.node(to));
        for condition in &new.conditions {
            let key = condition.split('=').next().unwrap_or_default();
            self.tallies.noted.add(&format!("links with {key}: kept as a note, not applied"), &new.id);
        }
        match self.builder.add_link(new) {
            Ok(link) => self.turns.add(way, LinkAt { link, from, to }),
            Err(BuildError::DuplicateLink(id)) => {
                self.tallies.dropped.add("pieces of ways that are in the file twice", id);
            }
            Err(error) => self.tallies.dropped.add("pieces of ways without length", error),
        }
    }

    fn node(&mut self, id: i64) -> NodeIndex {
        *self.nodes.entry(id).or_insert_with(|| {
            let point = self.map.places.get(id).unwrap_or_default().point();
            self.builder.add_node(id.to_compact_string(), point, self.signals.at_node(id))
        })
    }
}

/// Returns the street's name as people there write it.
fn name(tags: &Tags) -> CompactString {
    ["name", "name:vi", "ref"].iter().find_map(|key| tags.get(key)).unwrap_or_default().into()
}

#[cfg(test)]
mod tests;
