//! What stands for signals on Windows: the events of a console, and a named pipe that another program of this project opens.

use std::fs::OpenOptions;
use std::io;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, unfold};
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

use super::StopSignal;

/// Whoever opened the pipe has closed it before it was looked at (`ERROR_NO_DATA`).
const CLOSED_AGAIN: i32 = 232;

/// The stream of a console's event: each event has a type of its own.
macro_rules! events {
    ($event:expr) => {
        unfold($event, |mut event| async move {
            event.recv().await.map(|()| ((), event))
        })
        .boxed()
    };
}

/// One stream for each event that one of `kinds` stands for.
///
/// # Errors
/// The system gives no handlers.
pub(super) fn streams(kinds: &[StopSignal]) -> io::Result<Vec<BoxStream<'static, ()>>> {
    let mut all = Vec::new();
    for kind in kinds {
        match kind {
            StopSignal::Interrupt => {
                all.extend([events!(ctrl_c()?), events!(ctrl_break()?)]);
            }
            StopSignal::Terminate => {
                all.push(events!(ctrl_shutdown()?));
                all.extend(requests());
            }
            StopSignal::Hangup => {
                all.extend([events!(ctrl_close()?), events!(ctrl_logoff()?)]);
            }
        }
    }
    Ok(all)
}

/// Asks a process of this project to stop.
///
/// # Errors
/// There is none, it belongs to another account, or it does not listen.
pub fn ask_to_stop(process: u32) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(pipe_of(process))
        .map(drop)
}

/// The same. A process of this project stops those that it has started.
///
/// # Errors
/// As [`ask_to_stop`].
pub fn ask_group_to_stop(process: u32) -> io::Result<()> {
    ask_to_stop(process)
}

fn pipe_of(process: u32) -> String {
    format!(r"\\.\pipe\hf2ms-stop-{process}")
}

/// The requests of other programs. A process that can't have the pipe is stopped by its console alone.
fn requests() -> Option<BoxStream<'static, ()>> {
    let made = ServerOptions::new()
        .first_pipe_instance(true)
        .access_outbound(false)
        .create(pipe_of(std::process::id()));
    made.inspect_err(|error| tracing::warn!("hf2ms stop can't reach this process: {error}"))
        .ok()
        .map(|pipe| unfold(pipe, opened).boxed())
}

/// Waits for someone to open the pipe, which the account of this process can do. Nothing is read from it.
async fn opened(pipe: NamedPipeServer) -> Option<((), NamedPipeServer)> {
    match pipe.connect().await {
        Err(error) if error.raw_os_error() != Some(CLOSED_AGAIN) => return None,
        _ => (),
    }
    pipe.disconnect().ok()?;
    Some(((), pipe))
}
