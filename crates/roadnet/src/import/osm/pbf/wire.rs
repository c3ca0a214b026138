//! Protocol buffers' wire format, as much of it as OSM's files use.
//!
//! Read by hand since the `osmpbf` crate panics on values that a damaged file can hold (unknown member types, sums that
//! overflow), and because nothing is copied this way.

use crate::import::Failure;

/// The value of one field.
pub(super) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// Fixed 32 or 64 bits: OSM's files have none that matters.
    Other,
}

impl<'a> Value<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], Failure> {
        if let Value::Bytes(bytes) = self { Ok(bytes) } else { Err(broken("a field has the wrong type")) }
    }

    pub(super) fn varint(&self) -> Result<u64, Failure> {
        if let Value::Varint(value) = self { Ok(*value) } else { Err(broken("a field has the wrong type")) }
    }
}

pub(super) fn broken(what: &str) -> Failure {
    Failure::Malformed(format!("{what}; the file is damaged"))
}

/// Calls `take` with the number and value of each field of a message.
pub(super) fn for_each_field<'a>(
    mut message: &'a [u8],
    mut take: impl FnMut(u64, Value<'a>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut message)?),
            1 => split(&mut message, 8).map(|_| Value::Other)?,
            2 => {
                let length = varint(&mut message)?;
                Value::Bytes(split(&mut message, length)?)
            }
            5 => split(&mut message, 4).map(|_| Value::Other)?,
            _ => return Err(broken("a field has a type that does not exist")),
        };
        take(key >> 3, value)?;
    }
    Ok(())
}

fn split<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], Failure> {
    let length = usize::try_from(length).ok().filter(|&length| length <= bytes.len());
    let (head, tail) = bytes.split_at(length.ok_or_else(|| broken("a field is longer than its message"))?);
    *bytes = tail;
    Ok(head)
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Failure> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((&byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(broken("a number does not end"))
}

/// Numbers that follow each other without keys.
pub(super) struct Packed<'a>(pub(super) &'a [u8]);

impl Iterator for Packed<'_> {
    type Item = Result<u64, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let value = varint(&mut self.0);
        if value.is_err() {
            self.0 = &[];
        }
        Some(value)
    }
}

/// Numbers of which each is stored as its difference from the one before.
pub(super) struct Deltas<'a> {
    packed: Packed<'a>,
    now: i64,
}

impl<'a> Deltas<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { packed: Packed(bytes), now: 0 }
    }
}

impl Iterator for Deltas<'_> {
    type Item = Result<i64, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        let delta = match self.packed.next()? {
            Ok(value) => zigzag(value),
            Err(error) => return Some(Err(error)),
        };
        self.now = self.now.wrapping_add(delta);
        Some(Ok(self.now))
    }
}

pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_differences_are_read() {
        let read: Vec<_> = Packed(&[0x96, 0x01, 0x00]).map(Result::unwrap).collect();
        assert_eq!(read, [150, 0], "the example of the format's documentation");
        let read: Vec<_> = Deltas::new(&[4, 1, 3]).map(Result::unwrap).collect();
        assert_eq!(read, [2, 1, -1]);
    }

    #[test]
    fn broken_messages_are_errors() {
        let read = |bytes: &[u8]| for_each_field(bytes, |_, _| Ok(()));
        assert!(read(&[]).is_ok());
        for broken in [&[0x80][..], &[0x0a, 0x05, 1], &[0x0b], &[0x09, 1], &[0xff; 11]] {
            assert!(read(broken).is_err(), "{broken:?}");
        }
    }
}
