//! A run in the cloud. Its work is submitted to Modal as calls, which outlive this process: one call for each chunk, and a
//! last call that waits for them and ends the run. Any process that has the run's journal can attach to it ([`attach`]).
//!
//! [`RemoteRun`] submits the calls, waits for the last one and gathers the results. A [`RemoteJob`] says what the calls
//! are: a copy's or a mirror's. [`calls`] names the submitted calls and cancels them.
//! [`engine`] is for runs that give each job to a worker from this process.

pub mod app;
pub mod attach;
pub mod calls;
pub mod engine;
mod run;

use hf2ms_worker::protocol::Exit;
use serde_json::Value;

use self::calls::SubmittedCalls;
use crate::args::workers::EngineKind;
use crate::engine::modal::{Function, RESULTS_KEPT};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::Progress;
use crate::ui::screen::Screen;

pub use self::run::{RemoteRun, SubmittedEvent};

/// The calls of a run.
pub trait RemoteJob {
    /// The number of chunks whose calls are submitted before the last one.
    fn chunks(&self) -> u32 {
        0
    }

    /// The input of a chunk's call.
    fn chunk(&self, _number: u32) -> Value {
        Value::Null
    }

    /// The function and the input of the call that ends the run, once the chunks are submitted.
    fn last(&self, calls: &SubmittedCalls) -> (Function, Value);

    /// The name of the last call for the user.
    fn name(&self) -> &'static str;

    /// The progress of the run.
    fn progress(&self, screen: &Screen) -> Progress;

    /// Takes a line of the last call's log.
    fn hear(&self, _progress: &Progress, _line: &Value) {}
}

/// The result of the last call.
#[derive(Debug)]
pub enum CallResult {
    /// Its value.
    Result(Value),
    /// It has ended, and Modal keeps its value no more.
    Expired,
}

impl CallResult {
    /// The value of the last call, without which nothing tells what was done.
    ///
    /// # Errors
    /// It is kept no more.
    pub fn value(self) -> CliResult<Value> {
        match self {
            Self::Result(value) => Ok(value),
            Self::Expired => {
                let days = RESULTS_KEPT.as_secs() / 86_400;
                let line = format!(
                    "Modal keeps results for about {days} days, and this run's are gone: run the same command again"
                );
                Err(CliError::new(Exit::Incomplete, line))
            }
        }
    }
}

/// Whether a run in the cloud has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion<T = ()> {
    /// It has ended, with this result.
    Finished(T),
    /// It works on without this process; and why, unless the user asked for that.
    Detached(Option<CliError>),
}

/// Whether this process waits for the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetachMode {
    /// Until the run has ended.
    Attached,
    /// Until all calls are submitted.
    Detached,
}

impl DetachMode {
    /// The mode that `--detach` asks for on this engine.
    ///
    /// # Errors
    /// The work would end with this process.
    pub fn of(detach: bool, on: EngineKind) -> CliResult<Self> {
        match (detach, on) {
            (true, EngineKind::Modal) => Ok(Self::Detached),
            (true, _) => Err(CliError::usage(
                "--detach needs --on modal, since elsewhere the work ends with this process: give --on modal, or leave --detach out",
            )),
            (false, _) => Ok(Self::Attached),
        }
    }
}
