//! Free ports that stay ours while a server is down.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

/// Below Linux's ephemeral ports (32768 and up). A port of the ephemeral range can be taken by any outgoing connection
/// while its server is being restarted; a client that keeps reconnecting to it can even end up connected to itself.
const RANGE: Range<u16> = 20_000..32_000;

/// How often a server is started on another port when the one that was free a moment ago no longer is.
pub(crate) const TRIES: usize = 5;

/// Returns a loopback port that nothing listens on now. Another process may take it before the caller does: callers
/// try again, up to [`TRIES`] times.
pub(crate) fn free() -> u16 {
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    std::iter::repeat_with(random).find(free).expect("an endless iterator ends only at a free port")
}

/// The standard library's hasher keys are random for each instance: all the chance that a port needs.
fn random() -> u16 {
    let chance = RandomState::new().build_hasher().finish();
    let width = u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(chance % width).expect("the range is narrower than a u16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_lies_below_the_ephemeral_range() {
        let port = free();
        assert!(RANGE.contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
