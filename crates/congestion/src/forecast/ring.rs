//! A ring of a checkpoint as plain bytes: each link has six, and to parse their numbers one by one took a tenth of a recovery.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

use super::lags::KEPT;

/// Bytes of a number.
const WIDTH: usize = size_of::<i16>();

pub(crate) fn serialize<S: Serializer>(ring: &[i16; KEPT], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(ring.map(i16::to_le_bytes).as_flattened())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[i16; KEPT], D::Error> {
    struct Ring;

    impl Visitor<'_> for Ring {
        type Value = [i16; KEPT];

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the bytes of a ring")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            let (numbers, rest) = bytes.as_chunks::<WIDTH>();
            let numbers = <[[u8; WIDTH]; KEPT]>::try_from(numbers).ok().filter(|_| rest.is_empty());
            let numbers = numbers.ok_or_else(|| E::custom("bytes that are no ring"))?;
            Ok(numbers.map(i16::from_le_bytes))
        }
    }

    deserializer.deserialize_bytes(Ring)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(PartialEq, Debug, serde::Serialize, serde::Deserialize)]
    struct One(#[serde(with = "super")] [i16; KEPT]);

    #[test]
    fn a_ring_comes_back_as_it_was_and_a_cut_one_is_refused() {
        let one = One(std::array::from_fn(|i| i16::MIN + 1500 * i as i16));
        let bytes = postcard::to_stdvec(&one).expect("plain values");
        assert_eq!(postcard::from_bytes::<One>(&bytes), Ok(one));
        let cut = postcard::to_stdvec(&bytes[2..]).expect("bytes");
        assert!(postcard::from_bytes::<One>(&cut).is_err());
    }
}
