//! `RoadNetwork`.

use std::sync::Arc;

use futures_util::stream;
use roadnet::LinkIndex;
use tonic::{Request, Response, Status};
use wire::v1;
use wire::v1::road_network_server::RoadNetwork;

use super::Answers;
use crate::arguments::{bounding_box, invalid, point, within};
use crate::network::link_message;
use crate::shared::Shared;

/// Links of a chunk: 100 to 300 KB.
const CHUNK: usize = 500;
/// A street that a point can belong to is not further away.
const MOST_RADIUS_M: f64 = 5000.0;
/// Links that `FindLinks` answers at most.
const MOST_FOUND: usize = 200;

/// `RoadNetwork` over the network that the gateway was started with.
pub(crate) struct Roads(pub(crate) Arc<Shared>);

impl Roads {
    fn chunk(&self, links: &[LinkIndex], total: usize) -> v1::NetworkChunk {
        v1::NetworkChunk {
            network_version: self.0.network_version.clone(),
            links: links.iter().map(|&link| link_message(&self.0.network, link)).collect(),
            total_links: total as u32,
            title: self.0.network_title.clone(),
        }
    }
}

#[tonic::async_trait]
impl RoadNetwork for Roads {
    type GetNetworkStream = Answers<v1::NetworkChunk>;

    async fn get_network(
        &self,
        request: Request<v1::GetNetworkRequest>,
    ) -> Result<Response<Self::GetNetworkStream>, Status> {
        let network = &self.0.network;
        let links: Vec<LinkIndex> = match &request.get_ref().bbox {
            Some(bbox) => network.in_box(&bounding_box("bbox", bbox)?),
            None => network.indices().collect(),
        };
        let roads = Self(Arc::clone(&self.0));
        // An empty answer is one chunk without links, so that the client learns the network's version all the same.
        let chunks = links.len().div_ceil(CHUNK).max(1);
        Ok(Response::new(Box::pin(stream::iter((0..chunks).map(move |i| {
            let end = links.len().min((i + 1) * CHUNK);
            Ok(roads.chunk(&links[i * CHUNK..end], links.len()))
        })))))
    }

    async fn get_link(&self, request: Request<v1::GetLinkRequest>) -> Result<Response<v1::Link>, Status> {
        let id = &request.get_ref().link_id;
        if id.is_empty() {
            return Err(invalid("link_id", "is empty"));
        }
        match self.0.network.find(id) {
            Some(link) => Ok(Response::new(link_message(&self.0.network, link))),
            None => Err(Status::not_found(format!("link_id: no link {id:?} in this network"))),
        }
    }

    async fn find_links(
        &self,
        request: Request<v1::FindLinksRequest>,
    ) -> Result<Response<v1::FindLinksResponse>, Status> {
        let asked = request.get_ref();
        let place = point("point", asked.point.as_ref())?;
        let radius_m = within("radius_m", asked.radius_m, 0.0, MOST_RADIUS_M)?;
        let heading = asked.heading_deg.map(|deg| within("heading_deg", deg, 0.0, 360.0)).transpose()?;
        let network = &self.0.network;
        let mut found = network.locate(place, radius_m as f32, heading.map(|deg| deg as f32));
        found.truncate(MOST_FOUND);
        let links = found
            .iter()
            .map(|located| v1::FoundLink {
                link: Some(link_message(network, located.link)),
                distance_m: f64::from(located.distance_m),
                offset_m: f64::from(located.offset_m),
            })
            .collect();
        Ok(Response::new(v1::FindLinksResponse { links }))
    }
}
