//! What all calls share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::Timestamp;
use roadnet::{Network, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::book::EventBook;
use crate::metrics::Metrics;
use crate::outlook::Outlook;
use crate::picture::{Layout, Picture, Slot};

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What all calls share; nothing in it changes but through its one writer.
pub(crate) struct Shared {
    pub(crate) network: Arc<Network>,
    pub(crate) network_version: String,
    pub(crate) network_title: String,
    pub(crate) registry: Arc<Registry>,
    pub(crate) layout: Arc<Layout>,
    /// `None` until the topic was read to its end once.
    pub(crate) pictures: watch::Receiver<Option<Arc<Picture>>>,
    /// `None` until the topic was read to its end once.
    pub(crate) books: watch::Receiver<Option<Arc<EventBook>>>,
    /// `None` until the topic was read to its end once.
    pub(crate) outlooks: watch::Receiver<Option<Arc<Outlook>>>,
    /// A forecast that was last said longer ago is left out.
    pub(crate) forecast_kept_ms: i64,
    pub(crate) readings: Readings,
    pub(crate) metrics: Metrics,
    /// Cancelled when the gateway stops.
    pub(crate) closing: CancellationToken,
    pub(crate) clock: Clock,
}

impl Shared {
    pub(crate) fn link_id(&self, slot: Slot) -> String {
        self.network.link(self.layout.link(slot)).id.to_string()
    }

    /// Returns the newest picture.
    pub(crate) fn picture(&self) -> Result<Arc<Picture>, Status> {
        self.pictures.borrow().clone().ok_or_else(not_loaded)
    }

    /// Returns the newest forecasts.
    pub(crate) fn outlook(&self) -> Result<Arc<Outlook>, Status> {
        self.outlooks.borrow().clone().ok_or_else(not_loaded)
    }

    /// Returns the newest events.
    pub(crate) fn book(&self) -> Result<Arc<EventBook>, Status> {
        self.books.borrow().clone().ok_or_else(not_loaded)
    }

    /// Returns what streams end with when nothing follows the log any more.
    pub(crate) fn log_ended(&self) -> Status {
        if self.closing.is_cancelled() {
            self.farewell()
        } else {
            Status::unavailable("the log was closed under the gateway; resume at another one")
        }
    }

    /// Returns what streams of a connection end with.
    pub(crate) fn farewell(&self) -> Status {
        if self.closing.is_cancelled() {
            Status::unavailable("the gateway is shutting down; resume elsewhere or try again in a moment")
        } else {
            Status::unavailable("this connection has served long enough; open a new one and resume")
        }
    }
}

fn not_loaded() -> Status {
    Status::unavailable("the gateway is still reading the log; try again in a moment")
}

/// Readings that enter the log; not known at first.
#[derive(Debug)]
pub(crate) struct Readings(AtomicU64);

impl Default for Readings {
    fn default() -> Self {
        Self(AtomicU64::new(f64::NAN.to_bits()))
    }
}

impl Readings {
    pub(crate) fn per_s(&self) -> Option<f64> {
        Some(f64::from_bits(self.0.load(Ordering::Relaxed))).filter(|rate| rate.is_finite())
    }

    pub(crate) fn set_per_s(&self, rate: Option<f64>) {
        self.0.store(rate.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
    }
}
