//! Running other programs, from the workspace's root.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

/// Returns a command that runs at the root of the workspace.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(testbed::workspace_root());
    command
}

/// Runs a program to its end, its output shown as it comes.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't start {}", name(command)))?;
    if status.success() { Ok(()) } else { bail!("{} failed ({status})", name(command)) }
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

/// Runs a program to its end, its output shown as it comes, and hands over each line of both streams too. The
/// outcome is apart from the lines: a test run that failed has still counted its tests.
pub(crate) fn show_and_read(command: &mut Command) -> Result<(Vec<String>, Result<()>)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("can't start {}", name(command)))?;
    let stdout = child.stdout.take().context("stdout is piped")?;
    let stderr = child.stderr.take().context("stderr is piped")?;
    let errors = thread::spawn(move || pass_on(stderr, io::stderr()));
    let mut lines = pass_on(stdout, io::stdout())?;
    lines.extend(errors.join().map_err(|_| anyhow!("the thread that reads stderr panicked"))??);
    let status = child.wait()?;
    let outcome = if status.success() { Ok(()) } else { Err(anyhow!("{} failed ({status})", name(command))) };
    Ok((lines, outcome))
}

/// Says whether this is a CI run, where nothing may be missing.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

fn pass_on(from: impl Read, mut to: impl Write) -> Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    Ok(lines)
}

fn name(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
