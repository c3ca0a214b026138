//! `luong explain`: what the state of a link rests on at one instant, from the log.
//!
//! The log is folded up to that instant as the `analyse` role does it. From the role's own checkpoint, where one from before that
//! instant fits, the same log gives the same state: what is explained is what was told. Else `analyse.replay_h` of the log are
//! folded from nothing, and what the role had learned before is missing; the head of the explanation says which it is.

mod text;

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use congestion::Analyzer;
use eventlog::Log;
use model::Timestamp;
use roadnet::{LinkIndex, Network};
use tokio_util::sync::CancellationToken;

use crate::BadArguments;
use crate::analyse::{self, Analyse};
use crate::city;
use crate::config::{LogBackend, Settings};
use crate::service::{self, Roles};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The link's id.
    link: String,
    /// Log time (RFC 3339, or epoch milliseconds); the newest where it is left out.
    #[arg(long, value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
}

/// Prints the explanation.
pub(crate) async fn run(args: Args, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    let city = city::load(&settings)?;
    let link = find(&city.network, &args.link)?;
    let log = open_log(&settings).await?;
    let analyse = Analyse::new(&settings, &city, log.clone());
    let analyzer = stop.run_until_cancelled(analyse::fold_until(analyse, args.at)).await;
    // Nothing was appended: a log that does not close in time loses nothing.
    let closed = tokio::time::timeout(Duration::from_secs(1), log.close()).await;
    let Some(analyzer) = analyzer else { return Ok(()) };
    let (analyzer, since) = analyzer?;
    writeln!(std::io::stdout().lock(), "{since}")?;
    print(&analyzer, link)?;
    closed.unwrap_or(Ok(())).context("closing the log")
}

/// Prints what the newest state of a link rests on.
pub(crate) fn print(analyzer: &Analyzer, link: LinkIndex) -> anyhow::Result<()> {
    let explanation = analyzer.explain(link).context("the link's partition is not read here")?;
    Ok(write!(std::io::stdout().lock(), "{}", text::Text(&explanation))?)
}

/// Returns the link of that id.
pub(crate) fn find(network: &Network, id: &str) -> anyhow::Result<LinkIndex> {
    /// Ids that are named where there is no such link.
    const NAMED: usize = 3;
    if let Some(link) = network.find(id) {
        return Ok(link);
    }
    let mut known: Vec<_> = network.links().iter().map(|link| link.id.as_str()).collect();
    known.sort_by_cached_key(|known| (strsim::damerau_levenshtein(id, known), *known));
    known.truncate(NAMED);
    Err(BadArguments(format!("the network has no link {id:?}; the nearest ids are {}", known.join(", ")))
        .into())
}

/// Opens the log that is there; makes none.
async fn open_log(settings: &Settings) -> anyhow::Result<Log> {
    match settings.log.backend {
        LogBackend::Local if !settings.log_dir().exists() => {
            let folder = settings.log_dir();
            let text = format!("there is no log in {}; name its folder with --data-dir", folder.display());
            Err(BadArguments(text).into())
        }
        LogBackend::Local => service::open_log(settings).await.context(
            "`luong explain` reads the embedded log itself, and only one process can: stop `luong up` first, or copy its \
             folder while it is stopped and name the copy with --data-dir",
        ),
        LogBackend::Kafka => {
            Roles::ANALYSE.complete(settings.clone()).map_err(|error| BadArguments(format!("{error:#}")))?;
            service::open_log(settings).await
        }
    }
}
