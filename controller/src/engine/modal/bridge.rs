//! The bridge to Modal: one Python process with the official SDK, spoken to in lines of JSON. Many requests may be under
//! way at once; each has its number, and so has each reply.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::{Hub, Redactor};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex as Slot, mpsc};

use crate::engine::output::keep_log;
use crate::platform::own_group;

/// An error of the bridge, or of Modal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BridgeError {
    /// Its meaning.
    pub kind: BridgeErrorKind,
    /// One line.
    pub message: String,
}

/// The meaning of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeErrorKind {
    /// The SDK is not installed.
    Missing,
    /// Modal's tokens are absent or wrong.
    Unauthorized,
    /// The workspace may not have more.
    Quota,
    /// The workspace may not spend more.
    Spent,
    /// There is no such app or call.
    NotFound,
    /// Modal can't be reached.
    Unreachable,
    /// Modal asks to come again later.
    Busy,
    /// The bridge itself has ended.
    Gone,
    /// Anything else.
    #[serde(other)]
    Other,
}

impl BridgeError {
    /// The same may go well later.
    pub fn may_pass(&self) -> bool {
        matches!(
            self.kind,
            BridgeErrorKind::Quota | BridgeErrorKind::Busy | BridgeErrorKind::Unreachable
        )
    }

    pub(super) fn gone(message: impl Into<String>) -> Self {
        Self {
            kind: BridgeErrorKind::Gone,
            message: message.into(),
        }
    }
}

/// One line that the bridge prints.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(default)]
    id: u64,
    #[serde(flatten)]
    reply: Reply,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Ok(Value),
    Line(Value),
    Error(BridgeError),
    Ready(Value),
}

impl Reply {
    /// The same, without tokens in the words of an error. What workers say in a result is clean already.
    fn without(self, redactor: &Redactor) -> Self {
        match self {
            Self::Error(error) => Self::Error(BridgeError {
                message: redactor.clean(&error.message),
                ..error
            }),
            other => other,
        }
    }
}

type Replies = mpsc::UnboundedSender<Reply>;

/// The process. Ends when it is dropped.
pub struct Bridge {
    stdin: Slot<ChildStdin>,
    waiting: Arc<Mutex<HashMap<u64, Replies>>>,
    next: AtomicU64,
    _child: Child,
}

impl Bridge {
    /// Starts `python bridge.py` in `folder` with these variables besides its own environment; what it logs goes to `log`.
    ///
    /// # Errors
    /// Python or the SDK is missing.
    pub async fn start(
        python: &Path,
        folder: &Path,
        variables: &[(String, String)],
        log: &Path,
        redactor: Redactor,
    ) -> Result<Self, BridgeError> {
        let missing = |error: std::io::Error| BridgeError {
            kind: BridgeErrorKind::Missing,
            message: format!("{} can't be started: {error}", python.display()),
        };
        let mut command = Command::new(python);
        command.arg("bridge.py").current_dir(folder);
        // The app takes its tokens from this environment: those of other hubs stay out of it.
        for name in Hub::ALL
            .iter()
            .flat_map(|hub| hub.profile().variables.all())
        {
            command.env_remove(name);
        }
        command
            .envs(variables.iter().cloned())
            .env("PYTHONUNBUFFERED", "1");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // A group of its own: Ctrl-C reaches the controller alone, which then cancels in order.
        let mut child = own_group(&mut command).spawn().map_err(missing)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(BridgeError::gone("it has no pipes"));
        };
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(keep_log(stderr, Some(log.to_owned()), redactor.clone()));
        }
        let mut lines = BufReader::new(stdout).lines();
        greeted(&mut lines, &redactor).await?;
        let waiting = Arc::new(Mutex::new(HashMap::new()));
        tokio::spawn(hear(lines, waiting.clone(), redactor));
        Ok(Self {
            stdin: Slot::new(stdin),
            waiting,
            next: AtomicU64::new(1),
            _child: child,
        })
    }

    /// Asks for something and waits for the answer.
    ///
    /// # Errors
    /// An error of the bridge, or of Modal.
    pub async fn ask(&self, request: Value) -> Result<Value, BridgeError> {
        self.stream(request, |_| ()).await
    }

    /// Sends a request, passes on the lines that come before its reply, and returns the reply.
    ///
    /// # Errors
    /// An error of the bridge, or of Modal.
    pub async fn stream(
        &self,
        mut request: Value,
        on_line: impl Fn(Value),
    ) -> Result<Value, BridgeError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        request["id"] = id.into();
        let (sender, mut replies) = mpsc::unbounded_channel();
        waiting(&self.waiting).insert(id, sender);
        let _forget = Forget {
            id,
            waiting: &self.waiting,
        };
        self.send(&request).await?;
        loop {
            match replies.recv().await {
                Some(Reply::Line(line)) => on_line(line),
                Some(Reply::Ok(answer) | Reply::Ready(answer)) => return Ok(answer),
                Some(Reply::Error(trouble)) => return Err(trouble),
                None => {
                    return Err(BridgeError::gone(
                        "the bridge to Modal has ended: see the run's logs",
                    ));
                }
            }
        }
    }

    async fn send(&self, request: &Value) -> Result<(), BridgeError> {
        let line = format!("{request}\n");
        let mut stdin = self.stdin.lock().await;
        let sent = async {
            stdin.write_all(line.as_bytes()).await?;
            stdin.flush().await
        };
        sent.await
            .map_err(|error| BridgeError::gone(format!("the bridge to Modal has ended: {error}")))
    }
}

/// Nobody waits for this answer any more.
struct Forget<'a> {
    id: u64,
    waiting: &'a Mutex<HashMap<u64, Replies>>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        waiting(self.waiting).remove(&self.id);
    }
}

fn waiting(map: &Mutex<HashMap<u64, Replies>>) -> std::sync::MutexGuard<'_, HashMap<u64, Replies>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends each reply to the request that waits for it; all requests end with the bridge.
async fn hear(
    mut lines: Lines<BufReader<ChildStdout>>,
    map: Arc<Mutex<HashMap<u64, Replies>>>,
    redactor: Redactor,
) {
    while let Ok(Some(line)) = lines.next_line().await {
        // A line that is no reply is a stray print.
        if let Ok(Line { id, reply }) = serde_json::from_str::<Line>(&line)
            && let Some(replies) = waiting(&map).get(&id)
        {
            let _ = replies.send(reply.without(&redactor));
        }
    }
    waiting(&map).clear();
}

/// The first line says whether the SDK is there.
async fn greeted(
    lines: &mut Lines<BufReader<ChildStdout>>,
    redactor: &Redactor,
) -> Result<(), BridgeError> {
    let first = lines.next_line().await.ok().flatten().unwrap_or_default();
    match serde_json::from_str::<Line>(&first).map(|line| line.reply.without(redactor)) {
        Ok(Reply::Error(trouble)) => Err(trouble),
        Ok(_) => Ok(()),
        Err(_) => Err(BridgeError::gone(
            "the bridge to Modal did not start: see the run's logs",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bridge that is this shell script.
    async fn scripted(script: &str) -> (Result<Bridge, BridgeError>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bridge.py"), script).unwrap();
        let bridge = Bridge::start(
            Path::new("sh"),
            folder.path(),
            &[],
            &folder.path().join("log"),
            Redactor::default(),
        )
        .await;
        (bridge, folder)
    }

    #[tokio::test]
    async fn answers_find_whoever_asked_in_any_order() {
        let (bridge, _folder) = scripted(
            r#"echo '{"ready":{}}'; read a; read b; echo '{"id":2,"line":{"n":1}}'; echo 'stray'; echo '{"id":2,"ok":{"x":2}}'; echo '{"id":1,"ok":{"x":1}}'; cat"#,
        )
        .await;
        let bridge = bridge.unwrap();
        let lines = Mutex::new(Vec::new());
        let (first, second) = tokio::join!(
            bridge.ask(serde_json::json!({"verb": "a"})),
            bridge.stream(serde_json::json!({"verb": "b"}), |line| lines
                .lock()
                .unwrap()
                .push(line["n"].clone()))
        );
        assert_eq!(
            (first.unwrap()["x"].as_u64(), second.unwrap()["x"].as_u64()),
            (Some(1), Some(2))
        );
        assert_eq!(*lines.lock().unwrap(), [1]);
    }

    #[tokio::test]
    async fn a_bridge_that_ends_leaves_nobody_waiting() {
        let (bridge, _folder) = scripted(r#"echo '{"ready":{}}'; read a; exit 1"#).await;
        let trouble = bridge
            .unwrap()
            .ask(serde_json::json!({}))
            .await
            .unwrap_err();
        assert_eq!(trouble.kind, BridgeErrorKind::Gone);
    }

    #[tokio::test]
    async fn a_missing_sdk_is_said_before_anything_is_asked() {
        let (bridge, _folder) =
            scripted(r#"echo '{"error":{"kind":"missing","message":"no modal"}}'"#).await;
        assert_eq!(
            bridge.err().map(|trouble| (trouble.kind, trouble.message)),
            Some((BridgeErrorKind::Missing, "no modal".to_owned()))
        );
    }

    #[tokio::test]
    async fn a_trouble_of_an_unknown_kind_is_any_other() {
        let trouble: BridgeError = serde_json::from_str(r#"{"kind":"odd","message":"m"}"#).unwrap();
        assert_eq!(
            (trouble.kind, trouble.may_pass()),
            (BridgeErrorKind::Other, false)
        );
    }
}
