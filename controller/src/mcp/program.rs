//! This program as the process of a tool: its words, its lines of JSON, its end.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hf2ms_worker::signals::ask_group_to_stop;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::answer::{Answer, StepProgress};
use crate::platform::own_group;
use crate::settings::config::FOR_ASSISTANT;

/// Bytes of standard error that an answer quotes, where the process printed no error as JSON.
const QUOTED: u64 = 4_000;

/// This program, and the options before the verb with which it was started.
#[derive(Debug)]
pub struct Program {
    file: PathBuf,
    globals: Vec<OsString>,
    /// The processes that were started, by the runs that they have announced.
    started: Mutex<HashMap<String, Arc<Started>>>,
    /// The run that was begun here last.
    last: Mutex<Option<String>>,
}

/// A process that was started and left to itself. Before its plan is made no run can be found by its id.
#[derive(Debug)]
pub struct Started {
    process: Option<u32>,
    answer: Mutex<Answer>,
}

impl Started {
    /// What it has said until now.
    pub fn answer(&self) -> Answer {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.clone()
    }

    /// Whether it has not ended.
    pub fn is_at_work(&self) -> bool {
        self.with(|answer| !answer.has_ended())
    }

    /// Ends it, as a signal ends the command line.
    pub fn stop(&self) {
        // One that has ended needs no signal.
        let _ = self.process.map(ask_group_to_stop);
    }

    fn with<T>(&self, change: impl FnOnce(&mut Answer) -> T) -> T {
        change(&mut self.answer.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Stops a process whose start is not answered: nobody would know of its run.
struct Unanswered(Option<Arc<Started>>);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.iter().for_each(|started| started.stop());
    }
}

impl Program {
    /// This file, run with these options (`--env-file` and the like) before each verb.
    pub fn new(file: PathBuf, globals: Vec<OsString>) -> Self {
        Self {
            file,
            globals,
            started: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// The process that was started here for this run.
    pub fn started(&self, run: &str) -> Option<Arc<Started>> {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.get(run).cloned()
    }

    /// The run that was begun here last.
    pub fn last(&self) -> Option<String> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Keeps the run that a process has announced as the last one.
    pub fn announced(&self, run: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(run.to_owned());
    }

    fn keep(&self, run: &str, started: Arc<Started>) {
        self.announced(run);
        let mut all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(run.to_owned(), started);
    }

    /// Runs a verb to its end, or for so long, and returns `answer` with its lines. StepProgress is told to `listener`.
    ///
    /// # Errors
    /// The program can't be run.
    pub async fn run(
        &self,
        words: &[String],
        at_most: Option<Duration>,
        mut answer: Answer,
        listener: &(dyn Fn(StepProgress) + Send + Sync),
    ) -> Result<Answer, String> {
        let mut command = self.command(words);
        let mut child = command
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.not_run(&error))?;
        let mut lines = lines_of(&mut child);
        let mut complaints = String::new();
        let quote = quote(child.stderr.take(), &mut complaints);
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

    /// Starts a verb that goes on by itself, also when this server ends; answers once its plan is made, or after so long. A start that is
    /// given up before is stopped.
    ///
    /// # Errors
    /// The program can't be run.
    pub async fn start(&self, words: &[String], within: Duration) -> Result<Answer, String> {
        let mut command = self.command(words);
        // A terminal's signals are not for it.
        let child = own_group(command.stderr(Stdio::piped()))
            .spawn()
            .map_err(|error| self.not_run(&error))?;
        let started = Arc::new(Started {
            process: child.id(),
            answer: Mutex::default(),
        });
        let mut unanswered = Unanswered(Some(started.clone()));
        let (planned, is_planned) = oneshot::channel();
        tokio::spawn(follow(child, started.clone(), planned));
        // A process that has ended tells nothing more.
        let is_known = timeout(within, is_planned).await.is_ok();
        unanswered.0 = None;
        let mut answer = started.answer();
        if let Some(run) = answer.run() {
            self.keep(run, started);
        }
        if !is_known {
            answer.say("the plan is not made yet: ask the status of this run in a while");
        }
        Ok(answer)
    }

    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(&self.file);
        command
            .args(&self.globals)
            .args(words)
            .env(FOR_ASSISTANT, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn not_run(&self, error: &std::io::Error) -> String {
        let file = self.file.display();
        format!("{file} can't be run: {error}; start hf2ms mcp again")
    }
}

/// Reads the lines of a process for as long as this server lives, so that no full pipe stops it. Tells when its plan is made.
async fn follow(mut child: Child, started: Arc<Started>, planned: oneshot::Sender<()>) {
    let (mut lines, mut complaints) = (lines_of(&mut child), String::new());
    let quote = quote(child.stderr.take(), &mut complaints);
    let mut planned = Some(planned);
    let read = async {
        while let Some(event) = next(&mut lines).await {
            let is_plan = event["event"] == "estimate";
            started.with(|answer| answer.take(event, &|_| ()));
            if is_plan {
                // Nobody may wait for it any more.
                planned.take().map(|planned| planned.send(()).ok());
            }
        }
    };
    tokio::join!(read, quote);
    let exit = exit_code(child.wait().await.ok());
    started.with(|answer| answer.ended(exit, &complaints));
}

/// Reads the beginning of standard error, and leaves the rest, which must not fill the pipe.
async fn quote(stderr: Option<ChildStderr>, complaints: &mut String) {
    let Some(stderr) = stderr else { return };
    let mut stderr = stderr.take(QUOTED);
    // What is no text is not quoted.
    stderr.read_to_string(complaints).await.ok();
    let mut rest = stderr.into_inner();
    tokio::io::copy(&mut rest, &mut tokio::io::sink())
        .await
        .ok();
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
