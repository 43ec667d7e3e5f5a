//! The end of a verb: by itself, by a signal, or because the controller has ended.

use std::sync::Arc;

use hf2ms_hub::http::HttpOptions;
use hf2ms_worker::events::Events;
use hf2ms_worker::job::Lifeline;
use hf2ms_worker::protocol::{Event, Exit, Notice};
use hf2ms_worker::settings::Settings;
use hf2ms_worker::signals::{StopSignal, StopSignals};
use hf2ms_worker::transfer::bandwidth::BandwidthLimit;

/// Runs a verb until it ends, a signal comes, or the lifeline is cut; the receipt is the last event in any case. The waits that
/// the controller tells of are kept meanwhile.
pub(super) async fn until_stopped(
    events: &Arc<Events>,
    settings: &Settings,
    lifeline: Lifeline,
    verb: impl Future<Output = Exit>,
) -> Exit {
    let unlimited = BandwidthLimit::none();
    until_stopped_sharing(events, settings, lifeline, &unlimited, verb).await
}

/// The same of a verb that shares a limit of bytes a second with other workers.
pub(super) async fn until_stopped_sharing(
    events: &Arc<Events>,
    settings: &Settings,
    lifeline: Lifeline,
    bandwidth: &BandwidthLimit,
    verb: impl Future<Output = Exit>,
) -> Exit {
    let http = settings.http();
    let exit = tokio::select! {
        exit = verb => exit,
        () = events.clone().tick() => Exit::Interrupted,
        () = signalled() => Exit::Interrupted,
        () = lifeline.follow(|notice| take(&notice, &http, bandwidth)) => Exit::Interrupted,
    };
    events.say(&Event::Receipt(events.receipt_so_far()));
    exit
}

fn take(notice: &Notice, http: &HttpOptions, bandwidth: &BandwidthLimit) {
    match notice {
        Notice::RateLimited(told) => {
            if let Some(wait) = told.wait() {
                http.hear_wait(&told.host, wait);
            }
        }
        Notice::Workers(workers) => bandwidth.share_among(*workers),
    }
}

/// Returns at SIGTERM or SIGINT, unless they were ignored at the start.
pub(super) async fn signalled() {
    match StopSignals::listen(&[StopSignal::Terminate, StopSignal::Interrupt]) {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}
