//! Real maps and sensors that lie beside the project, for tests that skip where they are absent.

use std::path::PathBuf;

/// Returns the folder of real data: `LUONG_SHARED_DATA`, else `../shared/data` beside the workspace. Says so where there
/// is none.
pub(crate) fn data() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let folder = std::env::var_os("LUONG_SHARED_DATA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if folder.join("osm").is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no real maps in {} (set LUONG_SHARED_DATA)", folder.display());
    None
}

/// Returns the simulated cases whose sensors' places are known.
pub(crate) fn cases() -> Vec<PathBuf> {
    let cases = data().and_then(|data| std::fs::read_dir(data.join("../accuracy/open")).ok());
    cases.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
}
