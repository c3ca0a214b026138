//! What a person sees: a progress bar on a terminal, a line a minute elsewhere; signals.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use simulator::Progress;
use simulator::city::City;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Where no bar is drawn a line is written so often, in seconds of the scenario.
const LINE_EVERY_S: u64 = 300;

pub(crate) fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}

/// Writes a result; a closed pipe is the reader's choice.
pub(crate) fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

/// Shows how far the run is until its progress ends.
pub(crate) fn show(mut progress: watch::Receiver<Progress>, duration_s: u64, city: &City) -> JoinHandle<()> {
    drop(writeln!(io::stderr(), "{}", city.title));
    let drawn = io::stderr().is_terminal();
    let bar = if drawn { bar(duration_s) } else { ProgressBar::hidden() };
    tokio::spawn(async move {
        let mut line_at = 0;
        while progress.changed().await.is_ok() {
            let now = *progress.borrow_and_update();
            bar.set_position(now.second);
            bar.set_message(describe(&now));
            if !drawn && now.second >= line_at {
                line_at = now.second + LINE_EVERY_S;
                drop(writeln!(io::stderr(), "{} s: {}", now.second, describe(&now)));
            }
        }
        bar.finish_and_clear();
    })
}

fn bar(duration_s: u64) -> ProgressBar {
    let (bar, template) = if duration_s == 0 {
        (ProgressBar::new_spinner(), "{spinner} {pos} s  {msg}")
    } else {
        (ProgressBar::new(duration_s), "{bar:30.cyan/dim} {pos}/{len} s  {msg}  {eta}")
    };
    bar.set_message("filling the roads");
    bar.enable_steady_tick(Duration::from_millis(200));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn describe(now: &Progress) -> String {
    let acknowledged = match now.acknowledged {
        0 => String::new(),
        n => format!(", {n} acknowledged"),
    };
    format!("{} vehicles, {} events{acknowledged}", now.vehicles, now.events)
}

/// Cancels at the first SIGINT or SIGTERM, and ends the process at the second.
pub(crate) fn stop_on_signals(shutdown: CancellationToken) {
    tokio::spawn(async move {
        signalled().await;
        shutdown.cancel();
        signalled().await;
        std::process::exit(130);
    });
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
