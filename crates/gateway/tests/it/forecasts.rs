//! `GetForecast`.

use std::collections::BTreeMap;

use model::{Forecast, ForecastPoint, Source};
use wire::client::Code;
use wire::v1;

use crate::city::{LINKS, NOON, state};
use crate::rig::{PATIENCE, Rig, Store};

/// A forecast of `s<link>`, whose speed falls by 1 km/h a horizon, `after_ms` after noon.
fn forecast(link: usize, speed_kmh: f32, after_ms: i64) -> Forecast {
    let point = |(i, horizon_s): (usize, u32)| ForecastPoint {
        horizon_s,
        speed_kmh: speed_kmh - i as f32,
        speed_lo_kmh: speed_kmh - i as f32 - 5.0,
        speed_hi_kmh: speed_kmh - i as f32 + 5.0,
    };
    Forecast {
        link: format!("s{link}").as_str().into(),
        made_at: NOON + after_ms,
        source: if link.is_multiple_of(3) { Source::Observed } else { Source::Profile },
        free_flow_speed_kmh: 50.0,
        points: Forecast::HORIZONS_S.into_iter().enumerate().map(point).collect(),
    }
}

fn minutes(minutes: &[i64]) -> v1::GetForecastRequest {
    let mut request = v1::GetForecastRequest::default();
    for &minutes in minutes {
        request.horizons.push(Default::default());
        request.horizons.last_mut().unwrap().seconds = minutes * 60;
    }
    request
}

/// Returns the states by link and minutes ahead of `as_of`.
async fn ask(rig: &Rig, request: v1::GetForecastRequest) -> BTreeMap<(String, i64), v1::LinkState> {
    let mut chunks = rig.connection.traffic_state().get_forecast(request).await.unwrap().into_inner();
    let mut states = BTreeMap::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        for state in chunk.states {
            let ahead_s = state.valid_at.unwrap().seconds - chunk.as_of.unwrap().seconds;
            states.insert((state.link_id.clone(), ahead_s / 60), state);
        }
    }
    states
}

/// Asks until that holds: the gateway reads the log in its own time.
async fn ask_until(
    rig: &Rig,
    request: v1::GetForecastRequest,
    holds: impl Fn(&BTreeMap<(String, i64), v1::LinkState>) -> bool,
) -> BTreeMap<(String, i64), v1::LinkState> {
    let asking = async {
        loop {
            let states = ask(rig, request.clone()).await;
            if holds(&states) {
                return states;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the forecasts come in time")
}

async fn city_with(forecasts: &[Forecast]) -> Rig {
    let store = Store::new().await;
    store.append_states(&[state(0, 40.0, 0)]).await;
    store.append_forecasts(forecasts).await;
    store.start().await
}

#[tokio::test]
async fn a_forecast_is_told_as_the_state_of_each_instant_ahead() {
    let rig = city_with(&[forecast(3, 40.0, -60_000)]).await;
    let states = ask(&rig, minutes(&[])).await;
    let ahead: Vec<i64> = states.keys().map(|(_, minutes)| *minutes).collect();
    assert_eq!(ahead, [5, 10, 15, 30, 45, 60]);
    let quarter = &states[&("s3".to_owned(), 15)];
    assert_eq!(
        (quarter.speed_kmh, quarter.speed_lo_kmh, quarter.speed_hi_kmh),
        (Some(38.0), Some(33.0), Some(43.0))
    );
    assert_eq!(quarter.source(), v1::Source::Observed);
    assert_eq!(quarter.level_of_service(), v1::LevelOfService::B);
    assert_eq!(quarter.congested, Some(false));
    assert_eq!(quarter.flow_vph, None, "no flow is foretold");
    // About 10 m of road at 38 km/h.
    assert!((0.8..1.2).contains(&quarter.travel_time_s.unwrap()), "{quarter:?}");
    assert_eq!(wire::from_proto_time(&quarter.forecast_made_at.unwrap()).unwrap(), NOON + -60_000);
}

#[tokio::test]
async fn only_the_horizons_that_are_asked_for_are_told() {
    let rig = city_with(&[forecast(3, 40.0, 0)]).await;
    let states = ask(&rig, minutes(&[60, 15, 15])).await;
    assert_eq!(states.keys().map(|(_, minutes)| *minutes).collect::<Vec<_>>(), [15, 60]);
}

#[tokio::test]
async fn a_horizon_that_nobody_foretells_is_refused_by_name() {
    let rig = city_with(&[]).await;
    for (wrong, name) in
        [(minutes(&[15, 7]), "horizons[1]"), (minutes(&[-15]), "horizons[0]"), (minutes(&[0]), "horizons[0]")]
    {
        let status = rig.connection.traffic_state().get_forecast(wrong).await.map(drop).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(name), "{}", status.message());
    }
    let filter = v1::StateFilter { link_ids: vec!["nowhere".into()], ..Default::default() };
    let request = v1::GetForecastRequest { filter: Some(filter), horizons: Vec::new() };
    let status = rig.connection.traffic_state().get_forecast(request).await.map(drop).unwrap_err();
    assert!(status.message().starts_with("filter.link_ids[0]"), "{}", status.message());
}

#[tokio::test]
async fn filters_ask_the_states_that_are_expected() {
    let rig = city_with(&[forecast(3, 17.0, 0), forecast(4, 17.0, 0), forecast(6, 45.0, 0)]).await;
    let with = |filter| v1::GetForecastRequest { filter: Some(filter), ..minutes(&[]) };
    let names = |states: BTreeMap<(String, i64), v1::LinkState>| states.into_keys().collect::<Vec<_>>();
    // 17 km/h of 50 falls to F (30 %) in the third point.
    let worst = v1::StateFilter {
        worst_than: v1::LevelOfService::F.into(),
        observed_only: true,
        ..Default::default()
    };
    let s3 = |minutes| ("s3".to_owned(), minutes);
    assert_eq!(names(ask(&rig, with(worst)).await), [15, 30, 45, 60].map(s3));
    let named = v1::StateFilter { link_ids: vec!["s4".into()], ..Default::default() };
    assert!(names(ask(&rig, with(named)).await).iter().all(|(link, _)| link == "s4"));
}

#[tokio::test]
async fn what_was_said_long_ago_or_taken_back_is_left_out() {
    let rig =
        city_with(&[forecast(1, 40.0, -1_800_001), forecast(2, 40.0, -1_800_000), forecast(3, 40.0, 0)])
            .await;
    let links = |states: &BTreeMap<(String, i64), v1::LinkState>| {
        states.keys().map(|(link, _)| link.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(links(&ask(&rig, minutes(&[])).await), ["s2", "s3"].map(str::to_owned).into());
    rig.store().append_forecasts(&[Forecast::nothing("s3".into(), NOON + 1000, 50.0)]).await;
    let left = ask_until(&rig, minutes(&[]), |states| links(states).len() == 1).await;
    assert_eq!(links(&left), ["s2".to_owned()].into());
}

#[tokio::test]
async fn the_newest_forecast_holds_and_a_repetition_changes_nothing() {
    let rig = city_with(&[forecast(3, 40.0, 0)]).await;
    rig.store().append_forecasts(&[forecast(3, 30.0, -300_000), forecast(6, 44.0, 0)]).await;
    let states = ask_until(&rig, minutes(&[5]), |states| states.len() == 2).await;
    assert_eq!(states[&("s3".to_owned(), 5)].speed_kmh, Some(40.0));
    rig.store().append_forecasts(&[forecast(3, 20.0, 300_000)]).await;
    ask_until(&rig, minutes(&[5]), |states| states[&("s3".to_owned(), 5)].speed_kmh == Some(20.0)).await;
}

#[tokio::test]
async fn a_whole_city_comes_in_parts() {
    let forecasts: Vec<_> = (0..1000).map(|link| forecast(link, 40.0, 0)).collect();
    let store = Store::with_links(1000).await;
    store.append_states(&(0..LINKS).map(|i| state(i, 40.0, 0)).collect::<Vec<_>>()).await;
    store.append_forecasts(&forecasts).await;
    let rig = store.start().await;
    assert_eq!(ask(&rig, minutes(&[])).await.len(), 6000);
}
