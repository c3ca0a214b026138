use super::*;
use crate::city;

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

#[test]
fn no_vehicle_is_lost_or_made() {
    let city = city::demo().unwrap();
    let mut traffic = Traffic::new(&city, 3, 1.3, 7.0, one());
    for _ in 0..1200 {
        traffic.step();
        let census = traffic.census();
        assert_eq!(census.began, census.ended + census.on_links + census.waiting);
    }
    assert!(traffic.census().ended > 1000, "{:?}", traffic.census());
}
