//! One container from its start to its end. It is attached to before it starts, so that no output is missed. It gets its job,
//! its output is read, and its exit status is asked for.

use std::pin::Pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerState};
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt, DuplexStream, duplex};

use super::Docker;
use super::container::ContainerSpec;
use super::daemon::{DaemonError, understood};
use crate::engine::Listener;
use crate::engine::job::WorkerOutput;
use crate::engine::lifeline::{self, WorkerInput};
use crate::engine::output::{ExitStatus, GRACE, keep_log, read_events};

/// Bytes that may wait between the daemon's stream and who reads its lines.
const BETWEEN: usize = 64 << 10;
/// How long the last lines of the log may take once the container has ended.
const LAST_LOG_LINES: Duration = Duration::from_secs(2);
/// The exit code of a process that was ended by SIGKILL.
const KILLED: i64 = 137;
/// How much later than the end the daemon may report its reason.
const LATE: Duration = Duration::from_millis(500);

/// The output of a container, and how it ended.
pub(super) struct ContainerResult {
    pub exit_status: ExitStatus,
    pub output: WorkerOutput,
    /// The last line of its log.
    pub last_log_line: String,
}

/// The container's standard input.
type Line = Pin<Box<dyn AsyncWrite + Send>>;

impl Docker {
    /// Starts a container that was created, and returns when it has ended.
    pub(super) async fn converse(
        &self,
        name: &str,
        spec: &ContainerSpec,
        told: WorkerInput<'_>,
        listener: Listener<'_>,
    ) -> std::result::Result<ContainerResult, Error> {
        let options = AttachContainerOptionsBuilder::default()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let AttachContainerResults {
            output: stream,
            input: mut line,
        } = self
            .daemon
            .api
            .attach_container(name, Some(options))
            .await?;
        self.daemon.api.start_container(name, None).await?;
        let ((stdout, to_stdout), (stderr, to_stderr)) = (duplex(BETWEEN), duplex(BETWEEN));
        let sorting = tokio::spawn(sort(stream, to_stdout, to_stderr));
        let path = self
            .logs
            .as_ref()
            .map(|logs| logs.join(format!("{}.log", spec.label)));
        let log = tokio::spawn(keep_log(stderr, path, self.terms.settings.redactor()));
        let mut output = WorkerOutput::default();
        tokio::select! {
            () = read_events(stdout, &mut output, listener, &self.terms.settings) => (),
            () = self.feed(&mut line, told) => (),
        }
        // An input that is closed already needs no closing.
        let _ = line.shutdown().await;
        let exit_status = self.exit_status(name, spec).await;
        let last_log_line = tokio::time::timeout(LAST_LOG_LINES, log)
            .await
            .ok()
            .and_then(std::result::Result::ok)
            .unwrap_or_default();
        sorting.abort();
        Ok(ContainerResult {
            exit_status,
            output,
            last_log_line,
        })
    }

    /// Writes settings and job, keeps the standard input open until a stop is asked for, and returns after the grace period.
    async fn feed(&self, line: &mut Line, told: WorkerInput<'_>) {
        let http = self.terms.settings.http();
        lifeline::feed(line, told, &http, &self.terms.stop).await;
        let _ = line.shutdown().await;
        tokio::time::sleep(GRACE).await;
    }

    /// How a container ended, once it has; after the grace it is killed.
    async fn exit_status(&self, name: &str, spec: &ContainerSpec) -> ExitStatus {
        let (code, killed) = match tokio::time::timeout(GRACE, self.ended(name)).await {
            Ok(code) => (code, Ok(())),
            Err(_) => (None, self.daemon.api.kill_container(name, None).await),
        };
        match self.inspected(name).await {
            // A busy daemon may report an end late: a container that can't be killed may have ended by itself.
            Ok(found) => match (killed, found.state.unwrap_or_default()) {
                (Err(error), state) if state.running == Some(true) => {
                    ExitStatus::unseen(DaemonError::of(&error).to_string())
                }
                (_, state) => {
                    let exit_code = state.exit_code.or(code);
                    let state = ContainerState { exit_code, ..state };
                    self.template.exit_status(spec, &state)
                }
            },
            Err(error) if DaemonError::of(&error).is_absence() => {
                ExitStatus::unseen("removed by someone else")
            }
            Err(error) => ExitStatus::unseen(DaemonError::of(&error).to_string()),
        }
    }

    /// The state of a container that has ended. The daemon learns of a kill for lack of memory apart from the end, and may
    /// report it a moment later.
    async fn inspected(&self, name: &str) -> std::result::Result<ContainerInspectResponse, Error> {
        let inspect = async || understood(self.daemon.api.inspect_container(name, None).await);
        let found = inspect().await?;
        let is_killed = |state: &ContainerState| {
            state.exit_code == Some(KILLED) && state.oom_killed != Some(true)
        };
        if !found.state.as_ref().is_some_and(is_killed) {
            return Ok(found);
        }
        tokio::time::sleep(LATE).await;
        inspect().await
    }

    /// Waits until a container has ended, and returns its exit code; `None` when the daemon does not know it.
    async fn ended(&self, name: &str) -> Option<i64> {
        match std::pin::pin!(self.daemon.api.wait_container(name, None))
            .next()
            .await?
        {
            Ok(ended) => Some(ended.status_code),
            Err(Error::DockerContainerWaitError { code, .. }) => Some(code),
            Err(_) => None,
        }
    }
}

/// Sorts the output of a container into its two streams, until it ends. One stream may be closed while the other is read.
async fn sort(
    mut stream: Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, Error>> + Send>>,
    mut stdout: DuplexStream,
    mut stderr: DuplexStream,
) {
    while let Some(Ok(part)) = stream.next().await {
        let _ = match part {
            LogOutput::StdErr { message } => stderr.write_all(&message).await,
            LogOutput::StdOut { message } => stdout.write_all(&message).await,
            LogOutput::StdIn { .. } | LogOutput::Console { .. } => Ok(()),
        };
    }
}
