//! An explanation as an engineer on call reads it.

use std::fmt::{self, Display, Formatter};

use congestion::{
    Believed, Capacity, Class, Evidence, Explanation, Facility, Heard, Means, Measure, Neighbour, Queue,
    Said, Scatter, Speed, Stage, Step, Usual,
};
use model::{LevelOfService, Quality, Source, Timestamp};

/// Prints the explanation.
pub(super) struct Text<'a>(pub(super) &'a Explanation);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let all = self.0;
        road(f, all)?;
        state(f, all)?;
        sensors(f, &all.sensors)?;
        evidence(f, all)?;
        chain(f, &all.chain)?;
        all.believed.iter().try_for_each(|believed| belief(f, believed))?;
        neighbours(f, &all.neighbours)?;
        all.class.iter().try_for_each(|judged| class(f, judged))?;
        all.measure.iter().try_for_each(|judged| measure(f, judged))?;
        capacity(f, &all.capacity)?;
        queue(f, all.queue.as_ref())
    }
}

fn road(f: &mut Formatter<'_>, all: &Explanation) -> fmt::Result {
    let road = &all.road;
    let end = match (road.signal_at_end, road.gives_way) {
        (true, _) => "a signal at its end",
        (false, true) => "gives way at its end",
        (false, false) => "no signal at its end",
    };
    let (link, lanes) = (&all.state.link, road.lanes);
    let (length_m, free_kmh) = (road.length_m, road.free_flow_kmh);
    writeln!(f, "link {link}: {length_m:.0} m, {lanes} lanes, free flow {free_kmh:.0} km/h, {end}")
}

fn state(f: &mut Formatter<'_>, all: &Explanation) -> fmt::Result {
    let state = &all.state;
    if state.valid_at == Timestamp::MIN {
        return writeln!(f, "nothing was ever said of it");
    }
    let level =
        |level: Option<LevelOfService>| level.map_or("not known".to_owned(), |level| level.to_string());
    let congested = state.congested.map_or("not known", |congested| if congested { "yes" } else { "no" });
    writeln!(f, "state at {}", state.valid_at)?;
    writeln!(
        f,
        "  speed {} km/h (80 %: {} to {}), travel time {} s, delay {} s",
        known(state.speed_kmh),
        known(state.speed_lo_kmh),
        known(state.speed_hi_kmh),
        known(state.travel_time_s),
        known(state.delay_s)
    )?;
    writeln!(
        f,
        "  flow {} veh/h, {} pcu/h, {} mcu/h; density {} veh/km; queue {} m",
        known(state.flow_vph),
        known(state.flow_pcuph),
        known(state.flow_mcuph),
        known(state.density_vpkm),
        known(state.queue_m)
    )?;
    writeln!(
        f,
        "  level of service {}, by its own measure {}; congested: {congested}",
        level(state.level_of_service),
        level(state.los_facility)
    )?;
    let age = state.age_s.map_or(String::new(), |age_s| format!(", newest reading {age_s:.1} s old"));
    writeln!(f, "  source {}{age}; quality {}", state.source.name(), Flags(state.quality))?;
    match state.source {
        Source::None => writeln!(f, "  no evidence reaches it: nothing is known"),
        Source::Profile => writeln!(f, "  no evidence reaches it: this is usual at this time of the week"),
        Source::Observed | Source::Estimated => Ok(()),
    }
}

fn sensors(f: &mut Formatter<'_>, sensors: &[Heard]) -> fmt::Result {
    if sensors.is_empty() {
        return writeln!(f, "\nno sensor of its own was heard in the last minutes");
    }
    writeln!(f, "\nwhat its sensors said (weight: its share in what they come to)")?;
    writeln!(f, "  weight  readings  newest       quality  said last")?;
    for heard in sensors {
        writeln!(
            f,
            "  {:>6.3}  {:>8}  {:>6.1} s  {:>10}  {}: {}",
            heard.weight,
            heard.readings,
            heard.age_s,
            Flags(heard.quality).to_string(),
            heard.sensor,
            Words(heard.newest)
        )?;
        if let Some(Scatter { variance_ratio, minutes, gated }) = heard.scatter {
            writeln!(
                f,
                "{:>10}variance {variance_ratio:.2} of its kind's, by {minutes} minutes beside others; {gated} that nothing explained",
                ""
            )?;
        }
    }
    Ok(())
}

fn evidence(f: &mut Formatter<'_>, all: &Explanation) -> fmt::Result {
    let (evidence, typical): (&[Evidence], &Usual) = (&all.evidence, &all.typical);
    // Where nothing counts on it, its neighbours and the like move that on.
    let by_itself = if all.neighbours.is_empty() { "" } else { " by itself" };
    writeln!(
        f,
        "\nwhat that comes to{by_itself}, oldest first (the weights add up to 1; jam odds: the factor it put on them)"
    )?;
    writeln!(f, "  weight  speed                 jam odds  what")?;
    let lost = typical.lost_s.map_or(String::new(), |s| format!(", {s:.1} s lost at its end"));
    let (weight, share) = (typical.weight, 100.0 * typical.running_share);
    let typical_speed = Shown(typical.free).to_string();
    writeln!(
        f,
        "  {weight:>6.3}  {typical_speed:<20}         -  typical here: {share:.0} % of free flow{lost}"
    )?;
    let (jams, jammed) = (Shown(typical.jam), 100.0 * typical.jammed);
    writeln!(f, "{:>41}jams run {jams}; {jammed:.0} % of links are jammed", "")?;
    let gated = evidence.iter().filter(|piece| piece.gated).count();
    if gated > 0 {
        writeln!(f, "{:>41}{gated} of {} pieces are beyond the gate", "", evidence.len())?;
    }
    for piece in evidence {
        let by = match piece.means {
            Means::Cameras => "cameras",
            Means::Loops => "loops",
            Means::Probes => "probes",
        };
        let ages = match piece.age_s {
            (from, Some(to)) => format!("{from:.0} to {to:.0} s ago"),
            (from, None) => format!("more than {from:.0} s ago"),
        };
        let (weight, speed, odds) = (piece.weight, Shown(piece.speed).to_string(), piece.jam_odds);
        let gated = if piece.gated { ": neither free nor jammed, not taken at face value" } else { "" };
        writeln!(f, "  {weight:>6.3}  {speed:<20}  x {odds:>6.3}  {by}, {ages}{gated}")?;
    }
    Ok(())
}

fn chain(f: &mut Formatter<'_>, steps: &[Step]) -> fmt::Result {
    if steps.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\nfrom what is usual to what is told (weight: its share in the last speed, by the variance that it takes away)"
    )?;
    writeln!(f, "  weight  speed km/h (80 %)      jammed  after")?;
    for step in steps {
        let by = match step.by {
            Stage::Usual => "what is usual for links like it",
            Stage::Week => "what is usual of it at this time of the week, in the place of that",
            Stage::Neighbours => "its neighbours: their jams, and how fast they run when free",
            Stage::Smoothing => "adaptive smoothing along the expressway, in the place of all before",
            Stage::Sensors => "its own sensors",
            Stage::TravelTimes => "travel times measured over it",
        };
        let (weight, jammed, (slow, fast)) = (step.weight, 100.0 * step.jammed, step.between_kmh);
        let speed = format!("{:.1} ({slow:.1} to {fast:.1})", step.speed_kmh);
        writeln!(f, "  {weight:>6.3}  {speed:<21}  {jammed:>4.0} %  {by}")?;
    }
    Ok(())
}

fn belief(f: &mut Formatter<'_>, believed: &Believed) -> fmt::Result {
    writeln!(f, "\nwhat is believed of it now")?;
    if let Some(odds) = believed.silence_odds.filter(|odds| *odds > 1.0) {
        writeln!(f, "  nobody has passed its loops for long: jam odds x {odds:.3}")?;
    }
    if let Some(odds) = believed.signal_odds.filter(|odds| *odds > 1.0) {
        writeln!(f, "  its signal holds a green or a red longer than usual: jam odds x {odds:.3}")?;
    }
    let (free, jam) = (100.0 * (1.0 - believed.jammed), 100.0 * believed.jammed);
    writeln!(f, "  {free:>5.1} %: free, {}", Shown(believed.free))?;
    writeln!(f, "  {jam:>5.1} %: jammed, {}", Shown(believed.jam))?;
    f.write_str(&standing(believed))?;
    let driven = 100.0 * believed.jammed_while_driven;
    if (driven - jam).abs() >= 0.05 {
        writeln!(
            f,
            "  its 80 % are of minutes in which somebody drives there: of these {driven:.1} % are jammed"
        )?;
    }
    Ok(())
}

/// Both are shares of all, so that the one reads as a part of the other.
fn standing(believed: &Believed) -> String {
    let (still, jam) = (100.0 * believed.standstill, 100.0 * believed.jammed);
    if still < 0.05 {
        return String::new();
    }
    format!("           {still:.1} of these {jam:.1} %: nobody leaves it in this minute, 0 km/h\n")
}

fn neighbours(f: &mut Formatter<'_>, neighbours: &[Neighbour]) -> fmt::Result {
    if neighbours.is_empty() {
        return Ok(());
    }
    writeln!(
        f,
        "\nnothing counts on it: its flow, its jams and its free speed are guessed from its neighbours, beside what is above; an \
         expressway's detectors and travel times between two devices count for more"
    )?;
    writeln!(f, "  weight  jammed  flow        turns")?;
    for next in neighbours {
        let turns = if next.before { "of its vehicles come from it" } else { "of its vehicles turn into it" };
        let flow = next.flow_vph.map_or("- veh/h".to_owned(), |flow_vph| format!("{flow_vph:.0} veh/h"));
        let (weight, jammed) = (next.weight, 100.0 * next.jammed);
        let (share, link) = (100.0 * next.turn_share, &next.link);
        writeln!(f, "  {weight:>6.3}  {jammed:>4.0} %  {flow:<10}  {link}: {share:.0} % {turns}")?;
    }
    Ok(())
}

fn class(f: &mut Formatter<'_>, class: &Class) -> fmt::Result {
    writeln!(f, "\nwhy level {}: speed is {:.1} % of free flow", class.level, 100.0 * class.share)?;
    writeln!(f, "  cuts {} %", list(LevelOfService::SHARES.map(|share| 100.0 * share), "/"))?;
    writeln!(f, "  probabilities {}", Levels(class.levels))?;
    let margin = class.level_margin;
    writeln!(
        f,
        "  told is the level that is worth most (right 1, a neighbour 0.5), left for one worth {margin} more"
    )?;
    let (word, against) =
        if class.congested { ("congested", "kept down to") } else { ("not congested", "told from") };
    let bar = if class.congested { class.congested_kept_bar } else { class.congested_bar };
    let probability = class.congested_probability;
    writeln!(f, "why {word}: the probability of that is {probability:.3}; it is {against} {bar:.2}")
}

fn measure(f: &mut Formatter<'_>, measure: &Measure) -> fmt::Result {
    let level = measure.level.map_or("not known".to_owned(), |level| level.to_string());
    let (value, what) = match measure.facility {
        Facility::Expressway => (measure.value, "passenger cars per km and lane on an expressway"),
        Facility::Signal => (measure.value, "s of control delay at its signal"),
        Facility::GiveWay => (measure.value, "s of control delay where it gives way"),
    };
    writeln!(f, "why level {level} by its own measure: {value:.1} {what}")?;
    writeln!(f, "  cuts {}", list(measure.cuts, "/"))?;
    writeln!(f, "  probabilities {}", Levels(measure.levels))
}

fn capacity(f: &mut Formatter<'_>, capacity: &Capacity) -> fmt::Result {
    let Capacity { pcuph, by_width_pcuph, queue_minutes, used } = *capacity;
    let used = used.map_or(String::new(), |used| format!("; {:.0} % of it passes", 100.0 * used));
    writeln!(
        f,
        "\ncapacity {pcuph:.0} pcu/h: {by_width_pcuph:.0} by its width, {queue_minutes:.0} min of discharge from queues seen{used}"
    )
}

fn queue(f: &mut Formatter<'_>, queue: Option<&Queue>) -> fmt::Result {
    let Some(queue) = queue else { return writeln!(f, "\nit stands in no queue that was told") };
    let place = match queue.turns_to_head {
        0 => "it is the head: what holds the queue back is at its end or behind it".to_owned(),
        1 => "the head is the next link".to_owned(),
        turns => format!("the head is {turns} turns further on"),
    };
    let (head, links, length_m, since) = (&queue.head, queue.links, queue.length_m, queue.since);
    let links = if links == 1 { "1 link".to_owned() } else { format!("{links} links") };
    writeln!(f, "\nqueue behind {head}: {links}, {length_m:.0} m, since {since}; {place}")
}

fn known(value: Option<f32>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.1}"))
}

fn list(values: [f64; 5], between: &str) -> String {
    values.map(|value| format!("{value:.1}")).join(between)
}

/// A speed with its spread.
struct Shown(Speed);

impl Display for Shown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Speed { kmh, factor } = self.0;
        write!(f, "{kmh:.1} km/h, x/: {factor:.2}")
    }
}

/// Probabilities of the levels.
struct Levels([f64; 6]);

impl Display for Levels {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = LevelOfService::ALL.iter().zip(self.0).map(|(level, p)| format!("{level} {p:.2}"));
        f.write_str(&shown.collect::<Vec<_>>().join(", "))
    }
}

/// Flags in words.
struct Flags(Quality);

impl Display for Flags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let words = [
            (Quality::VALUE_REMOVED, "value removed"),
            (Quality::CLOCK_SUSPECT, "clock suspect"),
            (Quality::SNAPPED, "snapped"),
            (Quality::SENSOR_SUSPECT, "sensor suspect"),
            (Quality::STALE, "stale"),
        ];
        let set: Vec<_> =
            words.into_iter().filter(|(flag, _)| self.0.has(*flag)).map(|(_, word)| word).collect();
        f.write_str(&if set.is_empty() { "good".to_owned() } else { set.join(", ") })
    }
}

/// A reading in words.
struct Words(Said);

impl Display for Words {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Said::Counted { vehicles, speed_kmh, occupancy } => {
                let covered = known(occupancy.map(|occupancy| 100.0 * occupancy));
                write!(f, "{} vehicles at {} km/h, covered {covered} %", known(vehicles), known(speed_kmh))
            }
            Said::Passed { speed_kmh } => write!(f, "one vehicle passed at {} km/h", known(speed_kmh)),
            Said::Queued { queue_m } => write!(f, "a queue of {} m", known(queue_m)),
            Said::Drove { speed_kmh } => write!(f, "a vehicle on its way at {speed_kmh:.1} km/h"),
            Said::Signal => f.write_str("its signal changed"),
            Said::Alert { confidence } => write!(f, "an alert, confidence {confidence:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standstill_is_told_as_a_part_of_the_jam_in_the_same_unit() {
        let speed = Speed { kmh: 10.0, factor: 1.3 };
        let believed = |standstill| Believed {
            free: speed,
            jam: speed,
            jammed: 0.4,
            standstill,
            jammed_while_driven: 0.9,
            silence_odds: None,
            signal_odds: None,
        };
        let text = standing(&believed(0.1));
        assert_eq!(text.trim(), "10.0 of these 40.0 %: nobody leaves it in this minute, 0 km/h");
        assert_eq!(standing(&believed(0.0001)), "");
    }
}
