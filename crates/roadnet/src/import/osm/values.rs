//! Numbers as mappers write them.

/// Reads `maxspeed` in km/h: a number (km/h), one with `mph` or `knots`, `walk`, or a country's default such as
/// `VN:urban`. `None` for what gives no number: `none`, `signals`, `variable`, nonsense.
///
/// See <https://wiki.openstreetmap.org/wiki/Key:maxspeed>.
pub(super) fn speed_kmh(text: &str) -> Option<f32> {
    // Where a mapper gives several, the first is the one for most.
    let text = text.split([';', '|']).next()?.trim();
    let kmh = match text {
        // Speed of a walker, as the wiki suggests for routing.
        "walk" => 7.0,
        _ => match text.rsplit_once(':') {
            Some((_, zone)) => zone_kmh(zone)?,
            None => measured_kmh(text)?,
        },
    };
    (1.0..=200.0).contains(&kmh).then_some(kmh)
}

fn measured_kmh(text: &str) -> Option<f32> {
    let (number, unit) = number_and_unit(text)?;
    match unit {
        "" | "km/h" | "kmh" | "kph" => Some(number),
        "mph" => Some(number * 1.609_344),
        "knots" => Some(number * 1.852),
        _ => None,
    }
}

/// Vietnam's own limits for cars where no sign stands (Circular 38/2024/TT-BGTVT: 50 km/h on undivided roads in built-up
/// areas, 80 outside); other countries' lie near them.
fn zone_kmh(zone: &str) -> Option<f32> {
    match zone {
        "urban" => Some(50.0),
        "rural" | "trunk" => Some(80.0),
        "motorway" => Some(120.0),
        "living_street" => Some(20.0),
        // `DE:zone30`, `GB:20`, `CH:zone:30`.
        _ => zone.strip_prefix("zone").unwrap_or(zone).parse().ok(),
    }
}

/// Reads `width` in metres: a number (metres), one with `m`, `cm`, `ft`, or feet and inches (`12'6"`).
pub(super) fn width_m(text: &str) -> Option<f32> {
    let text = text.split(';').next()?.trim();
    let metres = match text.split_once('\'') {
        Some((feet, inches)) => {
            let inches = inches.trim().trim_end_matches('"');
            let inches: f32 = if inches.is_empty() { 0.0 } else { inches.parse().ok()? };
            feet.trim().parse::<f32>().ok()? * 0.3048 + inches * 0.0254
        }
        None => match number_and_unit(text)? {
            (number, "" | "m" | "meter" | "metre" | "meters" | "metres") => number,
            (number, "cm") => number / 100.0,
            (number, "ft" | "feet") => number * 0.3048,
            _ => return None,
        },
    };
    (0.5..=100.0).contains(&metres).then_some(metres)
}

/// Reads a number of lanes; halves are as old as the tag.
pub(super) fn lanes(text: &str) -> Option<f32> {
    let number: f32 = text.split([';', '|']).next()?.trim().parse().ok()?;
    (0.5..=20.0).contains(&number).then_some(number)
}

fn number_and_unit(text: &str) -> Option<(f32, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    // A comma is the decimal point in Vietnam and most of Europe.
    Some((number.replace(',', ".").parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_with_their_units() {
        for (text, kmh) in [
            ("50", 50.0),
            ("30 mph", 48.280_32),
            ("30mph", 48.280_32),
            ("60 km/h", 60.0),
            ("walk", 7.0),
            ("VN:urban", 50.0),
            ("VN:rural", 80.0),
            ("DE:zone30", 30.0),
            ("CH:zone:30", 30.0),
            ("40;60", 40.0),
        ] {
            assert_eq!(speed_kmh(text), Some(kmh), "{text}");
        }
        for text in ["none", "signals", "", "0", "-5", "1e9", "fast", "50 furlongs", "NaN", "inf", ":"] {
            assert_eq!(speed_kmh(text), None, "{text}");
        }
    }

    #[test]
    fn widths_and_lanes_are_read() {
        for (text, metres) in [
            ("3.5", 3.5),
            ("3,5 m", 3.5),
            ("350 cm", 3.5),
            ("12'6\"", 3.81),
            ("10 ft", 3.048),
            ("10'", 3.048),
        ] {
            assert!((width_m(text).unwrap() - metres).abs() < 1e-4, "{text}");
        }
        for text in ["narrow", "", "0", "'", "5'x\"", "1000"] {
            assert_eq!(width_m(text), None, "{text}");
        }
        assert_eq!((lanes("2"), lanes("1.5"), lanes("3;2")), (Some(2.0), Some(1.5), Some(3.0)));
        assert_eq!((lanes("0"), lanes("many"), lanes("99")), (None, None, None));
    }
}
