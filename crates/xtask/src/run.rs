//! Running other programs, from the workspace's root.

use std::{env, process::Command};

use anyhow::{Context, Result, bail};

/// Returns a command that runs at the root of the workspace.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(testbed::workspace_root());
    command
}

/// Runs a program to its end and shows what it said only if it failed.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("can't start {}", name(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    bail!("{} failed ({}):\n{}", name(command), output.status, String::from_utf8_lossy(&said).trim_end())
}

/// Says whether this is a CI run, where nothing may be missing.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
