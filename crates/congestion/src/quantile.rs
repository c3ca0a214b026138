//! Quantiles of a mixture of two normal distributions, to a thousandth.
//!
//! There is no closed form, and three are wanted of each link at each boundary. The answer is the thousandth in which halving
//! the interval would end; a Newton step with the second and third derivatives finds it in one or two evaluations where
//! halving takes thirteen.

use crate::normal::{deviate, normal, normal_and_density};

/// Where quantiles are looked for: beyond it, the nearest end stands for them.
const BOTTOM: f64 = -1.0;
const CELLS: i64 = 8192;
const CELLS_PER_ONE: f64 = 1024.0;

/// Two normal distributions with weights that add up to one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixture {
    pub(crate) low: Hump,
    pub(crate) high: Hump,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hump {
    pub(crate) weight: f64,
    mean: f64,
    sd: f64,
    per_sd: f64,
}

/// The mixture at one place.
struct There {
    /// Probability above the place.
    above: f64,
    density: f64,
    /// How fast the density grows.
    slope: f64,
    /// How fast the slope grows, and no less than how fast that does.
    curve: f64,
    twist: f64,
}

/// What is seen of a quantile from one place.
struct Look {
    to: f64,
    /// Whether it is in the cell of that.
    sure: bool,
    /// Whether it is further up than the place.
    further: bool,
}

impl Hump {
    pub(crate) fn new(weight: f64, mean: f64, var: f64) -> Self {
        let sd = var.sqrt();
        Self { weight, mean, sd, per_sd: sd.recip() }
    }

    fn at(&self, y: f64) -> There {
        let Self { weight, mean, per_sd, .. } = *self;
        let z = (mean - y) * per_sd;
        let (above, density) = normal_and_density(z);
        let density = weight * density * per_sd;
        There {
            above: weight * above,
            density,
            slope: density * z * per_sd,
            curve: density * (z * z - 1.0) * per_sd * per_sd,
            twist: density * z.abs() * (z * z + 3.0) * per_sd * per_sd * per_sd,
        }
    }
}

impl Mixture {
    /// Returns the probability that lies above that place.
    pub(crate) fn above(&self, y: f64) -> f64 {
        let above = |hump: &Hump| hump.weight * normal((hump.mean - y) * hump.per_sd);
        above(&self.low) + above(&self.high)
    }

    /// Returns the middle of the thousandth above which that probability lies.
    pub(crate) fn quantile(&self, above: f64) -> f64 {
        let look = self.look_from(self.guess(above), above);
        let found = if look.sure { cell(look.to).clamp(0, CELLS - 1) } else { self.search(above, look.to) };
        place(found) + 0.5 / CELLS_PER_ONE
    }

    /// Returns the cell of a quantile that was seen to be about there.
    fn search(&self, above: f64, about: f64) -> i64 {
        /// Steps that are tried before the interval is halved: in the gap between two humps steps lead astray.
        const STEPS: u32 = 6;
        let (mut low, mut high) = (0, CELLS);
        let mut edge = cell(about).clamp(1, CELLS - 1);
        for tried in 1.. {
            let look = self.look_from(place(edge), above);
            if look.further {
                low = edge
            } else {
                high = edge
            }
            if look.sure {
                return cell(look.to).clamp(low, high - 1);
            }
            if high - low == 1 {
                break;
            }
            let next =
                [cell(look.to), cell(look.to) + 1].into_iter().find(|next| low < *next && *next < high);
            edge = next.filter(|_| tried < STEPS).unwrap_or((low + high) / 2);
        }
        low
    }

    /// Looks for the quantile from that place.
    // Most quantiles are one look, and a call on the way to it costs a sixth of it.
    #[inline(always)]
    fn look_from(&self, from: f64, above: f64) -> Look {
        /// From further away a narrow hump is not seen.
        const NEAR_SD: f64 = 0.5;
        let there = self.at(from);
        let (to, exact) = there.look_for(above, from);
        let is_near = (to - from).abs() < NEAR_SD * self.low.sd.min(self.high.sd);
        Look { to, sure: exact && is_near && is_inside(to), further: there.above > above }
    }

    /// Returns the quantile as if the humps did not overlap; where it lies between them, about where the low one ends.
    fn guess(&self, above: f64) -> f64 {
        /// Standard deviations from the middle of the low hump.
        const END_SD: f64 = 2.5;
        let Self { low, high } = self;
        if above > high.weight {
            low.mean + low.sd * deviate((above - high.weight) / low.weight).min(END_SD)
        } else {
            (high.mean + high.sd * deviate(above / high.weight)).max(low.mean + low.sd * END_SD)
        }
    }

    fn at(&self, y: f64) -> There {
        let (low, high) = (self.low.at(y), self.high.at(y));
        There {
            above: low.above + high.above,
            density: low.density + high.density,
            slope: low.slope + high.slope,
            curve: low.curve + high.curve,
            twist: low.twist + high.twist,
        }
    }
}

impl There {
    /// Returns the place above which that probability lies, as seen from here, and whether it is that to a hundredth of a cell.
    fn look_for(&self, above: f64, from: f64) -> (f64, bool) {
        const OFF: f64 = 0.01 / CELLS_PER_ONE;
        let per_density = self.density.recip();
        let straight = (self.above - above) * per_density;
        let bent = straight * self.slope * per_density / 2.0;
        let curved = straight * straight * self.curve * per_density / 6.0;
        if bent.abs() + curved.abs() > 0.5 {
            return (from + straight, false);
        }
        // The series that inverts the distribution function; what it leaves is of fourth order, and twice that with all beyond.
        let twisted = straight * straight * straight.abs() * self.twist * per_density / 24.0;
        let left = 5.0 * bent.abs() * (bent * bent + curved.abs()) + twisted;
        (from + straight * (1.0 - bent + 2.0 * bent * bent - curved), 2.0 * straight.abs() * left < OFF)
    }
}

fn place(cell: i64) -> f64 {
    BOTTOM + cell as f64 / CELLS_PER_ONE
}

fn cell(place: f64) -> i64 {
    // All is above 0 then, so that cutting off is rounding down, without a call.
    ((place - BOTTOM) * CELLS_PER_ONE + 1.0).clamp(0.0, (CELLS + 1) as f64) as i64 - 1
}

/// Tells whether a place is clearly in one cell.
fn is_inside(place: f64) -> bool {
    let within = (place - BOTTOM) * CELLS_PER_ONE - cell(place) as f64;
    (0.02..0.98).contains(&within)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Thirteen halvings of the interval.
    fn halved(mixture: &Mixture, above: f64) -> f64 {
        let (mut low, mut high) = (-1.0, 7.0);
        for _ in 0..13 {
            let middle = (low + high) / 2.0;
            if mixture.above(middle) > above { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn a_quantile_is_what_halving_finds(
            y in -0.3f64..5.0,
            more in -1.0f64..4.0,
            sds in (0.01f64..1.5, 0.01f64..1.5),
            jammed in 0.001f64..0.999,
            above in prop::sample::select(vec![0.9, 0.5, 0.1, 0.025]),
        ) {
            let mixture = Mixture {
                low: Hump::new(1.0 - jammed, y, sds.0 * sds.0),
                high: Hump::new(jammed, y + more, sds.1 * sds.1),
            };
            prop_assert_eq!(mixture.quantile(above).to_bits(), halved(&mixture, above).to_bits());
        }
    }

    #[test]
    fn what_is_no_number_ends_too() {
        let nowhere = Hump::new(0.5, f64::NAN, -1.0);
        assert!(Mixture { low: nowhere, high: nowhere }.quantile(0.5).is_finite());
    }
}
