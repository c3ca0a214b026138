//! Names the signs of an incident in words.

use super::sign::{Kind, Sign};
use crate::partition::Context;

/// `behind`: links right behind it that are congested.
pub(super) fn of(signs: &[Sign], behind: usize, context: &Context<'_>, link: u32) -> String {
    let length_m = context.sites[link as usize].length_m;
    let mut signs: Vec<&Sign> = signs.iter().collect();
    signs.sort_by_key(|sign| sign.kind);
    let mut words: Vec<String> = signs.into_iter().map(|sign| word(sign, length_m)).collect();
    match behind {
        0 => {}
        1 => words.push("the link behind it is congested".to_owned()),
        n => words.push(format!("{n} links behind it are congested")),
    }
    words.join("; ")
}

fn word(sign: &Sign, length_m: f64) -> String {
    let seconds = (sign.seen_at - sign.since) as f64 / 1000.0;
    let before_end_m = length_m - f64::from(sign.place_m);
    let lane = if sign.lane == 0 { "the road".to_owned() } else { format!("lane {}", sign.lane) };
    match sign.kind {
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
        Kind::FewerCome => format!("about {:.0} fewer than usual have come in {seconds:.0} s", sign.vehicles),
    }
}
