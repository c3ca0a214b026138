//! `Sensors`: the registry, and what the open events say of each sensor.

use std::sync::Arc;

use model::{SensorId, TrafficEvent};
use roadnet::{BoundingBox, LinkIndex, Sensor, SensorKind};
use rustc_hash::{FxHashMap, FxHashSet};
use tonic::{Request, Response, Status};
use wire::v1;
use wire::v1::sensor_health::Status as Health;
use wire::v1::sensors_server::Sensors;

use super::{Answers, not_built};
use crate::arguments::{self, invalid};
use crate::shared::Shared;
use crate::token::{self, SensorPage, stable_hash};

/// `Sensors` over the registry that the gateway was started with.
pub(crate) struct SensorList(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl Sensors for SensorList {
    type WatchSensorsStream = Answers<v1::SensorHealth>;

    async fn list_sensors(
        &self,
        request: Request<v1::ListSensorsRequest>,
    ) -> Result<Response<v1::ListSensorsResponse>, Status> {
        let asked = request.get_ref();
        let selection = SensorSelection::new(asked.filter.as_ref(), &self.0)?;
        let size = arguments::page_size(asked.page_size)?;
        let start = self.first_row(&asked.page_token, selection.hash)?;
        let book = self.0.book()?;
        let faults = book.faults();
        let mut rows = self.0.registry.sensors()[start..]
            .iter()
            .filter(|sensor| selection.sees(sensor, faults.contains_key(&sensor.id), &self.0));
        let page: Vec<_> = rows.by_ref().take(size).collect();
        let last = page.last().filter(|_| rows.next().is_some());
        let next = last.map(|sensor| SensorPage { filter: selection.hash, id: sensor.id.to_string() });
        Ok(Response::new(v1::ListSensorsResponse {
            sensors: page.iter().map(|sensor| message(sensor, &faults, &self.0)).collect(),
            next_page_token: next.map(|page| token::seal(&page)).unwrap_or_default(),
        }))
    }

    async fn get_sensor(
        &self,
        request: Request<v1::GetSensorRequest>,
    ) -> Result<Response<v1::Sensor>, Status> {
        let id = &request.get_ref().sensor_id;
        if id.is_empty() {
            return Err(invalid("sensor_id", "is empty"));
        }
        let Some((_, sensor)) = self.0.registry.find(id) else {
            return Err(Status::not_found(format!("sensor_id: no sensor {id:?} in the registry")));
        };
        let book = self.0.book()?;
        Ok(Response::new(message(sensor, &book.faults(), &self.0)))
    }

    async fn watch_sensors(
        &self,
        _: Request<v1::WatchSensorsRequest>,
    ) -> Result<Response<Self::WatchSensorsStream>, Status> {
        Err(not_built("WatchSensors"))
    }
}

impl SensorList {
    /// Returns the place in the registry at which a page begins.
    fn first_row(&self, text: &str, filter: u64) -> Result<usize, Status> {
        if text.is_empty() {
            return Ok(0);
        }
        let refused = |why| Err(invalid("page_token", why));
        match token::open::<SensorPage>(text) {
            None => refused("was not given by ListSensors, or was changed on the way"),
            Some(page) if page.filter != filter => refused("was given for another filter"),
            Some(page) => match self.0.registry.find(&page.id) {
                Some((index, _)) => Ok(index.0 as usize + 1),
                None => refused("names a sensor that is no longer in the registry; begin again"),
            },
        }
    }
}

/// A checked `SensorFilter`.
struct SensorSelection {
    area: Option<BoundingBox>,
    links: FxHashSet<LinkIndex>,
    kinds: Vec<SensorKind>,
    faulty_only: bool,
    hash: u64,
}

impl SensorSelection {
    fn new(filter: Option<&v1::SensorFilter>, shared: &Shared) -> Result<Self, Status> {
        let nothing_asked = v1::SensorFilter::default();
        let filter = filter.unwrap_or(&nothing_asked);
        let links = arguments::links("filter.link_ids", &filter.link_ids, &shared.network)?;
        Ok(Self {
            area: filter
                .bbox
                .as_ref()
                .map(|bbox| arguments::bounding_box("filter.bbox", bbox))
                .transpose()?,
            links: links.into_iter().collect(),
            kinds: kinds(&filter.kinds)?,
            faulty_only: filter.faulty_only,
            hash: stable_hash(&wire::encode(filter)),
        })
    }

    fn sees(&self, sensor: &Sensor, faulty: bool, shared: &Shared) -> bool {
        let on_link = self.links.is_empty() || sensor.link.is_some_and(|link| self.links.contains(&link));
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&sensor.kind);
        on_link
            && of_kind
            && (faulty || !self.faulty_only)
            && self.area.as_ref().is_none_or(|area| is_in(sensor, area, shared))
    }
}

/// Tells whether a sensor stands in a box; where its place is not known, whether its link touches it.
fn is_in(sensor: &Sensor, area: &BoundingBox, shared: &Shared) -> bool {
    match (sensor.point, sensor.link) {
        (Some(point), _) => area.intersects(&BoundingBox { min: point, max: point }),
        (None, Some(link)) => shared.network.link_bounds(link).intersects(area),
        (None, None) => false,
    }
}

fn message(sensor: &Sensor, faults: &FxHashMap<&SensorId, &TrafficEvent>, shared: &Shared) -> v1::Sensor {
    v1::Sensor {
        sensor_id: sensor.id.to_string(),
        kind: kind_message(sensor.kind).into(),
        link_id: sensor.link.map(|link| shared.network.link(link).id.to_string()).unwrap_or_default(),
        offset_m: sensor.offset_m.map(f64::from),
        lane: sensor.lane.map(u32::from),
        position: sensor.point.map(|point| v1::Point { lon: point.lon, lat: point.lat }),
        heading_deg: sensor.heading_deg.map(f64::from),
        length_m: f64::from(sensor.length_m),
        period_s: sensor.period_s.map(f64::from),
        format: sensor.format.to_string(),
        health: Some(health(&sensor.id, faults.get(&sensor.id).copied())),
    }
}

fn health(id: &SensorId, fault: Option<&TrafficEvent>) -> v1::SensorHealth {
    v1::SensorHealth {
        sensor_id: id.to_string(),
        status: if fault.is_some() { Health::Faulty } else { Health::NoKnownFault }.into(),
        faulty_since: fault.map(|fault| wire::to_proto_time(fault.opened_at)),
        detail: fault.map(|fault| fault.detail.clone()).unwrap_or_default(),
    }
}

fn kind_message(kind: SensorKind) -> v1::SensorKind {
    match kind {
        SensorKind::Loop => v1::SensorKind::Loop,
        SensorKind::Radar => v1::SensorKind::Radar,
        SensorKind::Camera => v1::SensorKind::Camera,
        SensorKind::AreaCamera => v1::SensorKind::AreaCamera,
        SensorKind::Bluetooth => v1::SensorKind::Bluetooth,
        SensorKind::ProbeFleet => v1::SensorKind::ProbeFleet,
        SensorKind::Signal => v1::SensorKind::Signal,
    }
}

fn kinds(given: &[i32]) -> Result<Vec<SensorKind>, Status> {
    let kind = |(i, &number): (usize, &i32)| {
        SensorKind::ALL
            .into_iter()
            .find(|&kind| i32::from(kind_message(kind)) == number)
            .ok_or_else(|| invalid(&format!("filter.kinds[{i}]"), format_args!("no sensor kind {number}")))
    };
    given.iter().enumerate().map(kind).collect()
}
