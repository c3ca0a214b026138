//! The network file: magic, format, length, content hash, payload.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `LUONGNET` |
//! | 4 | format, little-endian; this crate writes and reads [`FORMAT`] |
//! | 8 | length of the payload, little-endian |
//! | 16 | first half of the payload's BLAKE3 hash: the network's version |
//! | … | payload: postcard of [`Payload`] |
//!
//! Coordinates are stored as differences of 10⁻⁷ degrees from the one before, which is how exactly the builder keeps
//! them: two or three bytes each for a street.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::network::Graph;
use crate::point::Fixed;
use crate::rows::Rows;
use crate::{Link, LinkIndex, Network, NetworkVersion, Node};

const MAGIC: [u8; 8] = *b"LUONGNET";
/// 2 says who gives way.
const FORMAT: u32 = 2;

/// Why a network file was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The reader or writer failed.
    #[error("network file: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error(
        "not a network file (it does not start with LUONGNET); make one of a map with `luong network import`"
    )]
    Foreign,
    /// A later version of this program wrote it.
    #[error(
        "network file of format {found}, newer than this program's {FORMAT}; update the program or import the map again"
    )]
    Newer {
        /// The file's format.
        found: u32,
    },
    /// An earlier version of this program wrote it.
    #[error(
        "network file of format {found}, older than this program's {FORMAT}; import the map again with `luong network import`"
    )]
    Older {
        /// The file's format.
        found: u32,
    },
    /// It ends too early.
    #[error("network file is cut off: {found} of {expected} bytes of content; copy or import it again")]
    Truncated {
        /// Bytes that its header promises.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// Its content is not what its header says.
    #[error("network file is damaged ({0}); copy or import it again")]
    Damaged(&'static str),
}

/// What the payload holds.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    /// Name and signal of each node.
    nodes: Vec<(Cow<'a, str>, bool)>,
    links: Cow<'a, [Link]>,
    /// Vertices of each link.
    vertices: Vec<u32>,
    /// Differences of longitude and latitude: all nodes, then all vertices.
    coordinates: Vec<i32>,
    /// Per link, those that may follow.
    turns: Vec<Cow<'a, [LinkIndex]>>,
}

impl Network {
    /// Writes the network file.
    ///
    /// # Errors
    /// When the writer fails.
    pub fn write(&self, mut to: impl Write) -> Result<(), FileError> {
        let payload = encode(self.graph());
        to.write_all(&MAGIC)?;
        to.write_all(&FORMAT.to_le_bytes())?;
        to.write_all(&(payload.len() as u64).to_le_bytes())?;
        to.write_all(&self.version().0)?;
        to.write_all(&payload)?;
        Ok(to.flush()?)
    }

    /// Reads a network file.
    ///
    /// # Errors
    /// When the reader fails, or the file is of another kind or format, cut off or damaged.
    pub fn read(mut from: impl Read) -> Result<Self, FileError> {
        let mut start = Vec::with_capacity(36);
        from.by_ref().take(36).read_to_end(&mut start)?;
        if start.get(..8) != Some(&MAGIC) {
            return Err(FileError::Foreign);
        }
        let format = start.get(8..12).and_then(|b| b.try_into().ok()).map_or(FORMAT, u32::from_le_bytes);
        if format > FORMAT {
            return Err(FileError::Newer { found: format });
        }
        if format == 0 {
            return Err(FileError::Damaged("format 0 never existed"));
        }
        if format < FORMAT {
            return Err(FileError::Older { found: format });
        }
        let Some(header) = start.get(12..36) else {
            return Err(FileError::Truncated { expected: 36, found: start.len() as u64 });
        };
        let (length, hash) = header.split_at(8);
        let expected = u64::from_le_bytes(length.try_into().expect("8 bytes"));
        let version = NetworkVersion(hash.try_into().expect("16 bytes"));
        let mut payload = Vec::new();
        from.read_to_end(&mut payload)?;
        let found = payload.len() as u64;
        if found < expected {
            return Err(FileError::Truncated { expected, found });
        }
        if found > expected || version_of(&payload) != version {
            return Err(FileError::Damaged("its content does not match its hash"));
        }
        Ok(Self::assemble(decode(&payload)?, version))
    }
}

/// Returns the version of a graph that was just built.
pub(crate) fn version_of_graph(graph: &Graph) -> NetworkVersion {
    version_of(&encode(graph))
}

fn version_of(payload: &[u8]) -> NetworkVersion {
    let mut version = [0; 16];
    version.copy_from_slice(&blake3::hash(payload).as_bytes()[..16]);
    NetworkVersion(version)
}

fn encode(graph: &Graph) -> Vec<u8> {
    let points = graph.nodes.iter().map(|node| node.point).chain(graph.geometry.items().iter().copied());
    let mut before = Fixed::default();
    let coordinates = points
        .flat_map(|point| {
            let fixed = Fixed::of(point);
            let difference = [fixed.lon.wrapping_sub(before.lon), fixed.lat.wrapping_sub(before.lat)];
            before = fixed;
            difference
        })
        .collect();
    let payload = Payload {
        nodes: graph.nodes.iter().map(|node| (Cow::Borrowed(node.id.as_str()), node.signal)).collect(),
        links: Cow::Borrowed(&graph.links),
        vertices: graph.geometry.iter().map(|line| line.len() as u32).collect(),
        coordinates,
        turns: graph.turns.iter().map(Cow::Borrowed).collect(),
    };
    postcard::to_stdvec(&payload).expect("plain values always encode")
}

fn decode(bytes: &[u8]) -> Result<Graph, FileError> {
    let payload: Payload<'_> =
        postcard::from_bytes(bytes).map_err(|_| FileError::Damaged("its content can't be decoded"))?;
    let mut now = Fixed::default();
    let mut points = payload.coordinates.chunks_exact(2).map(|difference| {
        now.lon = now.lon.wrapping_add(difference[0]);
        now.lat = now.lat.wrapping_add(difference[1]);
        now.point()
    });
    let missing = FileError::Damaged("it has fewer coordinates than vertices");
    let mut nodes = Vec::with_capacity(payload.nodes.len());
    for (id, signal) in payload.nodes {
        let Some(point) = points.next() else { return Err(missing) };
        nodes.push(Node { id: CompactString::from(id), point, signal });
    }
    let mut geometry = Rows::with_capacity(payload.vertices.len(), points.len());
    for &vertices in &payload.vertices {
        if vertices as usize > points.len() {
            return Err(missing);
        }
        geometry.push(points.by_ref().take(vertices as usize));
    }
    let turns = payload.turns.into_iter().map(Cow::into_owned).collect();
    let graph = Graph { nodes, links: payload.links.into_owned(), geometry, turns };
    consistent(&graph).map_err(FileError::Damaged)?;
    Ok(graph)
}

/// Checks what all other code relies on, so that a file made by a stranger can't make it panic.
fn consistent(graph: &Graph) -> Result<(), &'static str> {
    let (nodes, links) = (graph.nodes.len(), graph.links.len());
    if graph.geometry.len() != links || graph.turns.len() != links {
        return Err("it has not one line and one list of turns for each link");
    }
    if graph.geometry.iter().any(|line| line.len() < 2) {
        return Err("a link has fewer than two vertices");
    }
    if graph.links.iter().any(|link| link.from.index() >= nodes || link.to.index() >= nodes) {
        return Err("a link names a node that is not there");
    }
    if graph.turns.items().iter().any(|turn| turn.index() >= links) {
        return Err("a turn names a link that is not there");
    }
    let physical = |value: f32| value.is_finite() && value > 0.0;
    let sane = |l: &Link| [l.length_m, l.lanes, l.width_m, l.speed_limit_kmh].into_iter().all(physical);
    if graph.links.iter().all(sane) { Ok(()) } else { Err("a link has a number that is not physical") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{network_of, two_way_street};

    fn written(network: &Network) -> Vec<u8> {
        let mut bytes = Vec::new();
        network.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn each_wrong_file_is_refused_in_its_own_words() {
        let good = written(&two_way_street());
        let refused = |bytes: &[u8]| Network::read(bytes).unwrap_err().to_string();
        assert!(refused(b"").starts_with("not a network file"));
        assert!(refused(b"<?xml version='1.0'?><osm/>").contains("luong network import"));
        let mut newer = good.clone();
        newer[8] = 9;
        assert!(refused(&newer).contains("format 9, newer than this program's 2"));
        let mut older = good.clone();
        older[8] = 1;
        assert!(refused(&older).contains("format 1, older than this program's 2; import the map again"));
        assert!(refused(&good[..20]).contains("cut off"));
        assert!(refused(&good[..good.len() - 1]).contains("cut off"));
        assert!(refused(&[good.as_slice(), b"x"].concat()).contains("damaged"));
    }

    proptest! {
        #[test]
        fn a_network_comes_back_as_it_was_written(
            lines in prop::collection::vec(prop::collection::vec((0u8..60, 0u8..60), 2..6), 0..30)
        ) {
            let network = network_of(&lines);
            let back = Network::read(written(&network).as_slice()).unwrap();
            prop_assert_eq!(back.version(), network.version());
            prop_assert_eq!(back.links(), network.links());
            prop_assert_eq!(back.nodes(), network.nodes());
            for link in network.indices() {
                prop_assert_eq!(back.geometry(link), network.geometry(link));
                prop_assert_eq!(back.downstream(link), network.downstream(link));
                prop_assert_eq!(back.upstream(link), network.upstream(link));
            }
        }

        #[test]
        fn one_changed_byte_is_always_noticed(at in any::<prop::sample::Index>(), flip in 1u8..) {
            let mut bytes = written(&two_way_street());
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(Network::read(bytes.as_slice()).is_err());
        }

        #[test]
        fn a_payload_of_anything_never_panics(payload in prop::collection::vec(any::<u8>(), 0..300)) {
            // The hash is right, so that the decoder itself is met.
            let mut bytes = [MAGIC.as_slice(), &FORMAT.to_le_bytes(), &(payload.len() as u64).to_le_bytes()].concat();
            bytes.extend(version_of(&payload).0);
            bytes.extend(payload);
            drop(Network::read(bytes.as_slice()));
        }
    }
}
