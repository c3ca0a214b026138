//! `luong watch`: a terminal client of the gRPC API: the worst links and the open events, live.
//!
//! On a terminal it redraws one screen; elsewhere it prints one line a second, for logs and pipes.

mod picture;
mod screen;

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wire::client::{Connection, Streaming};
use wire::v1;

use self::picture::Picture;

/// Pause before a lost connection is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// How often the screen is drawn.
const REDRAW: Duration = Duration::from_secs(1);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The gateway's address.
    #[arg(long, default_value = "http://127.0.0.1:50051")]
    address: String,

    /// How many links to show, worst first.
    #[arg(long, default_value_t = 20)]
    links: usize,

    /// Prints the first full picture and ends.
    #[arg(long)]
    once: bool,
}

pub(crate) async fn run(args: Args, stop: CancellationToken) -> anyhow::Result<()> {
    let mut picture = Picture::default();
    loop {
        let ended = stop.run_until_cancelled(follow(&args, &mut picture)).await;
        match ended {
            None | Some(Ok(())) => return Ok(()),
            Some(Err(error)) if args.once => return Err(error),
            Some(Err(error)) => {
                tracing::warn!("{error:#}; trying again");
                if stop.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                    return Ok(());
                }
            }
        }
    }
}

/// Follows one connection until it breaks; returns when one picture was all that was asked for.
async fn follow(args: &Args, picture: &mut Picture) -> anyhow::Result<()> {
    let connection = Connection::open(&with_scheme(&args.address)).await?;
    let mut states = watch_states(&connection, picture).await?;
    let request = v1::WatchEventsRequest::default();
    let mut events =
        connection.traffic_events().watch_events(request).await.context("watching events")?.into_inner();
    let mut redraw = tokio::time::interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            update = states.message() => picture.update(update?.context("the gateway ended the stream")?),
            event = events.message() => picture.event(event?.context("the gateway ended the stream")?),
            _ = redraw.tick() => {
                if picture.complete() {
                    screen::draw(picture, args.links, std::io::stdout().is_terminal() && !args.once)?;
                    if args.once {
                        return Ok(());
                    }
                }
            }
        }
    }
}

async fn watch_states(
    connection: &Connection,
    picture: &Picture,
) -> anyhow::Result<Streaming<v1::StateUpdate>> {
    let request = v1::WatchStateRequest {
        resume_token: picture.resume_token().to_owned(),
        ..v1::WatchStateRequest::default()
    };
    Ok(connection.traffic_state().watch_state(request).await.context("watching states")?.into_inner())
}

/// The banner of `luong up` tells addresses as they are bound, without a scheme.
fn with_scheme(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
}
