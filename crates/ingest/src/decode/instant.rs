//! The instants of events: RFC 3339 with a zone, or milliseconds since the epoch.

use model::Timestamp;

/// Reads an instant as text: the usual `2026-11-22T07:00:30.000Z` fast, any other RFC 3339 form, or digits that are
/// milliseconds since the epoch. `None` where it is none of these; a time without a zone can't be placed.
pub(super) fn from_text(text: &str) -> Option<Timestamp> {
    usual(text.as_bytes()).or_else(|| Timestamp::parse(text).ok()).or_else(|| {
        let millis: i64 = text.parse().ok()?;
        Some(Timestamp::from_millis(millis))
    })
}

/// Reads milliseconds since the epoch; a fraction of one is cut off.
pub(super) fn from_number(millis: f64) -> Option<Timestamp> {
    /// Beyond it neighbouring integers are one `f64`; the year 287396 is no time of a reading either.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (millis.abs() <= EXACT).then(|| Timestamp::from_millis(millis as i64))
}

fn usual(text: &[u8]) -> Option<Timestamp> {
    let (seconds, millis) = match text {
        [seconds @ .., b'.', a, b, c, b'Z'] => (seconds, number(&[*a, *b, *c])?),
        [seconds @ .., b'Z'] => (seconds, 0),
        _ => return None,
    };
    let &[y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1] = seconds
    else {
        return None;
    };
    let (year, month, day) = (number(&[y0, y1, y2, y3])?, number(&[mo0, mo1])?, number(&[d0, d1])?);
    let (hour, minute, second) = (number(&[h0, h1])?, number(&[mi0, mi1])?, number(&[s0, s1])?);
    let valid = (1..=12).contains(&month)
        && (1..=days_in(month, year)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    valid.then(|| {
        let second_of_day = (hour * 60 + minute) * 60 + second;
        Timestamp::from_millis((days_since_epoch(year, month, day) * 86_400 + second_of_day) * 1000 + millis)
    })
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |n, digit| digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0')))
}

fn days_in(month: i64, year: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the proleptic Gregorian calendar. Years are taken from March, so that the leap day is the
/// last of its year and the months' lengths follow one line.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    /// From 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_fast_way_agrees_with_the_calendar(millis in -62_000_000_000_000_i64..253_000_000_000_000) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(usual(at.to_string().as_bytes()), Some(at));
        }

        #[test]
        fn whatever_the_fast_way_reads_the_calendar_reads_too(text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{3})?Z") {
            if let Some(at) = usual(text.as_bytes()) {
                prop_assert_eq!(Timestamp::parse(&text).ok(), Some(at));
            }
        }
    }

    #[test]
    fn every_documented_form_is_read() {
        let at = Some(Timestamp::from_millis(1_795_330_830_000));
        for text in [
            "2026-11-22T07:00:30Z",
            "2026-11-22T07:00:30.000Z",
            "2026-11-22T14:00:30+07:00",
            "2026-11-22t07:00:30.000000z",
            "1795330830000",
        ] {
            assert_eq!(from_text(text), at, "{text}");
        }
        assert_eq!(from_number(1_795_330_830_000.4), at);
    }

    #[test]
    fn what_is_no_instant_is_none() {
        for text in ["2026-11-22T07:00:30", "2026-13-22T07:00:30Z", "2026-02-29T07:00:30Z", "yesterday", ""] {
            assert_eq!(from_text(text), None, "{text}");
        }
        assert_eq!(from_number(f64::NAN), None);
        assert_eq!(from_number(1e300), None);
    }
}
