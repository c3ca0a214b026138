//! The standard normal distribution, to 3e-10: a link's classes and quantiles ask for some forty values of it at each estimate.
//!
//! Values are kept at equal steps, and Taylor's series leads from the nearest of them: no exponential, no division, no branch, and the
//! same bits on every machine.

/// Values are kept up to just below 8 standard deviations from the middle: further out there is less than 1e-14.
const STEPS_PER_ONE: f64 = 64.0;
const POINTS: usize = 512;
const REACH: f64 = (POINTS - 1) as f64 / STEPS_PER_ONE;

/// Added to a small number it leaves no bits for a fraction: the sum is rounded to a whole number, which its lowest bits hold. Cheaper
/// than to convert it, which would have to look for what is no number, or out of range.
const TO_WHOLE: f64 = (1_u64 << 52) as f64;

#[derive(Clone, Copy)]
struct Point {
    /// Probability between the middle and here.
    within: f64,
    density: f64,
}

/// Dividing would take as long as all the rest.
const THIRD: f64 = 1.0 / 3.0;

static KEPT: [Point; POINTS] = kept();

/// Returns the distribution function.
pub(crate) fn normal(z: f64) -> f64 {
    normal_and_density(z).0
}

/// Returns the distribution function and the density.
pub(crate) fn normal_and_density(z: f64) -> (f64, f64) {
    // What is no number stays none.
    let out = if z.abs() > REACH { REACH } else { z.abs() };
    let place = out * STEPS_PER_ONE + TO_WHOLE;
    let Point { within, density } = KEPT[place.to_bits() as usize % POINTS];
    let from = (place - TO_WHOLE) / STEPS_PER_ONE;
    let more = out - from;
    // Derivatives of the density, over itself: -z and z^2 - 1.
    let bend = (from * from - 1.0) / 2.0;
    let within = within + density * more * (1.0 - more * (from / 2.0 - more * bend * THIRD));
    (0.5 + within.copysign(z), density * (1.0 - more * (from - more * bend)))
}

/// Returns the values that are kept, from the middle outwards; by Simpson's rule.
const fn kept() -> [Point; POINTS] {
    const STEP: f64 = 1.0 / STEPS_PER_ONE;
    let mut points = [Point { within: 0.0, density: density(0.0) }; POINTS];
    let mut place = 1;
    while place < POINTS {
        let Point { within, density: inner } = points[place - 1];
        let z = place as f64 * STEP;
        let (middle, outer) = (density(z - STEP / 2.0), density(z));
        points[place] =
            Point { within: within + (inner + 4.0 * middle + outer) * STEP / 6.0, density: outer };
        place += 1;
    }
    points
}

const fn density(z: f64) -> f64 {
    /// 1 / sqrt(2 pi).
    const PEAK: f64 = 0.398_942_280_401_432_7;
    PEAK / exp(0.5 * z * z)
}

/// The exponential of up to `REACH`^2 / 2, as the library's is not to be had before run time: a series for its 64th root.
const fn exp(x: f64) -> f64 {
    const TERMS: u32 = 16;
    const SQUARES: u32 = 6;
    let x = x / (1 << SQUARES) as f64;
    let (mut sum, mut term) = (1.0, TERMS);
    while term > 0 {
        sum = 1.0 + sum * x / term as f64;
        term -= 1;
    }
    let mut square = 0;
    while square < SQUARES {
        sum *= sum;
        square += 1;
    }
    sum
}

/// Deviates are kept at equal steps of the probability above them.
const PARTS: usize = 256;

static DEVIATES: [f64; PARTS + 1] = deviates();

/// Returns the deviate above which that probability lies, to 0.02 where that is above a hundredth on either side: good enough to begin a
/// search.
pub(crate) fn deviate(above: f64) -> f64 {
    let place = above * PARTS as f64;
    let part = (place as usize).min(PARTS - 1);
    let (from, to) = (DEVIATES[part], DEVIATES[part + 1]);
    from + (place - part as f64) * (to - from)
}

/// Returns the deviates that are kept; in the place of the endless ones at both ends, those half a step further in.
const fn deviates() -> [f64; PARTS + 1] {
    let mut deviates = [0.0; PARTS + 1];
    let (mut part, mut place) = (PARTS / 2, 0);
    while part <= PARTS {
        let above = if part == PARTS { PARTS as f64 - 0.5 } else { part as f64 };
        let within = above / PARTS as f64 - 0.5;
        while KEPT[place + 1].within < within {
            place += 1;
        }
        let Point { within: from, density } = KEPT[place];
        let z = place as f64 / STEPS_PER_ONE + (within - from) / density;
        (deviates[part], deviates[PARTS - part]) = (-z, z);
        part += 1;
    }
    deviates
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_has_the_values_of_tables() {
        // Abramowitz and Stegun, table 26.1.
        for (z, below) in
            [(0.0, 0.5), (0.5, 0.691_462_461_274), (1.28, 0.899_727_432_046), (3.0, 0.998_650_101_968)]
        {
            assert!((normal(z) - below).abs() < 3e-10, "{z}: {}", normal(z));
            assert!((normal(-z) - (1.0 - below)).abs() < 3e-10);
        }
        assert!((normal_and_density(1.0).1 - 0.241_970_724_519).abs() < 1e-6);
    }

    #[test]
    fn a_deviate_has_that_probability_above_it() {
        for part in 10..=990 {
            let above = f64::from(part) / 1000.0;
            let off = (normal(-deviate(above)) - above) / normal_and_density(deviate(above)).1;
            assert!(off.abs() < 0.02, "{above}: {off}");
        }
    }

    #[test]
    fn far_out_there_is_nothing_and_what_is_no_number_has_none() {
        for z in [8.0, 9.0, f64::INFINITY] {
            assert!(normal(-z).abs() < 1e-12 && (normal(z) - 1.0).abs() < 1e-12);
        }
        assert!(normal(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn it_grows_as_its_density_says(z in -7.9f64..7.9) {
            const STEP: f64 = 1e-3;
            let [(before, left), (after, right)] = [z, z + STEP].map(normal_and_density);
            prop_assert!(after >= before - 1e-9);
            prop_assert!((after - before - STEP * (left + right) / 2.0).abs() < 1e-9);
            prop_assert!((left - (-0.5 * z * z).exp() * 0.398_942_280_4).abs() < 1e-6);
        }
    }
}
