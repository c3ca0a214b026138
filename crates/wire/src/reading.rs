//! Readings: the part that a device's message and a log record share.

use model::{
    Aggregate, Alert, AlertKind, Passage, Probe, Queue, Reading, SensorId, Signal, SignalState, SpeedMean,
    TravelTime, VehicleClass,
};

use crate::vehicle::{class, class_message, counts, counts_message};
use crate::{DecodeError, v1};

fn wide(value: Option<f32>) -> Option<f64> {
    value.map(f64::from)
}

fn narrow(value: Option<f64>) -> Option<f32> {
    value.map(|v| v as f32)
}

pub(crate) fn aggregate_message(aggregate: &Aggregate) -> v1::Aggregate {
    v1::Aggregate {
        counts: aggregate.counts.as_ref().map(counts_message).unwrap_or_default(),
        speed_kmh: wide(aggregate.speed_kmh),
        speed_mean: match aggregate.speed_mean {
            None => v1::SpeedMean::Unspecified,
            Some(SpeedMean::Time) => v1::SpeedMean::Time,
            Some(SpeedMean::Space) => v1::SpeedMean::Space,
        }
        .into(),
        occupancy: wide(aggregate.occupancy),
        queue_m: wide(aggregate.queue_m),
        headway_s: wide(aggregate.headway_s),
        counted: aggregate.counts.is_some(),
    }
}

pub(crate) fn aggregate(message: &v1::Aggregate) -> Result<Aggregate, DecodeError> {
    let counted = message.counted || !message.counts.is_empty();
    Ok(Aggregate {
        counts: counted.then(|| counts(&message.counts)).transpose()?,
        speed_kmh: narrow(message.speed_kmh),
        speed_mean: match v1::SpeedMean::try_from(message.speed_mean) {
            Ok(v1::SpeedMean::Unspecified) => None,
            Ok(v1::SpeedMean::Time) => Some(SpeedMean::Time),
            Ok(v1::SpeedMean::Space) => Some(SpeedMean::Space),
            Err(_) => return Err(DecodeError::out_of_range("speed_mean", message.speed_mean)),
        },
        occupancy: narrow(message.occupancy),
        queue_m: narrow(message.queue_m),
        headway_s: narrow(message.headway_s),
    })
}

pub(crate) fn passage_message(passage: &Passage) -> v1::Passage {
    v1::Passage {
        class: class_message(passage.class).into(),
        speed_kmh: wide(passage.speed_kmh),
        length_m: wide(passage.length_m),
        headway_s: wide(passage.headway_s),
        wrong_way: passage.wrong_way,
    }
}

pub(crate) fn passage(message: &v1::Passage) -> Result<Passage, DecodeError> {
    Ok(Passage {
        class: class(message.class)?.unwrap_or(VehicleClass::Other),
        speed_kmh: narrow(message.speed_kmh),
        length_m: narrow(message.length_m),
        headway_s: narrow(message.headway_s),
        wrong_way: message.wrong_way,
    })
}

pub(crate) fn probe_message(probe: &Probe) -> v1::Probe {
    v1::Probe {
        vehicle_id: probe.vehicle.to_string(),
        lon: probe.lon,
        lat: probe.lat,
        heading_deg: wide(probe.heading_deg),
        speed_kmh: wide(probe.speed_kmh),
        class: probe.class.map_or(v1::VehicleClass::Unspecified, class_message).into(),
        in_service: probe.in_service,
    }
}

pub(crate) fn probe(message: v1::Probe) -> Result<Probe, DecodeError> {
    Ok(Probe {
        vehicle: message.vehicle_id.into(),
        lon: message.lon,
        lat: message.lat,
        heading_deg: narrow(message.heading_deg),
        speed_kmh: narrow(message.speed_kmh),
        class: class(message.class)?,
        in_service: message.in_service,
    })
}

pub(crate) fn queue_message(queue: &Queue) -> v1::Queue {
    v1::Queue {
        queue_m: wide(queue.queue_m),
        stopped_vehicles: queue.stopped_vehicles,
        class_counts: queue.class_counts.as_ref().map(counts_message).unwrap_or_default(),
    }
}

pub(crate) fn queue(message: &v1::Queue) -> Result<Queue, DecodeError> {
    let counted = !message.class_counts.is_empty();
    Ok(Queue {
        queue_m: narrow(message.queue_m),
        stopped_vehicles: message.stopped_vehicles,
        class_counts: counted.then(|| counts(&message.class_counts)).transpose()?,
    })
}

pub(crate) fn travel_time_message(time: &TravelTime) -> v1::TravelTime {
    v1::TravelTime {
        from_sensor: time.from_sensor.to_string(),
        to_sensor: time.to_sensor.to_string(),
        seconds: f64::from(time.seconds),
        vehicles: time.vehicles,
    }
}

pub(crate) fn travel_time(message: &v1::TravelTime) -> TravelTime {
    TravelTime {
        from_sensor: SensorId::from(message.from_sensor.as_str()),
        to_sensor: SensorId::from(message.to_sensor.as_str()),
        seconds: message.seconds as f32,
        vehicles: message.vehicles,
    }
}

pub(crate) fn signal_message(signal: &Signal) -> v1::Signal {
    v1::Signal {
        group: signal.group.to_string(),
        state: match signal.state {
            SignalState::Red => v1::SignalState::Red,
            SignalState::Amber => v1::SignalState::Amber,
            SignalState::Green => v1::SignalState::Green,
            SignalState::Dark => v1::SignalState::Dark,
            SignalState::Flashing => v1::SignalState::Flashing,
        }
        .into(),
        cycle_s: wide(signal.cycle_s),
    }
}

pub(crate) fn signal(message: v1::Signal) -> Result<Signal, DecodeError> {
    let state = match v1::SignalState::try_from(message.state) {
        Ok(v1::SignalState::Red) => SignalState::Red,
        Ok(v1::SignalState::Amber) => SignalState::Amber,
        Ok(v1::SignalState::Green) => SignalState::Green,
        Ok(v1::SignalState::Dark) => SignalState::Dark,
        Ok(v1::SignalState::Flashing) => SignalState::Flashing,
        Ok(v1::SignalState::Unspecified) => return Err(DecodeError::Missing("signal.state")),
        Err(_) => return Err(DecodeError::out_of_range("signal.state", message.state)),
    };
    Ok(Signal { group: message.group.into(), state, cycle_s: narrow(message.cycle_s) })
}

pub(crate) fn alert_message(alert: &Alert) -> v1::Alert {
    v1::Alert {
        r#type: match alert.kind {
            AlertKind::StoppedVehicle => v1::AlertType::StoppedVehicle,
            AlertKind::WrongWay => v1::AlertType::WrongWay,
            AlertKind::Debris => v1::AlertType::Debris,
            AlertKind::Smoke => v1::AlertType::Smoke,
            AlertKind::Pedestrian => v1::AlertType::Pedestrian,
            AlertKind::Congestion => v1::AlertType::Congestion,
        }
        .into(),
        confidence: wide(alert.confidence),
    }
}

pub(crate) fn alert(message: &v1::Alert) -> Result<Alert, DecodeError> {
    let kind = match v1::AlertType::try_from(message.r#type) {
        Ok(v1::AlertType::StoppedVehicle) => AlertKind::StoppedVehicle,
        Ok(v1::AlertType::WrongWay) => AlertKind::WrongWay,
        Ok(v1::AlertType::Debris) => AlertKind::Debris,
        Ok(v1::AlertType::Smoke) => AlertKind::Smoke,
        Ok(v1::AlertType::Pedestrian) => AlertKind::Pedestrian,
        Ok(v1::AlertType::Congestion) => AlertKind::Congestion,
        Ok(v1::AlertType::Unspecified) => return Err(DecodeError::Missing("alert.type")),
        Err(_) => return Err(DecodeError::out_of_range("alert.type", message.r#type)),
    };
    Ok(Alert { kind, confidence: narrow(message.confidence) })
}

pub(crate) fn observed(message: v1::observation::Reading) -> Result<Reading, DecodeError> {
    use v1::observation::Reading as M;
    Ok(match message {
        M::Aggregate(m) => Reading::Aggregate(aggregate(&m)?),
        M::Passage(m) => Reading::Passage(passage(&m)?),
        M::Probe(m) => Reading::Probe(probe(m)?),
        M::Queue(m) => Reading::Queue(queue(&m)?),
        M::TravelTime(m) => Reading::TravelTime(travel_time(&m)),
        M::Signal(m) => Reading::Signal(signal(m)?),
        M::Alert(m) => Reading::Alert(alert(&m)?),
    })
}

pub(crate) fn observed_message(reading: &Reading) -> v1::observation::Reading {
    use v1::observation::Reading as M;
    match reading {
        Reading::Aggregate(r) => M::Aggregate(aggregate_message(r)),
        Reading::Passage(r) => M::Passage(passage_message(r)),
        Reading::Probe(r) => M::Probe(probe_message(r)),
        Reading::Queue(r) => M::Queue(queue_message(r)),
        Reading::TravelTime(r) => M::TravelTime(travel_time_message(r)),
        Reading::Signal(r) => M::Signal(signal_message(r)),
        Reading::Alert(r) => M::Alert(alert_message(r)),
    }
}

pub(crate) fn told(message: v1::sensor_message::Reading) -> Result<Reading, DecodeError> {
    use v1::{observation::Reading as O, sensor_message::Reading as M};
    observed(match message {
        M::Aggregate(m) => O::Aggregate(m),
        M::Passage(m) => O::Passage(m),
        M::Probe(m) => O::Probe(m),
        M::Queue(m) => O::Queue(m),
        M::TravelTime(m) => O::TravelTime(m),
        M::Signal(m) => O::Signal(m),
        M::Alert(m) => O::Alert(m),
    })
}

pub(crate) fn told_message(reading: &Reading) -> v1::sensor_message::Reading {
    use v1::{observation::Reading as O, sensor_message::Reading as M};
    match observed_message(reading) {
        O::Aggregate(m) => M::Aggregate(m),
        O::Passage(m) => M::Passage(m),
        O::Probe(m) => M::Probe(m),
        O::Queue(m) => M::Queue(m),
        O::TravelTime(m) => M::TravelTime(m),
        O::Signal(m) => M::Signal(m),
        O::Alert(m) => M::Alert(m),
    }
}
