//! What an event's MQTT topic says: `luong/v1/{sensor_id}/{kind}` or `luong/v1pb/{sensor_id}/{kind}`.

use model::ReadingKind;

use crate::{Reason, Reject};

/// How a payload is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    /// Native JSON, on `luong/v1/…`.
    Json,
    /// `luong.v1.SensorMessage`, on `luong/v1pb/…`.
    Protobuf,
}

/// Sender, kind and encoding of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventTopic<'a> {
    /// As the registry names it.
    pub sensor: &'a str,
    /// Of reading.
    pub kind: ReadingKind,
    /// Of the payload.
    pub encoding: Encoding,
}

/// Longer names than this are no names.
pub(crate) const LONGEST_ID: usize = 128;

impl<'a> EventTopic<'a> {
    /// Reads a topic.
    ///
    /// # Errors
    /// [`Reason::BadTopic`] or [`Reason::UnknownKind`].
    pub fn parse(topic: &'a [u8]) -> Result<Self, Reject> {
        let topic =
            str::from_utf8(topic).map_err(|_| Reject::new(Reason::BadTopic, "the topic is not UTF-8"))?;
        let mut levels = topic.split('/');
        let mut next = || levels.next();
        let (Some("luong"), Some(version), Some(sensor), Some(kind), None) =
            (next(), next(), next(), next(), next())
        else {
            return Err(bad(topic));
        };
        let encoding = match version {
            "v1" => Encoding::Json,
            "v1pb" => Encoding::Protobuf,
            _ => return Err(bad(topic)),
        };
        if sensor.is_empty() || sensor.len() > LONGEST_ID || sensor.contains(['+', '#', '\0']) {
            return Err(bad(topic));
        }
        Ok(Self { sensor, kind: self::kind(kind)?, encoding })
    }
}

pub(crate) fn kind(name: &str) -> Result<ReadingKind, Reject> {
    ReadingKind::from_name(name).ok_or_else(|| {
        Reject::new(
            Reason::UnknownKind,
            format!("{name:?} is none of aggregate, passage, probe, queue, travel_time, signal, alert"),
        )
    })
}

fn bad(topic: &str) -> Reject {
    Reject::new(
        Reason::BadTopic,
        format!("{topic:?} is not luong/v1/{{sensor_id}}/{{kind}} or luong/v1pb/{{sensor_id}}/{{kind}}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_are_told_apart() {
        let json = EventTopic::parse(b"luong/v1/loop-TranPhu-03/aggregate").unwrap();
        assert_eq!(
            json,
            EventTopic { sensor: "loop-TranPhu-03", kind: ReadingKind::Aggregate, encoding: Encoding::Json }
        );
        assert_eq!(EventTopic::parse(b"luong/v1pb/x/probe").unwrap().encoding, Encoding::Protobuf);
    }

    #[test]
    fn a_topic_of_another_shape_says_what_is_expected() {
        for topic in [
            "luong/v1/x",
            "luong/v1/x/aggregate/more",
            "luong/v2/x/aggregate",
            "luong/v1//aggregate",
            "luong/v1/+/aggregate",
            "/luong/v1/x/aggregate",
            "",
        ] {
            let reject = EventTopic::parse(topic.as_bytes()).unwrap_err();
            assert_eq!(reject.reason, Reason::BadTopic, "{topic}");
            assert!(reject.detail.contains("luong/v1/{sensor_id}/{kind}"), "{topic}");
        }
        assert_eq!(EventTopic::parse(b"luong/v1/x/speed").unwrap_err().reason, Reason::UnknownKind);
        assert_eq!(EventTopic::parse(b"luong/v1/\xff/alert").unwrap_err().reason, Reason::BadTopic);
    }
}
