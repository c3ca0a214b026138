//! Numbers of a checkpoint as plain bytes: a city's profiles are hundreds of megabytes, and are copied, not parsed. What was not
//! learned yet takes no room: how many bytes there are stands first, and the zeros at the end are left out.

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// Bytes of the count that stands first.
const LENGTH: usize = size_of::<u32>();

/// More numbers than any list of a link has: a damaged count asks for no more memory.
const MOST: usize = 1 << 16;

/// A number of fixed width.
pub(crate) trait Number: Copy + Default {
    /// Its little-endian bytes.
    type Bytes: AsRef<[u8]> + for<'a> TryFrom<&'a [u8]>;

    fn to_bytes(self) -> Self::Bytes;
    fn from_bytes(bytes: Self::Bytes) -> Self;
}

impl Number for u16 {
    type Bytes = [u8; 2];

    fn to_bytes(self) -> Self::Bytes {
        self.to_le_bytes()
    }

    fn from_bytes(bytes: Self::Bytes) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Number for i16 {
    type Bytes = [u8; 2];

    fn to_bytes(self) -> Self::Bytes {
        self.to_le_bytes()
    }

    fn from_bytes(bytes: Self::Bytes) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Number for f32 {
    type Bytes = [u8; 4];

    fn to_bytes(self) -> Self::Bytes {
        self.to_le_bytes()
    }

    fn from_bytes(bytes: Self::Bytes) -> Self {
        Self::from_le_bytes(bytes)
    }
}

pub(crate) fn serialize<N: Number, S: Serializer>(numbers: &[N], serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::with_capacity(LENGTH + size_of_val(numbers));
    bytes.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    numbers.iter().for_each(|number| bytes.extend_from_slice(number.to_bytes().as_ref()));
    let used = bytes[LENGTH..].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(LENGTH + used.next_multiple_of(size_of::<N>()));
    serializer.serialize_bytes(&bytes)
}

pub(crate) fn deserialize<'de, N: Number, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Box<[N]>, D::Error> {
    struct Numbers<N>(std::marker::PhantomData<N>);

    impl<N: Number> Visitor<'_> for Numbers<N> {
        type Value = Box<[N]>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the bytes of numbers")
        }

        fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
            let unsound = || E::custom("bytes that are no whole numbers, or too many");
            let (count, bytes) = bytes.split_first_chunk::<LENGTH>().ok_or_else(unsound)?;
            let count = u32::from_le_bytes(*count) as usize;
            let most = count.min(MOST) * size_of::<N>();
            if count > MOST || bytes.len() > most || !bytes.len().is_multiple_of(size_of::<N>()) {
                return Err(unsound());
            }
            let number = |bytes| N::Bytes::try_from(bytes).ok().map(N::from_bytes);
            let mut numbers = vec![N::default(); count];
            for (place, bytes) in numbers.iter_mut().zip(bytes.chunks_exact(size_of::<N>())) {
                *place = number(bytes).ok_or_else(unsound)?;
            }
            Ok(numbers.into())
        }
    }

    deserializer.deserialize_bytes(Numbers(std::marker::PhantomData))
}
