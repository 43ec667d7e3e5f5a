//! The signals that ask a program of this project to stop, and how one program sends them to another. No other file of this crate
//! asks which system it is built for.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, SelectAll};

#[cfg(unix)]
use self::unix as system;
#[cfg(windows)]
use self::windows as system;

pub use self::system::{ask_group_to_stop, ask_to_stop};

/// A way to be asked to stop, by the name that Unix has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT. On Windows, Ctrl-C and Ctrl-Break.
    Interrupt,
    /// SIGTERM. On Windows, another program of this project, and the end of the system.
    Terminate,
    /// SIGHUP. On Windows, a console that is closed, and the end of the session.
    Hangup,
}

/// The signals that this process listens to.
pub struct StopSignals(SelectAll<BoxStream<'static, ()>>);

impl StopSignals {
    /// Listens to those of `kinds` that are not ignored so far.
    ///
    /// # Errors
    /// The system gives no signal handlers.
    pub fn listen(kinds: &[StopSignal]) -> io::Result<Self> {
        let streams = system::streams(kinds)?;
        Ok(Self(streams.into_iter().collect()))
    }

    /// Returns at the next of them.
    pub async fn next(&mut self) {
        if self.0.next().await.is_none() {
            std::future::pending().await
        }
    }
}
