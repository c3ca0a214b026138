//! An own estimate as a link hands it on, and as a checkpoint holds it: half as wide.
//!
//! Single precision is a ten-millionth, and what is told are tenths. An estimate is rounded to it where it is made, so that whoever goes
//! on from a checkpoint goes on with the same numbers.

use serde::{Deserialize, Serialize};

use crate::cycle::Cycle;
use crate::own::{Fleet, Own};
use crate::regime::Regimes;

/// NaN = not known.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Handed {
    numbers: [f32; 16],
    whole: Whole,
    newest_at: i64,
}

/// What has whole steps anyway; 0 = not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Whole {
    red_s: u16,
    cycle_s: u16,
    free_kmh: u16,
    quality: u16,
}

impl Handed {
    /// Tells whether all is the same, bit by bit: what is not known is no other than what is not known.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.numbers.map(f32::to_bits) == other.numbers.map(f32::to_bits)
            && (self.whole, self.newest_at) == (other.whole, other.newest_at)
    }
}

/// What is handed on in single precision, in that order.
fn numbers_mut(own: &mut Own) -> [&mut f64; 16] {
    let Regimes { free, jam, jammed } = &mut own.belief;
    let Fleet { present, driven_kmh, share } = &mut own.probes;
    [
        &mut free.y,
        &mut free.var,
        &mut jam.y,
        &mut jam.var,
        jammed,
        &mut own.passing_y,
        &mut own.flow_vph,
        &mut own.flow_pcuph,
        &mut own.flow_mcuph,
        &mut own.flow_personph,
        &mut own.queue_m,
        &mut own.stored_vpkm,
        &mut own.counted_m,
        present,
        driven_kmh,
        share,
    ]
}

impl From<Own> for Handed {
    fn from(mut own: Own) -> Self {
        let whole = Whole {
            // What is no number becomes 0.
            red_s: own.cycle.red_s as u16,
            cycle_s: own.cycle.length_s as u16,
            free_kmh: own.free_kmh as u16,
            quality: own.quality as u16,
        };
        Self { numbers: numbers_mut(&mut own).map(|number| *number as f32), whole, newest_at: own.newest_at }
    }
}

impl From<Handed> for Own {
    fn from(Handed { numbers, whole, newest_at }: Handed) -> Self {
        let known = |whole: u16| if whole > 0 { f64::from(whole) } else { f64::NAN };
        let mut own = Self {
            cycle: Cycle { red_s: known(whole.red_s), length_s: known(whole.cycle_s) },
            free_kmh: known(whole.free_kmh),
            newest_at,
            quality: whole.quality.into(),
            ..Self::NOTHING
        };
        numbers_mut(&mut own).into_iter().zip(numbers).for_each(|(number, handed)| *number = handed.into());
        own
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fusion::Belief;

    #[test]
    fn with_its_link_it_is_88_bytes() {
        assert_eq!(size_of::<(u32, Handed)>(), 88);
    }

    #[test]
    fn what_is_not_known_stays_so() {
        let handed = Handed::from(Own::NOTHING);
        let back = Own::from(handed);
        assert!(back.flow_vph.is_nan() && !back.cycle.is_known() && back.free_kmh.is_nan());
        assert!(handed.is_same(&back.into()));
    }

    proptest! {
        #[test]
        fn an_estimate_that_was_rounded_once_stays_as_it_is(
            y in -0.2f64..4.0, jammed in 0.01f64..0.99, flow_vph in 0.0f64..5000.0,
            red_s in 1u16..200, free_kmh in 5u16..130, newest_at: i64, quality in 0u32..1024,
        ) {
            let belief = Regimes { free: Belief { y, var: y * y }, jammed, ..Own::NOTHING.belief };
            let cycle = Cycle { red_s: red_s.into(), length_s: f64::from(red_s) * 2.0 };
            let own = Own {
                belief,
                passing_y: y + 0.5,
                flow_vph,
                flow_pcuph: 2.0 * flow_vph,
                flow_mcuph: 3.0 * flow_vph,
                flow_personph: 4.0 * flow_vph,
                queue_m: flow_vph + 5.0,
                stored_vpkm: flow_vph + 6.0,
                counted_m: flow_vph + 7.0,
                probes: Fleet { present: 8.0, driven_kmh: 9.0, share: 0.25 },
                cycle,
                free_kmh: free_kmh.into(),
                newest_at,
                quality,
            };
            let once = Handed::from(own);
            let back = Own::from(once);
            prop_assert!(once.is_same(&back.into()));
            let rounded = |own: Own| {
                let Own { passing_y, flow_vph, flow_pcuph, flow_mcuph, flow_personph, queue_m, stored_vpkm, counted_m, .. } = own;
                let Regimes { free, jam, jammed } = own.belief;
                let flows = [flow_vph, flow_pcuph, flow_mcuph, flow_personph];
                let others = [passing_y, queue_m, stored_vpkm, counted_m, free.y, free.var, jam.y, jam.var, jammed];
                (flows.map(|flow| flow as f32), others.map(|other| other as f32), own.probes)
            };
            prop_assert_eq!(rounded(back), rounded(own));
            prop_assert_eq!((back.cycle, back.free_kmh, back.newest_at, back.quality), (cycle, own.free_kmh, newest_at, quality));
        }
    }
}
