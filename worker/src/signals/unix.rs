//! Signals of Linux and macOS. A signal that was ignored when the program started stays ignored, as `nohup` and the background jobs of
//! a shell want it.

use std::io;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use rustix::process::{Pid, kill_process, kill_process_group};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::StopSignal;

/// One stream for each of `kinds` that is not ignored so far.
///
/// # Errors
/// The system gives no signal handlers.
pub(super) fn streams(kinds: &[StopSignal]) -> io::Result<Vec<BoxStream<'static, ()>>> {
    let ignored = ignored_now();
    let kinds = kinds.iter().map(|kind| number(*kind));
    kinds
        .filter(|kind| !has(ignored, *kind))
        .map(|kind| signal(kind).map(|signal| unfold(signal, received).boxed()))
        .collect()
}

async fn received(mut signal: Signal) -> Option<((), Signal)> {
    signal.recv().await.map(|()| ((), signal))
}

/// Asks a process to stop.
///
/// # Errors
/// There is none, or it belongs to another account.
pub fn ask_to_stop(process: u32) -> io::Result<()> {
    Ok(kill_process(pid(process)?, rustix::process::Signal::TERM)?)
}

/// Asks a process, and those that it has started in its group, to stop.
///
/// # Errors
/// There is none, or it belongs to another account.
pub fn ask_group_to_stop(process: u32) -> io::Result<()> {
    Ok(kill_process_group(
        pid(process)?,
        rustix::process::Signal::TERM,
    )?)
}

fn pid(process: u32) -> io::Result<Pid> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn number(kind: StopSignal) -> SignalKind {
    match kind {
        StopSignal::Interrupt => SignalKind::interrupt(),
        StopSignal::Terminate => SignalKind::terminate(),
        StopSignal::Hangup => SignalKind::hangup(),
    }
}

/// The mask of ignored signals: Linux tells it, other systems count as ignoring none.
fn ignored_now() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_in(&status)
}

fn ignored_in(status: &str) -> u64 {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap_or_default();
    u64::from_str_radix(mask.trim(), 16).unwrap_or(0)
}

fn has(mask: u64, kind: SignalKind) -> bool {
    let bit = u32::try_from(kind.as_raw_value() - 1).unwrap_or(u32::MAX);
    mask.checked_shr(bit).is_some_and(|rest| rest & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        // As under nohup: SIGHUP, and SIGPIPE that Rust programs ignore.
        let mask = ignored_in("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n");
        assert!(has(mask, SignalKind::hangup()) && !has(mask, SignalKind::terminate()));
        assert_eq!((ignored_in(""), ignored_in("SigIgn:\tx")), (0, 0));
    }
}
