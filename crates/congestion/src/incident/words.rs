//! Names the signs of an incident in words.

use super::sign::{Kind, Sign};

/// `behind`: links right behind it that are congested.
pub(super) fn of(signs: &[Sign], behind: usize, length_m: f64) -> String {
    let mut signs: Vec<&Sign> = signs.iter().collect();
    signs.sort_by_key(|sign| sign.kind);
    let mut words: Vec<String> = signs.into_iter().filter_map(|sign| word(sign, length_m)).collect();
    match behind {
        0 => {}
        1 => words.push("the link behind it is congested".to_owned()),
        n => words.push(format!("{n} links behind it are congested")),
    }
    words.join("; ")
}

/// Says nothing of what is the reason for another link's sign, and none here.
fn word(sign: &Sign, length_m: f64) -> Option<String> {
    let seconds = (sign.seen_at - sign.since) as f64 / 1000.0;
    let before_end_m = length_m - f64::from(sign.place_m);
    let lane = if sign.lane == 0 { "the road".to_owned() } else { format!("lane {}", sign.lane) };
    Some(match sign.kind {
        Kind::Alert => "a device raised an alarm about something on the road".to_owned(),
        Kind::Stands => format!(
            "a vehicle has stood for {seconds:.0} s {before_end_m:.0} m before the end, where few do, and nobody stands ahead of it"
        ),
        Kind::Covered => format!(
            "{lane} has not moved for {seconds:.0} s at the detector {before_end_m:.0} m before the end, and nobody stands ahead of it"
        ),
        Kind::Missing => {
            format!("about {:.0} vehicles have not come to the detectors ahead of it", sign.vehicles)
        }
        Kind::Empty => format!(
            "{lane} has been empty for {seconds:.0} s while {:.0} vehicles passed beside it",
            sign.vehicles
        ),
        Kind::Fallen => {
            format!("about {:.0} fewer than usual have passed its detectors in {seconds:.0} s", sign.vehicles)
        }
        Kind::FewerCome => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_fewer_come_is_no_sign_and_is_not_told() {
        let sign = |kind| Sign {
            kind,
            nats: 2.0,
            since: 0,
            seen_at: 60_000,
            until: 75_000,
            place_m: 0.0,
            lane: 0,
            vehicles: 22.0,
        };
        let words = of(&[sign(Kind::FewerCome), sign(Kind::Missing)], 1, 100.0);
        assert_eq!(
            words,
            "about 22 vehicles have not come to the detectors ahead of it; the link behind it is congested"
        );
    }
}
