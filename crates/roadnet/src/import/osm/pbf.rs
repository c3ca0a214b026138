//! OSM's protocol buffer format: <https://wiki.openstreetmap.org/wiki/PBF_Format>.

mod wire;

use std::io::Read;

use flate2::read::ZlibDecoder;

use self::wire::{Deltas, Packed, broken, for_each_field, zigzag};
use super::map::{Member, MemberKind, OsmMap, Relation, Tags, Way};
use crate::Point;
use crate::import::Failure;
use crate::point::Fixed;

/// The format's own limits.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
const MAX_BLOB_BYTES: u64 = 32 * 1024 * 1024;

/// What a file may require of its reader that this one can do.
const KNOWN_FEATURES: [&str; 2] = ["OsmSchema-V0.6", "DenseNodes"];

pub(super) fn read(mut from: impl Read) -> Result<OsmMap, Failure> {
    let mut map = OsmMap::default();
    let mut at = 0;
    while let Some((kind, blob, length)) = next_blob(&mut from, at)? {
        at += length;
        match kind.as_str() {
            "OSMHeader" => check_features(&blob)?,
            "OSMData" => read_block(&blob, &mut map)?,
            // The format tells readers to skip what they don't know.
            _ => {}
        }
    }
    Ok(map)
}

/// Returns the next blob's type, its bytes unzipped, and how many bytes it took; `None` at a clean end.
fn next_blob(from: &mut impl Read, at: u64) -> Result<Option<(String, Vec<u8>, u64)>, Failure> {
    let start = take(from, 4, at)?;
    if start.is_empty() {
        return Ok(None);
    }
    let header_length = u32::from_be_bytes(start.try_into().map_err(|_| cut_off(at))?);
    if header_length > MAX_HEADER_BYTES {
        return Err(broken(&format!("the blob at byte {at} has a header of {header_length} bytes")));
    }
    let header = take(from, u64::from(header_length), at)?;
    if header.len() < header_length as usize {
        return Err(cut_off(at));
    }
    let (mut kind, mut length) = (String::new(), 0);
    for_each_field(&header, |field, value| {
        match field {
            1 => kind = String::from_utf8_lossy(value.bytes()?).into_owned(),
            3 => length = value.varint()?,
            _ => {}
        }
        Ok(())
    })?;
    if length > MAX_BLOB_BYTES {
        return Err(broken(&format!("the blob at byte {at} claims {length} bytes")));
    }
    let blob = take(from, length, at)?;
    if (blob.len() as u64) < length {
        return Err(cut_off(at));
    }
    Ok(Some((kind, unzip(&blob, at)?, 4 + u64::from(header_length) + length)))
}

fn cut_off(at: u64) -> Failure {
    Failure::Truncated(format!("it ends inside the blob that starts at byte {at}"))
}

/// Reads up to so many bytes; fewer at the end of the file.
fn take(from: &mut impl Read, length: u64, at: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    match from.take(length).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        // A gzip around the PBF that ends too early.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(cut_off(at)),
        Err(error) => Err(error.into()),
    }
}

fn unzip(blob: &[u8], at: u64) -> Result<Vec<u8>, Failure> {
    let (mut raw, mut zipped, mut other) = (None, None, false);
    for_each_field(blob, |field, value| {
        match field {
            1 => raw = Some(value.bytes()?),
            2 => {}
            3 => zipped = Some(value.bytes()?),
            _ => other = true,
        }
        Ok(())
    })?;
    match (raw, zipped) {
        (Some(raw), _) => Ok(raw.to_vec()),
        (None, Some(zipped)) => {
            let mut content = Vec::new();
            let limited = &mut ZlibDecoder::new(zipped).take(MAX_BLOB_BYTES + 1);
            limited
                .read_to_end(&mut content)
                .map_err(|error| broken(&format!("the blob at byte {at}: {error}")))?;
            if content.len() as u64 > MAX_BLOB_BYTES {
                return Err(broken(&format!(
                    "the blob at byte {at} unzips to more than {MAX_BLOB_BYTES} bytes"
                )));
            }
            Ok(content)
        }
        (None, None) if other => Err(Failure::Malformed(format!(
            "the blob at byte {at} is compressed in another way than zlib; convert it, for example with `osmium cat -o out.osm.pbf`"
        ))),
        (None, None) => Ok(Vec::new()),
    }
}

fn check_features(header: &[u8]) -> Result<(), Failure> {
    for_each_field(header, |field, value| {
        if field == 4 {
            let feature = String::from_utf8_lossy(value.bytes()?);
            if !KNOWN_FEATURES.contains(&feature.as_ref()) {
                return Err(Failure::Malformed(format!(
                    "it requires the feature {feature:?}, which is not known here"
                )));
            }
        }
        Ok(())
    })
}

/// What the objects of a block share.
struct Block<'a> {
    strings: Vec<&'a str>,
    /// Nanodegrees in one step of a coordinate.
    granularity: i64,
    offset: [i64; 2],
}

fn read_block(bytes: &[u8], map: &mut OsmMap) -> Result<(), Failure> {
    let mut block = Block { strings: Vec::new(), granularity: 100, offset: [0, 0] };
    let mut groups = Vec::new();
    for_each_field(bytes, |field, value| {
        match field {
            1 => for_each_field(value.bytes()?, |field, value| {
                if field == 1 {
                    block.strings.push(
                        std::str::from_utf8(value.bytes()?).map_err(|_| broken("a text is not UTF-8"))?,
                    );
                }
                Ok(())
            })?,
            2 => groups.push(value.bytes()?),
            17 => block.granularity = value.varint()?.cast_signed(),
            19 => block.offset[1] = value.varint()?.cast_signed(),
            20 => block.offset[0] = value.varint()?.cast_signed(),
            _ => {}
        }
        Ok(())
    })?;
    for group in groups {
        for_each_field(group, |field, value| match field {
            1 => block.node(value.bytes()?, map),
            2 => block.dense_nodes(value.bytes()?, map),
            3 => block.way(value.bytes()?, map),
            4 => block.relation(value.bytes()?, map),
            _ => Ok(()),
        })?;
    }
    Ok(())
}

/// Keys and values, as places in the block's table of texts.
#[derive(Default)]
struct TagRefs<'a> {
    keys: &'a [u8],
    values: &'a [u8],
}

impl<'a> Block<'a> {
    fn text(&self, place: u64) -> Result<&'a str, Failure> {
        let text = usize::try_from(place).ok().and_then(|place| self.strings.get(place));
        text.copied().ok_or_else(|| broken("an object names a text that is not there"))
    }

    fn tags(&self, refs: &TagRefs<'_>) -> Result<Tags, Failure> {
        let mut tags = Tags::default();
        for (key, value) in Packed(refs.keys).zip(Packed(refs.values)) {
            tags.push(self.text(key?)?, self.text(value?)?);
        }
        Ok(tags)
    }

    fn place(&self, lon: i64, lat: i64) -> Result<Fixed, Failure> {
        let degrees = |steps: i64, offset: i64| {
            let nanodegrees = steps.checked_mul(self.granularity)?.checked_add(offset)?;
            Some(nanodegrees as f64 * 1e-9)
        };
        let point = degrees(lon, self.offset[0]).zip(degrees(lat, self.offset[1]));
        point
            .map(|(lon, lat)| Point { lon, lat })
            .filter(|point| point.is_on_globe())
            .map(Fixed::of)
            .ok_or_else(|| broken("a node is not on the globe"))
    }

    fn node(&self, bytes: &[u8], map: &mut OsmMap) -> Result<(), Failure> {
        let (mut id, mut lon, mut lat) = (0, 0, 0);
        let mut refs = TagRefs::default();
        for_each_field(bytes, |field, value| {
            match field {
                1 => id = zigzag(value.varint()?),
                2 => refs.keys = value.bytes()?,
                3 => refs.values = value.bytes()?,
                8 => lat = zigzag(value.varint()?),
                9 => lon = zigzag(value.varint()?),
                _ => {}
            }
            Ok(())
        })?;
        let tags = self.tags(&refs)?;
        map.add_node(id, self.place(lon, lat)?, tags.iter());
        Ok(())
    }

    fn dense_nodes(&self, bytes: &[u8], map: &mut OsmMap) -> Result<(), Failure> {
        let (mut ids, mut lats, mut lons, mut tags): (&[u8], &[u8], &[u8], &[u8]) = Default::default();
        for_each_field(bytes, |field, value| {
            match field {
                1 => ids = value.bytes()?,
                8 => lats = value.bytes()?,
                9 => lons = value.bytes()?,
                10 => tags = value.bytes()?,
                _ => {}
            }
            Ok(())
        })?;
        let mut tags = Packed(tags);
        let mut of_node = Vec::new();
        for ((id, lat), lon) in Deltas::new(ids).zip(Deltas::new(lats)).zip(Deltas::new(lons)) {
            of_node.clear();
            // Keys and values of one node end with a 0; where no node has any, the list is empty.
            while let Some(key) = tags.next().transpose()?.filter(|&key| key != 0) {
                let value = tags.next().unwrap_or_else(|| Err(broken("a node's tags end with a key")))?;
                of_node.push((self.text(key)?, self.text(value)?));
            }
            map.add_node(id?, self.place(lon?, lat?)?, of_node.iter().copied());
        }
        Ok(())
    }

    fn way(&self, bytes: &[u8], map: &mut OsmMap) -> Result<(), Failure> {
        let (mut id, mut nodes) = (0, &[][..]);
        let mut refs = TagRefs::default();
        for_each_field(bytes, |field, value| {
            match field {
                1 => id = value.varint()?.cast_signed(),
                2 => refs.keys = value.bytes()?,
                3 => refs.values = value.bytes()?,
                8 => nodes = value.bytes()?,
                _ => {}
            }
            Ok(())
        })?;
        let nodes = Deltas::new(nodes).collect::<Result<_, _>>()?;
        map.add_way(Way { id, nodes, tags: self.tags(&refs)? });
        Ok(())
    }

    fn relation(&self, bytes: &[u8], map: &mut OsmMap) -> Result<(), Failure> {
        let (mut roles, mut ids, mut kinds): (&[u8], &[u8], &[u8]) = Default::default();
        let mut id = 0;
        let mut refs = TagRefs::default();
        for_each_field(bytes, |field, value| {
            match field {
                1 => id = value.varint()?.cast_signed(),
                2 => refs.keys = value.bytes()?,
                3 => refs.values = value.bytes()?,
                8 => roles = value.bytes()?,
                9 => ids = value.bytes()?,
                10 => kinds = value.bytes()?,
                _ => {}
            }
            Ok(())
        })?;
        let mut members = Vec::new();
        for ((role, member), kind) in Packed(roles).zip(Deltas::new(ids)).zip(Packed(kinds)) {
            let kind = match kind? {
                0 => MemberKind::Node,
                1 => MemberKind::Way,
                2 => MemberKind::Relation,
                _ => return Err(broken("a relation has a member of an unknown kind")),
            };
            members.push(Member { kind, id: member?, role: self.text(role?)?.into() });
        }
        map.add_relation(Relation { id, members, tags: self.tags(&refs)? });
        Ok(())
    }
}
