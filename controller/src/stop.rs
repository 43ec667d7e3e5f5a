//! Stopping: signals become one flag that every wait listens to.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::ui::errors::{Failure, Outcome};

/// Whether a signal asked to stop. Cheap to clone.
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
    /// Listens to SIGINT, SIGTERM and SIGHUP. The second one ends the process at once.
    ///
    /// # Errors
    /// When the system gives no signal handlers.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        let ask = stop.ask.clone();
        let (mut int, mut term) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let mut hup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            loop {
                tokio::select! { _ = int.recv() => (), _ = term.recv() => (), _ = hup.recv() => () }
                if ask.send_replace(true) {
                    std::process::exit(130);
                }
            }
        });
        Ok(stop)
    }

    /// Asks everyone to stop.
    pub fn ask(&self) {
        self.ask.send_replace(true);
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        *self.asked.borrow()
    }

    /// Returns once it is asked.
    pub async fn asked(&self) {
        let mut asked = self.asked.clone();
        // The sender lives in `self`: this can't fail.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// What `work` gives, unless it is asked to stop first.
    ///
    /// # Errors
    /// The work's, or that it was interrupted.
    pub async fn unless<T>(&self, work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
        tokio::select! {
            biased;
            () = self.asked() => Err(Failure::interrupted()),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::protocol::Exit;

    use super::*;

    #[tokio::test]
    async fn work_ends_when_stop_is_asked() {
        let stop = Stop::default();
        assert_eq!(stop.unless(async { Ok(1) }).await, Ok(1));
        stop.ask();
        let waiting = stop.unless(std::future::pending::<Outcome<()>>()).await;
        assert_eq!(waiting.unwrap_err().exit(), Exit::Interrupted);
        assert!(stop.is_asked());
    }
}
