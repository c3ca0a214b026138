//! How busy the day is.

/// People on the move by hour of the day: Vietnamese peaks 6:30-8:00 and 16:30-18:30, a smaller one at noon.
const PEOPLE: [(f64, f64); 14] = [
    (0.0, 0.10),
    (3.0, 0.06),
    (5.0, 0.25),
    (6.0, 0.70),
    (6.75, 1.0),
    (7.75, 1.0),
    (9.0, 0.62),
    (11.0, 0.72),
    (13.5, 0.58),
    (15.5, 0.68),
    (16.75, 1.0),
    (18.25, 1.0),
    (20.0, 0.55),
    (24.0, 0.10),
];

/// Container trucks: most at night, when towns are open to them, fewest in the peaks of the people.
const FREIGHT: [(f64, f64); 9] = [
    (0.0, 1.0),
    (5.0, 0.95),
    (6.5, 0.45),
    (8.5, 0.6),
    (10.0, 0.85),
    (16.0, 0.75),
    (17.5, 0.45),
    (20.0, 0.9),
    (24.0, 1.0),
];

/// Share of the trips that lead into the centre rather than out of it.
const INWARD: [(f64, f64); 7] =
    [(0.0, 0.5), (5.0, 0.6), (7.0, 0.78), (9.0, 0.6), (13.0, 0.5), (17.0, 0.24), (24.0, 0.5)];

/// Returns how busy people are at that hour, 1 in the peaks.
pub(crate) fn people(hour: f64) -> f64 {
    read(&PEOPLE, hour)
}

/// Returns how busy container trucks are, 1 at night.
pub(crate) fn freight(hour: f64) -> f64 {
    read(&FREIGHT, hour)
}

/// Returns the share of trips into the centre.
pub(crate) fn inward(hour: f64) -> f64 {
    read(&INWARD, hour)
}

fn read(table: &[(f64, f64)], hour: f64) -> f64 {
    let hour = hour.rem_euclid(24.0);
    let after = table.partition_point(|&(h, _)| h <= hour).clamp(1, table.len() - 1);
    let ((h0, v0), (h1, v1)) = (table[after - 1], table[after]);
    v0 + (v1 - v0) * (hour - h0) / (h1 - h0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_peak_in_the_morning_and_freight_at_night() {
        assert!(people(7.0) > 1.4 * people(10.0) && people(17.5) > 1.4 * people(14.0));
        assert!(freight(2.0) > 2.0 * freight(7.0));
        assert!(inward(7.0) > 0.7 && inward(17.5) < 0.3);
    }
}
