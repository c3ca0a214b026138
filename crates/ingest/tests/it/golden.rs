//! Golden events of every kind: the contract's JSON, and the same as protobuf.

use ingest::{Decoded, Encoding, Header, decode, native};
use model::*;

/// The end of the period of all golden events.
const AT: Timestamp = Timestamp::from_millis(1_795_330_830_000);

fn header(seq: Option<u64>, period_s: Option<f32>, lane: Option<u8>) -> Header {
    Header { seq, at: AT, period_s, lane }
}

fn counts(of: &[(VehicleClass, u32)]) -> Option<ClassCounts> {
    Some(of.iter().copied().collect())
}

pub(crate) struct Golden {
    pub(crate) json: &'static str,
    pub(crate) protobuf_hex: &'static str,
    header: Header,
    pub(crate) reading: Reading,
}

pub(crate) fn golden() -> [Golden; 7] {
    [
        Golden {
            json: include_str!("golden/aggregate.json"),
            protobuf_hex: include_str!("golden/aggregate.hex"),
            header: header(Some(88_123), Some(30.0), Some(1)),
            reading: Reading::Aggregate(Aggregate {
                counts: counts(&[
                    (VehicleClass::Motorcycle, 41),
                    (VehicleClass::Car, 12),
                    (VehicleClass::Bus, 1),
                ]),
                speed_kmh: Some(27.4),
                speed_mean: Some(SpeedMean::Time),
                occupancy: Some(0.31),
                queue_m: None,
                headway_s: None,
            }),
        },
        Golden {
            json: include_str!("golden/passage.json"),
            protobuf_hex: include_str!("golden/passage.hex"),
            header: Header { at: AT + 250, ..header(Some(17), None, Some(2)) },
            reading: Reading::Passage(Passage {
                class: VehicleClass::Trailer,
                speed_kmh: Some(38.5),
                length_m: Some(16.2),
                headway_s: Some(2.1),
                wrong_way: true,
            }),
        },
        Golden {
            json: include_str!("golden/probe.json"),
            protobuf_hex: include_str!("golden/probe.hex"),
            header: header(Some(5), None, None),
            reading: Reading::Probe(Probe {
                vehicle: "b7".into(),
                lon: 106.6821,
                lat: 20.8602,
                heading_deg: Some(91.5),
                speed_kmh: Some(0.0),
                class: Some(VehicleClass::Bus),
                in_service: Some(true),
            }),
        },
        Golden {
            json: include_str!("golden/queue.json"),
            protobuf_hex: include_str!("golden/queue.hex"),
            header: header(None, Some(10.0), None),
            reading: Reading::Queue(Queue {
                queue_m: Some(85.5),
                stopped_vehicles: Some(14),
                class_counts: counts(&[(VehicleClass::Motorcycle, 9), (VehicleClass::Truck, 5)]),
            }),
        },
        Golden {
            json: include_str!("golden/travel_time.json"),
            protobuf_hex: include_str!("golden/travel_time.hex"),
            header: header(None, Some(60.0), None),
            reading: Reading::TravelTime(TravelTime {
                from_sensor: "bt-1".into(),
                to_sensor: "bt-2".into(),
                seconds: 71.5,
                vehicles: Some(9),
            }),
        },
        Golden {
            json: include_str!("golden/signal.json"),
            protobuf_hex: include_str!("golden/signal.hex"),
            header: header(None, None, None),
            reading: Reading::Signal(Signal {
                group: "4".into(),
                state: SignalState::Flashing,
                cycle_s: Some(60.0),
            }),
        },
        Golden {
            json: include_str!("golden/alert.json"),
            protobuf_hex: include_str!("golden/alert.hex"),
            header: header(None, None, Some(1)),
            reading: Reading::Alert(Alert { kind: AlertKind::StoppedVehicle, confidence: Some(0.75) }),
        },
    ]
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.trim().chars().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

#[test]
fn json_of_every_kind_means_what_the_contract_says() {
    for Golden { json, header, reading, .. } in golden() {
        let expected = Decoded { header, reading, quality: Quality::GOOD, unknown_fields: 0 };
        assert_eq!(decode(Encoding::Json, expected.reading.kind(), json.as_bytes()), Ok(expected));
    }
}

/// The golden bytes were written field by field from the `.proto` files, not by our encoder.
#[test]
fn protobuf_of_every_kind_means_the_same() {
    for Golden { protobuf_hex, header, reading, .. } in golden() {
        let expected = Decoded { header, reading, quality: Quality::GOOD, unknown_fields: 0 };
        let kind = expected.reading.kind();
        assert_eq!(decode(Encoding::Protobuf, kind, &bytes(protobuf_hex)), Ok(expected));
    }
}

#[test]
fn what_our_encoder_writes_is_read_back() {
    for Golden { header, reading, .. } in golden() {
        let Header { seq, at, period_s, lane } = header;
        let message = wire::SensorMessage { seq, at, period_s, lane, reading: reading.clone() };
        let expected = Decoded { header, reading, quality: Quality::GOOD, unknown_fields: 0 };
        let kind = expected.reading.kind();
        assert_eq!(decode(Encoding::Protobuf, kind, &wire::encode_sensor_message(&message)), Ok(expected));
    }
}

#[test]
fn a_line_of_a_file_is_the_same_event_with_its_sensor() {
    for Golden { json, header, reading, .. } in golden() {
        let kind = reading.kind().name();
        let rest = json.trim().strip_prefix('{').unwrap();
        let line =
            format!(r#"{{"sensor_id":"s-1","kind":"{kind}","received_at":"2026-11-22T07:00:31.5Z",{rest}"#);
        let line = native::decode_line(&line).unwrap();
        assert_eq!(line.sensor.as_str(), "s-1");
        assert_eq!(line.received_at, Some(AT + 1500));
        assert_eq!(line.event, Decoded { header, reading, quality: Quality::GOOD, unknown_fields: 0 });
    }
}
