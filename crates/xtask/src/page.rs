//! The web page: its packages, its build, its tests.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use testbed::{Chromium, require, workspace_root};

use crate::{
    count::Count,
    run::{command, quietly, show_and_read},
    setup,
};

/// Rebuilds the committed page (`crates/gateway/page/dist`).
///
/// # Errors
///
/// When its packages can't be had or it does not build.
pub(crate) fn build() -> Result<()> {
    setup::npm()?;
    quietly(npm().args(["run", "build"]))?;
    println!("built {}", folder().join("dist").display());
    Ok(())
}

/// Runs the page's own tests, then those in a browser against the built `luong`, and checks that the committed page
/// is what its sources make.
///
/// # Errors
///
/// When a test fails, or the committed page is stale.
pub(crate) fn test(count: &mut Count) -> Result<()> {
    if !folder().join("package-lock.json").exists() {
        bail!("no page in {}", folder().display());
    }
    if let Err(error) = setup::npm() {
        return skip(&error, count);
    }
    current()?;
    run("test:unit", npm(), count)?;
    // Chromium is the one thing here that npm does not bring.
    let Some(chromium) = require(Chromium::path()) else {
        count.skipped += 1;
        return Ok(());
    };
    quietly(command("cargo").args([
        "build",
        "--quiet",
        "--package",
        "luong",
        "--package",
        "simulator",
        "--bins",
    ]))?;
    let mut browser = npm();
    browser.env("CHROMIUM", chromium).env("LUONG", luong());
    run("test:page", browser, count)
}

fn skip(error: &anyhow::Error, count: &mut Count) -> Result<()> {
    if crate::run::in_ci() {
        bail!("CI may skip nothing: {error:#}");
    }
    println!("skipped: the page: {error:#}");
    count.skipped += 1;
    Ok(())
}

/// Builds the page in place and compares: whoever sees it fail has the current one to commit.
fn current() -> Result<()> {
    let committed = files(&folder().join("dist"))?;
    quietly(npm().args(["run", "build"]))?;
    let built = files(&folder().join("dist"))?;
    let differs = |name: &&PathBuf| committed.get(*name) != built.get(*name);
    let mut stale: Vec<_> = committed.keys().chain(built.keys()).filter(differs).collect();
    stale.sort();
    stale.dedup();
    if stale.is_empty() {
        return Ok(());
    }
    bail!("the committed page was stale and has been rebuilt; commit crates/gateway/page/dist: {stale:?}")
}

fn run(script: &str, mut npm: Command, count: &mut Count) -> Result<()> {
    let (lines, outcome) = show_and_read(npm.args(["run", script]))?;
    lines.iter().for_each(|line| count.add_line(line));
    outcome
}

fn files(folder: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
            found.insert(path, bytes);
        }
    }
    Ok(found)
}

fn npm() -> Command {
    let mut npm = command("npm");
    npm.current_dir(folder()).arg("--silent");
    npm
}

fn folder() -> PathBuf {
    workspace_root().join("crates/gateway/page")
}

/// The debug build that `cargo test` has made anyway.
fn luong() -> PathBuf {
    testbed::components().with_file_name("debug").join("luong")
}
