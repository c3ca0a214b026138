//! Embeds the built web page: writes a table of all files under `page/dist`, each as it is and compressed. Where the page
//! is not built the table is empty.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;
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
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let mut table = String::from("&[\n");
    for (number, (url, file)) in files.iter().enumerate() {
        let bytes = fs::read(file)?;
        let compressed = out.join(format!("{number}.gz"));
        fs::write(&compressed, gzip(&bytes)?)?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let hash = hasher.finish();
        writeln!(
            table,
            "    Asset {{ path: {url:?}, etag: r#\"W/\"{hash:016x}\"\"#, \
             bytes: include_bytes!({file:?}), gzip: include_bytes!({compressed:?}) }},",
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("page.rs"), table)?;
    Ok(())
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
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
