//! Tokens that clients hand back: where to go on. Opaque to them; a checksum tells a mangled one from an old one.

use serde::Serialize;
use serde::de::DeserializeOwned;

use model::Timestamp;
use serde::Deserialize;

/// Where a watcher of link states stands. It names places of the log, not of this process: another gateway over the
/// same log honours it too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct StateToken {
    pub(crate) network: [u8; 16],
    /// What was asked for, as a hash.
    pub(crate) filter: u64,
    /// The newest state that the client had.
    pub(crate) as_of: Option<Timestamp>,
    /// Next offset of each partition; `None` while the snapshot was not complete.
    pub(crate) positions: Option<Vec<u64>>,
}

/// Where a watcher of events stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct EventToken {
    pub(crate) filter: u64,
    /// Next offset of each partition.
    pub(crate) positions: Vec<u64>,
}

/// The last row of a page of events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct EventPage {
    pub(crate) filter: u64,
    pub(crate) opened_at: Timestamp,
    pub(crate) id: String,
}

/// The last row of a page of sensors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SensorPage {
    pub(crate) filter: u64,
    pub(crate) id: String,
}

/// What a token is for; one for another call is refused.
pub(crate) trait Token: Serialize + DeserializeOwned {
    /// Distinct for each kind and each version of its shape.
    const MARK: u8;
}

impl Token for StateToken {
    const MARK: u8 = b's';
}

impl Token for EventToken {
    const MARK: u8 = b'e';
}

impl Token for EventPage {
    const MARK: u8 = b'p';
}

impl Token for SensorPage {
    const MARK: u8 = b'q';
}

/// Returns the token as text.
pub(crate) fn seal<T: Token>(token: &T) -> String {
    let mut bytes = vec![T::MARK];
    bytes = postcard::to_extend(token, bytes).expect("plain values always encode");
    bytes.extend(checksum(&bytes));
    hex(&bytes)
}

/// Reads a token; `None` when it was not made by [`seal`] for this kind.
pub(crate) fn open<T: Token>(text: &str) -> Option<T> {
    let bytes = unhex(text)?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    if checksum(body) != *sum {
        return None;
    }
    let (&mark, fields) = body.split_first()?;
    if mark != T::MARK {
        return None;
    }
    postcard::from_bytes(fields).ok()
}

/// Returns a hash that is the same in every process (FNV-1a).
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let hash = stable_hash(bytes);
    ((hash ^ hash >> 32) as u32).to_be_bytes()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|&byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_comes_back_and_a_mangled_one_does_not(
            positions in proptest::collection::vec(0u64..1 << 40, 0..9),
            filter: u64,
            place: proptest::sample::Index,
        ) {
            let token = EventToken { filter, positions };
            let text = seal(&token);
            prop_assert_eq!(open::<EventToken>(&text), Some(token));
            prop_assert_eq!(open::<SensorPage>(&text), None);
            let place = place.index(text.len());
            let other = if text.as_bytes()[place] == b'0' { "1" } else { "0" };
            let mangled = format!("{}{other}{}", &text[..place], &text[place + 1..]);
            prop_assert_eq!(open::<EventToken>(&mangled), None);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            prop_assert_eq!(open::<StateToken>(&text), None);
        }
    }
}
