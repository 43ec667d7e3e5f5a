//! Modal's cloud: apps, calls and their results, by the official SDK. Which calls a run submits is
//! decided in [`crate::engine::remote`].

pub mod bridge;
pub mod container_size;
mod deployment;
mod envelope;
mod errors;

use std::path::Path;
use std::time::Duration;

use hf2ms_hub::{Error, Kind, Redactor, Token};
use serde::Deserialize;
use serde_json::{Value, json};

use self::bridge::{Bridge, BridgeError, BridgeErrorKind};
pub use self::deployment::{AppSize, Deployment, version_of_app};
pub use self::envelope::{ChunkEnd, Envelope, Finalized, Mirrored};
pub use self::errors::explain;
use crate::binaries::pythons;
use crate::settings::{Settings, environment, variables};
use crate::ui::errors::{CliError, CliResult};
use hf2ms_worker::protocol::{Event, Exit};

/// The release of the official SDK that the bridge is written for.
pub const SDK: &str = "1.6.4";
/// This program as a Python package that brings the SDK.
pub const EXTRA: &str = "hf2ms-cli[modal]";
/// Spawned functions give their answer for about this long.
pub const RESULTS_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// The pause before Modal is asked again after it could not be reached.
pub const UNAVAILABLE: Duration = Duration::from_secs(10);
/// How often Modal is asked in vain before whoever waits is told. The SDK tries for some seconds each time.
const MOST_IN_VAIN: u32 = 300;
/// How long Modal may hold a question back until there is an answer.
const LONG_POLL: u64 = 50;

/// A function of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Moves a chunk's blobs.
    RunChunk,
    /// Waits for the chunks, commits and verifies.
    Finalize,
    /// Scans a Git repo, has its LFS objects copied, and pushes its refs.
    Mirror,
    /// Says whether a container reaches the hubs.
    Check,
}

impl Function {
    fn name(self) -> &'static str {
        match self {
            Self::RunChunk => "run_chunk",
            Self::Finalize => "finalize",
            Self::Mirror => "mirror",
            Self::Check => "check",
        }
    }
}

/// The state of a call.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CallState {
    /// It waits or runs.
    Pending,
    /// It has ended, with a value.
    Done {
        /// The value of the function.
        result: Value,
    },
    /// It failed in all attempts.
    Failed {
        /// The last error.
        error: String,
    },
    /// It ended so long ago that Modal has deleted its value.
    Expired,
    /// Someone cancelled it.
    Cancelled,
}

/// How a call ended.
#[derive(Debug)]
pub enum CallEnd {
    /// With this value.
    Done(Value),
    /// With this error, after all attempts.
    Failed(String),
    /// So long ago that Modal has deleted its value.
    Expired,
    /// Someone cancelled it.
    Cancelled,
}

/// How a call that is cancelled ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelMode {
    /// It is asked to end, and ends its own calls first.
    Graceful,
    /// Its container ends.
    Immediate,
}

/// A call that another call submitted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChildCall {
    /// Its id.
    pub call: String,
    /// Its state, in Modal's word: PENDING, SUCCESS, or any other.
    pub state: String,
}

/// Modal, reached.
pub struct Modal {
    bridge: Bridge,
    settings: Settings,
}

impl Modal {
    /// Starts the bridge. `home` keeps its programs, `log` what they log.
    ///
    /// # Errors
    /// Python or the SDK is missing.
    pub async fn open(home: &Path, log: &Path, settings: &Settings) -> CliResult<Self> {
        let folder = deployment::unpack(home)?;
        let mut variables = variables(&["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"]);
        let redactor = redactor(settings, &variables);
        variables.extend(tokens(settings));
        let mut lacking = None;
        for python in pythons() {
            match Bridge::start(&python, &folder, &variables, log, redactor.clone()).await {
                Ok(bridge) => {
                    return Ok(Self {
                        bridge,
                        settings: settings.clone(),
                    });
                }
                // Another Python may have the SDK; the first says best what is missing.
                Err(error) if error.kind == BridgeErrorKind::Missing => {
                    lacking.get_or_insert(error);
                }
                Err(error) => return Err(explain(&error)),
            }
        }
        let none = || BridgeError::gone("there is no Python");
        Err(explain(&lacking.unwrap_or_else(none)))
    }

    /// Deploys the app, unless it is there already.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn deploy(&self, deployment: &Deployment) -> CliResult<()> {
        self.ask(deployment.request())
            .await
            .map(drop)
            .map_err(|error| explain(&error))
    }

    /// The names of the apps of this program, of any version, that are deployed.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn apps(&self) -> CliResult<Vec<String>> {
        let answer = self.ask(json!({"verb": "apps"})).await;
        let mut answer = answer.map_err(|error| explain(&error))?;
        Ok(serde_json::from_value(answer["apps"].take()).unwrap_or_default())
    }

    /// Submits one call and returns its id.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn submit(
        &self,
        app: &str,
        function: Function,
        job: Value,
    ) -> Result<String, BridgeError> {
        let answer = self
            .ask(json!({"verb": "submit", "app": app, "function": function.name(), "job": job}))
            .await?;
        let call = answer["call"].as_str().map(ToOwned::to_owned);
        call.ok_or_else(|| BridgeError::gone("the bridge to Modal names no call"))
    }

    /// The state of a call now.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn look(&self, call: &str) -> Result<CallState, BridgeError> {
        self.poll(call, 0).await
    }

    /// The state of a call once it has changed, or after a while.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn wait(&self, call: &str) -> Result<CallState, BridgeError> {
        self.poll(call, LONG_POLL).await
    }

    async fn poll(&self, call: &str, wait: u64) -> Result<CallState, BridgeError> {
        let answer = self
            .bridge
            .ask(json!({"verb": "poll", "call": call, "wait": wait}))
            .await?;
        serde_json::from_value(answer).map_err(|error| {
            BridgeError::gone(format!(
                "the bridge to Modal says what nobody expects: {error}"
            ))
        })
    }

    /// Polls a call until it has ended, and goes on polling for an hour or two while Modal can't be reached; `unavailable` is called
    /// once for each time in which it can't.
    ///
    /// # Errors
    /// Modal refuses, or can't be reached for too long.
    pub async fn poll_until_ended(
        &self,
        call: &str,
        unavailable: impl Fn(&BridgeError),
    ) -> Result<CallEnd, BridgeError> {
        poll_until_ended(|| self.wait(call), unavailable, UNAVAILABLE).await
    }

    /// Has a container check whether it reaches these endpoints.
    ///
    /// # Errors
    /// Modal refuses or can't be reached; the container gives no answer.
    pub async fn check(&self, app: &str, endpoints: &[String]) -> CliResult<Event> {
        let call = self
            .submit(app, Function::Check, json!(endpoints))
            .await
            .map_err(|error| explain(&error))?;
        let silent = |why: &str| {
            CliError::new(
                Exit::Incomplete,
                format!(
                    "a container on Modal does not answer its check: {why}; run the same command again, or look at https://modal.com/apps"
                ),
            )
        };
        loop {
            match self.wait(&call).await.map_err(|error| explain(&error))? {
                CallState::Pending => (),
                CallState::Done { result } => {
                    return checked(result).ok_or_else(|| silent("it ended without one"));
                }
                CallState::Failed { error } => return Err(silent(&error)),
                CallState::Expired | CallState::Cancelled => {
                    return Err(silent("it was cancelled"));
                }
            }
        }
    }

    /// Reads the lines that the containers of a run print; returns when there are no more, never while it follows.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn logs(
        &self,
        app: &str,
        run: &str,
        follow: Follow,
        on_line: impl Fn(Value),
    ) -> Result<(), BridgeError> {
        let request =
            json!({"verb": "logs", "app": app, "run": run, "follow": follow == Follow::Yes});
        self.bridge.stream(request, on_line).await.map(drop)
    }

    /// The calls that a call has submitted. Modal does not promise that these are all.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn children(&self, call: &str) -> Result<Vec<ChildCall>, BridgeError> {
        let answer = self
            .bridge
            .ask(json!({"verb": "made", "call": call}))
            .await?;
        serde_json::from_value(answer["calls"].clone()).map_err(|error| {
            BridgeError::gone(format!(
                "the bridge to Modal says what nobody expects: {error}"
            ))
        })
    }

    /// Cancels a call.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn cancel(&self, call: &str, ending: CancelMode) -> Result<(), BridgeError> {
        match self
            .ask(json!({"verb": "cancel", "call": call, "terminate": ending == CancelMode::Immediate}))
            .await
        {
            Err(error) if error.kind != BridgeErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a request, and sends it again after errors that may pass.
    async fn ask(&self, request: Value) -> Result<Value, BridgeError> {
        let mut attempts = self.settings.http().attempts();
        loop {
            match self.bridge.ask(request.clone()).await {
                Err(error) if error.may_pass() => {
                    tracing::warn!("asking Modal again: {}", error.message);
                    let transient = Error::new(Kind::Transient, error.message.clone());
                    let waited = attempts.wait_after_if(true, transient).await;
                    waited.map_err(|_| error)?;
                }
                answer => return answer,
            }
        }
    }
}

async fn poll_until_ended<F: Future<Output = Result<CallState, BridgeError>>>(
    poll: impl Fn() -> F,
    unavailable: impl Fn(&BridgeError),
    pause: Duration,
) -> Result<CallEnd, BridgeError> {
    let mut in_vain = 0;
    loop {
        match poll().await {
            Ok(CallState::Pending) => in_vain = 0,
            Ok(CallState::Done { result }) => return Ok(CallEnd::Done(result)),
            Ok(CallState::Failed { error }) => return Ok(CallEnd::Failed(error)),
            Ok(CallState::Expired) => return Ok(CallEnd::Expired),
            Ok(CallState::Cancelled) => return Ok(CallEnd::Cancelled),
            Err(error) if error.may_pass() && in_vain < MOST_IN_VAIN => {
                if in_vain == 0 {
                    unavailable(&error);
                }
                in_vain += 1;
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn checked(result: Value) -> Option<Event> {
    let envelope: Envelope = serde_json::from_value(result).ok()?;
    envelope
        .events()
        .find(|event| matches!(event, Event::Checked { .. }))
}

/// Whether logs are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// New lines are read as they come.
    Yes,
    /// Only the lines of now are read.
    No,
}

/// The hubs' tokens, for the bridge alone: it makes a secret of them.
fn tokens(settings: &Settings) -> impl Iterator<Item = (String, String)> {
    let all = settings.token_variables().into_iter();
    all.filter_map(|(name, token)| Some((name.to_owned(), token?.expose().to_owned())))
}

fn redactor(settings: &Settings, variables: &[(String, String)]) -> Redactor {
    let own = ["MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"]
        .into_iter()
        .filter_map(environment);
    let from_file = variables
        .iter()
        .filter(|(name, _)| name.starts_with("MODAL_TOKEN"))
        .map(|(_, value)| value.clone());
    Redactor::new(
        settings.secrets().chain(
            own.chain(from_file)
                .filter_map(|value| Token::parse(&value).ok()),
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    fn unreachable() -> BridgeError {
        BridgeError {
            kind: BridgeErrorKind::Unreachable,
            message: "no route".into(),
        }
    }

    #[tokio::test]
    async fn modal_out_of_reach_is_said_once_and_ends_the_wait_at_last() {
        let (polls, said) = (Cell::new(0), Cell::new(0));
        let poll = || {
            polls.set(polls.get() + 1);
            ready(Err(unreachable()))
        };
        let ended = poll_until_ended(poll, |_| said.set(said.get() + 1), Duration::ZERO).await;
        assert_eq!(ended.unwrap_err(), unreachable());
        assert_eq!((polls.get(), said.get()), (MOST_IN_VAIN + 1, 1));
    }

    #[tokio::test]
    async fn a_call_that_works_again_is_waited_for_as_long_as_it_takes() {
        let polls = Cell::new(0);
        let poll = || {
            polls.set(polls.get() + 1);
            ready(match polls.get() {
                2000 => Ok(CallState::Failed { error: "e".into() }),
                polls if polls % 100 == 0 => Ok(CallState::Pending),
                _ => Err(unreachable()),
            })
        };
        let ended = poll_until_ended(poll, |_| (), Duration::ZERO).await;
        assert!(matches!(ended, Ok(CallEnd::Failed(error)) if error == "e"));
    }

    #[test]
    fn a_state_is_read_from_the_bridge() {
        let state = |json: &str| serde_json::from_str::<CallState>(json).unwrap();
        assert!(matches!(
            state(r#"{"state":"pending"}"#),
            CallState::Pending
        ));
        assert!(
            matches!(state(r#"{"state":"failed","error":"e"}"#), CallState::Failed { error } if error == "e")
        );
        assert!(matches!(
            state(r#"{"state":"done","result":{"exit":0}}"#),
            CallState::Done { .. }
        ));
    }
}
