//! Stopping: signals become one flag that every wait listens to.

use std::sync::Arc;

use hf2ms_worker::signals::{StopSignal, StopSignals};
use tokio::sync::watch;

/// Why waiting ended: a signal asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// The flag that a signal sets. A clone shares the flag.
#[derive(Debug, Clone)]
pub struct Stop {
    asked: watch::Receiver<bool>,
    ask: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        let (ask, asked) = watch::channel(false);
        Self {
            asked,
            ask: Arc::new(ask),
        }
    }
}

impl Stop {
    /// Listens to SIGINT, SIGTERM and SIGHUP, as far as they were not ignored at the start: under `nohup` a terminal that goes away
    /// ends nothing. The second one ends the process at once, after `leaving`.
    ///
    /// # Errors
    /// When the system gives no signal handlers.
    pub fn on_signals(leaving: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let stop = Self::default();
        let ask = stop.ask.clone();
        let mut signals = StopSignals::listen(&[
            StopSignal::Interrupt,
            StopSignal::Terminate,
            StopSignal::Hangup,
        ])?;
        tokio::spawn(async move {
            loop {
                signals.next().await;
                if ask.send_replace(true) {
                    leaving();
                    std::process::exit(130);
                }
            }
        });
        Ok(stop)
    }

    /// Sets the flag: every wait on a clone of it ends.
    pub fn ask(&self) {
        self.ask.send_replace(true);
    }

    /// Whether the flag is set.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns once the flag is set.
    pub async fn asked(&self) {
        let mut asked = self.asked.clone();
        // The sender lives in `self`: this can't fail.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// The result of `work`; the work is dropped when a stop is asked for before it ends.
    ///
    /// # Errors
    /// The error of the work, or [`Interrupted`].
    pub async fn unless<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<Interrupted>,
    {
        tokio::select! {
            biased;
            () = self.asked() => Err(Interrupted.into()),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_ends_when_stop_is_asked() {
        let stop = Stop::default();
        type Work = Result<i32, Interrupted>;
        assert_eq!(stop.unless(async { Work::Ok(1) }).await, Ok(1));
        stop.ask();
        let waiting = stop.unless(std::future::pending::<Work>()).await;
        assert_eq!(waiting, Err(Interrupted));
        assert!(stop.is_asked());
    }
}
