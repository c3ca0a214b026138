//! Log lines, on stderr.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One object a line, for machines.
    Json,
}

/// Starts to log; `RUST_LOG` says what, `info` where it is silent.
pub(crate) fn start(format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        Format::Json => lines.json().init(),
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).init(),
    }
}
