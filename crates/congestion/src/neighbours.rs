//! Links without sensors: what their neighbours say.

use roadnet::{LinkIndex, Network};

use crate::fusion::Belief;

/// Spreads what is known over the turns: each link without an own belief takes the mean of its neighbours, again and
/// again in the order of links, until it has spread `rounds` turns.
pub(crate) fn spread(network: &Network, own: &[Option<Belief>], prior: &[f64], y: &mut [f64], rounds: usize) {
    for _ in 0..rounds {
        for link in network.indices() {
            if let Some(belief) = own[link.index()] {
                y[link.index()] = belief.y;
                continue;
            }
            let (mut sum, mut n) = (prior[link.index()], 1.0);
            let around: &[&[LinkIndex]] = &[network.downstream(link), network.upstream(link)];
            for next in around.iter().copied().flatten() {
                sum += y[next.index()];
                n += 1.0;
            }
            y[link.index()] = sum / n;
        }
    }
}
