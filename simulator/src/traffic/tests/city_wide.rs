//! Whole cities.

use super::*;
use crate::city;

/// Returns all that can be told apart about the traffic, to the last bit.
fn fingerprint(traffic: &Traffic<'_>) -> Vec<(u64, u64, u64)> {
    let all = traffic.streams().iter().flat_map(|stream| &stream.vehicles);
    all.map(|v| (v.id, v.at_m.to_bits(), v.speed_mps.to_bits())).collect()
}

#[test]
fn no_vehicle_is_lost_or_made() {
    let city = city::demo().unwrap();
    let mut traffic = Traffic::new(&city, 3, 1.5, 7.0, NonZeroUsize::MIN);
    for _ in 0..1200 {
        traffic.step();
        let census = traffic.census();
        assert_eq!(census.began, census.ended + census.on_links + census.waiting);
    }
    assert!(traffic.census().ended > 1000, "{:?}", traffic.census());
}

#[test]
fn what_enters_a_link_leaves_it_or_is_on_it() {
    let city = city::demo().unwrap();
    let mut traffic = Traffic::new(&city, 4, 1.2, 7.0, NonZeroUsize::MIN);
    (0..900).for_each(|_| traffic.step());
    for stream in traffic.streams() {
        let tally = &stream.tally;
        assert_eq!(u64::from(tally.entered), u64::from(tally.left) + stream.vehicles.len() as u64);
    }
}

#[test]
fn the_same_seed_gives_the_same_traffic_on_any_number_of_threads() {
    let city = city::demo().unwrap();
    let run = |seed, threads| {
        let mut traffic = Traffic::new(&city, seed, 1.0, 7.0, NonZeroUsize::new(threads).unwrap());
        (0..400).for_each(|_| traffic.step());
        fingerprint(&traffic)
    };
    let once = run(5, 1);
    assert!(once.len() > 1000);
    assert!(once == run(5, 1) && once == run(5, 3), "the same seed, another traffic");
    assert!(once != run(6, 1), "another seed, the same traffic");
}

#[test]
fn motorcycles_are_most_of_the_traffic_and_trailers_keep_to_the_freight_roads() {
    let city = city::demo().unwrap();
    let mut traffic = Traffic::new(&city, 1, 1.0, 9.0, NonZeroUsize::MIN);
    (0..1500).for_each(|_| traffic.step());
    let (mut all, mut motorcycles, mut trailers) = (0, 0, 0);
    for (link, stream) in city.network.indices().zip(traffic.streams()) {
        for vehicle in &stream.vehicles {
            all += 1;
            motorcycles += i32::from(vehicle.class == VehicleClass::Motorcycle);
            trailers += i32::from(vehicle.class == VehicleClass::Trailer);
            assert!(city.network.link(link).allowed.contains(vehicle.class), "{:?}", vehicle.class);
        }
    }
    assert!(motorcycles * 100 > all * 75, "{motorcycles} of {all}");
    assert!(trailers > 5, "{trailers}");
}

#[test]
fn the_morning_peak_is_slower_than_the_forenoon_and_the_city_recovers() {
    let city = city::demo().unwrap();
    let mut traffic = Traffic::new(&city, 1, 1.0, 6.75, NonZeroUsize::MIN);
    let mut speed_at = |until: f64| {
        while traffic.hour() < until {
            traffic.step();
        }
        let all = traffic.streams().iter().flat_map(|s| &s.vehicles);
        let (n, sum) = all.fold((0.0, 0.0), |(n, sum), v| (n + 1.0, sum + v.speed_mps));
        sum / n
    };
    let (peak, after) = (speed_at(7.6), speed_at(9.1));
    assert!(peak < 0.85 * after, "{peak} m/s in the peak, {after} after it");
    assert!(after > 8.0, "{after} m/s");
}
