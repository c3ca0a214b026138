//! SIGINT and SIGTERM: the first asks to stop, the second stops at once.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Longer than two signals of one `kill` are apart, shorter than a person's second thought.
const ECHO: Duration = Duration::from_millis(300);

/// What a shell reports for a process that SIGINT ended.
const EXIT_AT_ONCE: i32 = 130;

/// Returns a token that the first signal cancels.
pub(crate) fn stop_token() -> std::io::Result<CancellationToken> {
    let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = CancellationToken::new();
    tokio::spawn(listen(interrupt, terminate, token.clone()));
    Ok(token)
}

async fn listen(mut interrupt: Signal, mut terminate: Signal, token: CancellationToken) {
    either(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping; a second signal stops at once");
    token.cancel();
    // A shell or a supervisor often signals a process and then its whole group: that is one wish, not two.
    let _echo = tokio::time::timeout(ECHO, either(&mut interrupt, &mut terminate)).await;
    either(&mut interrupt, &mut terminate).await;
    tracing::warn!("stopped at once");
    std::process::exit(EXIT_AT_ONCE);
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
