//! Numbers of a checkpoint as plain bytes: a city's profiles are hundreds of megabytes, and are copied, not parsed.

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// A number of fixed width.
pub(crate) trait Number: Copy {
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
    let mut bytes = Vec::with_capacity(size_of_val(numbers));
    numbers.iter().for_each(|number| bytes.extend_from_slice(number.to_bytes().as_ref()));
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
            let whole = bytes.len().is_multiple_of(size_of::<N>());
            let number = |bytes| N::Bytes::try_from(bytes).ok().map(N::from_bytes);
            let numbers: Option<Box<[N]>> = bytes.chunks_exact(size_of::<N>()).map(number).collect();
            numbers.filter(|_| whole).ok_or_else(|| E::custom("bytes that are no whole numbers"))
        }
    }

    deserializer.deserialize_bytes(Numbers(std::marker::PhantomData))
}
