//! A written city is read back by the importer as the same city.

use std::fs::File;

use simulator::city;

#[test]
fn a_written_city_imports_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for city in [city::demo().unwrap(), city::synthetic(3, 800).unwrap()] {
        city::export(&city, folder.path()).unwrap();
        let file = File::open(folder.path().join("city.geojson")).unwrap();
        let imported = roadnet::import::read_any("city.geojson", file).unwrap().network;
        assert_eq!(imported.links().len(), city.network.links().len());
        for link in city.network.indices() {
            let (was, is) = (city.network.link(link), imported.find(city.network.link(link).id.as_str()));
            let is = imported.link(is.unwrap_or_else(|| panic!("{} is missing", was.id)));
            assert_eq!((was.class, was.lanes, was.allowed), (is.class, is.lanes, is.allowed), "{}", was.id);
            assert_eq!((was.signal_at_end, was.bridge), (is.signal_at_end, is.bridge), "{}", was.id);
            assert!((was.width_m - is.width_m).abs() < 0.01 && (was.length_m - is.length_m).abs() < 0.5);
        }
    }
}
