//! `cargo xtask test`: every check of this repository, in one run.
//!
//! The order is that of the answers: what takes seconds comes first. A step that fails does not hide the next one;
//! the run fails at its end. Cargo compiles three times in all (for clippy, for rustdoc, for the tests), since none of
//! the three can use what another made of our own crates; the dependencies' metadata is shared by the first two.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{
    count::Count,
    page,
    run::{command, quietly, show, show_and_read},
    setup,
};

struct Step {
    name: &'static str,
    run: fn(&mut Count) -> Result<()>,
}

const STEPS: [Step; 7] = [
    Step { name: "setup", run: |_| setup::all() },
    Step { name: "format", run: |_| show(command("cargo").args(["fmt", "--all", "--check"])) },
    Step { name: "deny", run: |_| deny() },
    Step { name: "clippy", run: |_| clippy() },
    Step { name: "rustdoc", run: |_| rustdoc() },
    Step { name: "tests", run: cargo_test },
    Step { name: "page", run: page::test },
];

/// Runs every check.
///
/// # Errors
///
/// When any of them failed; all have run by then.
pub(crate) fn all() -> Result<()> {
    let mut count = Count::default();
    let mut took: Vec<(&str, Duration)> = Vec::new();
    let mut failed = Vec::new();
    for step in STEPS {
        println!("== {}", step.name);
        let started = Instant::now();
        if let Err(error) = (step.run)(&mut count) {
            println!("== {} FAILED: {error:#}", step.name);
            failed.push(step.name);
        }
        took.push((step.name, started.elapsed()));
    }
    println!(
        "== {}",
        took.iter().map(|(name, took)| format!("{name} {} s", took.as_secs())).collect::<Vec<_>>().join(", ")
    );
    if !failed.is_empty() {
        println!("== failed: {}", failed.join(", "));
    }
    println!("{count}");
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn deny() -> Result<()> {
    match setup::cargo_deny() {
        Some(deny) => {
            quietly(command(&deny).args(["--log-level", "error", "check", "licenses", "bans", "sources"]))
        }
        None => {
            println!("skipped: cargo-deny is not there");
            Ok(())
        }
    }
}

fn clippy() -> Result<()> {
    show(command("cargo").args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn rustdoc() -> Result<()> {
    show(
        command("cargo")
            .args(["doc", "--quiet", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn cargo_test(count: &mut Count) -> Result<()> {
    let (lines, outcome) = show_and_read(command("cargo").args(["test", "--workspace", "--no-fail-fast"]))?;
    lines.iter().for_each(|line| count.add_line(line));
    outcome
}
