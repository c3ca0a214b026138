//! Tells a map's format by its first bytes.

use std::fmt;
use std::io::{BufRead, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::Failure;

/// What a map file can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapFormat {
    /// OpenStreetMap, protocol buffers.
    OsmPbf,
    /// OpenStreetMap, XML.
    OsmXml,
    /// SUMO network.
    Sumo,
    /// GeoJSON lines.
    GeoJson,
}

impl fmt::Display for MapFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OsmPbf => "OSM PBF",
            Self::OsmXml => "OSM XML",
            Self::Sumo => "SUMO network",
            Self::GeoJson => "GeoJSON",
        })
    }
}

/// A map's bytes, unzipped, from the start.
pub(super) type Content<'a> = Box<dyn BufRead + Send + 'a>;

/// Enough to get past an XML declaration and a page of comments (SUMO writes its settings into one).
const PREFIX_BYTES: u64 = 256 * 1024;

/// Unzips where needed and tells the format.
pub(super) fn open<'a>(from: impl Read + Send + 'a) -> Result<(MapFormat, Content<'a>), Failure> {
    let (start, content) = peek(from, 2)?;
    let content: Content<'a> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(content)))
    } else {
        content
    };
    let (start, content) = peek(content, PREFIX_BYTES)?;
    Ok((format_of(&start)?, content))
}

fn peek<'a>(mut from: impl Read + Send + 'a, bytes: u64) -> Result<(Vec<u8>, Content<'a>), Failure> {
    let mut start = Vec::new();
    from.by_ref().take(bytes).read_to_end(&mut start)?;
    let again = Cursor::new(start.clone()).chain(from);
    Ok((start, Box::new(BufReader::with_capacity(1 << 16, again))))
}

fn format_of(start: &[u8]) -> Result<MapFormat, Failure> {
    if start.is_empty() {
        return Err(Failure::Empty);
    }
    // A PBF starts with the length of its first header and that header's type.
    if start.get(4..15) == Some(b"\x0a\x09OSMHeader") {
        return Ok(MapFormat::OsmPbf);
    }
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    match text.first() {
        None => Err(Failure::Empty),
        Some(b'{') => Ok(MapFormat::GeoJson),
        Some(b'<') => format_of_xml(text),
        Some(_) if start.starts_with(b"LUONGNET") => {
            Err(Failure::NotAMap("it is a network file already".into()))
        }
        Some(_) => Err(Failure::NotAMap("it is neither PBF, XML nor JSON".into())),
    }
}

fn format_of_xml(text: &[u8]) -> Result<MapFormat, Failure> {
    match root_name(text) {
        Some(b"osm") => Ok(MapFormat::OsmXml),
        Some(b"net") => Ok(MapFormat::Sumo),
        Some(other) => {
            let name = String::from_utf8_lossy(&other[..other.len().min(40)]).into_owned();
            Err(Failure::NotAMap(format!("it is XML whose root is <{name}>")))
        }
        None => Err(Failure::NotAMap("it is XML without a root element".into())),
    }
}

/// Returns the name of the first element, past declarations and comments.
fn root_name(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = text.trim_ascii_start().strip_prefix(b"<")?;
        let end: &[u8] = match text {
            [b'!', b'-', b'-', ..] => b"-->",
            [b'?' | b'!', ..] => b">",
            _ => break,
        };
        let at = text.windows(end.len()).position(|window| window == end)?;
        text = &text[at + end.len()..];
    }
    let end = text.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
    end.map(|end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_the_format() {
        let of = |bytes: &[u8]| format_of(bytes).ok();
        assert_eq!(of(b"\0\0\0\x0d\x0a\x09OSMHeader\x18\x7c"), Some(MapFormat::OsmPbf));
        assert_eq!(
            of(b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a > b -->\n<osm version='0.6'>"),
            Some(MapFormat::OsmXml)
        );
        assert_eq!(of(b"<net version=\"1.9\">"), Some(MapFormat::Sumo));
        assert_eq!(of(b" {\"type\":\"FeatureCollection\""), Some(MapFormat::GeoJson));
        for strange in [&b"<html>"[..], b"<?xml?>", b"%PDF-1.7", b"LUONGNET", b"\x89PNG", b" \n", b""] {
            assert_eq!(of(strange), None, "{strange:?}");
        }
    }
}
