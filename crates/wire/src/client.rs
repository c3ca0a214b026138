//! Connects to a gateway, for `luong watch` and for tests.

use std::time::Duration;

use tonic::transport::{Channel, Endpoint};

pub use tonic::{Code, Request, Status, Streaming};

use crate::v1;

/// 10 s: long enough for a gateway that is just starting, short enough for a person who waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no gateway answers.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address.
    #[error("{address:?} is not an address such as http://127.0.0.1:50051")]
    BadAddress {
        /// What was given.
        address: String,
    },
    /// Nobody there.
    #[error("no gateway answers at {address}: {source}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: tonic::transport::Error,
    },
}

/// A connection; clients of all services share it.
#[derive(Clone, Debug)]
pub struct Connection(Channel);

impl Connection {
    /// Connects to a gateway such as `http://127.0.0.1:50051`.
    ///
    /// # Errors
    /// When it is no address or nobody answers there.
    pub async fn open(address: &str) -> Result<Self, ConnectError> {
        let endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(|_| ConnectError::BadAddress { address: address.to_owned() })?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        match endpoint.connect().await {
            Ok(channel) => Ok(Self(channel)),
            Err(source) => Err(ConnectError::Unreachable { address: address.to_owned(), source }),
        }
    }

    /// The road network.
    pub fn road_network(&self) -> v1::road_network_client::RoadNetworkClient<Channel> {
        v1::road_network_client::RoadNetworkClient::new(self.0.clone())
    }

    /// Link states.
    pub fn traffic_state(&self) -> v1::traffic_state_client::TrafficStateClient<Channel> {
        v1::traffic_state_client::TrafficStateClient::new(self.0.clone())
    }

    /// Events.
    pub fn traffic_events(&self) -> v1::traffic_events_client::TrafficEventsClient<Channel> {
        v1::traffic_events_client::TrafficEventsClient::new(self.0.clone())
    }

    /// Sensors.
    pub fn sensors(&self) -> v1::sensors_client::SensorsClient<Channel> {
        v1::sensors_client::SensorsClient::new(self.0.clone())
    }

    /// Routing.
    pub fn routing(&self) -> v1::routing_client::RoutingClient<Channel> {
        v1::routing_client::RoutingClient::new(self.0.clone())
    }

    /// The bare channel, for standard services such as health.
    pub fn channel(&self) -> Channel {
        self.0.clone()
    }
}
