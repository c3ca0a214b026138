//! A checkpoint: everything that the fold has gathered, as bytes.
//!
//! A checkpoint belongs to one network, registry, configuration and set of partitions; with any other it would mean
//! something else, so it is refused in words and the caller folds the log from an earlier position instead.

use std::borrow::Cow;
use std::sync::Arc;

use roadnet::{Network, Registry, Sensor};
use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::partition::{self, Partition};
use crate::{Analyzer, Config};

/// First bytes of every checkpoint.
const MAGIC: [u8; 8] = *b"luongcp\0";

/// Grows with each change of what stands behind the header.
const FORMAT: u32 = 39;

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Not a checkpoint at all.
    #[error("these bytes are no analyser checkpoint: start from the log instead")]
    NotACheckpoint,
    /// Made by a version that wrote another format.
    #[error("checkpoint has format {found}, this version reads {FORMAT}: start from the log instead")]
    Format {
        /// The format that was found.
        found: u32,
    },
    /// Cut short or damaged.
    #[error("checkpoint is damaged ({0}): start from the log instead")]
    Damaged(String),
    /// Made for something else.
    #[error("checkpoint was made for another {what} ({found}, now {wanted}): start from the log instead")]
    Other {
        /// Network, registry or configuration.
        what: &'static str,
        /// What it was made for.
        found: String,
        /// What it should be made for.
        wanted: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    network: String,
    registry: String,
    config: String,
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    partition_count: u32,
    partitions: Vec<partition::Saved<'a>>,
    graph: Cow<'a, Graph>,
}

impl Analyzer {
    /// Returns the whole state as bytes; equal states give equal bytes. The caller stores them together with the
    /// positions in the log up to which records were observed.
    pub fn checkpoint(&self) -> Vec<u8> {
        let body = Body {
            partition_count: self.partition_count,
            partitions: self.partitions.iter().map(Partition::save).collect(),
            graph: Cow::Borrowed(&self.graph),
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        let header = header(&self.network, &self.registry, &self.config);
        postcard::to_extend(&(header, body), bytes).expect("plain values always encode")
    }

    /// Returns the analyser that made the checkpoint, ready for the records after it.
    ///
    /// # Errors
    /// When the bytes are no whole checkpoint of this format, or one for another network, registry or configuration.
    pub fn restore(
        network: Arc<Network>,
        registry: Arc<Registry>,
        config: Config,
        checkpoint: &[u8],
    ) -> Result<Self, RestoreError> {
        let rest = checkpoint.strip_prefix(&MAGIC).ok_or(RestoreError::NotACheckpoint)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(RestoreError::NotACheckpoint)?;
        let found = u32::from_le_bytes(*format);
        if found != FORMAT {
            return Err(RestoreError::Format { found });
        }
        let damaged = |error: postcard::Error| RestoreError::Damaged(error.to_string());
        let (made_for, rest): (Header, &[u8]) = postcard::take_from_bytes(rest).map_err(damaged)?;
        let wanted = header(&network, &registry, &config);
        for (what, found, wanted) in [
            ("network", made_for.network, wanted.network),
            ("sensor registry", made_for.registry, wanted.registry),
            ("configuration", made_for.config, wanted.config),
        ] {
            if found != wanted {
                return Err(RestoreError::Other { what, found, wanted });
            }
        }
        let body: Body<'_> = postcard::from_bytes(rest).map_err(damaged)?;
        let known = registry.sensors().len();
        let partitions = body.partitions.into_iter().map(|saved| Partition::load(saved, known)).collect();
        let partitions = (partitions, body.partition_count);
        let mut analyzer = Self::of(network, registry, config, partitions, body.graph.into_owned());
        analyzer.resume();
        Ok(analyzer)
    }

    /// Returns the partitions that this analyser owns, in order.
    pub fn partitions(&self) -> impl Iterator<Item = u32> + '_ {
        self.partitions.iter().map(|partition| partition.number)
    }
}

fn header(network: &Network, registry: &Registry, config: &Config) -> Header {
    let place = |s: &Sensor| (s.link, s.lane, s.offset_m.map(f32::to_bits), s.length_m.to_bits());
    let sensors = registry.sensors().iter().map(|s| (&s.id, s.kind, place(s), s.period_s));
    Header {
        network: network.version().to_string(),
        registry: fingerprint(&sensors.collect::<Vec<_>>()),
        config: fingerprint(config),
    }
}

/// FNV-1a, 64 bits, of the encoded value: the same on every machine.
fn fingerprint(value: &impl Serialize) -> String {
    let bytes = postcard::to_stdvec(value).expect("plain values always encode");
    let step = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}
