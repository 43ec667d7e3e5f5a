//! Workers in Modal's cloud. Nothing here waits for a worker, but for all revisions of a repo ([`attended`]): work is submitted as calls, which outlive this process, and the
//! last of them waits for the others. What is submitted when, and what comes back, is [`crate::engine::remote`]'s.

pub mod bridge;
pub mod container_size;
mod deployment;
pub mod engine;
mod envelope;

use std::path::Path;
use std::time::Duration;

use hf2ms_hub::{Redactor, Token};
use serde::Deserialize;
use serde_json::{Value, json};

use self::bridge::{Bridge, BridgeError, BridgeErrorKind};
pub use self::deployment::Deployment;
pub use self::envelope::{Envelope, Finalized, Mirrored, Part};
use crate::settings::{Settings, environment, variables};
use crate::ui::errors::{CliError, CliResult};
use hf2ms_worker::protocol::{Event, Exit};

/// The release of the official SDK that the bridge is written for.
pub const SDK: &str = "1.6.4";
/// Spawned functions give their answer for about this long.
pub const RESULTS_LAST: Duration = Duration::from_secs(7 * 86_400);
/// How long Modal may hold a question back until there is an answer.
const LONG_POLL: u64 = 50;

/// What runs in the cloud.
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

/// How a call stands.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CallState {
    /// It waits or works.
    Pending,
    /// It has ended, with this.
    Done {
        /// What the function gave.
        result: Value,
    },
    /// It was given up, after all tries.
    Failed {
        /// Why.
        error: String,
    },
    /// It ended so long ago that the answer is gone.
    Expired,
    /// Someone cancelled it.
    Cancelled,
}

/// How a call that is cancelled ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelMode {
    /// It is told, and ends what it has begun.
    Graceful,
    /// Its container ends.
    Immediate,
}

/// A call that another call made.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChildCall {
    /// Its id.
    pub call: String,
    /// How it stands, in Modal's word: PENDING, SUCCESS, or any other.
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
        let python = environment("HF2MS_PYTHON").unwrap_or_else(|| "python3".to_owned());
        let folder = deployment::unpack(home)?;
        let mut variables = variables("MODAL_")?;
        let redactor = redactor(settings, &variables);
        variables.extend(tokens(settings));
        let bridge = Bridge::start(&python, &folder, &variables, log, redactor)
            .await
            .map_err(|trouble| explain(&trouble))?;
        Ok(Self {
            bridge,
            settings: settings.clone(),
        })
    }

    /// Deploys the app, unless it is there already.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn deploy(&self, deployment: &Deployment) -> CliResult<()> {
        self.ask(deployment.request())
            .await
            .map(drop)
            .map_err(|trouble| explain(&trouble))
    }

    /// Submits one call and returns its id. What may pass is tried again.
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

    /// How a call stands now.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn look(&self, call: &str) -> Result<CallState, BridgeError> {
        self.poll(call, 0).await
    }

    /// How a call stands when something has changed, or after a while.
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

    /// Has a container look whether it reaches these endpoints.
    ///
    /// # Errors
    /// Modal refuses or can't be reached; the container gives no answer.
    pub async fn check(&self, app: &str, endpoints: &[String]) -> CliResult<Event> {
        let call = self
            .submit(app, Function::Check, json!(endpoints))
            .await
            .map_err(|trouble| explain(&trouble))?;
        let silent = |why: &str| {
            CliError::new(
                Exit::Incomplete,
                format!("a container on Modal does not answer its check: {why}"),
            )
        };
        loop {
            match self
                .wait(&call)
                .await
                .map_err(|trouble| explain(&trouble))?
            {
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

    /// Hears the lines that a run's containers print; returns when there are no more, never while it follows.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn logs(
        &self,
        app: &str,
        run: &str,
        follow: Follow,
        output: impl Fn(Value),
    ) -> Result<(), BridgeError> {
        let request =
            json!({"verb": "logs", "app": app, "run": run, "follow": follow == Follow::Yes});
        self.bridge.read_events(request, output).await.map(drop)
    }

    /// The calls that a call has made, as far as Modal can tell: it is no promise of Modal's that these are all.
    ///
    /// # Errors
    /// Modal refuses or can't be reached.
    pub async fn made_by(&self, call: &str) -> Result<Vec<ChildCall>, BridgeError> {
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
            Err(trouble) if trouble.kind != BridgeErrorKind::NotFound => Err(trouble),
            _ => Ok(()),
        }
    }

    /// Asks, and asks again what may pass.
    async fn ask(&self, request: Value) -> Result<Value, BridgeError> {
        let mut pauses = self.settings.http().retry.pauses();
        loop {
            match (self.bridge.ask(request.clone()).await, pauses.next()) {
                (Err(trouble), Some(pause)) if trouble.may_pass() => {
                    tracing::warn!("asking Modal again in {pause:?}: {}", trouble.message);
                    tokio::time::sleep(pause).await;
                }
                (answer, _) => return answer,
            }
        }
    }
}

fn checked(result: Value) -> Option<Event> {
    let envelope: Envelope = serde_json::from_value(result).ok()?;
    envelope
        .said()
        .find(|event| matches!(event, Event::Checked { .. }))
}

/// Whether logs are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    /// What comes is heard too.
    Yes,
    /// What is there now.
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

/// Puts a trouble with Modal into words.
pub fn explain(trouble: &BridgeError) -> CliError {
    let said = &trouble.message;
    match trouble.kind {
        BridgeErrorKind::Missing => CliError::usage(format!(
            "--on modal needs Python with modal {SDK}: pip install modal=={SDK}, or set HF2MS_PYTHON to a Python that has it ({said})"
        )),
        BridgeErrorKind::Unauthorized => CliError::refused(format!(
            "Modal refuses the token: set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, from https://modal.com/settings/tokens ({said})"
        )),
        BridgeErrorKind::Quota => CliError::refused(format!(
            "Modal gives this workspace no more: use fewer --containers or raise its limits ({said})"
        )),
        BridgeErrorKind::Spent => CliError::refused(format!(
            "Modal's spend limit for this workspace is reached: raise it at https://modal.com/settings/usage, then run the same command again ({said})"
        )),
        BridgeErrorKind::NotFound => CliError::refused(format!(
            "Modal knows no such app or call: was it stopped or deleted there? ({said})"
        )),
        BridgeErrorKind::Unreachable | BridgeErrorKind::Busy => CliError::new(
            Exit::Incomplete,
            format!(
                "Modal can't be reached: check the network, then run the same command again ({said})"
            ),
        ),
        BridgeErrorKind::Gone | BridgeErrorKind::Other => {
            CliError::new(Exit::Incomplete, format!("Modal: {said}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_says_what_to_do() {
        for (kind, exit, words) in [
            (BridgeErrorKind::Missing, Exit::Usage, "pip install modal=="),
            (
                BridgeErrorKind::Unauthorized,
                Exit::Refused,
                "set MODAL_TOKEN_ID",
            ),
            (BridgeErrorKind::Quota, Exit::Refused, "fewer --containers"),
            (BridgeErrorKind::Spent, Exit::Refused, "spend limit"),
            (
                BridgeErrorKind::Unreachable,
                Exit::Incomplete,
                "check the network",
            ),
        ] {
            let failure = explain(&BridgeError {
                kind,
                message: "m".into(),
            });
            assert_eq!(failure.exit(), exit);
            assert!(
                failure.to_string().contains(words) && failure.to_string().contains("(m)"),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_standing_is_read_from_the_bridge() {
        let standing = |json: &str| serde_json::from_str::<CallState>(json).unwrap();
        assert!(matches!(
            standing(r#"{"state":"pending"}"#),
            CallState::Pending
        ));
        assert!(
            matches!(standing(r#"{"state":"failed","error":"e"}"#), CallState::Failed { error } if error == "e")
        );
        assert!(matches!(
            standing(r#"{"state":"done","result":{"exit":0}}"#),
            CallState::Done { .. }
        ));
    }
}
