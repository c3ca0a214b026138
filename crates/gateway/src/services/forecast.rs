//! `GetForecast`: what is expected, as states of instants ahead.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, stream};
use model::{Forecast, ForecastPoint, LevelOfService, LinkState, Timestamp};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use wire::v1;

use crate::arguments;
use crate::frames::FrameBuilder;
use crate::outlook::Outlook;
use crate::picture::{Picture, Slot, bits};
use crate::selection::Selection;
use crate::shared::Shared;

/// States of a message: about 200 KB, well below the 4 MiB that receivers take by default.
const MOST_STATES: usize = 2000;

/// `congested`: speed at or below this share of free flow (the contract's definition).
const CONGESTED_SHARE: f32 = 0.4;

/// What is asked for, checked.
struct Asked {
    selection: Selection,
    horizons_s: BTreeSet<u32>,
    kept_ms: i64,
}

/// Answers with frames of the newest outlook, each as of its own moment.
pub(super) fn forecast(
    shared: Arc<Shared>,
    asked: &v1::GetForecastRequest,
    closing: CancellationToken,
) -> Result<impl Stream<Item = Result<Bytes, Status>> + use<>, Status> {
    let asked = Asked {
        selection: Selection::new(asked.filter.as_ref(), &shared.network, &shared.layout)?,
        horizons_s: horizons(asked.horizons.iter().map(|horizon| (horizon.seconds, horizon.nanos)))?,
        kept_ms: shared.forecast_kept_ms,
    };
    shared.picture().and(shared.outlook())?;
    Ok(stream::unfold(Some(0), move |next| {
        let answer = next.map(|next| match shared.picture().and_then(|p| Ok((p, shared.outlook()?))) {
            _ if closing.is_cancelled() => (Err(shared.farewell()), None),
            Err(status) => (Err(status), None),
            Ok((picture, outlook)) => {
                let (chunk, next) = chunk(&picture, &outlook, &asked, next, &shared);
                let frame = FrameBuilder::new().finish(&wire::encode(&chunk));
                shared.metrics.frame_sent(frame.len());
                (Ok(frame), next)
            }
        });
        std::future::ready(answer)
    }))
}

/// Checks the horizons (seconds and nanoseconds): those that forecasts are made for.
fn horizons(given: impl ExactSizeIterator<Item = (i64, i32)>) -> Result<BTreeSet<u32>, Status> {
    if given.len() == 0 {
        return Ok(Forecast::HORIZONS_S.into());
    }
    let horizon = |(i, (seconds, nanos)): (usize, (i64, i32))| {
        let known = Forecast::HORIZONS_S.into_iter().find(|&s| (i64::from(s), 0) == (seconds, nanos));
        known.ok_or_else(|| {
            let known = Forecast::HORIZONS_S.map(|s| s.to_string()).join(", ");
            let what = format!("{seconds} s {nanos} ns is none of {known} s");
            arguments::invalid(&format!("horizons[{i}]"), what)
        })
    };
    given.enumerate().map(horizon).collect()
}

/// Returns the message that begins at an area, and where the next one begins.
fn chunk(
    picture: &Picture,
    outlook: &Outlook,
    asked: &Asked,
    mut next: usize,
    shared: &Shared,
) -> (v1::StateChunk, Option<usize>) {
    let mut chunk = v1::StateChunk {
        network_version: shared.network_version.clone(),
        as_of: picture.as_of().map(wire::to_proto_time),
        states: Vec::new(),
    };
    // Nothing is expected where nothing is known yet.
    let Some(as_of) = picture.as_of() else { return (chunk, None) };
    let areas = asked.selection.areas(picture);
    while next < areas && chunk.states.len() < MOST_STATES {
        let (tile, wanted) = asked.selection.area(next);
        for slot in bits(wanted).map(|bit| Slot::of(tile, bit)) {
            let Some(forecast) = outlook.fresh(slot, as_of, asked.kept_ms) else { continue };
            let length_m = shared.network.link(shared.layout.link(slot)).length_m;
            let points = forecast.points.iter().filter(|point| asked.horizons_s.contains(&point.horizon_s));
            for point in points.filter(|point| asked.selection.takes(level(forecast, point), forecast.source))
            {
                chunk.states.push(state(forecast, point, as_of, length_m));
            }
        }
        next += 1;
    }
    (chunk, (next < areas).then_some(next))
}

fn level(forecast: &Forecast, point: &ForecastPoint) -> LevelOfService {
    LevelOfService::of_share(f64::from(point.speed_kmh) / f64::from(forecast.free_flow_speed_kmh))
}

/// Returns what is expected as a state; `length_m` is the link's.
fn state(forecast: &Forecast, point: &ForecastPoint, as_of: Timestamp, length_m: f32) -> v1::LinkState {
    let free_kmh = forecast.free_flow_speed_kmh;
    let time_s = |speed_kmh: f32| (length_m * 3.6 / speed_kmh * 10.0).round() / 10.0;
    let moves = point.speed_kmh > 0.0;
    let expected = LinkState {
        speed_kmh: Some(point.speed_kmh),
        speed_lo_kmh: Some(point.speed_lo_kmh),
        speed_hi_kmh: Some(point.speed_hi_kmh),
        free_flow_speed_kmh: Some(free_kmh),
        travel_time_s: moves.then(|| time_s(point.speed_kmh)),
        delay_s: moves.then(|| (time_s(point.speed_kmh) - time_s(free_kmh)).max(0.0)),
        level_of_service: Some(level(forecast, point)),
        congested: Some(point.speed_kmh <= CONGESTED_SHARE * free_kmh),
        source: forecast.source,
        ..LinkState::unknown(forecast.link.clone(), as_of.plus_millis(i64::from(point.horizon_s) * 1000))
    };
    v1::LinkState {
        forecast_made_at: Some(wire::to_proto_time(forecast.made_at)),
        ..wire::link_state_message(&expected)
    }
}
