//! Names that others gave: to a link by its map, to a sensor by its operator.

use std::borrow::Borrow;
use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// Names one directed link across network versions, as its map does: `w123.0f`, a SUMO edge id, …
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct LinkId(pub CompactString);

/// Names one device of the sensor registry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct SensorId(pub CompactString);

impl LinkId {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SensorId {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Maps by name are asked with plain text, without a copy.
impl Borrow<str> for LinkId {
    #[inline]
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Maps by name are asked with plain text, without a copy.
impl Borrow<str> for SensorId {
    #[inline]
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for LinkId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<&str> for SensorId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
