//! What a device says, as text: the native JSON of the service, written by hand here so that no bug of a shared
//! encoder can hide from its decoder.

use std::fmt::Write as _;

use model::{ReadingKind, Timestamp, VehicleClass};
use roadnet::Registry;

/// One event on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct Message {
    /// The device's place in the registry.
    pub sensor: u32,
    /// What kind of reading it is.
    pub kind: ReadingKind,
    /// When the broker gets it.
    pub arrives: Timestamp,
    /// The JSON object, without its braces.
    pub(crate) fields: String,
}

impl Message {
    /// Returns the MQTT topic.
    pub fn topic(&self, registry: &Registry) -> String {
        format!("luong/v1/{}/{}", registry.sensors()[self.sensor as usize].id, self.kind.name())
    }

    /// Returns the MQTT payload.
    pub fn payload(&self) -> String {
        format!("{{{}}}", self.fields)
    }

    /// Returns a line of a file of observations, without its end.
    pub fn line(&self, registry: &Registry) -> String {
        let (id, kind) = (&registry.sensors()[self.sensor as usize].id, self.kind.name());
        format!(
            "{{\"sensor_id\":\"{id}\",\"kind\":\"{kind}\",{},\"received_at\":\"{}\"}}",
            self.fields, self.arrives
        )
    }
}

/// The fields of one JSON object, in the order in which they are put.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct Fields(String);

impl Fields {
    pub(crate) fn number(mut self, key: &str, value: f64, decimals: usize) -> Self {
        self.key(key);
        // Adding 0 makes -0.0 a plain zero.
        write!(self.0, "{:.decimals$}", value + 0.0).expect("a String takes all");
        self
    }

    pub(crate) fn integer(mut self, key: &str, value: u64) -> Self {
        self.key(key);
        write!(self.0, "{value}").expect("a String takes all");
        self
    }

    /// The text is one of ours or an identifier of a registry: nothing in it needs escaping.
    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        write!(self.0, "\"{value}\"").expect("a String takes all");
        self
    }

    pub(crate) fn yes(mut self, key: &str) -> Self {
        self.key(key);
        self.0.push_str("true");
        self
    }

    pub(crate) fn counts(mut self, key: &str, counts: &[u32; 10]) -> Self {
        self.key(key);
        self.0.push('{');
        let seen = VehicleClass::ALL.into_iter().zip(counts).filter(|&(_, &n)| n > 0);
        for (i, (class, n)) in seen.enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(self.0, "{comma}\"{}\":{n}", class.name()).expect("a String takes all");
        }
        self.0.push('}');
        self
    }

    /// Returns these fields with the numbers of the object `key` multiplied.
    pub(crate) fn multiplied(&self, key: &str, factor: u32) -> Self {
        let Some(start) = self.0.find(&format!("\"{key}\":{{")) else { return self.clone() };
        let Some(length) = self.0[start..].find('}') else { return self.clone() };
        let (before, rest) = self.0.split_at(start);
        let (object, after) = rest.split_at(length);
        let mut out = before.to_owned();
        for (i, part) in object.split(':').enumerate() {
            let digits = part.chars().take_while(char::is_ascii_digit).count();
            let (number, tail) = part.split_at(digits);
            let colon = if i > 0 { ":" } else { "" };
            match number.parse::<u32>() {
                Ok(n) => write!(out, "{colon}{}{tail}", n.saturating_mul(factor)),
                Err(_) => write!(out, "{colon}{part}"),
            }
            .expect("a String takes all");
        }
        Self(out + after)
    }

    /// Puts these fields after what every event has.
    pub(crate) fn after(self, seq: u64, at: Timestamp) -> String {
        let comma = if self.0.is_empty() { "" } else { "," };
        format!("\"seq\":{seq},\"at\":\"{at}\"{comma}{}", self.0)
    }

    fn key(&mut self, key: &str) {
        let comma = if self.0.is_empty() { "" } else { "," };
        write!(self.0, "{comma}\"{key}\":").expect("a String takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_multiplied_and_nothing_else() {
        let mut counts = [0; 10];
        (counts[0], counts[3]) = (4, 1);
        let fields =
            Fields::default().integer("lane", 2).counts("counts", &counts).number("occupancy", 0.5, 1);
        let expected = r#""lane":2,"counts":{"motorcycle":36,"car":9},"occupancy":0.5"#;
        assert_eq!(fields.multiplied("counts", 9).0, expected);
    }

    #[test]
    fn an_event_reads_as_the_contract_writes_it() {
        let mut counts = [0; 10];
        counts[VehicleClass::Motorcycle.index()] = 41;
        counts[VehicleClass::Car.index()] = 12;
        let fields = Fields::default()
            .integer("period_s", 30)
            .integer("lane", 1)
            .counts("counts", &counts)
            .number("speed_kmh", 27.4, 1)
            .text("speed_mean", "time");
        let at = Timestamp::parse("2026-11-22T07:00:30Z").unwrap();
        let message = Message {
            sensor: 0,
            kind: ReadingKind::Aggregate,
            arrives: at,
            fields: fields.after(88_123, at),
        };
        assert_eq!(
            message.payload(),
            r#"{"seq":88123,"at":"2026-11-22T07:00:30.000Z","period_s":30,"lane":1,"counts":{"motorcycle":41,"car":12},"speed_kmh":27.4,"speed_mean":"time"}"#
        );
        serde_json::from_str::<serde_json::Value>(&message.payload()).unwrap();
    }
}
