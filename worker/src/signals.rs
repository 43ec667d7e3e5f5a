//! The signals that ask a program of this project to stop. A signal that was ignored when the program started stays ignored, as `nohup`
//! and the background jobs of a shell want it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that this process listens to.
pub struct StopSignals(Vec<Signal>);

impl StopSignals {
    /// Listens to those of `kinds` that are not ignored so far.
    ///
    /// # Errors
    /// The system gives no signal handlers.
    pub fn listen(kinds: &[SignalKind]) -> io::Result<Self> {
        let ignored = ignored_now();
        let heeded = kinds.iter().filter(|kind| !has(ignored, **kind));
        heeded
            .map(|kind| signal(*kind))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Returns at the next of them.
    pub async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(waits).await;
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
