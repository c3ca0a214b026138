//! Draws the picture: a screen on a terminal, a line elsewhere.

use std::io::{Write as _, stdout};

use crossterm::style::{Attribute, Color, SetAttribute, SetForegroundColor};
use crossterm::terminal::{Clear, ClearType};
use crossterm::{cursor, queue, style::Print};
use model::Timestamp;
use wire::v1::{LevelOfService, LinkState, Source, TrafficEvent};

use super::picture::Picture;

/// Rows of events at most.
const EVENTS: usize = 8;

pub(super) fn draw(picture: &Picture, links: usize, terminal: bool) -> std::io::Result<()> {
    let mut out = stdout().lock();
    if terminal {
        queue!(out, cursor::MoveTo(0, 0), Clear(ClearType::All))?;
    }
    writeln!(out, "{}", summary(picture))?;
    if terminal || links > 0 {
        table(&mut out, picture, links, terminal)?;
    }
    out.flush()
}

fn summary(picture: &Picture) -> String {
    if picture.links() == 0 {
        return "nothing is known of any link yet".to_owned();
    }
    let readings = picture.readings_per_s().map_or("?".to_owned(), |rate| format!("{rate:.0}"));
    format!(
        "{}  {} links: {} observed, {} estimated, {} congested  {} open events  {readings} readings/s",
        Timestamp::from_millis(picture.as_of_ms()),
        picture.links(),
        picture.with_source(Source::Observed),
        picture.with_source(Source::Estimated),
        picture.congested(),
        picture.events().count(),
    )
}

fn table(
    out: &mut impl std::io::Write,
    picture: &Picture,
    links: usize,
    terminal: bool,
) -> std::io::Result<()> {
    let head = format!(
        "{:<18} {:>3} {:>7} {:>9} {:>7} {:>8} {:>7} {:>7}  {}",
        "link", "LOS", "km/h", "80 %", "of", "veh/h", "delay s", "queue m", "source"
    );
    if terminal {
        queue!(
            out,
            SetAttribute(Attribute::Bold),
            Print(&head),
            SetAttribute(Attribute::Reset),
            Print("\n")
        )?;
    } else {
        writeln!(out, "{head}")?;
    }
    for state in picture.worst(links) {
        if terminal {
            queue!(
                out,
                SetForegroundColor(colour(state)),
                Print(row(state)),
                SetForegroundColor(Color::Reset)
            )?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", row(state))?;
        }
    }
    for event in picture.events().take(EVENTS) {
        writeln!(out, "{}", event_row(event))?;
    }
    Ok(())
}

fn row(state: &LinkState) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.0}"));
    let level = match state.level_of_service() {
        LevelOfService::Unspecified => "-",
        level => level.as_str_name().rsplit('_').next().unwrap_or("-"),
    };
    format!(
        "{:<18} {:>3} {:>7} {:>9} {:>7} {:>8} {:>7} {:>7}  {}",
        state.link_id,
        level,
        number(state.speed_kmh),
        format!("{}-{}", number(state.speed_lo_kmh), number(state.speed_hi_kmh)),
        number(state.free_flow_speed_kmh),
        number(state.flow_vph),
        number(state.delay_s),
        number(state.queue_m),
        state.source().as_str_name().trim_start_matches("SOURCE_").to_lowercase(),
    )
}

fn event_row(event: &TrafficEvent) -> String {
    let kind = event.r#type().as_str_name().trim_start_matches("EVENT_TYPE_").to_lowercase();
    let place = if event.link_id.is_empty() { &event.sensor_id } else { &event.link_id };
    format!("! {kind:<12} {place:<18} {}", event.detail)
}

/// Blue to orange to purple: told apart by the colour-blind too.
fn colour(state: &LinkState) -> Color {
    match state.level_of_service() {
        LevelOfService::A | LevelOfService::B => Color::Cyan,
        LevelOfService::C | LevelOfService::D => Color::Yellow,
        LevelOfService::E | LevelOfService::F => Color::Magenta,
        LevelOfService::Unspecified => Color::DarkGrey,
    }
}
