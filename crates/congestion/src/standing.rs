//! Length of the longest standing queue of the last minute.
//!
//! A camera says it as far as it sees. Elsewhere it follows from those who wait: by Little's law (1961) `flow x time lost` stand
//! on the link on average. Up to one red the queue is a saw-tooth whose peak is twice its mean (Webster 1958); what is lost
//! beyond one red is a queue that does not clear, part of which creeps. Vehicles come at random and choose lanes unevenly, and
//! the longest lane counts.

use crate::evidence::Point;
use crate::own::Own;
use crate::site::Site;

/// A camera sees no further than this, and what it sees within is so, m.
const SEEN_WHOLE_M: f64 = 45.0;

/// A usual red: half of a cycle of a minute, s.
const RED_S: f64 = 30.0;

/// A red's queue is longest at its end, twice the mean.
const SAW_TOOTH: f64 = 2.0;

/// Time stopped per time lost (HCM 2000: control delay is 1.3 times stopped delay).
const STOPPED: f64 = 1.0 / 1.3;

/// Standard deviations by which the longest lane of the minute's cycles is longer than the mean one.
const LONGEST_SD: f64 = 2.0;

/// Time lost below this is no queue: share of the free travel time.
const NO_QUEUE: f64 = 0.05;

/// Returns the length, m; NaN where neither a queue nor a flow is known.
///
/// `share`: speed as a share of free flow.
pub(crate) fn queue_m(own: &Own, share: f64, site: &Site) -> f64 {
    if !own.counted_m.is_nan() {
        return own.counted_m.max(own.queue_m).min(site.length_m);
    }
    if is_seen_whole(own) || own.flow_pcuph.is_nan() {
        return on_link_m(own.queue_m, site);
    }
    let lost_s = site.free_s() * (share.recip() - 1.0 - NO_QUEUE).max(0.0);
    let flow_vps = own.flow_vph / 3600.0;
    let in_red = SAW_TOOTH * flow_vps * lost_s.min(RED_S) / site.lanes;
    // A jam stands in the lanes of those who turn where it comes from: in one lane of one, in about two of four.
    let left_over = STOPPED * flow_vps * (lost_s - RED_S).max(0.0) / site.lanes.sqrt();
    let waiting_m = (in_red + left_over + LONGEST_SD * in_red.sqrt()) * room_m(own);
    // `max` keeps a number over NaN.
    waiting_m.max(own.queue_m).min(site.length_m)
}

/// Returns what of a queue is on the link, m: a device may tell of one that goes on behind it. What is not known stays so.
fn on_link_m(queue_m: f64, site: &Site) -> f64 {
    if queue_m.is_nan() { queue_m } else { queue_m.min(site.length_m) }
}

/// Tells whether a camera sees where the queue ends.
pub(crate) fn is_seen_whole(own: &Own) -> bool {
    own.queue_m < SEEN_WHOLE_M
}

/// Returns how fast a queue can become shorter at most, m/s: those who stand leave by passing the end of the link only.
pub(crate) fn discharge_mps(own: &Own, site: &Site) -> f64 {
    own.flow_vph / 3600.0 * room_m(own) / site.lanes.sqrt()
}

/// Length of lane that a standing vehicle of the link's mix takes, m: a car and the gap before it 6; motorcycles fill in by
/// their share of a car; a lorry is 4 longer for each further unit (trailer of 4 units: 18).
fn room_m(own: &Own) -> f64 {
    room_of_m(if own.flow_vph > 0.0 { own.flow_pcuph / own.flow_vph } else { 0.0 })
}

/// Returns the length of queue that one vehicle makes, m. `history`: the mix that uses the link.
pub(crate) fn one_m(history: &Point, site: &Site) -> f64 {
    room_of_m(history.pcu()) / site.lanes.sqrt()
}

/// `pcu`: car units of a vehicle.
fn room_of_m(pcu: f64) -> f64 {
    6.0 * pcu.min(1.0) + 4.0 * (pcu - 1.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own(flow_vph: f64, queue_m: f64) -> Own {
        Own { flow_vph, flow_pcuph: 0.5 * flow_vph, flow_mcuph: 1.5 * flow_vph, queue_m, ..Own::NOTHING }
    }

    #[test]
    fn what_a_camera_sees_whole_is_so() {
        assert_eq!(queue_m(&own(900.0, 12.0), 0.2, &Site::with_lanes(2.0)), 12.0);
    }

    #[test]
    fn of_a_queue_of_kilometres_a_link_holds_its_own_length() {
        let site = Site::with_lanes(2.0);
        for flow_vph in [f64::NAN, 0.0, 600.0] {
            assert_eq!(queue_m(&own(flow_vph, 5000.0), 0.2, &site), site.length_m);
        }
    }

    #[test]
    fn nothing_is_claimed_where_nothing_is_known() {
        assert!(queue_m(&own(f64::NAN, f64::NAN), 0.2, &Site::with_lanes(2.0)).is_nan());
    }

    #[test]
    fn a_red_stores_what_arrives_in_it() {
        // 600 veh/h, 12 s lost each: 2 wait on average, 4 at the end of red, 2 a lane and two deviations more, 3 m each.
        let site = Site::with_lanes(2.0);
        let share = site.free_s() / (site.free_s() * 1.05 + 12.0);
        let length_m = queue_m(&own(600.0, f64::NAN), share, &site);
        assert!((length_m - (2.0 + 2.0 * 2f64.sqrt()) * 3.0).abs() < 0.1, "{length_m}");
    }

    proptest! {
        #[test]
        fn slower_traffic_stands_in_longer_queues_and_none_is_longer_than_its_link(
            share in 0.02f64..1.0, less in 0.0f64..0.9, flow in 0.0f64..4000.0,
        ) {
            let site = Site::with_lanes(2.0);
            let (fast, slow) = (queue_m(&own(flow, f64::NAN), share, &site), queue_m(&own(flow, f64::NAN), share * (1.0 - less), &site));
            prop_assert!(0.0 <= fast && fast <= slow && slow <= site.length_m);
        }
    }
}
