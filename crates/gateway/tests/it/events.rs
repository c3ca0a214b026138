//! `TrafficEvents`.

use model::{EventChange, EventKind, TrafficEvent};
use wire::client::Streaming;
use wire::v1;

use crate::city::NOON;
use crate::rig::{PATIENCE, Rig, Store};

/// An event on `s1` and `s2`, opened at noon.
pub(crate) fn event(id: &str, kind: EventKind, change: EventChange, revision: u32) -> TrafficEvent {
    TrafficEvent {
        id: id.into(),
        revision,
        kind,
        change,
        at: NOON + i64::from(revision) * 1000,
        opened_at: NOON,
        link: Some("s1".into()),
        head_link: Some("s1".into()),
        tail_link: Some("s2".into()),
        links: vec!["s1".into(), "s2".into()],
        sensor: None,
        queue_m: Some(120.0),
        delay_veh_h: None,
        delay_person_h: None,
        growth_m_per_min: None,
        head_kind: None,
        blocks_in_s: None,
        confidence: None,
        detail: String::new(),
    }
}

fn queue(id: &str, change: EventChange, revision: u32) -> TrafficEvent {
    event(id, EventKind::Queue, change, revision)
}

async fn watch(rig: &Rig, filter: v1::EventFilter, resume_token: &str) -> Streaming<v1::TrafficEvent> {
    let request = v1::WatchEventsRequest { filter: Some(filter), resume_token: resume_token.into() };
    rig.connection.traffic_events().watch_events(request).await.unwrap().into_inner()
}

async fn next(stream: &mut Streaming<v1::TrafficEvent>) -> v1::TrafficEvent {
    let next = tokio::time::timeout(PATIENCE, stream.message()).await.expect("an event comes in time");
    next.unwrap().expect("a watch never ends without a status")
}

fn change(event: &v1::TrafficEvent) -> (&str, u32) {
    (&event.id, event.revision)
}

async fn list(rig: &Rig, filter: v1::EventFilter) -> Vec<String> {
    let mut ids = Vec::new();
    let mut request = v1::ListEventsRequest { filter: Some(filter), page_size: 2, page_token: String::new() };
    loop {
        let page = rig.connection.traffic_events().list_events(request.clone()).await.unwrap().into_inner();
        assert!(page.events.len() <= 2);
        ids.extend(page.events.into_iter().map(|event| event.id));
        if page.next_page_token.is_empty() {
            return ids;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn a_watch_gives_the_open_events_and_then_every_change_once() {
    let store = Store::new().await;
    store
        .append_events(&[
            queue("a", EventChange::Opened, 1),
            queue("b", EventChange::Opened, 1),
            queue("b", EventChange::Cleared, 2),
        ])
        .await;
    let rig = store.start().await;
    let mut events = watch(&rig, v1::EventFilter::default(), "").await;
    assert_eq!(change(&next(&mut events).await), ("a", 1));

    let news = [
        queue("a", EventChange::Updated, 2),
        queue("a", EventChange::Updated, 2),
        queue("a", EventChange::Opened, 1),
    ];
    rig.store().append_events(&news).await;
    assert_eq!(change(&next(&mut events).await), ("a", 2));
    rig.store().append_events(&[queue("a", EventChange::Cleared, 3)]).await;
    let cleared = next(&mut events).await;
    assert_eq!((change(&cleared), cleared.change()), (("a", 3), v1::EventChange::Cleared));
}

#[tokio::test]
async fn changes_that_come_at_once_are_told_one_by_one() {
    let rig = Rig::new().await;
    let mut events = watch(&rig, v1::EventFilter::default(), "").await;
    let all: Vec<_> = (1..=5).map(|revision| queue("a", EventChange::Updated, revision)).collect();
    rig.store().append_events(&all).await;
    for revision in 1..=5 {
        assert_eq!(change(&next(&mut events).await), ("a", revision));
    }
}

#[tokio::test]
async fn a_resumed_watch_goes_on_after_each_event_without_a_gap() {
    let store = Store::new().await;
    let ids: Vec<_> = (0..12).map(|i| format!("e{i}")).collect();
    let all: Vec<_> = ids.iter().map(|id| queue(id, EventChange::Opened, 1)).collect();
    store.append_events(&all).await;
    let rig = store.start().await;
    let mut events = watch(&rig, v1::EventFilter::default(), "").await;
    let mut received = Vec::new();
    for _ in 0..all.len() {
        received.push(next(&mut events).await);
    }
    let store = rig.stop().await;
    store.append_events(&[queue("e4", EventChange::Cleared, 2)]).await;
    let rig = store.start().await;
    for (place, event) in received.iter().enumerate() {
        let mut known: std::collections::BTreeSet<_> =
            received[..=place].iter().map(|e| (e.id.clone(), e.revision)).collect();
        let mut resumed = watch(&rig, v1::EventFilter::default(), &event.resume_token).await;
        let wanted = |known: &std::collections::BTreeSet<(String, u32)>| {
            ids.iter().all(|id| known.contains(&(id.clone(), if id == "e4" { 2 } else { 1 })))
        };
        while !wanted(&known) {
            let event = next(&mut resumed).await;
            known.insert((event.id, event.revision));
        }
    }
}

#[tokio::test]
async fn a_token_of_another_log_is_answered_with_the_open_events_and_the_reason() {
    let rig = Rig::new().await;
    let mut events = watch(&rig, v1::EventFilter::default(), "").await;
    rig.store().append_events(&[queue("a", EventChange::Opened, 1)]).await;
    let token = next(&mut events).await.resume_token;

    let other = Rig::new().await;
    let request = v1::WatchEventsRequest { filter: Some(v1::EventFilter::default()), resume_token: token };
    let answer = other.connection.traffic_events().watch_events(request).await.unwrap();
    let reason = answer.metadata().get("luong-reset-reason").unwrap().to_str().unwrap();
    assert!(reason.contains("another log"), "{reason}");
}

#[tokio::test]
async fn lists_are_filtered_and_paged_newest_first() {
    let store = Store::new().await;
    let mut all: Vec<_> = (0..5).map(|i| queue(&format!("q{i}"), EventChange::Opened, 1)).collect();
    for (i, event) in all.iter_mut().enumerate() {
        event.opened_at = NOON + i as i64;
    }
    all[1].links = vec!["s150".into()];
    (all[1].link, all[1].head_link, all[1].tail_link) = (None, None, None);
    all[2].kind = EventKind::Incident;
    all[3].change = EventChange::Cleared;
    store.append_events(&all).await;
    let rig = store.start().await;
    assert_eq!(list(&rig, v1::EventFilter::default()).await, ["q4", "q2", "q1", "q0"]);
    let cleared_too = v1::EventFilter { include_cleared: true, ..Default::default() };
    assert_eq!(list(&rig, cleared_too).await, ["q4", "q3", "q2", "q1", "q0"]);
    let incidents = v1::EventFilter { types: vec![v1::EventType::Incident.into()], ..Default::default() };
    assert_eq!(list(&rig, incidents).await, ["q2"]);
    let on_link = v1::EventFilter { link_ids: vec!["s150".into()], ..Default::default() };
    assert_eq!(list(&rig, on_link).await, ["q1"]);
    let bbox = v1::BoundingBox { min_lon: 106.1495, min_lat: 20.0, max_lon: 106.1505, max_lat: 21.0 };
    let in_box = v1::EventFilter { bbox: Some(bbox), ..Default::default() };
    assert_eq!(list(&rig, in_box).await, ["q1"]);
}

#[tokio::test]
async fn who_saw_a_queue_come_sees_it_shrink_away_and_clear() {
    let rig = Rig::new().await;
    let filter = v1::EventFilter { link_ids: vec!["s2".into()], ..Default::default() };
    let mut events = watch(&rig, filter, "").await;
    let mut shrunk = queue("a", EventChange::Updated, 2);
    (shrunk.links, shrunk.tail_link) = (vec!["s1".into()], Some("s1".into()));
    let cleared = TrafficEvent { change: EventChange::Cleared, revision: 3, ..shrunk.clone() };
    rig.store().append_events(&[queue("a", EventChange::Opened, 1), shrunk, cleared]).await;
    for revision in 1..=3 {
        assert_eq!(change(&next(&mut events).await), ("a", revision));
    }
}

#[tokio::test]
async fn a_token_from_before_events_were_dropped_is_not_honoured() {
    let store = Store::new().await;
    let config = gateway::Config { tick_ms: 1, cleared_events_max: 1, ..gateway::Config::default() };
    let rig = store.start_with(config).await;
    let mut events = watch(&rig, v1::EventFilter::default(), "").await;
    rig.store().append_events(&[queue("a", EventChange::Opened, 1)]).await;
    let token = next(&mut events).await.resume_token;
    rig.store()
        .append_events(&[queue("a", EventChange::Cleared, 2), queue("b", EventChange::Opened, 1)])
        .await;
    rig.store().append_events(&[queue("b", EventChange::Cleared, 3)]).await;
    while change(&next(&mut events).await) != ("b", 3) {}
    let cleared_too = v1::EventFilter { include_cleared: true, ..Default::default() };
    assert_eq!(list(&rig, cleared_too).await, ["b"], "the older of the two is dropped");

    let request = v1::WatchEventsRequest { filter: Some(v1::EventFilter::default()), resume_token: token };
    let answer = rig.connection.traffic_events().watch_events(request).await.unwrap();
    let reason = answer.metadata().get("luong-reset-reason").unwrap().to_str().unwrap();
    assert!(reason.contains("no longer kept"), "{reason}");
}
