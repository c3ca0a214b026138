//! Bad input of the event itself: each with the answer that the README promises.

use ingest::{ClockMode, EventTopic, Reason, Rules, decode};
use model::{Observation, Quality, Reading};

use crate::city;

const LOOP: &str = "luong/v1/loop-1/aggregate";
const PROBE: &str = "luong/v1/fleet/probe";

/// What a device sent -> what becomes of it.
fn outcome(topic: &str, payload: &[u8]) -> Result<Observation, Reason> {
    let run = || {
        let topic = EventTopic::parse(topic.as_bytes())?;
        let event = decode(topic.encoding, topic.kind, payload)?;
        city::normaliser(Rules::default(), ClockMode::Wall).normalise(topic.sensor, event, city::NOW)
    };
    run().map(|placed| placed.observation).map_err(|reject| {
        assert!(!reject.detail.is_empty() && reject.detail.len() <= 800, "{reject:?}");
        reject.reason
    })
}

fn at(fields: &str) -> String {
    format!(r#"{{"at":"2026-11-22T07:00:30.000Z",{fields}}}"#)
}

#[test]
fn what_can_t_be_used_is_rejected_for_its_documented_reason() {
    let deep = at(&format!(r#""x":{}"#, "[".repeat(100_000)));
    let deep_object = at(&format!(r#""x":{}"#, r#"{"a":"#.repeat(100_000)));
    let long = "x".repeat(129);
    let long_topic = format!("luong/v1/{long}/aggregate");
    let long_vehicle = at(&format!(r#""vehicle_id":"{long}","lon":106.682,"lat":20.86"#));
    let probe = |fields: &str| at(&format!(r#""vehicle_id":"b7",{fields}"#));
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("luong/v1/loop-1", b"{}".into(), Reason::BadTopic),
        ("luong/v1/loop-1/aggregate/lane1", b"{}".into(), Reason::BadTopic),
        ("luong/v9/loop-1/aggregate", b"{}".into(), Reason::BadTopic),
        ("luong/v1//aggregate", b"{}".into(), Reason::BadTopic),
        ("tms-v2/1/5122", b"{}".into(), Reason::BadTopic),
        (&long_topic, b"{}".into(), Reason::BadTopic),
        ("luong/v1/loop-1/speed", b"{}".into(), Reason::UnknownKind),
        (LOOP, b"".into(), Reason::EmptyPayload),
        ("luong/v1pb/loop-1/aggregate", b"".into(), Reason::EmptyPayload),
        (LOOP, br#"{"at":"2026-11-22T07:00:30.000Z","speed_k"#.into(), Reason::BadJson),
        (LOOP, br#"{"at":"2026-11-22T07:00:30.000Z","speed_kmh":2"#.into(), Reason::BadJson),
        (LOOP, br#"{"at":"2026-11-22T07:00:30.000Z","speed_kmh":27}x"#.into(), Reason::BadJson),
        (LOOP, br#"[{"at":"2026-11-22T07:00:30.000Z"}]"#.into(), Reason::BadJson),
        (LOOP, b"\xff\xd8\xff\xe0 a picture".into(), Reason::BadJson),
        (LOOP, b"{\"at\":\"2026-11-22T07:00:30.000Z\",\"name\":\"\xc3\x28\"}".into(), Reason::BadJson),
        (LOOP, b"27.4".into(), Reason::BadJson),
        (LOOP, b"null".into(), Reason::BadJson),
        (LOOP, at(r#""speed_kmh":NaN"#).into(), Reason::BadJson),
        (LOOP, deep.into(), Reason::BadJson),
        (LOOP, deep_object.into(), Reason::BadJson),
        ("luong/v1pb/loop-1/aggregate", br#"{"speed_kmh":27}"#.into(), Reason::BadProtobuf),
        ("luong/v1pb/loop-1/queue", golden_aggregate(), Reason::KindMismatch),
        (LOOP, br#"{"speed_kmh":27}"#.into(), Reason::BadTime),
        (LOOP, br#"{"at":"2026-11-22T07:00:30","speed_kmh":27}"#.into(), Reason::BadTime),
        (LOOP, br#"{"at":"22/11/2026 07:00","speed_kmh":27}"#.into(), Reason::BadTime),
        (LOOP, br#"{"at":{"s":1},"speed_kmh":27}"#.into(), Reason::BadTime),
        (LOOP, br#"{"at":"2026-11-24T07:00:30Z","speed_kmh":27}"#.into(), Reason::ClockAhead),
        (LOOP, br#"{"at":"2031-01-01T00:00:00Z","speed_kmh":27}"#.into(), Reason::ClockAhead),
        (LOOP, br#"{"at":1795330830,"speed_kmh":27}"#.into(), Reason::ClockBehind),
        (LOOP, br#"{"at":"2026-11-01T00:00:00Z","speed_kmh":27}"#.into(), Reason::ClockBehind),
        ("luong/v1/loop-99/aggregate", at(r#""speed_kmh":27"#).into(), Reason::UnknownSensor),
        ("luong/v1/store/aggregate", at(r#""speed_kmh":27"#).into(), Reason::SensorWithoutLink),
        (LOOP, at(r#""period_s":30"#).into(), Reason::NothingMeasured),
        (LOOP, at(r#""speed_kmh":-1,"occupancy":-1"#).into(), Reason::NothingMeasured),
        (LOOP, at(r#""speed_kmh":900,"occupancy":31"#).into(), Reason::NothingMeasured),
        (LOOP, at(r#""speed_kmh":27,"lane":0"#).into(), Reason::BadLane),
        (LOOP, at(r#""speed_kmh":27,"lane":99"#).into(), Reason::BadLane),
        (LOOP, at(r#""speed_kmh":27,"lane":1.5"#).into(), Reason::BadLane),
        (PROBE, probe(r#""lat":20.86"#).into(), Reason::MissingField),
        (PROBE, at(r#""lon":106.682,"lat":20.86"#).into(), Reason::MissingField),
        (PROBE, long_vehicle.into(), Reason::BadValue),
        (PROBE, probe(r#""lon":0,"lat":0"#).into(), Reason::BadPosition),
        (PROBE, probe(r#""lon":20.86,"lat":106.682"#).into(), Reason::BadPosition),
        (PROBE, probe(r#""lon":106.682,"lat":20.9"#).into(), Reason::OffNetwork),
        (PROBE, probe(r#""lon":106.682,"lat":20.86,"heading_deg":0"#).into(), Reason::OffNetwork),
        ("luong/v1/loop-1/queue", at(r#""stopped":-5"#).into(), Reason::NothingMeasured),
        ("luong/v1/loop-1/signal", at(r#""group":"4""#).into(), Reason::MissingField),
        ("luong/v1/loop-1/signal", at(r#""group":"4","state":"blue""#).into(), Reason::BadValue),
        ("luong/v1/loop-1/alert", at(r#""type":"ufo""#).into(), Reason::BadValue),
        (
            "luong/v1/bt-2/travel_time",
            at(r#""from_sensor":"bt-1","to_sensor":"bt-2","seconds":0"#).into(),
            Reason::BadValue,
        ),
        (
            "luong/v1/bt-2/travel_time",
            at(r#""from_sensor":"bt-2","to_sensor":"bt-2","seconds":9"#).into(),
            Reason::BadValue,
        ),
        (
            "luong/v1/bt-2/travel_time",
            at(r#""from_sensor":"bt-77","to_sensor":"bt-2","seconds":9"#).into(),
            Reason::UnknownSensor,
        ),
    ];
    assert!(cases.len() >= 40);
    for (topic, payload, reason) in cases {
        let shown: String = String::from_utf8_lossy(&payload).chars().take(100).collect();
        assert_eq!(outcome(topic, &payload).map_err(Some), Err(Some(reason)), "{topic} {shown}");
    }
}

fn golden_aggregate() -> Vec<u8> {
    wire::encode_sensor_message(&wire::SensorMessage {
        seq: None,
        at: city::NOW,
        period_s: None,
        lane: None,
        reading: Reading::Aggregate(model::Aggregate { speed_kmh: Some(27.0), ..Default::default() }),
    })
    .into()
}

fn aggregate(fields: &str) -> (model::Aggregate, Quality, Observation) {
    let observation = outcome(LOOP, at(fields).as_bytes()).unwrap();
    let Reading::Aggregate(aggregate) = observation.reading.clone() else { panic!("{observation:?}") };
    (aggregate, observation.quality, observation)
}

#[test]
fn one_impossible_value_is_removed_and_the_others_stand() {
    for impossible in [
        r#""speed_kmh":400"#,
        r#""speed_kmh":-20"#,
        r#""speed_kmh":"fast""#,
        r#""speed_kmh":"NaN""#,
        r#""speed_kmh":[27]"#,
        r#""speed_kmh":{"value":27}"#,
        r#""speed_kmh":true"#,
        r#""speed_kmh":1e39"#,
        r#""counts":{"car":-3}"#,
        r#""counts":{"car":1.5}"#,
        r#""counts":{"car":4000000000}"#,
        r#""counts":[41,12]"#,
        r#""counts":41"#,
        r#""period_s":0"#,
        r#""period_s":-30"#,
        r#""headway_s":-2"#,
        r#""queue_m":1e9"#,
        r#""speed_mean":"median""#,
        r#""seq":-1"#,
        r#""seq":1.5"#,
    ] {
        let (aggregate, quality, _) = aggregate(&format!(r#""occupancy":0.31,{impossible}"#));
        assert_eq!(
            aggregate,
            model::Aggregate { occupancy: Some(0.31), ..Default::default() },
            "{impossible}"
        );
        assert_eq!(quality, Quality::VALUE_REMOVED, "{impossible}");
    }
}

#[test]
fn not_measured_is_absent_without_a_flag() {
    for not_measured in
        [r#""speed_kmh":-1"#, r#""speed_kmh":255"#, r#""speed_kmh":null"#, r#""speed_kmh":"""#]
    {
        let (aggregate, quality, _) = aggregate(&format!(r#""occupancy":0.31,{not_measured}"#));
        assert_eq!((aggregate.speed_kmh, quality), (None, Quality::GOOD), "{not_measured}");
    }
}

#[test]
fn numbers_as_text_and_names_as_numbers_are_read() {
    let (aggregate, quality, observation) = aggregate(
        r#""speed_kmh":" 27.4 ","counts":{"motorcycle":"41"},"seq":"88123","lane":"2","period_s":"30""#,
    );
    assert_eq!(aggregate.speed_kmh, Some(27.4));
    assert_eq!(aggregate.counts.unwrap()[model::VehicleClass::Motorcycle], 41);
    assert_eq!(
        (observation.seq, observation.lane, observation.period_s),
        (Some(88_123), Some(2), Some(30.0))
    );
    assert_eq!(quality, Quality::GOOD);
    let probe =
        outcome(PROBE, at(r#""vehicle_id":423,"lon":"106.682","lat":20.8601,"in_service":1"#).as_bytes());
    let Reading::Probe(probe) = probe.unwrap().reading else { panic!("no probe") };
    assert_eq!((probe.vehicle.as_str(), probe.in_service), ("423", Some(true)));
}

#[test]
fn a_class_that_nobody_knows_is_counted_as_other() {
    let (aggregate, quality, _) = aggregate(r#""counts":{"tuktuk":3,"other":2,"car":1}"#);
    let counts = aggregate.counts.unwrap();
    assert_eq!((counts[model::VehicleClass::Other], counts.total()), (5, 6));
    assert_eq!(quality, Quality::GOOD);
}

#[test]
fn unknown_fields_are_ignored_and_counted() {
    let payload = at(r#""speed_kmh":27,"firmware":"1.2","picture":{"w":[1,{"h":null}]}"#);
    let event = decode(ingest::Encoding::Json, model::ReadingKind::Aggregate, payload.as_bytes()).unwrap();
    assert_eq!(event.unknown_fields, 2);
}

#[test]
fn a_dense_flow_of_motorcycles_is_no_fault() {
    // 24,335 an hour on four lanes = 203 in 30 s (Hanoi; ASCE JTE 138(6), 2012).
    let (aggregate, quality, _) = aggregate(r#""period_s":30,"counts":{"motorcycle":203}"#);
    assert_eq!((aggregate.counts.unwrap().total(), quality), (203, Quality::GOOD));
}

#[test]
fn a_clock_that_is_a_little_off_is_used_and_suspected() {
    for (at, quality) in [
        ("2026-11-22T07:00:31.5Z", Quality::GOOD),
        ("2026-11-22T07:01:20Z", Quality::CLOCK_SUSPECT),
        ("2026-11-22T06:40:00Z", Quality::CLOCK_SUSPECT),
    ] {
        let payload = format!(r#"{{"at":"{at}","speed_kmh":27}}"#);
        assert_eq!(outcome(LOOP, payload.as_bytes()).unwrap().quality, quality, "{at}");
    }
}

#[test]
fn event_time_mode_takes_the_event_s_word_for_log_time() {
    let event = decode(
        ingest::Encoding::Json,
        model::ReadingKind::Aggregate,
        br#"{"at":"2031-01-01T00:00:00Z","speed_kmh":27}"#,
    )
    .unwrap();
    let at = event.header.at;
    let placed =
        city::normaliser(Rules::default(), ClockMode::Event).normalise("loop-1", event, city::NOW).unwrap();
    assert_eq!(placed.observation.received_at, at);
}

#[test]
fn the_registry_fills_in_what_the_event_leaves_out() {
    let (_, _, observation) = aggregate(r#""speed_kmh":27"#);
    assert_eq!(observation.link.as_str(), "w1.0f");
    assert_eq!((observation.period_s, observation.offset_m), (Some(30.0), Some(120.0)));
    assert_eq!(observation.received_at, city::NOW);
}

#[test]
fn a_vehicle_is_put_on_its_own_side_of_the_road() {
    for (heading, link, offset) in [(91.5, "w1.0f", 218.0), (268.0, "w1.0b", 198.0)] {
        let fields = format!(r#""vehicle_id":"b7","lon":106.6821,"lat":20.8601,"heading_deg":{heading}"#);
        let observation = outcome(PROBE, at(&fields).as_bytes()).unwrap();
        assert_eq!(observation.link.as_str(), link);
        assert!((observation.offset_m.unwrap() - offset).abs() < 2.0, "{observation:?}");
        assert_eq!(observation.quality, Quality::SNAPPED);
    }
}

#[test]
fn a_pseudonym_is_the_same_for_the_same_vehicle_and_key_only() {
    let name = |vehicle: &str, key: &str| {
        let event = decode(
            ingest::Encoding::Json,
            model::ReadingKind::Probe,
            at(&format!(r#""vehicle_id":"{vehicle}","lon":106.6821,"lat":20.86"#)).as_bytes(),
        );
        let rules = Rules { pseudonym_key: key.into(), ..Rules::default() };
        let placed = city::normaliser(rules, ClockMode::Wall).normalise("fleet", event.unwrap(), city::NOW);
        let Reading::Probe(probe) = placed.unwrap().observation.reading else { panic!("no probe") };
        probe.vehicle
    };
    assert_eq!(name("15B-123.45", ""), "15B-123.45");
    assert_eq!(name("15B-123.45", "secret"), name("15B-123.45", "secret"));
    assert_ne!(name("15B-123.45", "secret"), name("15B-123.46", "secret"));
    assert_ne!(name("15B-123.45", "secret"), name("15B-123.45", "another"));
    assert!(!name("15B-123.45", "secret").contains("123"));
}
