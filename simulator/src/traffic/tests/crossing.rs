//! Two or three links and a junction.

use super::*;
use crate::random::{Draw, Stream as Numbers};

/// A street of two links with a signal between them and a side street that nobody uses.
fn signalled_street() -> City {
    let gate = Some(ZoneKind::Gate);
    let mut nodes = vec![
        site([0.0, 0.0], gate),
        site([800.0, 0.0], None),
        site([1600.0, 0.0], gate),
        site([800.0, -300.0], None),
    ];
    nodes[1].signal = true;
    let roads = vec![
        road("in", 0, 1, RoadClass::Residential, 1.0),
        road("out", 1, 2, RoadClass::Residential, 1.0),
        road("side", 3, 1, RoadClass::Residential, 1.0),
    ];
    city(nodes, roads)
}

/// Returns the mean delay of vehicles that arrive at random at the signal, in seconds, and Webster's.
fn delay(load: f64) -> (f64, f64) {
    let city = signalled_street();
    let mut traffic = quiet(&city);
    let approach = city.network.find("inf").unwrap();
    traffic.plans[0].phases.iter_mut().for_each(|phase| phase.green_s = 31);
    assert_eq!(traffic.plans[0].cycle_s, 70);
    let diagram = traffic.streams[approach.index()].diagram;
    let saturation = diagram.capacity_per_s;
    let share = 31.0 / 70.0;
    let flow = load * saturation * share;
    let mut spent_s = 0.0;
    let mut passed = 0_u64;
    for second in 0..16_000 {
        for _ in 0..Draw::new(9, Numbers::Count, 0, second).poisson(flow) {
            set_out(&mut traffic, approach, motorcycle(second));
        }
        traffic.step();
        let tally = traffic.take_tally(approach);
        // Waiting before the link is delay at the signal too: the queue may be longer than the link.
        let waiting = traffic.waiting[0].len() as f64;
        if second >= 600 {
            spent_s += tally.sampled_s + waiting;
            passed += u64::from(tally.left);
        }
    }
    // Slower than free by its own density is no delay of the signal.
    let free_s = 800.0 / diagram.free_at(flow / diagram.free_mps);
    let measured = spent_s / passed as f64 - free_s;
    let webster = 0.9
        * (70.0 * (1.0 - share).powi(2) / (2.0 * (1.0 - share * load))
            + load * load / (2.0 * flow * (1.0 - load)));
    (measured, webster)
}

#[test]
fn the_delay_at_a_signal_is_websters() {
    for load in [0.3, 0.6, 0.8] {
        let (measured, webster) = delay(load);
        assert!(
            (measured / webster - 1.0).abs() < 0.10,
            "x = {load}: {measured:.1} s, Webster {webster:.1} s"
        );
    }
}

#[test]
fn a_queue_spills_back_over_the_junction_behind_it() {
    let gate = Some(ZoneKind::Gate);
    let nodes = vec![
        site([0.0, 0.0], gate),
        site([600.0, 0.0], None),
        site([800.0, 0.0], None),
        site([1200.0, 0.0], gate),
    ];
    let roads = vec![
        road("first", 0, 1, RoadClass::Residential, 1.0),
        road("second", 1, 2, RoadClass::Residential, 1.0),
        road("last", 2, 3, RoadClass::Residential, 1.0),
    ];
    let city = city(nodes, roads);
    let mut traffic = quiet(&city);
    let link = |id: &str| city.network.find(id).unwrap();
    let blocked = Incident { link: link("lastf"), at_m: 5.0, start_s: 0, end_s: 10_000, lanes: 1 };
    traffic.plan_incident(blocked);
    for id in 0..600 {
        set_out(&mut traffic, link("firstf"), car(id));
        traffic.step();
        traffic.step();
    }
    let second = &traffic.streams[link("secondf").index()];
    let census: Vec<_> = traffic.streams.iter().map(|s| (s.load, s.vehicles.len())).collect();
    let stored = second.load / second.length_m / second.diagram.jam_per_m;
    assert!((0.9..=1.02).contains(&stored), "the second link is full: {stored} {census:?}");
    let first = &traffic.streams[link("firstf").index()];
    assert!(stream::standing_m(&first.vehicles) > 100.0, "the queue has reached the first link");
}

/// Two streets that merge into one that can't take both.
fn merge(widths: [f32; 2]) -> (City, [LinkIndex; 3]) {
    let gate = Some(ZoneKind::Gate);
    let nodes = vec![
        site([0.0, 200.0], gate),
        site([0.0, -200.0], None),
        site([800.0, 0.0], None),
        site([1600.0, 0.0], gate),
    ];
    let roads = vec![
        road("a", 0, 2, RoadClass::Motorway, widths[0]),
        road("b", 1, 2, RoadClass::Motorway, widths[1]),
        road("on", 2, 3, RoadClass::Motorway, 1.0),
    ];
    let city = city(nodes, roads);
    let links = ["af", "bf", "onf"].map(|id| city.network.find(id).unwrap());
    (city, links)
}

fn flows_of_merge(widths: [f32; 2]) -> [f64; 3] {
    let (city, [a, b, on]) = merge(widths);
    let mut traffic = quiet(&city);
    let mut out = [0.0; 3];
    for second in 0..1800 {
        for link in [a, b] {
            let waiting = traffic.waiting[0].iter().filter(|(_, first)| *first == link).count();
            for i in waiting as u64..3 {
                set_out(&mut traffic, link, car(second * 8 + i));
            }
        }
        traffic.step();
        for (flow, link) in out.iter_mut().zip([a, b, on]) {
            let left = f64::from(traffic.take_tally(link).left);
            *flow += if second >= 600 { left / 1200.0 } else { 0.0 };
        }
    }
    out
}

#[test]
fn streams_that_merge_share_the_road_by_their_capacities() {
    let [a, b, _] = flows_of_merge([2.0, 1.0]);
    let share = a / (a + b);
    assert!((share - 2.0 / 3.0).abs() < 0.08, "share {share}");
}

#[test]
fn a_bottleneck_that_broke_down_passes_a_tenth_less_than_its_capacity() {
    let (city, [_, _, on]) = merge([1.0, 1.0]);
    let capacity = quiet(&city).streams[on.index()].diagram.capacity_per_s / 3.4;
    let [_, _, flow] = flows_of_merge([1.0, 1.0]);
    assert!((flow / capacity - 0.9).abs() < 0.03, "{flow} of {capacity}");
}
