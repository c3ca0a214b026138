//! The topics of the log, version in the name.

/// `luong.v1.Observation`, keyed by link id.
pub const OBSERVATIONS: &str = "luong.observations.v1";
/// `luong.v1.DeadLetter`, keyed by sensor id or MQTT topic.
pub const DEAD_LETTERS: &str = "luong.dead-letters.v1";
/// `luong.v1.LinkState`, keyed by link id.
pub const LINK_STATES: &str = "luong.link-states.v1";
/// `luong.v1.Forecast`, keyed by link id.
pub const FORECASTS: &str = "luong.forecasts.v1";
/// `luong.v1.TrafficEvent`, keyed by event id.
pub const EVENTS: &str = "luong.events.v1";

/// Returns the partition of a key that is not a link's: a stable hash (FNV-1a) of its bytes.
///
/// ```
/// assert_eq!(wire::topic::partition_of_key(b"queue-1", 8), wire::topic::partition_of_key(b"queue-1", 8));
/// ```
pub fn partition_of_key(key: &[u8], partitions: u32) -> u32 {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ((hash ^ hash >> 32) % u64::from(partitions.max(1))) as u32
}
