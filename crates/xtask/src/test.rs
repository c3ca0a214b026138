//! `cargo xtask test`: every check of this repository, in one run.
//!
//! The order is that of the answers: what takes seconds comes first. A step that fails does not hide the next one;
//! the run fails at its end. Cargo compiles three times in all (for clippy, for rustdoc, for the tests), since none of
//! the three can use what another made of our own crates; the dependencies' metadata is shared by the first two.

use std::time::Instant;

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

/// What takes a minute or two once it is warm, and needs no component but cargo-deny.
const CHECKS: [Step; 4] = [
    Step { name: "format", run: |_| show(command("cargo").args(["fmt", "--all", "--check"])) },
    Step { name: "deny", run: |_| deny() },
    Step { name: "clippy", run: |_| clippy() },
    Step { name: "rustdoc", run: |_| rustdoc() },
];

const SETUP: Step = Step { name: "setup", run: |_| setup::all() };

const TESTS: [Step; 2] = [Step { name: "tests", run: cargo_test }, Step { name: "page", run: page::test }];

/// Runs every check that is no test.
///
/// # Errors
///
/// When any of them failed; all have run by then.
pub(crate) fn checks() -> Result<()> {
    run(&mut CHECKS.iter())
}

/// Runs every check and every test, and closes with the tests' count.
///
/// # Errors
///
/// When any of them failed; all have run by then.
pub(crate) fn all() -> Result<()> {
    run(&mut [SETUP].iter().chain(&CHECKS).chain(&TESTS))
}

fn run(steps: &mut dyn Iterator<Item = &Step>) -> Result<()> {
    let mut count = Count::default();
    let mut took = Vec::new();
    let mut failed = Vec::new();
    for step in steps {
        println!("== {}", step.name);
        let started = Instant::now();
        if let Err(error) = (step.run)(&mut count) {
            println!("== {} FAILED: {error:#}", step.name);
            failed.push(step.name);
        }
        took.push(format!("{} {} s", step.name, started.elapsed().as_secs()));
    }
    println!("== {}", took.join(", "));
    if !failed.is_empty() {
        println!("== failed: {}", failed.join(", "));
    }
    if count != Count::default() {
        println!("{count}");
    }
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
