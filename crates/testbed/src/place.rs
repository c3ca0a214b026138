//! Where things are: the workspace, and the components that `cargo xtask setup` put under its target folder.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::Missing;

/// Returns the folder of the workspace's manifest.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies in crates/testbed").to_owned()
}

/// Returns the folder that holds the components: `target/testbed`, or below `CARGO_TARGET_DIR` where that is set.
#[must_use]
pub fn components() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace_root().join(target).join("testbed")
}

/// Returns the path of a tool that the machine must bring.
///
/// # Errors
///
/// [`Missing::Absent`] when it is not on the `PATH`.
pub fn tool(name: &'static str) -> Result<PathBuf, Missing> {
    let absent = || Missing::Absent { component: name, reason: "not on the PATH".to_owned() };
    executable(&[name]).ok_or_else(absent)
}

/// Returns the first of `names` that is found on the `PATH` or where Debian puts servers (`/usr/sbin` is on root's
/// path only).
pub(crate) fn executable(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// Makes a folder for one server's data that goes with its handle. What a killed test run left behind is swept first.
pub(crate) fn scratch(name: &str) -> io::Result<TempDir> {
    let runs = components().join("run");
    fs::create_dir_all(&runs)?;
    sweep(&runs);
    tempfile::Builder::new().prefix(&format!("{name}-{}-", std::process::id())).tempdir_in(runs)
}

/// Removes the folders whose test process is gone. Best effort: another test process may be sweeping too.
fn sweep(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.split('-').nth(1)).and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_root_holds_the_workspace_manifest() {
        let manifest = fs::read_to_string(workspace_root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn what_a_dead_test_run_left_is_swept_and_what_a_living_one_uses_stays() {
        let runs = tempfile::tempdir().unwrap();
        // Linux gives out process ids up to 2^22 (4,194,304): this one can't be alive.
        let dead = runs.path().join("kafka-4194305-abc");
        let alive = runs.path().join(format!("kafka-{}-abc", std::process::id()));
        fs::create_dir(&dead).unwrap();
        fs::create_dir(&alive).unwrap();
        sweep(runs.path());
        assert!(!dead.exists());
        assert!(alive.exists());
    }
}
