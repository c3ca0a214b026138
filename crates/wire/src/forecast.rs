//! Records of the forecasts topic.

use bytes::Bytes;
use model::{Forecast, ForecastPoint, LinkId};
use prost::Message as _;

use crate::state::{source, source_message};
use crate::time::{required, to_proto_time};
use crate::{DecodeError, v1};

/// Encodes a record of the forecasts topic; empty where nothing is expected any more.
pub fn encode_forecast(forecast: &Forecast) -> Bytes {
    if forecast.points.is_empty() {
        return Bytes::new();
    }
    let point = |point: &ForecastPoint| v1::ForecastPoint {
        horizon_s: point.horizon_s,
        speed_kmh: point.speed_kmh,
        speed_lo_kmh: point.speed_lo_kmh,
        speed_hi_kmh: point.speed_hi_kmh,
    };
    v1::Forecast {
        link_id: forecast.link.to_string(),
        made_at: Some(to_proto_time(forecast.made_at)),
        source: source_message(forecast.source).into(),
        free_flow_speed_kmh: f64::from(forecast.free_flow_speed_kmh),
        points: forecast.points.iter().map(point).collect(),
    }
    .encode_to_vec()
    .into()
}

/// Decodes a record of the forecasts topic that is not empty.
///
/// # Errors
/// When the bytes are no such record.
pub fn decode_forecast(bytes: &[u8]) -> Result<Forecast, DecodeError> {
    let message = v1::Forecast::decode(bytes)?;
    let point = |point: &v1::ForecastPoint| ForecastPoint {
        horizon_s: point.horizon_s,
        speed_kmh: point.speed_kmh,
        speed_lo_kmh: point.speed_lo_kmh,
        speed_hi_kmh: point.speed_hi_kmh,
    };
    Ok(Forecast {
        made_at: required(message.made_at.as_ref(), "made_at")?,
        source: source(message.source)?,
        free_flow_speed_kmh: message.free_flow_speed_kmh as f32,
        points: message.points.iter().map(point).collect(),
        link: LinkId(message.link_id.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Source, Timestamp};
    use proptest::prelude::*;

    #[test]
    fn where_nothing_is_expected_the_record_is_a_tombstone() {
        let nothing = Forecast::nothing("w1.0f".into(), Timestamp::from_millis(60_000), 50.0);
        assert!(encode_forecast(&nothing).is_empty());
    }

    proptest! {
        #[test]
        fn a_forecast_comes_back_as_it_went(speeds in proptest::collection::vec(0f32..150.0, 6), at in 0i64..2_000_000_000_000) {
            let points = speeds.iter().zip(Forecast::HORIZONS_S).map(|(&speed_kmh, horizon_s)| ForecastPoint {
                horizon_s,
                speed_kmh,
                speed_lo_kmh: speed_kmh / 2.0,
                speed_hi_kmh: speed_kmh * 1.5,
            });
            let forecast = Forecast {
                link: "A0B0".into(),
                made_at: Timestamp::from_millis(at),
                source: Source::Observed,
                free_flow_speed_kmh: 50.0,
                points: points.collect(),
            };
            prop_assert_eq!(decode_forecast(&encode_forecast(&forecast)).unwrap(), forecast);
        }
    }
}
