//! Random numbers without state: each is a hash of (seed, stream, entity, step), so that neither the order of the
//! questions nor the number of threads changes an answer (the counter-based idea of Salmon et al. 2011).

/// What the numbers are for; two purposes never share a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum Stream {
    City = 1,
    Departures,
    Node,
    Lane,
    Speed,
    Count,
    Loss,
    Fault,
    Placement,
    Probe,
    Matching,
    Incident,
    Queue,
}

/// A source of numbers for one entity at one step; each call to a method gives the next one.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    key: u64,
    count: u64,
}

impl Draw {
    /// Returns the source that belongs to these four.
    pub(crate) fn new(seed: u64, stream: Stream, entity: u64, step: u64) -> Self {
        let key = mix(mix(mix(seed ^ 0x4c75_6f6e_6700) ^ stream as u64) ^ entity).wrapping_add(mix(step));
        Self { key: mix(key), count: 0 }
    }

    /// Returns 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.count += 1;
        mix(self.key.wrapping_add(self.count.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Returns a number in 0..1, 1 excluded.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Tells yes with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns a number in `from..to`.
    pub(crate) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// Returns a place in `0..n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((self.unit() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// Returns a normally distributed number (Box and Muller 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Returns a Poisson-distributed number; exact by inversion below a mean of 30, normal above.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u32;
        }
        let mut probability = (-mean).exp();
        let (mut sum, mut n, target) = (probability, 0, self.unit());
        while target > sum && n < 200 {
            n += 1;
            probability *= mean / f64::from(n);
            sum += probability;
        }
        n
    }

    /// Returns a place drawn by weight, given the running sums of the weights; 0 when there are none.
    pub(crate) fn weighted(&mut self, running_sums: &[f64]) -> usize {
        let total = running_sums.last().copied().unwrap_or(0.0);
        let target = self.unit() * total;
        running_sums.partition_point(|&sum| sum <= target).min(running_sums.len().saturating_sub(1))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_another_has_another() {
        let ask = |entity, step| Draw::new(7, Stream::Lane, entity, step).bits();
        assert_eq!(ask(3, 4), ask(3, 4));
        assert_ne!(ask(3, 4), ask(4, 3));
    }

    #[test]
    fn poisson_has_its_mean_and_variance() {
        for mean in [0.3, 4.0, 60.0] {
            let all: Vec<f64> =
                (0..20_000).map(|i| f64::from(Draw::new(1, Stream::Count, i, 0).poisson(mean))).collect();
            let average = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|n| (n - average).powi(2)).sum::<f64>() / all.len() as f64;
            assert!((average / mean - 1.0).abs() < 0.03, "mean {average} for {mean}");
            assert!((variance / mean - 1.0).abs() < 0.06, "variance {variance} for {mean}");
        }
    }
}
