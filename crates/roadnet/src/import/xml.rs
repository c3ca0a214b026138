//! A stream of XML elements, whose end must be the file's end.

use std::borrow::Cow;
use std::io::BufRead;

use quick_xml::errors::SyntaxError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::Failure;

/// What a handler is told.
pub(super) enum Element<'a> {
    /// An element starts.
    Start(&'a BytesStart<'a>),
    /// The element of that name ends.
    End(&'a str),
}

/// Calls `handle` for each start and end of an element, in order.
pub(super) fn for_each_element(
    from: impl BufRead,
    mut handle: impl FnMut(Element<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut reader = Reader::from_reader(from);
    let mut buffer = Vec::new();
    let mut depth = 0u32;
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer);
        match event.map_err(|error| failure(error, reader.error_position()))? {
            Event::Start(start) => {
                depth += 1;
                handle(Element::Start(&start))?;
            }
            Event::Empty(start) => {
                handle(Element::Start(&start))?;
                handle(Element::End(start.name().into_inner()))?;
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                handle(Element::End(end.name().into_inner()))?;
            }
            Event::Eof if depth > 0 => {
                return Err(Failure::Truncated(format!(
                    "it ends at byte {} inside an element",
                    reader.buffer_position()
                )));
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// Calls `take` with each attribute's name and value.
pub(super) fn for_each_attribute<'a>(
    start: &'a BytesStart<'a>,
    mut take: impl FnMut(&'a str, Cow<'a, str>),
) -> Result<(), Failure> {
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| malformed(start, &error))?;
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| malformed(start, &error))?;
        take(attribute.key.into_inner(), value);
    }
    Ok(())
}

fn malformed(start: &BytesStart<'_>, error: &dyn std::error::Error) -> Failure {
    Failure::Malformed(format!("in an element <{}>: {error}", start.name().into_inner()))
}

fn failure(error: quick_xml::Error, at: u64) -> Failure {
    match error {
        quick_xml::Error::Io(io) => std::io::Error::new(io.kind(), io.to_string()).into(),
        quick_xml::Error::Syntax(SyntaxError::InvalidBangMarkup) => {
            Failure::Malformed(format!("at byte {at}: <! without a comment, CDATA or DOCTYPE"))
        }
        // All others say that something was opened and not closed.
        quick_xml::Error::Syntax(syntax) => Failure::Truncated(format!("at byte {at}: {syntax}")),
        other => Failure::Malformed(format!("at byte {at}: {other}")),
    }
}
