//! The end of a verb: by itself, by a signal, or because the controller has ended.

use std::sync::Arc;

use hf2ms_worker::events::Events;
use hf2ms_worker::job::Lifeline;
use hf2ms_worker::protocol::{Event, Exit};
use hf2ms_worker::signals::StopSignals;
use tokio::signal::unix::SignalKind;

/// Runs a verb until it ends, a signal comes, or the lifeline is cut; the receipt is the last event in any case.
pub(super) async fn until_stopped(
    events: &Arc<Events>,
    lifeline: Lifeline,
    verb: impl Future<Output = Exit>,
) -> Exit {
    let exit = tokio::select! {
        exit = verb => exit,
        () = events.clone().tick() => Exit::Interrupted,
        () = signalled() => Exit::Interrupted,
        () = lifeline.cut() => Exit::Interrupted,
    };
    events.say(&Event::Receipt(events.receipt_so_far()));
    exit
}

/// Returns at SIGTERM or SIGINT, unless they were ignored at the start.
pub(super) async fn signalled() {
    match StopSignals::listen(&[SignalKind::terminate(), SignalKind::interrupt()]) {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}
