//! What is refused, and how.

use wire::client::{Code, Status};
use wire::v1;

use crate::rig::Rig;

fn bbox(min_lon: f64, min_lat: f64, max_lon: f64, max_lat: f64) -> Option<v1::BoundingBox> {
    Some(v1::BoundingBox { min_lon, min_lat, max_lon, max_lat })
}

async fn snapshot(rig: &Rig, filter: v1::StateFilter) -> Result<(), Status> {
    let request = v1::GetSnapshotRequest { filter: Some(filter) };
    rig.connection.traffic_state().get_snapshot(request).await.map(drop)
}

async fn watch(rig: &Rig, request: v1::WatchStateRequest) -> Result<(), Status> {
    rig.connection.traffic_state().watch_state(request).await.map(drop)
}

async fn events(rig: &Rig, request: v1::ListEventsRequest) -> Result<(), Status> {
    rig.connection.traffic_events().list_events(request).await.map(drop)
}

async fn sensors(rig: &Rig, request: v1::ListSensorsRequest) -> Result<(), Status> {
    rig.connection.sensors().list_sensors(request).await.map(drop)
}

async fn find(rig: &Rig, request: v1::FindLinksRequest) -> Result<(), Status> {
    rig.connection.road_network().find_links(request).await.map(drop)
}

fn refused(field: &str, answer: Result<(), Status>) {
    let status = answer.expect_err(field);
    assert_eq!(status.code(), Code::InvalidArgument, "{field}: {status:?}");
    assert!(status.message().starts_with(field), "{field}: {}", status.message());
}

#[tokio::test]
async fn bad_filters_of_states_are_refused_by_the_name_of_the_field() {
    let rig = Rig::new().await;
    let filter = v1::StateFilter::default;
    let boxes = [
        ("filter.bbox.min_lon", bbox(107.0, 20.0, 106.0, 21.0)),
        ("filter.bbox.min_lat", bbox(106.0, 22.0, 107.0, 21.0)),
        ("filter.bbox.min_lon", bbox(f64::NAN, 20.0, 107.0, 21.0)),
        ("filter.bbox.max_lon", bbox(106.0, 20.0, f64::INFINITY, 21.0)),
        ("filter.bbox.max_lat", bbox(106.0, 20.0, 107.0, 91.0)),
    ];
    for (field, bbox) in boxes {
        refused(field, snapshot(&rig, v1::StateFilter { bbox, ..filter() }).await);
    }
    let link_ids = vec!["s1".into(), "nowhere".into()];
    refused("filter.link_ids[1]", snapshot(&rig, v1::StateFilter { link_ids, ..filter() }).await);
    refused(
        "filter.road_classes[0]",
        snapshot(&rig, v1::StateFilter { road_classes: vec![0], ..filter() }).await,
    );
    refused(
        "filter.road_classes[1]",
        snapshot(&rig, v1::StateFilter { road_classes: vec![1, 77], ..filter() }).await,
    );
    refused("filter.worst_than", snapshot(&rig, v1::StateFilter { worst_than: 7, ..filter() }).await);
}

#[tokio::test]
async fn bad_watches_are_refused_by_the_name_of_the_field() {
    let rig = Rig::new().await;
    let request = v1::WatchStateRequest::default;
    refused(
        "resume_token",
        watch(&rig, v1::WatchStateRequest { resume_token: "gibberish".into(), ..request() }).await,
    );
    for (seconds, nanos) in [(-1, 0), (0, -1), (86_401, 0), (0, 1_000_000_000)] {
        let mut bad = request();
        let interval = bad.min_interval.get_or_insert_default();
        (interval.seconds, interval.nanos) = (seconds, nanos);
        refused("min_interval", watch(&rig, bad).await);
    }
    let request = v1::WatchEventsRequest { resume_token: "gibberish".into(), filter: None };
    refused("resume_token", rig.connection.traffic_events().watch_events(request).await.map(drop));
}

#[tokio::test]
async fn bad_lists_are_refused_by_the_name_of_the_field() {
    let rig = Rig::new().await;
    let request = v1::ListEventsRequest::default;
    refused("page_size", events(&rig, v1::ListEventsRequest { page_size: 1001, ..request() }).await);
    refused("page_token", events(&rig, v1::ListEventsRequest { page_token: "x".into(), ..request() }).await);
    let filter = Some(v1::EventFilter { types: vec![9], ..Default::default() });
    refused("filter.types[0]", events(&rig, v1::ListEventsRequest { filter, ..request() }).await);
    let filter = Some(v1::EventFilter { link_ids: vec!["nowhere".into()], ..Default::default() });
    refused("filter.link_ids[0]", events(&rig, v1::ListEventsRequest { filter, ..request() }).await);

    let request = v1::ListSensorsRequest::default;
    refused("page_size", sensors(&rig, v1::ListSensorsRequest { page_size: 1001, ..request() }).await);
    let first = v1::ListSensorsRequest { page_size: 1, ..request() };
    let page = rig.connection.sensors().list_sensors(first).await.unwrap().into_inner();
    let filter = Some(v1::SensorFilter { faulty_only: true, ..Default::default() });
    let other = v1::ListSensorsRequest { page_token: page.next_page_token, filter, ..request() };
    refused("page_token", sensors(&rig, other).await);
    let filter = Some(v1::SensorFilter { kinds: vec![99], ..Default::default() });
    refused("filter.kinds[0]", sensors(&rig, v1::ListSensorsRequest { filter, ..request() }).await);
}

#[tokio::test]
async fn bad_searches_are_refused_by_the_name_of_the_field() {
    let rig = Rig::new().await;
    let at = |lon, lat| Some(v1::Point { lon, lat });
    let good = v1::FindLinksRequest { point: at(106.0, 20.0), radius_m: 10.0, heading_deg: None };
    refused("point", find(&rig, v1::FindLinksRequest { point: None, ..good }).await);
    refused("point.lat", find(&rig, v1::FindLinksRequest { point: at(106.0, f64::NAN), ..good }).await);
    refused("radius_m", find(&rig, v1::FindLinksRequest { radius_m: -1.0, ..good }).await);
    refused("radius_m", find(&rig, v1::FindLinksRequest { radius_m: 1e9, ..good }).await);
    refused("heading_deg", find(&rig, v1::FindLinksRequest { heading_deg: Some(361.0), ..good }).await);
    let empty = rig.connection.road_network().get_link(v1::GetLinkRequest::default()).await.map(drop);
    refused("link_id", empty);
    refused(
        "sensor_id",
        rig.connection.sensors().get_sensor(v1::GetSensorRequest::default()).await.map(drop),
    );
    let bad_box = v1::GetNetworkRequest { bbox: bbox(1.0, 1.0, 0.0, 2.0) };
    refused("bbox.min_lon", rig.connection.road_network().get_network(bad_box).await.map(drop));
}

#[tokio::test]
async fn what_is_not_built_says_so() {
    let rig = Rig::new().await;
    let at = &rig.connection;
    let answers = [
        (
            "GetLinkHistory",
            at.traffic_state().get_link_history(v1::GetLinkHistoryRequest::default()).await.map(drop),
        ),
        (
            "AcknowledgeEvent",
            at.traffic_events().acknowledge_event(v1::AcknowledgeEventRequest::default()).await.map(drop),
        ),
        ("WatchSensors", at.sensors().watch_sensors(v1::WatchSensorsRequest::default()).await.map(drop)),
        ("GetRoute", at.routing().get_route(v1::GetRouteRequest::default()).await.map(drop)),
        (
            "GetTravelTimes",
            at.routing().get_travel_times(v1::GetTravelTimesRequest::default()).await.map(drop),
        ),
    ];
    for (method, answer) in answers {
        let status = answer.expect_err(method);
        assert_eq!(status.code(), Code::Unimplemented, "{method}");
        assert!(status.message().contains(method), "{method}: {:?}", status.message());
    }
}
