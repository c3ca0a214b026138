//! Compiles `proto/luong/v1` without protoc.

use std::path::Path;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let files = ["reading", "network", "state", "events", "sensors", "routing"]
        .map(|name| root.join("luong/v1").join(name).with_extension("proto"));
    let descriptors = protox::compile(files, [&root])?;
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("luong.v1.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".luong.v1.DeadLetter.payload").compile_fds(descriptors)?;
    Ok(())
}
