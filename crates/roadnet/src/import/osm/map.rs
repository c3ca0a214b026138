//! What of an OSM file can matter for roads, whatever it was written in.

use compact_str::CompactString;

use crate::point::Fixed;

/// What of an OSM file can matter for roads.
#[derive(Default)]
pub(super) struct OsmMap {
    pub(super) places: Places,
    /// Nodes with `highway=traffic_signals`.
    pub(super) signals: Vec<(i64, SignSide)>,
    /// Nodes with `highway=stop` or `highway=give_way`.
    pub(super) give_ways: Vec<(i64, SignSide)>,
    /// Ways with a `highway` tag.
    pub(super) ways: Vec<Way>,
    /// Relations with `type=restriction`.
    pub(super) restrictions: Vec<Relation>,
    /// All nodes, ways and relations of the file.
    pub(super) counts: [usize; 3],
}

/// Whom a light or a sign beside a way speaks to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SignSide {
    /// Those who follow the way's nodes.
    Forward,
    /// Those who go against them.
    Backward,
    /// Both, or not told.
    Any,
}

pub(super) struct Way {
    pub(super) id: i64,
    pub(super) nodes: Vec<i64>,
    pub(super) tags: Tags,
}

pub(super) struct Relation {
    pub(super) id: i64,
    pub(super) members: Vec<Member>,
    pub(super) tags: Tags,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Member {
    pub(super) kind: MemberKind,
    pub(super) id: i64,
    pub(super) role: CompactString,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MemberKind {
    Node,
    Way,
    Relation,
}

/// The tags of one object.
#[derive(Clone, Default, Debug)]
pub(super) struct Tags(Vec<(CompactString, CompactString)>);

impl Tags {
    pub(super) fn push(&mut self, key: impl Into<CompactString>, value: impl Into<CompactString>) {
        self.0.push((key.into(), value.into()));
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.trim())
    }

    pub(super) fn is(&self, key: &str, value: &str) -> bool {
        self.get(key) == Some(value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Tags {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(tags: I) -> Self {
        Self(tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl OsmMap {
    pub(super) fn add_node<'a>(
        &mut self,
        id: i64,
        place: Fixed,
        tags: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        self.counts[0] += 1;
        self.places.push(id, place);
        let (mut light, mut sign, mut side) = (false, false, SignSide::Any);
        for (key, value) in tags {
            match (key, value) {
                ("highway", "traffic_signals") => light = true,
                ("highway", "stop" | "give_way") => sign = true,
                ("traffic_signals:direction" | "direction", "forward") => side = SignSide::Forward,
                ("traffic_signals:direction" | "direction", "backward") => side = SignSide::Backward,
                _ => {}
            }
        }
        if light {
            self.signals.push((id, side));
        }
        if sign {
            self.give_ways.push((id, side));
        }
    }

    pub(super) fn add_way(&mut self, way: Way) {
        self.counts[1] += 1;
        if way.tags.get("highway").is_some() {
            self.ways.push(way);
        }
    }

    pub(super) fn add_relation(&mut self, relation: Relation) {
        self.counts[2] += 1;
        if relation.tags.get("type").is_some_and(|kind| kind.starts_with("restriction")) {
            self.restrictions.push(relation);
        }
    }
}

/// Where each node is: 16 bytes a node, so that a country fits into memory.
#[derive(Default)]
pub(super) struct Places {
    by_id: Vec<(i64, Fixed)>,
    unsorted: bool,
}

impl Places {
    fn push(&mut self, id: i64, place: Fixed) {
        // Files are nearly always in order of id.
        self.unsorted |= self.by_id.last().is_some_and(|&(last, _)| last >= id);
        self.by_id.push((id, place));
    }

    /// Must be called before the first `get`.
    pub(super) fn sort(&mut self) {
        if self.unsorted {
            self.by_id.sort_by_key(|&(id, _)| id);
            self.by_id.dedup_by_key(|&mut (id, _)| id);
            self.unsorted = false;
        }
    }

    pub(super) fn get(&self, id: i64) -> Option<Fixed> {
        debug_assert!(!self.unsorted, "sort before looking up");
        let place = self.by_id.binary_search_by_key(&id, |&(known, _)| known).ok()?;
        Some(self.by_id[place].1)
    }
}
