//! The output of a worker and its end, the same for all engines: lines become events, the log is kept without tokens, and
//! the exit status is classified.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf2ms_hub::http::{HttpOptions, WaitNews};
use hf2ms_hub::{Kind, Redactor};
use hf2ms_worker::protocol::{Event, Exit};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};

use super::Listener;
use super::job::{Ended, WorkerOutput};
use crate::platform::private;
use crate::settings::Settings;

/// How long a worker may take to stop before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// How a process ended, as its engine reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitStatus {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// How it ended, for the user.
    pub how: String,
}

impl ExitStatus {
    /// It ended by itself.
    pub fn exited(code: i32) -> Self {
        Self {
            code: Some(code),
            how: format!("ended with code {code} and no receipt"),
        }
    }

    /// A signal ended it.
    pub fn killed(signal: i32) -> Self {
        Self::unseen(format!("killed by signal {signal}"))
    }

    /// It has no exit code, for the reason `how`.
    pub fn unseen(how: impl Into<String>) -> Self {
        Self {
            code: None,
            how: how.into(),
        }
    }
}

/// Whether the worker was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopRequest {
    /// It was.
    Made,
    /// It was not.
    NotMade,
}

/// How a job ended, from the worker's exit status, its output and the last line of its log.
pub fn classify(
    asked: StopRequest,
    exit_status: &ExitStatus,
    output: WorkerOutput,
    last_log_line: &str,
) -> Ended {
    match (exit_status.code.and_then(exit), &output.failure) {
        _ if asked == StopRequest::Made => Ended::Stopped(output),
        (Some(exit), _) if output.receipt.is_some() => Ended::Finished(exit, output),
        (Some(Exit::Usage | Exit::Refused), Some((kind, error))) => {
            Ended::Refused(*kind, error.clone())
        }
        (Some(Exit::Usage), None) => Ended::Refused(
            Kind::Usage,
            format!("the worker does not take the job: {last_log_line}"),
        ),
        _ => Ended::Crashed(crash_reason(exit_status, &output, last_log_line), output),
    }
}

/// The meaning of an exit code with which a worker ends by itself.
fn exit(code: i32) -> Option<Exit> {
    Exit::from_code(code).filter(|exit| *exit != Exit::Interrupted)
}

fn crash_reason(exit_status: &ExitStatus, output: &WorkerOutput, last_log_line: &str) -> String {
    let why = output
        .failure
        .as_ref()
        .map_or(last_log_line, |(_, error)| error);
    if why.is_empty() {
        exit_status.how.clone()
    } else {
        format!("{}: {why}", exit_status.how)
    }
}

/// Reads a worker's events until its receipt, which is its last event, or until its output ends.
pub async fn read_events(
    stdout: impl AsyncRead + Unpin,
    output: &mut WorkerOutput,
    listener: Listener<'_>,
    settings: &Settings,
) {
    let (redactor, http) = (settings.redactor(), settings.http());
    let mut lines = BufReader::new(stdout).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        // A line that is no event, not even text, is passed over: the exit code and the receipt decide.
        if let Ok(mut event) = serde_json::from_slice::<Event>(&line) {
            event.redact(&redactor);
            if !is_known_wait(&event, &http) {
                listener(&event);
                output.note(event);
            }
        }
        if output.receipt.is_some() {
            return;
        }
    }
}

/// Keeps to the wait that a host asks a worker for, as all who have these settings do from now on; whether it was known already.
fn is_known_wait(event: &Event, http: &HttpOptions) -> bool {
    let Event::RateLimited(told) = event else {
        return false;
    };
    let is_known = |wait| http.hear_wait(&told.host, wait) == WaitNews::Known;
    told.wait().is_none_or(is_known)
}

/// Writes a worker's log without tokens to `path`, if there is one; returns its last line.
pub async fn keep_log(
    stderr: impl AsyncRead + Unpin,
    path: Option<PathBuf>,
    redactor: Redactor,
) -> String {
    let mut file = match &path {
        Some(path) => open_log(path).await,
        None => None,
    };
    let mut lines = BufReader::new(stderr).split(b'\n');
    let mut last = String::new();
    while let Ok(Some(line)) = lines.next_segment().await {
        last = redactor.clean(String::from_utf8_lossy(&line).trim_end_matches('\r'));
        if let Some(file) = &mut file {
            // A full disk costs the log, not the run.
            let _ = file.write_all(format!("{last}\n").as_bytes()).await;
        }
    }
    if let Some(file) = &mut file {
        let _ = file.flush().await;
    }
    last
}

async fn open_log(path: &Path) -> Option<tokio::fs::File> {
    tokio::fs::OpenOptions::from(private())
        .append(true)
        .create(true)
        .open(path)
        .await
        .ok()
}

#[cfg(test)]
mod tests;
