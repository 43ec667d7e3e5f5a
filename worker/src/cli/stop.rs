//! The end of a verb: by itself, by a signal, or because the controller has ended.

use std::sync::Arc;

use hf2ms_worker::events::Events;
use hf2ms_worker::job::Lifeline;
use hf2ms_worker::protocol::{Event, Exit};

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

/// Returns at SIGTERM or SIGINT.
pub(super) async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}
