//! Records of the link-states topic.

use bytes::Bytes;
use model::{LevelOfService, LinkId, LinkState, Quality, Source};
use prost::Message as _;

use crate::time::{required, to_proto_time};
use crate::{DecodeError, v1};

/// Returns the state as services answer it.
pub fn link_state_message(state: &LinkState) -> v1::LinkState {
    v1::LinkState {
        link_id: state.link.to_string(),
        valid_at: Some(to_proto_time(state.valid_at)),
        speed_kmh: wide(state.speed_kmh),
        free_flow_speed_kmh: wide(state.free_flow_speed_kmh),
        flow_vph: wide(state.flow_vph),
        flow_pcuph: wide(state.flow_pcuph),
        flow_mcuph: wide(state.flow_mcuph),
        density_vpkm: wide(state.density_vpkm),
        travel_time_s: wide(state.travel_time_s),
        delay_s: wide(state.delay_s),
        queue_m: wide(state.queue_m),
        level_of_service: level_message(state.level_of_service).into(),
        congested: state.congested,
        speed_lo_kmh: wide(state.speed_lo_kmh),
        speed_hi_kmh: wide(state.speed_hi_kmh),
        source: source_message(state.source).into(),
        age_s: wide(state.age_s),
        quality: state.quality.0,
        los_facility: level_message(state.los_facility).into(),
        forecast_made_at: None,
    }
}

/// Encodes a record of the link-states topic.
pub fn encode_link_state(state: &LinkState) -> Bytes {
    link_state_message(state).encode_to_vec().into()
}

/// Decodes a record of the link-states topic.
///
/// # Errors
/// When the bytes are no such record.
pub fn decode_link_state(bytes: &[u8]) -> Result<LinkState, DecodeError> {
    let message = v1::LinkState::decode(bytes)?;
    Ok(LinkState {
        valid_at: required(message.valid_at.as_ref(), "valid_at")?,
        speed_kmh: narrow(message.speed_kmh),
        speed_lo_kmh: narrow(message.speed_lo_kmh),
        speed_hi_kmh: narrow(message.speed_hi_kmh),
        free_flow_speed_kmh: narrow(message.free_flow_speed_kmh),
        flow_vph: narrow(message.flow_vph),
        flow_pcuph: narrow(message.flow_pcuph),
        flow_mcuph: narrow(message.flow_mcuph),
        density_vpkm: narrow(message.density_vpkm),
        travel_time_s: narrow(message.travel_time_s),
        delay_s: narrow(message.delay_s),
        queue_m: narrow(message.queue_m),
        level_of_service: level(message.level_of_service)?,
        los_facility: level(message.los_facility)?,
        congested: message.congested,
        source: source(message.source)?,
        age_s: narrow(message.age_s),
        quality: Quality(message.quality),
        link: LinkId(message.link_id.into()),
    })
}

/// Returns what a state rests on as services answer it.
pub(crate) fn source_message(source: Source) -> v1::Source {
    match source {
        Source::None => v1::Source::None,
        Source::Profile => v1::Source::Profile,
        Source::Estimated => v1::Source::Estimated,
        Source::Observed => v1::Source::Observed,
    }
}

pub(crate) fn source(value: i32) -> Result<Source, DecodeError> {
    match v1::Source::try_from(value) {
        Ok(v1::Source::Unspecified | v1::Source::None) => Ok(Source::None),
        Ok(v1::Source::Profile) => Ok(Source::Profile),
        Ok(v1::Source::Estimated) => Ok(Source::Estimated),
        Ok(v1::Source::Observed) => Ok(Source::Observed),
        Err(_) => Err(DecodeError::out_of_range("source", value)),
    }
}

/// Returns the level as services answer it; unspecified = not known.
pub fn level_message(level: Option<LevelOfService>) -> v1::LevelOfService {
    match level {
        None => v1::LevelOfService::Unspecified,
        Some(LevelOfService::A) => v1::LevelOfService::A,
        Some(LevelOfService::B) => v1::LevelOfService::B,
        Some(LevelOfService::C) => v1::LevelOfService::C,
        Some(LevelOfService::D) => v1::LevelOfService::D,
        Some(LevelOfService::E) => v1::LevelOfService::E,
        Some(LevelOfService::F) => v1::LevelOfService::F,
    }
}

fn level(value: i32) -> Result<Option<LevelOfService>, DecodeError> {
    match v1::LevelOfService::try_from(value) {
        Ok(v1::LevelOfService::Unspecified) => Ok(None),
        Ok(known) => Ok(LevelOfService::ALL.into_iter().find(|&level| level_message(Some(level)) == known)),
        Err(_) => Err(DecodeError::out_of_range("level of service", value)),
    }
}

/// Through its shortest decimal text, so that 27.4 stays 27.4 for a reader in double precision.
fn wide(value: Option<f32>) -> Option<f64> {
    value.map(|v| {
        let exact = f64::from(v);
        let rounded = (exact * 1000.0).round() / 1000.0;
        if rounded as f32 == v { rounded } else { exact }
    })
}

fn narrow(value: Option<f64>) -> Option<f32> {
    value.map(|v| v as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_known_is_absent_on_the_wire() {
        let state = LinkState::unknown("w1.0f".into(), Timestamp::from_millis(60_000));
        let message = link_state_message(&state);
        assert_eq!((message.speed_kmh, message.congested, message.level_of_service), (None, None, 0));
        assert_eq!(decode_link_state(&encode_link_state(&state)).unwrap(), state);
    }

    proptest! {
        #[test]
        fn a_state_comes_back_as_it_went(speed in proptest::option::of(0f32..200.0), queue in 0f32..5000.0, level in 0usize..6) {
            let state = LinkState {
                speed_kmh: speed,
                queue_m: Some(queue),
                level_of_service: LevelOfService::ALL.get(level).copied(),
                congested: Some(level > 3),
                source: Source::Estimated,
                ..LinkState::unknown("A0B0".into(), Timestamp::from_millis(1))
            };
            prop_assert_eq!(decode_link_state(&encode_link_state(&state)).unwrap(), state);
        }
    }
}
