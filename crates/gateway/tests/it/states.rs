//! `TrafficState`.

use proptest::prelude::*;
use proptest::test_runner::{Config as PropConfig, TestRunner};
use wire::v1;
use wire::v1::state_update::Kind;

use crate::city::{LINKS, state};
use crate::rig::{Rig, Store, Watch};

fn all() -> v1::StateFilter {
    v1::StateFilter::default()
}

fn messages(states: &[model::LinkState]) -> std::collections::BTreeMap<String, v1::LinkState> {
    states.iter().map(|state| (state.link.to_string(), wire::link_state_message(state))).collect()
}

#[tokio::test]
async fn a_snapshot_is_what_was_appended() {
    let store = Store::new().await;
    let states: Vec<_> = (0..LINKS).map(|i| state(i, 20.0 + i as f32 / 10.0, 0)).collect();
    store.append_states(&states).await;
    let rig = store.start().await;
    assert_eq!(rig.snapshot(all()).await, messages(&states));
}

#[tokio::test]
async fn a_watch_gives_the_snapshot_and_then_only_changes() {
    let store = Store::new().await;
    let states: Vec<_> = (0..LINKS).map(|i| state(i, 40.0, 0)).collect();
    store.append_states(&states).await;
    let rig = store.start().await;
    let mut watch = rig.watch(all()).await;
    watch.update().await.unwrap();
    assert_eq!((watch.last.kind(), watch.last.complete), (Kind::Snapshot, true));
    assert_eq!(watch.last.network_version, rig.store().network.version().to_string());
    assert_eq!(watch.states, messages(&states));

    rig.store().append_states(&[state(7, 11.0, 250), state(150, 12.0, 250)]).await;
    watch.until(|watch| watch.speed("s7") == Some(11.0) && watch.speed("s150") == Some(12.0)).await;
    assert_eq!(watch.last.kind(), Kind::Delta);
    assert!(watch.last.states.len() <= 2, "only what changed");
    assert_eq!(wire::from_proto_time(&watch.last.as_of.unwrap()).unwrap(), crate::city::NOON + 250);
}

#[tokio::test]
async fn a_state_that_is_told_twice_or_late_changes_nothing() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(all()).await;
    rig.store().append_states(&[state(1, 30.0, 1000)]).await;
    watch.until_speed("s1", 30.0).await;
    rig.store().append_states(&[state(1, 30.0, 1000), state(1, 25.0, 500), state(2, 40.0, 1000)]).await;
    watch.until_speed("s2", 40.0).await;
    assert_eq!(watch.last.states.len(), 1, "s1 did not change");
    assert_eq!(watch.speed("s1"), Some(30.0));
}

#[tokio::test]
async fn a_clock_that_was_set_back_by_hours_is_believed() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(all()).await;
    rig.store().append_states(&[state(1, 30.0, 0)]).await;
    watch.until_speed("s1", 30.0).await;
    rig.store().append_states(&[state(1, 20.0, -7_200_000)]).await;
    watch.until_speed("s1", 20.0).await;
    assert_eq!(rig.gateway.status().as_of, Some(crate::city::NOON + -7_200_000));
}

#[tokio::test]
async fn a_link_that_is_taken_away_leaves_every_watch() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(all()).await;
    rig.store().append_states(&[state(1, 30.0, 0), state(2, 30.0, 0)]).await;
    watch.until(|watch| watch.states.len() == 2).await;
    rig.store().append_tombstone("s1").await;
    watch.until(|watch| watch.states.len() == 1).await;
    assert_eq!(watch.last.left_filter_link_ids, ["s1"]);
    assert_eq!(rig.snapshot(all()).await.keys().collect::<Vec<_>>(), ["s2"]);
}

#[tokio::test]
async fn broken_records_and_unknown_links_are_passed_over() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(all()).await;
    let mut elsewhere = state(0, 10.0, 0);
    elsewhere.link = "of-another-city".into();
    rig.store().append_states(&[elsewhere]).await;
    rig.store().append_raw_state("s5", b"\xff\xff\xff").await;
    rig.store().append_states(&[state(3, 33.0, 0)]).await;
    watch.until_speed("s3", 33.0).await;
    assert_eq!(watch.states.len(), 1);
}

#[tokio::test]
async fn a_city_of_many_links_comes_in_parts_that_any_client_takes() {
    let links = 5_000;
    let detailed = |i, speed, at| model::LinkState {
        flow_vph: Some(1200.0),
        flow_pcuph: Some(400.0),
        flow_mcuph: Some(1100.0),
        density_vpkm: Some(30.0),
        travel_time_s: Some(7.5),
        delay_s: Some(1.5),
        ..state(i, speed, at)
    };
    let everywhere = |speed, at| (0..links).map(|i| detailed(i, speed, at)).collect::<Vec<_>>();
    let store = Store::with_links(links).await;
    store.append_states(&everywhere(40.0, 0)).await;
    let rig = store.start().await;
    assert_eq!(rig.snapshot(all()).await, messages(&everywhere(40.0, 0)));

    let mut watch = rig.watch(all()).await;
    watch.update().await.unwrap();
    assert_eq!((watch.last.kind(), watch.last.complete), (Kind::Snapshot, false));
    let unfinished = watch.token.clone();
    while !watch.last.complete {
        watch.update().await.unwrap();
        assert_eq!(watch.last.kind(), Kind::Snapshot);
    }
    assert_eq!(watch.states, messages(&everywhere(40.0, 0)));

    let token = watch.token.clone();
    rig.store().append_states(&everywhere(30.0, 250)).await;
    watch.until(|watch| watch.states.values().all(|state| state.speed_kmh == Some(30.0))).await;
    assert_eq!(watch.last.kind(), Kind::Delta);

    let mut resumed = rig.resume(all(), &token).await;
    resumed.until(|_| true).await;
    assert_eq!((resumed.last.kind(), resumed.states.len()), (Kind::Resumed, links));
    let mut anew = rig.resume(all(), &unfinished).await;
    anew.update().await.unwrap();
    assert_eq!(anew.last.kind(), Kind::Snapshot);
    assert!(anew.last.reset_reason.contains("complete"), "{}", anew.last.reset_reason);
}

#[tokio::test]
async fn a_client_that_resumes_gets_what_it_missed() {
    let rig = Rig::new().await;
    rig.store().append_states(&(0..LINKS).map(|i| state(i, 40.0, 0)).collect::<Vec<_>>()).await;
    let mut watch = rig.watch(all()).await;
    watch.until(|watch| watch.states.len() == LINKS).await;
    let token = watch.token.clone();
    drop(watch);
    rig.store().append_states(&[state(3, 9.0, 250), state(90, 8.0, 250)]).await;
    let mut second = rig.watch(all()).await;
    second.until(|watch| watch.speed("s3") == Some(9.0) && watch.speed("s90") == Some(8.0)).await;

    let mut resumed = rig.resume(all(), &token).await;
    resumed.update().await.unwrap();
    assert_eq!((resumed.last.kind(), resumed.last.reset_reason.as_str()), (Kind::Resumed, ""));
    assert_eq!(resumed.states.keys().collect::<Vec<_>>(), ["s3", "s90"]);
}

#[tokio::test]
async fn a_token_outlives_the_gateway_that_gave_it() {
    let store = Store::new().await;
    store.append_states(&(0..LINKS).map(|i| state(i, 40.0, 0)).collect::<Vec<_>>()).await;
    let rig = store.start().await;
    let mut watch = rig.watch(all()).await;
    watch.update().await.unwrap();
    let token = watch.token.clone();
    let store = rig.stop().await;
    store.append_states(&[state(12, 5.0, 500)]).await;
    let rig = store.start().await;
    let mut resumed = rig.resume(all(), &token).await;
    resumed.update().await.unwrap();
    assert_eq!(resumed.last.kind(), Kind::Resumed);
    assert_eq!(resumed.states, messages(&[state(12, 5.0, 500)]));
    rig.store().append_states(&[state(13, 6.0, 750)]).await;
    resumed.until_speed("s13", 6.0).await;
    assert_eq!(resumed.last.kind(), Kind::Delta);
}

#[tokio::test]
async fn a_token_of_another_log_or_filter_is_answered_with_a_snapshot_and_the_reason() {
    let rig = Rig::new().await;
    rig.store().append_states(&[state(1, 40.0, 0), state(2, 40.0, 0), state(3, 40.0, 0)]).await;
    let mut watch = rig.watch(all()).await;
    watch.until(|watch| watch.states.len() == 3).await;
    let token = watch.token.clone();

    let primary = v1::StateFilter { road_classes: vec![v1::RoadClass::Primary.into()], ..all() };
    let mut other_filter = rig.resume(primary, &token).await;
    other_filter.update().await.unwrap();
    assert_eq!(other_filter.last.kind(), Kind::Snapshot);
    assert!(other_filter.last.reset_reason.contains("another filter"), "{}", other_filter.last.reset_reason);
    assert_eq!(other_filter.states.keys().collect::<Vec<_>>(), ["s2"]);

    let other_log = Rig::new().await;
    let mut moved = other_log.resume(all(), &token).await;
    moved.update().await.unwrap();
    assert_eq!((moved.last.kind(), moved.last.complete), (Kind::Snapshot, true));
    assert!(moved.last.reset_reason.contains("another log"), "{}", moved.last.reset_reason);

    // The other log has grown past the token meanwhile, with other states before it.
    let later: Vec<_> = (0..LINKS).flat_map(|i| [state(i, 20.0, 10_000), state(i, 21.0, 20_000)]).collect();
    other_log.store().append_states(&later).await;
    moved.until_speed("s199", 21.0).await;
    let mut grown = other_log.resume(all(), &token).await;
    grown.until(|_| true).await;
    assert_eq!(grown.last.kind(), Kind::Snapshot);
    assert!(grown.last.reset_reason.contains("another log"), "{}", grown.last.reset_reason);
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_state_and_costs_the_others_nothing() {
    let rig = Rig::new().await;
    rig.store().append_states(&(0..LINKS).map(|i| state(i, 40.0, 0)).collect::<Vec<_>>()).await;
    // Each on a connection of its own: on a shared one, HTTP/2's window would let the slow one stop the other.
    let mut slow = rig.watch_narrowly(all()).await;
    let mut quick = rig.watch(all()).await;
    quick.until(|watch| watch.states.len() == LINKS).await;
    // 14 KB a round: many times more than all buffers between the two ends hold.
    let rounds: u16 = 100;
    let everywhere = |watch: &Watch, speed| watch.states.values().all(|state| state.speed_kmh == Some(speed));
    for round in 1..=rounds {
        let states: Vec<_> = (0..LINKS).map(|i| state(i, f32::from(round), 250 * i64::from(round))).collect();
        rig.store().append_states(&states).await;
        quick.until(|watch| everywhere(watch, f64::from(round))).await;
    }
    let mut updates = 0;
    while slow.states != quick.states {
        slow.update().await.unwrap();
        updates += 1;
        assert!(updates < 2 * rounds, "{:?}", slow.last);
    }
    assert!(updates < rounds / 2, "{updates} updates for {rounds} rounds: something queues");
    assert!(rig.metric("luong_gateway_conflated_commits_total") > 0.0);
}

#[tokio::test]
async fn updates_keep_the_interval_that_was_asked_for() {
    let rig = Rig::new().await;
    let interval = std::time::Duration::from_millis(300);
    let min_interval = Some(v1::WatchStateRequest::default().min_interval.unwrap_or_default());
    let mut request = v1::WatchStateRequest { min_interval, ..Default::default() };
    if let Some(given) = &mut request.min_interval {
        given.nanos = interval.as_nanos() as i32;
    }
    let mut calm = rig.connection.traffic_state().watch_state(request).await.unwrap().into_inner();
    let mut busy = rig.watch(all()).await;
    calm.message().await.unwrap();
    let started = std::time::Instant::now();
    for round in 1..=20 {
        rig.store().append_states(&[state(1, round as f32, round)]).await;
        busy.until_speed("s1", f64::from(round as f32)).await;
    }
    let first = calm.message().await.unwrap().unwrap();
    assert!(started.elapsed() >= interval.mul_f32(0.9), "{:?}", started.elapsed());
    assert!(first.states[0].speed_kmh >= Some(1.0), "the newest at that moment");
}

#[tokio::test]
async fn silence_is_told_from_a_lost_connection() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(all()).await;
    watch.update().await.unwrap();
    assert_eq!((watch.last.kind(), watch.last.complete), (Kind::Snapshot, true));
    watch.update().await.unwrap();
    assert_eq!((watch.last.kind(), watch.last.states.len()), (Kind::Delta, 0));
    assert!(!watch.token.is_empty());
}

#[tokio::test]
async fn readings_are_counted_without_the_clock_markers() {
    let rig = Rig::new().await;
    let mut watch = rig.watch(all()).await;
    let (started, mut appended) = (std::time::Instant::now(), 0.0);
    let counted = async {
        loop {
            appended += rig.store().append_markers().await;
            tokio::select! {
                update = watch.update() => {
                    if let Some(rate) = update.unwrap().readings_per_s {
                        return rate;
                    }
                }
                () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
            }
        }
    };
    let rate = tokio::time::timeout(crate::rig::PATIENCE, counted).await.unwrap();
    // None of what went in was a reading; a machine that stutters blurs the two counts.
    let appended_per_s = appended / started.elapsed().as_secs_f64();
    assert!(rate < appended_per_s / 2.0, "{rate} readings/s of {appended_per_s} records/s");
}

/// A filter as a function, independent of the one under test.
fn passes(filter: &v1::StateFilter, state: &v1::LinkState) -> bool {
    let number: usize = state.link_id[1..].parse().unwrap();
    let class = if number.is_multiple_of(2) { v1::RoadClass::Primary } else { v1::RoadClass::Alley };
    let west = 106.0 + number as f64 / 1000.0;
    let in_box = |bbox: &v1::BoundingBox| west <= bbox.max_lon && west + 0.0001 >= bbox.min_lon;
    filter.bbox.as_ref().is_none_or(in_box)
        && (filter.link_ids.is_empty() || filter.link_ids.contains(&state.link_id))
        && (filter.road_classes.is_empty() || filter.road_classes.contains(&i32::from(class)))
        && (filter.worst_than == 0 || state.level_of_service >= filter.worst_than)
        && (!filter.observed_only || state.source == i32::from(v1::Source::Observed))
}

fn filters() -> impl Strategy<Value = v1::StateFilter> {
    let area = proptest::option::of((0usize..LINKS, 0usize..LINKS)).prop_map(|ends| {
        ends.map(|(a, b)| v1::BoundingBox {
            min_lon: 106.0 + a.min(b) as f64 / 1000.0 - 0.0005,
            min_lat: 20.0,
            max_lon: 106.0 + a.max(b) as f64 / 1000.0 + 0.0005,
            max_lat: 21.0,
        })
    });
    let ids = proptest::collection::vec((0..LINKS).prop_map(|i| format!("s{i}")), 0..12);
    let classes = proptest::option::of(Just(i32::from(v1::RoadClass::Primary)));
    (area, ids, classes, 0..7, any::<bool>()).prop_map(
        |(bbox, link_ids, class, worst_than, observed_only)| v1::StateFilter {
            bbox,
            link_ids,
            road_classes: class.into_iter().collect(),
            worst_than,
            observed_only,
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Vec<(usize, f32)>>> {
    proptest::collection::vec(
        proptest::collection::vec((0..LINKS, 1u8..50).prop_map(|(i, v)| (i, f32::from(v))), 1..40),
        1..6,
    )
}

#[test]
fn a_filtered_watch_is_the_filter_of_an_unfiltered_one() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::new());
    let clock = std::cell::Cell::new(0);
    let config = PropConfig { failure_persistence: None, ..PropConfig::with_cases(40) };
    TestRunner::new(config)
        .run(&(filters(), steps()), |(filter, steps)| {
            runtime.block_on(async {
                let mut whole = rig.watch(all()).await;
                whole.update().await.unwrap();
                let mut part = rig.watch(filter.clone()).await;
                for step in &steps {
                    clock.set(clock.get() + 250);
                    let mut states: Vec<_> =
                        step.iter().map(|&(i, speed)| state(i, speed, clock.get())).collect();
                    states.sort_by(|a, b| a.link.cmp(&b.link));
                    states.dedup_by(|a, b| a.link == b.link);
                    rig.store().append_states(&states).await;
                    let all_there = |watch: &Watch| {
                        states.iter().all(|s| watch.speed(s.link.as_str()) == s.speed_kmh.map(f64::from))
                    };
                    whole.until(all_there).await;
                    comes_to(&mut part, &filter, &whole).await?;
                    // Half of the time the client breaks off and resumes with what it has.
                    if clock.get() % 500 == 0 {
                        let kept = std::mem::take(&mut part.states);
                        part = rig.resume(filter.clone(), &part.token).await;
                        part.states = kept;
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}

/// Takes updates until the part is the filter of the whole; it must come to that before its second heartbeat.
async fn comes_to(part: &mut Watch, filter: &v1::StateFilter, whole: &Watch) -> Result<(), TestCaseError> {
    let expected: Vec<_> = whole.states.values().filter(|state| passes(filter, state)).collect();
    let mut heartbeats = 0;
    while !part.last.complete || part.states.values().collect::<Vec<_>>() != expected {
        prop_assert!(heartbeats < 2, "{:?} instead of {expected:?}", part.states);
        part.update().await.unwrap();
        heartbeats += usize::from(part.last.states.is_empty() && part.last.left_filter_link_ids.is_empty());
    }
    Ok(())
}
