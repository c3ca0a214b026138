//! The demo city.

use roadnet::{Point, RoadClass};

use super::sketch::{Sketch, Street};
use super::{City, Instruments, PlanError, ZoneKind, equip};

/// Streets of Hải Phòng, drawn by eye.
const TABLE: &str = include_str!("haiphong.txt");

/// Between the opera house and the Cấm river.
const ORIGIN: Point = Point { lon: 106.70, lat: 20.84 };

/// Returns a schematic of Hải Phòng's main roads: real names of streets, bridges and ports; shapes and positions
/// approximate, sensors invented.
///
/// # Errors
/// Never with the table as it is committed (a test builds it).
pub fn demo() -> Result<City, PlanError> {
    let (network, zones) = Sketch { origin: ORIGIN, streets: streets(TABLE)? }.plan().build()?;
    let registry = equip(&network, &Instruments::default(), 1);
    let title = "Hải Phòng, a schematic of its main roads (names real, positions approximate, sensors and traffic simulated)";
    Ok(City { title: title.to_owned(), network, registry, zones })
}

fn streets(table: &str) -> Result<Vec<Street>, PlanError> {
    table
        .lines()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty() && !text.starts_with('#'))
        .map(|(i, text)| street(text).map_err(|what| PlanError::Table { line: i + 1, what }))
        .collect()
}

fn street(text: &str) -> Result<Street, String> {
    let [name, class, lanes, marks, points] = text
        .split('|')
        .map(str::trim)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "five columns wanted".to_owned())?;
    let has = |mark: &str| marks.split_whitespace().any(|one| one == mark);
    let mut line = Vec::new();
    let mut joins = Vec::new();
    for (i, text) in points.split_whitespace().enumerate() {
        if text.ends_with('*') {
            joins.push(i);
        }
        line.push(point(text.trim_end_matches('*')).ok_or_else(|| format!("{text:?} is not lat,lon"))?);
    }
    Ok(Street {
        name: name.to_owned(),
        class: RoadClass::from_name(class).ok_or_else(|| format!("{class:?} is no road class"))?,
        lanes: lanes.parse().map_err(|_| format!("{lanes:?} is no number of lanes"))?,
        one_way: has("oneway"),
        bridge: has("bridge"),
        apart: has("bridge") || has("grade"),
        freight: has("freight"),
        ends: [("port", ZoneKind::Port), ("gate", ZoneKind::Gate), ("centre", ZoneKind::Centre)]
            .into_iter()
            .find(|(mark, _)| has(mark))
            .map(|(_, kind)| kind),
        line,
        joins,
    })
}

fn point(text: &str) -> Option<Point> {
    let (lat, lon) = text.split_once(',')?;
    Some(Point { lon: lon.parse().ok()?, lat: lat.parse().ok()? })
}
