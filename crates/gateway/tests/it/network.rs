//! `RoadNetwork` and `Sensors`.

use model::{EventChange, EventKind};
use wire::client::Code;
use wire::v1;
use wire::v1::sensor_health::Status as Health;

use crate::city::LINKS;
use crate::events::event;
use crate::rig::{PATIENCE, Rig, Store};

fn around(from: usize, to: usize) -> v1::BoundingBox {
    let lon = |link: usize| 106.0 + link as f64 / 1000.0;
    v1::BoundingBox { min_lon: lon(from) - 0.0005, min_lat: 20.0, max_lon: lon(to) + 0.0005, max_lat: 21.0 }
}

async fn chunks(rig: &Rig, bbox: Option<v1::BoundingBox>) -> Vec<v1::NetworkChunk> {
    let request = v1::GetNetworkRequest { bbox };
    let mut stream = rig.connection.road_network().get_network(request).await.unwrap().into_inner();
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        chunks.push(chunk);
    }
    chunks
}

#[tokio::test]
async fn the_whole_network_comes_with_geometry_and_version() {
    let rig = Rig::new().await;
    let chunks = chunks(&rig, None).await;
    let links: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.links).collect();
    assert_eq!(links.len(), LINKS);
    assert_eq!(chunks[0].total_links as usize, LINKS);
    assert_eq!(chunks[0].network_version, rig.store().network.version().to_string());
    let link = links.iter().find(|link| link.link_id == "s2").unwrap();
    assert_eq!(link.geometry, [1_060_020_000, 208_000_000, 1000, 0]);
    assert_eq!((link.name.as_str(), link.road_class()), ("Đường 2", v1::RoadClass::Primary));
    assert_eq!((link.lanes_default, link.width_default), (true, false));
    let motorcycle = 1 << i32::from(v1::VehicleClass::Motorcycle);
    assert_eq!(link.allowed_classes, motorcycle | 1 << i32::from(v1::VehicleClass::Car));
}

#[tokio::test]
async fn the_network_says_what_the_operator_calls_it() {
    let config = gateway::Config { title: "Hải Phòng, a schematic".into(), ..gateway::Config::default() };
    let rig = Store::new().await.start_with(config).await;
    assert_eq!(chunks(&rig, None).await[0].title, "Hải Phòng, a schematic");
}

#[tokio::test]
async fn a_box_brings_the_links_in_it_and_an_empty_one_still_the_version() {
    let rig = Rig::new().await;
    let some = chunks(&rig, Some(around(3, 5))).await;
    let mut ids: Vec<_> =
        some.iter().flat_map(|chunk| &chunk.links).map(|link| link.link_id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["s3", "s4", "s5"]);
    let nowhere = v1::BoundingBox { min_lon: 1.0, min_lat: 1.0, max_lon: 2.0, max_lat: 2.0 };
    let none = chunks(&rig, Some(nowhere)).await;
    assert_eq!((none.len(), none[0].links.len(), none[0].total_links), (1, 0, 0));
    assert!(!none[0].network_version.is_empty());
}

#[tokio::test]
async fn links_are_found_near_a_point() {
    let rig = Rig::new().await;
    let point = Some(v1::Point { lon: 106.01005, lat: 20.8001 });
    let request = v1::FindLinksRequest { point, radius_m: 50.0, heading_deg: Some(90.0) };
    let found = rig.connection.road_network().find_links(request).await.unwrap().into_inner().links;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].link.as_ref().unwrap().link_id, "s10");
    assert!(
        (10.0..13.0).contains(&found[0].distance_m) && (4.0..6.5).contains(&found[0].offset_m),
        "{found:?}"
    );
    let request = v1::FindLinksRequest { heading_deg: Some(270.0), ..request };
    assert!(rig.connection.road_network().find_links(request).await.unwrap().into_inner().links.is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let rig = Rig::new().await;
    let link = v1::GetLinkRequest { link_id: "nowhere".into() };
    let status = rig.connection.road_network().get_link(link).await.unwrap_err();
    assert_eq!((status.code(), status.message().contains("link_id")), (Code::NotFound, true));
    let sensor = v1::GetSensorRequest { sensor_id: "nothing".into() };
    let status = rig.connection.sensors().get_sensor(sensor).await.unwrap_err();
    assert_eq!((status.code(), status.message().contains("sensor_id")), (Code::NotFound, true));
}

#[tokio::test]
async fn sensors_come_page_by_page() {
    let rig = Rig::new().await;
    let mut ids = Vec::new();
    let mut request = v1::ListSensorsRequest { page_size: 7, ..Default::default() };
    loop {
        let page = rig.connection.sensors().list_sensors(request.clone()).await.unwrap().into_inner();
        ids.extend(page.sensors.into_iter().map(|sensor| sensor.sensor_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(ids, (0..20).map(|i| format!("loop-{i}")).collect::<Vec<_>>());

    let cameras = v1::SensorFilter { kinds: vec![v1::SensorKind::Camera.into()], ..Default::default() };
    let request = v1::ListSensorsRequest { filter: Some(cameras), ..Default::default() };
    let page = rig.connection.sensors().list_sensors(request).await.unwrap().into_inner();
    assert_eq!(page.sensors.len(), 1);
    assert_eq!((page.sensors[0].link_id.as_str(), page.sensors[0].offset_m), ("s0", Some(5.0)));
}

#[tokio::test]
async fn an_open_fault_makes_a_sensor_faulty_until_it_is_cleared() {
    let rig = Rig::new().await;
    let mut fault = event("fault-1", EventKind::SensorFault, EventChange::Opened, 1);
    fault.sensor = Some("loop-3".into());
    fault.detail = "stuck at 42 km/h".into();
    rig.store().append_events(std::slice::from_ref(&fault)).await;
    let health = until_health(&rig, Health::Faulty).await;
    assert_eq!(health.detail, "stuck at 42 km/h");
    assert_eq!(wire::from_proto_time(&health.faulty_since.unwrap()).unwrap(), fault.opened_at);

    let filter = v1::SensorFilter { faulty_only: true, ..Default::default() };
    let request = v1::ListSensorsRequest { filter: Some(filter), ..Default::default() };
    let page = rig.connection.sensors().list_sensors(request).await.unwrap().into_inner();
    assert_eq!(page.sensors.len(), 1);

    (fault.change, fault.revision) = (EventChange::Cleared, 2);
    rig.store().append_events(&[fault]).await;
    until_health(&rig, Health::NoKnownFault).await;
}

/// Asks for `loop-3` until its health is that.
async fn until_health(rig: &Rig, wanted: Health) -> v1::SensorHealth {
    let asking = async {
        loop {
            let request = v1::GetSensorRequest { sensor_id: "loop-3".into() };
            let sensor = rig.connection.sensors().get_sensor(request).await.unwrap().into_inner();
            let health = sensor.health.unwrap();
            if health.status() == wanted {
                return health;
            }
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}
