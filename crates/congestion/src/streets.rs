//! The smallest networks that show something, for unit tests.

use model::{ClassSet, VehicleClass};
use roadnet::{LinkIndex, Network, NetworkBuilder, NewLink, Point, RoadClass};

/// East and north of a corner, in steps of about 100 m.
type Place = (u8, u8);

pub(crate) fn link(number: u32) -> LinkIndex {
    LinkIndex(number)
}

/// Straight links `l0`, `l1` and so on from place to place, each 300 m by its map.
pub(crate) fn streets(lines: &[(Place, Place)]) -> Network {
    streets_but(lines, |_, _| ())
}

/// So many links of an expressway in a row, one of which may end at a signal.
pub(crate) fn expressway(links: u8, signal: Option<usize>) -> Network {
    let lines: Vec<_> = (0..links).map(|x| ((x, 0), (x + 1, 0))).collect();
    streets_but(&lines, |link, new| {
        new.class = RoadClass::Motorway;
        new.signal_at_end = signal == Some(link);
    })
}

/// The same, each link altered as its number says.
pub(crate) fn streets_but(lines: &[(Place, Place)], alter: impl Fn(usize, &mut NewLink)) -> Network {
    let mut builder = NetworkBuilder::default();
    let point = |(x, y): Place| Point { lon: 106.0 + f64::from(x) * 1e-3, lat: 20.0 + f64::from(y) * 1e-3 };
    let mut nodes = Vec::new();
    for place in lines.iter().flat_map(|(from, to)| [*from, *to]) {
        if nodes.iter().all(|(known, _)| *known != place) {
            nodes.push((place, builder.add_node(format!("{place:?}"), point(place), false)));
        }
    }
    let node = |place| nodes.iter().find(|(known, _)| *known == place).expect("added above").1;
    for (i, (from, to)) in lines.iter().enumerate() {
        let (id, ends) = (format!("l{i}").as_str().into(), vec![point(*from), point(*to)]);
        let mut new = NewLink {
            length_m: Some(300.0),
            allowed: ClassSet::of(&[VehicleClass::Motorcycle, VehicleClass::Car]),
            ..NewLink::street(id, node(*from), node(*to), ends)
        };
        alter(i, &mut new);
        builder.add_link(new).expect("the link is sound");
    }
    builder.build()
}
