//! The least that any graph stage would do: sort the links by speed and join neighbours, slowest first.

use roadnet::Network;

use crate::table::median_of;

/// Seconds to sort all links by a speed and to unite each with its followers that are no faster.
pub(super) fn forest(network: &Network) -> f64 {
    let speed: Vec<f32> =
        network.indices().map(|link| (link.0.wrapping_mul(0x9E37_79B9) >> 8) as f32).collect();
    median_of(1, || {
        let mut order: Vec<u32> = (0..speed.len() as u32).collect();
        order.sort_unstable_by(|a, b| speed[*a as usize].total_cmp(&speed[*b as usize]));
        let mut root: Vec<u32> = (0..speed.len() as u32).collect();
        for link in order {
            for next in network.downstream(roadnet::LinkIndex(link)) {
                if speed[next.index()] <= speed[link as usize] {
                    let (a, b) = (find(&mut root, link), find(&mut root, next.0));
                    root[a as usize] = b;
                }
            }
        }
        std::hint::black_box(&root);
    })
}

/// Path halving.
fn find(root: &mut [u32], mut link: u32) -> u32 {
    while root[link as usize] != link {
        let above = root[root[link as usize] as usize];
        root[link as usize] = above;
        link = above;
    }
    link
}
