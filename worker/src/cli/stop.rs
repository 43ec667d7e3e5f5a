//! The end of a verb: by itself, by a signal, or because the controller has ended.

use std::sync::Arc;

use hf2ms_hub::http::HttpOptions;
use hf2ms_worker::events::Events;
use hf2ms_worker::job::Lifeline;
use hf2ms_worker::protocol::{Event, Exit, Notice};
use hf2ms_worker::settings::Settings;
use hf2ms_worker::signals::StopSignals;
use tokio::signal::unix::SignalKind;

/// Runs a verb until it ends, a signal comes, or the lifeline is cut; the receipt is the last event in any case. The waits that
/// the controller tells of are kept meanwhile.
pub(super) async fn until_stopped(
    events: &Arc<Events>,
    settings: &Settings,
    lifeline: Lifeline,
    verb: impl Future<Output = Exit>,
) -> Exit {
    let http = settings.http();
    let exit = tokio::select! {
        exit = verb => exit,
        () = events.clone().tick() => Exit::Interrupted,
        () = signalled() => Exit::Interrupted,
        () = lifeline.follow(|notice| take(&notice, &http)) => Exit::Interrupted,
    };
    events.say(&Event::Receipt(events.receipt_so_far()));
    exit
}

fn take(Notice::RateLimited(told): &Notice, http: &HttpOptions) {
    if let Some(wait) = told.wait() {
        http.hear_wait(&told.host, wait);
    }
}

/// Returns at SIGTERM or SIGINT, unless they were ignored at the start.
pub(super) async fn signalled() {
    match StopSignals::listen(&[SignalKind::terminate(), SignalKind::interrupt()]) {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}
