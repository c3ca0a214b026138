//! What really happened on a link, summed up over a minute (Edie's definitions: flow = distance / area,
//! density = time / area, speed = distance / time).

/// Sums since the last minute.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Tally {
    /// Vehicle-seconds.
    pub sampled_s: f64,
    /// Vehicle-metres.
    pub distance_m: f64,
    /// Vehicle-seconds times vehicle length.
    pub covered_ms: f64,
    /// Vehicles that came in from another link or a source.
    pub entered: u32,
    /// Vehicles that went on to another link or ended here.
    pub left: u32,
    /// Of those that entered: trips that began here.
    pub departed: u32,
    /// Of those that left: trips that ended here.
    pub arrived: u32,
    /// Longest standing queue.
    pub queue_m: f64,
    queue_sum_m: f64,
    samples: u32,
}

impl Tally {
    pub(crate) fn travelled(&mut self, seconds: f64, metres: f64, vehicle_m: f64) {
        self.sampled_s += seconds;
        self.distance_m += metres;
        self.covered_ms += seconds * vehicle_m;
    }

    pub(crate) fn sample_queue(&mut self, queue_m: f64) {
        self.queue_m = self.queue_m.max(queue_m);
        self.queue_sum_m += queue_m;
        self.samples += 1;
    }

    /// Returns the mean over the samples of the standing queue.
    pub fn queue_mean_m(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.queue_sum_m / f64::from(self.samples) }
    }

    /// Returns the space-mean speed; absent when nothing was there.
    pub fn speed_kmh(&self) -> Option<f64> {
        (self.sampled_s > 0.0).then(|| self.distance_m / self.sampled_s * 3.6)
    }
}
