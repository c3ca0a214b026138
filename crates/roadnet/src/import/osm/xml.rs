//! OSM's XML format: <https://wiki.openstreetmap.org/wiki/OSM_XML>.

use std::io::BufRead;

use compact_str::CompactString;
use quick_xml::events::BytesStart;

use super::map::{Member, MemberKind, OsmMap, Relation, Tags, Way};
use crate::Point;
use crate::import::Failure;
use crate::import::xml::{Element, for_each_attribute, for_each_element};
use crate::point::Fixed;

pub(super) fn read(from: impl BufRead) -> Result<OsmMap, Failure> {
    let mut map = OsmMap::default();
    let mut open = Object::default();
    for_each_element(from, |element| {
        match element {
            Element::Start(start) => open.start(start)?,
            Element::End("node") => std::mem::take(&mut open).add_node(&mut map)?,
            Element::End("way" | "relation") if open.gone => open = Object::default(),
            Element::End("way") => {
                let Object { id, nodes, tags, .. } = std::mem::take(&mut open);
                map.add_way(Way { id, nodes, tags });
            }
            Element::End("relation") => {
                let Object { id, members, tags, .. } = std::mem::take(&mut open);
                map.add_relation(Relation { id, members, tags });
            }
            Element::End(_) => {}
        }
        Ok(())
    })?;
    Ok(map)
}

/// The object that is being read.
#[derive(Default)]
struct Object {
    id: i64,
    lon: Option<f64>,
    lat: Option<f64>,
    /// Deleted, in a file with history or changes.
    gone: bool,
    tags: Tags,
    nodes: Vec<i64>,
    members: Vec<Member>,
}

impl Object {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        match start.name().into_inner() {
            "node" | "way" | "relation" => self.head(start),
            "nd" => {
                let mut node = None;
                for_each_attribute(start, |key, value| {
                    if key == "ref" {
                        node = value.parse().ok();
                    }
                })?;
                self.nodes.push(node.ok_or_else(|| wrong(start, "ref"))?);
                Ok(())
            }
            "tag" => {
                let [mut key, mut text] = [const { CompactString::const_new("") }; 2];
                for_each_attribute(start, |name, value| match name {
                    "k" => key = value.into(),
                    "v" => text = value.into(),
                    _ => {}
                })?;
                self.tags.push(key, text);
                Ok(())
            }
            "member" => self.member(start),
            _ => Ok(()),
        }
    }

    fn head(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        *self = Self::default();
        let mut id = None;
        for_each_attribute(start, |key, value| match key {
            "id" => id = value.parse().ok(),
            "lon" => self.lon = value.parse().ok(),
            "lat" => self.lat = value.parse().ok(),
            "visible" => self.gone = value == "false",
            "action" => self.gone |= value == "delete",
            _ => {}
        })?;
        self.id = id.ok_or_else(|| wrong(start, "id"))?;
        Ok(())
    }

    fn member(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        let (mut kind, mut id, mut role) = (None, None, CompactString::default());
        for_each_attribute(start, |key, value| match key {
            "type" => {
                kind = match value.as_ref() {
                    "node" => Some(MemberKind::Node),
                    "way" => Some(MemberKind::Way),
                    "relation" => Some(MemberKind::Relation),
                    _ => None,
                }
            }
            "ref" => id = value.parse().ok(),
            "role" => role = value.into(),
            _ => {}
        })?;
        let kind = kind.ok_or_else(|| wrong(start, "type"))?;
        self.members.push(Member { kind, id: id.ok_or_else(|| wrong(start, "ref"))?, role });
        Ok(())
    }

    fn add_node(self, map: &mut OsmMap) -> Result<(), Failure> {
        // A deleted node has no place, and nothing that counts refers to it.
        if self.gone {
            return Ok(());
        }
        let point = self.lon.zip(self.lat).map(|(lon, lat)| Point { lon, lat });
        let point = point.filter(|point| point.is_on_globe());
        let Some(point) = point else {
            return Err(Failure::Malformed(format!("node {} has no lon and lat on the globe", self.id)));
        };
        map.add_node(self.id, Fixed::of(point), self.tags.iter());
        Ok(())
    }
}

fn wrong(start: &BytesStart<'_>, attribute: &str) -> Failure {
    Failure::Malformed(format!("a <{}> has no {attribute} that OSM would write", start.name().into_inner()))
}
