//! What `luong up` prints: what runs, where it listens, what to try next.

use std::io::{IsTerminal as _, Write as _};

use crossterm::style::Stylize as _;

/// One line of the banner.
pub(crate) struct Place {
    pub(crate) what: &'static str,
    pub(crate) at: String,
}

/// Writes to stdout; colours only on a terminal.
pub(crate) fn write(title: &str, facts: &str, places: &[Place]) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let colour = std::io::stdout().is_terminal();
    writeln!(out, "\n  {}  {facts}", if colour { title.bold().to_string() } else { title.to_owned() })?;
    for Place { what, at } in places {
        writeln!(out, "    {what:<12}{}", if colour { at.as_str().cyan().to_string() } else { at.clone() })?;
    }
    let grpc = places.iter().find(|place| place.what == "gRPC").map(|place| place.at.as_str());
    writeln!(out, "\n  Try next")?;
    if let Some(page) = places.iter().find(|place| place.what == "page") {
        writeln!(out, "    open {} in a browser", page.at)?;
    }
    if let Some(address) = grpc {
        writeln!(out, "    luong watch --address http://{address}")?;
    }
    writeln!(out, "    Ctrl-C to stop\n")?;
    Ok(())
}
