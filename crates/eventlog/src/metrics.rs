//! What operators see of the log.

use std::sync::Arc;
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntGauge, Registry};

use crate::{Error, Receipt};

/// 0.5 ms (one `fdatasync` on a good disk) to 30 s (a broker that is being restarted).
const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

/// Counts appends; cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    appended: IntCounter,
    failed: IntCounter,
    waiting: IntGauge,
    durable_seconds: Histogram,
}

/// A batch that was handed over and is not known to be durable. A receipt that is dropped stops waiting too.
struct Waiting {
    inner: Arc<Inner>,
    since: Instant,
    records: u64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        const FIXED: &str = "name and buckets are constants";
        let seconds = HistogramOpts::new(
            "luong_eventlog_durable_seconds",
            "Time from handing a batch over until it was durable",
        );
        let inner = Inner {
            appended: IntCounter::new("luong_eventlog_appended_records_total", "Records that became durable")
                .expect(FIXED),
            failed: IntCounter::new("luong_eventlog_failed_batches_total", "Batches whose receipt failed")
                .expect(FIXED),
            waiting: IntGauge::new(
                "luong_eventlog_waiting_batches",
                "Batches handed over and not yet durable",
            )
            .expect(FIXED),
            durable_seconds: Histogram::with_opts(seconds.buckets(SECONDS.to_vec())).expect(FIXED),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn register(&self, registry: &Registry) -> Result<(), Error> {
        let Inner { appended, failed, waiting, durable_seconds } = &*self.inner;
        registry
            .register(Box::new(appended.clone()))
            .and_then(|()| registry.register(Box::new(failed.clone())))
            .and_then(|()| registry.register(Box::new(waiting.clone())))
            .and_then(|()| registry.register(Box::new(durable_seconds.clone())))
            .map_err(|error| Error::Backend { what: "register the log's metrics", detail: error.to_string() })
    }

    /// Follows a batch from its hand-over at `since` to its end.
    pub(crate) fn follow(&self, records: usize, since: Instant, receipt: Receipt) -> Receipt {
        self.inner.waiting.inc();
        let waiting = Waiting { inner: self.inner.clone(), since, records: records as u64 };
        Box::pin(async move {
            let outcome = receipt.await;
            waiting.ended(&outcome);
            outcome
        })
    }
}

impl Waiting {
    fn ended(self, outcome: &Result<(), Error>) {
        match outcome {
            Ok(()) => {
                self.inner.appended.inc_by(self.records);
                self.inner.durable_seconds.observe(self.since.elapsed().as_secs_f64());
            }
            Err(_) => self.inner.failed.inc(),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inner.waiting.dec();
    }
}
