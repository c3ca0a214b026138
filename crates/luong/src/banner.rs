//! What `luong up` prints: what runs, where it listens, what to try next.

use std::io::IsTerminal as _;

use crossterm::style::Stylize as _;

/// One line of the banner.
pub(crate) struct Place {
    pub(crate) what: &'static str,
    pub(crate) at: String,
}

/// Prints to stdout; colours only on a terminal.
#[expect(clippy::print_stdout, reason = "the banner is this command's result")]
pub(crate) fn print(title: &str, facts: &str, places: &[Place]) {
    let colour = std::io::stdout().is_terminal();
    println!("\n  {}  {facts}", if colour { title.bold().to_string() } else { title.to_owned() });
    for Place { what, at } in places {
        println!("    {what:<12}{}", if colour { at.as_str().cyan().to_string() } else { at.clone() });
    }
    let grpc = places.iter().find(|place| place.what == "gRPC").map(|place| place.at.as_str());
    println!("\n  Try next");
    if let Some(page) = places.iter().find(|place| place.what == "page") {
        println!("    open {} in a browser", page.at);
    }
    if let Some(address) = grpc {
        println!("    luong watch --address http://{address}");
    }
    println!("    Ctrl-C to stop\n");
}
