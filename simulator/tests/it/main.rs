//! The simulator as others use it: its files, its publishing, its command line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broker;
mod command;
mod events;
mod fake_broker;
mod map;

use std::num::NonZeroUsize;

use simulator::{Options, Progress, Run, Scenario};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A short piece of the named scenario, quickly warmed up.
fn short(name: &str, seconds: u64, seed: u64) -> Run {
    let scenario = Scenario { warmup_s: 240, ..Scenario::load(name).unwrap() };
    let connections = NonZeroUsize::new(2).unwrap();
    let options = Options { seed, speed: 0.0, duration_s: Some(seconds), connections, ..Options::default() };
    Run::new(name, scenario, options).unwrap()
}

fn written(run: Run) -> String {
    let mut out = Vec::new();
    run.write(&mut out, &CancellationToken::new(), &watch::channel(Progress::default()).0).unwrap();
    String::from_utf8(out).unwrap()
}
