//! Embeds the built web page: writes a table of all files under `page/dist`. Where the page is not built the table is empty.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets CARGO_MANIFEST_DIR")?;
    let page = Path::new(&manifest).join("page");
    let dist = page.join("dist");
    // Cargo takes a path that is not there for one that changed, so the nearest one that is there is watched.
    let watched = [&dist, &page].into_iter().find(|path| path.exists());
    if let Some(path) = watched {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = BTreeMap::new();
    if dist.is_dir() {
        collect(&dist, &dist, &mut files)?;
    }
    let mut table = String::from("&[\n");
    for (url, file) in &files {
        let mut hasher = DefaultHasher::new();
        hasher.write(&fs::read(file)?);
        writeln!(
            table,
            "    Asset {{ path: {url:?}, etag: \"\\\"{:016x}\\\"\", bytes: include_bytes!({file:?}) }},",
            hasher.finish()
        )?;
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("page.rs"), table)?;
    Ok(())
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Ok(below) = path.strip_prefix(root) {
            let url = below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
            files.insert(format!("/{url}"), path);
        }
    }
    Ok(())
}
