//! This program as the process of a tool: its words, its lines of JSON, its end.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::answer::{Answer, StepProgress};

/// Bytes of standard error that an answer quotes, where the process printed no error as JSON.
const QUOTED: u64 = 4_000;

/// This program, and the options before the verb with which it was started.
#[derive(Debug)]
pub struct Program {
    /// The file to run.
    pub file: PathBuf,
    /// `--env-file` and the like, which hold for each process.
    pub globals: Vec<OsString>,
}

impl Program {
    /// Runs a verb to its end, or for so long, and answers with its lines. StepProgress is told to `listener`.
    ///
    /// # Errors
    /// The program can't be run.
    pub async fn run(
        &self,
        words: &[String],
        at_most: Option<Duration>,
        listener: &(dyn Fn(StepProgress) + Send + Sync),
    ) -> Result<Answer, String> {
        let mut command = self.command(words);
        let mut child = command
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.not_run(&error))?;
        let (mut lines, mut answer) = (lines_of(&mut child), Answer::default());
        let mut complaints = String::new();
        let stderr = child.stderr.take();
        let quote = async {
            if let Some(stderr) = stderr {
                // What is no text is not quoted; the rest must not fill the pipe.
                let mut stderr = stderr.take(QUOTED);
                stderr.read_to_string(&mut complaints).await.ok();
                tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink())
                    .await
                    .ok();
            }
        };
        let read = async {
            while let Some(event) = next(&mut lines).await {
                answer.take(event, listener);
            }
        };
        let both = async { tokio::join!(read, quote) };
        let ended = match at_most {
            Some(at_most) => timeout(at_most, both).await.is_ok(),
            None => {
                both.await;
                true
            }
        };
        if ended {
            answer.ended(exit_code(child.wait().await.ok()), &complaints);
        }
        Ok(answer)
    }

    /// Starts a verb that goes on by itself, also when this server ends; answers once its plan is made, or after so long.
    ///
    /// # Errors
    /// The program can't be run.
    pub async fn start(&self, words: &[String], within: Duration) -> Result<Answer, String> {
        let mut command = self.command(words);
        let mut child = command
            .stderr(Stdio::null())
            // A terminal's signals are not for it.
            .process_group(0)
            .spawn()
            .map_err(|error| self.not_run(&error))?;
        let (mut lines, mut answer) = (lines_of(&mut child), Answer::default());
        let planned = async {
            while let Some(event) = next(&mut lines).await {
                let is_plan = event["event"] == "estimate";
                answer.take(event, &|_| ());
                if is_plan {
                    return false;
                }
            }
            true
        };
        let ended = timeout(within, planned).await.unwrap_or(false);
        if ended {
            answer.ended(exit_code(child.wait().await.ok()), "");
        } else {
            tokio::spawn(async move {
                // Its lines are read for as long as this server lives, so that no full pipe stops it.
                while next(&mut lines).await.is_some() {}
                child.wait().await.ok()
            });
        }
        Ok(answer)
    }

    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(&self.file);
        command
            .args(&self.globals)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn not_run(&self, error: &std::io::Error) -> String {
        let file = self.file.display();
        format!("{file} can't be run: {error}; start hf2ms mcp again")
    }
}

fn exit_code(status: Option<ExitStatus>) -> Option<i32> {
    status.and_then(|status| status.code())
}

type EventLines = Option<Lines<BufReader<ChildStdout>>>;

fn lines_of(child: &mut Child) -> EventLines {
    let stdout = child.stdout.take();
    stdout.map(|stdout| BufReader::new(stdout).lines())
}

/// The next line that is JSON; `None` at the end.
async fn next(lines: &mut EventLines) -> Option<Value> {
    let lines = lines.as_mut()?;
    loop {
        let line = lines.next_line().await.ok()??;
        if let Ok(event) = serde_json::from_str(&line) {
            return Some(event);
        }
    }
}
