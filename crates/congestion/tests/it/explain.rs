//! What is explained is what was told.

use congestion::{Analyzer, Config, Explanation, Stage};

use crate::city::{START, city};
use crate::states::until;

fn explain(analyzer: &Analyzer, link: &str) -> Explanation {
    let link = city().network.find(link).expect("a link of the city");
    analyzer.explain(link).expect("its partition is owned")
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

#[test]
fn the_numbers_of_an_explanation_are_those_of_the_published_state() {
    let analyzer = until(600, |_| {});
    for state in analyzer.snapshot() {
        let explained = explain(&analyzer, state.link.as_str());
        assert_eq!(explained.state, state);
        let class = explained.class.expect("all links are reached");
        assert_eq!((Some(class.level), Some(class.congested)), (state.level_of_service, state.congested));
        assert!(near(class.share * explained.road.free_flow_kmh, f64::from(state.speed_kmh.unwrap())));
        assert!(near(class.levels.iter().sum(), 1.0), "{:?}", class.levels);
        let believed = explained.believed.expect("all links are reached");
        assert!(believed.standstill <= believed.jammed);
        assert_eq!(state.speed_kmh == Some(0.0), believed.standstill >= 0.5);
        let bar = if class.congested { class.congested_kept_bar } else { class.congested_bar };
        assert_eq!(class.congested_probability >= bar, class.congested);
        if let Some(measure) = explained.measure {
            assert_eq!(measure.level, state.los_facility);
            assert!(near(measure.levels.iter().sum(), 1.0), "{:?}", measure.levels);
        }
        assert!(state.los_facility.is_some() || !explained.road.signal_at_end);
    }
}

#[test]
fn weights_are_shares_and_add_up_to_one() {
    let analyzer = until(600, |_| {});
    for state in analyzer.snapshot() {
        let explained = explain(&analyzer, state.link.as_str());
        let pieces = explained.evidence.iter().map(|piece| piece.weight);
        let weights: Vec<f64> = pieces.chain([explained.typical.weight]).collect();
        assert!(weights.iter().all(|weight| (-1e-9..=1.0).contains(weight)), "{weights:?}");
        assert!(near(weights.iter().sum(), 1.0), "{weights:?}");
        // Nothing has settled yet, so that all evidence is from readings in the window.
        let readings: f64 = explained.sensors.iter().map(|heard| heard.weight).sum();
        assert!(near(readings + explained.typical.weight, 1.0), "{}: {readings}", state.link);
        if !explained.neighbours.is_empty() {
            assert!(near(explained.neighbours.iter().map(|next| next.weight).sum(), 1.0));
        }
    }
}

#[test]
fn the_chain_of_steps_begins_with_what_is_usual_and_ends_with_what_is_told() {
    let mut estimated = 0;
    for seconds in [600, 605, 700] {
        let analyzer = until(seconds, |_| {});
        for state in analyzer.snapshot() {
            let explained = explain(&analyzer, state.link.as_str());
            let (first, last) = (explained.chain.first().unwrap(), explained.chain.last().unwrap());
            assert_eq!(first.by, Stage::Usual);
            assert!(explained.chain.is_sorted_by_key(|step| step.by), "{:?}", explained.chain);
            assert_eq!(last.jammed, explained.believed.unwrap().jammed, "{} at {seconds}", state.link);
            let told =
                [state.speed_kmh, state.speed_lo_kmh, state.speed_hi_kmh].map(|kmh| f64::from(kmh.unwrap()));
            let (slow, fast) = last.between_kmh;
            // Tenths are told, and what is typical was learned anew since.
            for (told, ended) in told.into_iter().zip([last.speed_kmh, slow, fast]) {
                assert!((told - ended).abs() <= 0.1, "{} at {seconds}: {told} and {ended}", state.link);
            }
            assert!(near(explained.chain.iter().map(|step| step.weight).sum(), 1.0));
            estimated += usize::from(explained.chain.iter().any(|step| step.by == Stage::Neighbours));
        }
    }
    assert!(estimated > 0);
}

#[test]
fn a_jammed_link_names_its_sensors_its_neighbours_and_its_queue() {
    let analyzer = until(700, |_| {});
    let counted = explain(&analyzer, "l6");
    let counts =
        |name: &str| counted.sensors.iter().any(|heard| heard.sensor.as_str() == name && heard.weight > 0.0);
    assert!(counts("loop-6") && counts("cam-6"));
    assert!(counted.sensors[0].age_s >= 0.0 && counted.neighbours.is_empty());
    assert!(counted.believed.unwrap().jammed > counted.typical.jammed);
    assert!(counted.class.unwrap().congested);
    let queue = counted.queue.expect("a queue");
    assert_eq!((queue.head.as_str(), queue.turns_to_head), ("l7", 1));
    assert!(queue.since > START && queue.length_m > 0.0);

    let uncounted = explain(&analyzer, "l5");
    let around: Vec<_> = uncounted.neighbours.iter().map(|next| (next.link.as_str(), next.before)).collect();
    assert_eq!(around, [("l4", true), ("l6", false)]);
}

#[test]
fn nothing_is_explained_of_links_of_others() {
    let city = city();
    let link = city.network.find("l0").unwrap();
    let others: Vec<u32> = (0..4).filter(|p| *p != city.network.partition(link, 4)).collect();
    assert_eq!(city.analyzer(&others).explain(link), None);
    // Of our own, that nothing was said.
    assert!(city.whole().explain(link).unwrap().class.is_none());
}

#[test]
fn who_is_restored_explains_at_once_what_was_known() {
    let city = city();
    let before = until(700, |_| {});
    let bytes = before.checkpoint();
    let (network, registry) = (city.network.clone(), city.registry.clone());
    let after = Analyzer::restore(network, registry, Config::default(), &bytes).unwrap();
    for link in city.network.indices() {
        assert_eq!(after.explain(link), before.explain(link));
    }
    assert_eq!(after.checkpoint(), bytes);
}

#[test]
fn silence_is_named_of_links_with_loops_only_and_no_weight_is_below_zero() {
    let analyzer = until(600, |_| {});
    for link in city().network.indices() {
        let explained = analyzer.explain(link).unwrap();
        let loops = explained.sensors.iter().any(|heard| heard.sensor.as_str().starts_with("loop"));
        let odds = explained.believed.unwrap().silence_odds;
        assert_eq!(odds.is_some(), loops, "{}: {odds:?}", explained.state.link);
        let weights = explained.sensors.iter().map(|heard| heard.weight);
        assert!(weights.clone().all(f64::is_sign_positive), "{:?}", weights.collect::<Vec<_>>());
    }
}

#[test]
fn what_is_told_while_nothing_is_heard_rests_on_what_it_was_estimated_from() {
    let mut analyzer = until(600, |_| {});
    let all = |analyzer: &Analyzer| -> Vec<Explanation> {
        analyzer.snapshot().map(|state| explain(analyzer, state.link.as_str())).collect()
    };
    let before = all(&analyzer);
    let later = START.plus_millis(600_000 + 20_001);
    let partitions: Vec<u32> = analyzer.partitions().collect();
    partitions.into_iter().for_each(|partition| drop(analyzer.advance(partition, later)));
    let kept: Vec<_> = before
        .into_iter()
        .zip(all(&analyzer))
        .filter(|(before, after)| before.believed == after.believed && !before.evidence.is_empty())
        .collect();
    assert!(kept.len() > 1);
    for (before, after) in kept {
        assert_eq!(before.evidence, after.evidence, "{}", after.state.link);
    }
}
