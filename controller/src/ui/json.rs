//! The lines of `--json` that each command may print. The lines of one verb are defined beside it; `docs/json.md` has them all.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// The version of the lines of `--json`. It changes when a field goes or changes its meaning.
pub const JSON_VERSION: u32 = 1;

/// The first line of every command.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "start")]
pub struct StartEvent<'a> {
    /// The version of the schema of these lines.
    pub schema: u32,
    /// The program's version.
    pub version: &'static str,
    /// The command.
    pub verb: &'a str,
    /// The id of the run that the command makes; of `batch`, the id of the whole batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl<'a> StartEvent<'a> {
    /// The first line of this verb, which makes this run.
    pub fn new(verb: &'a str, run: Option<String>) -> Self {
        Self {
            schema: JSON_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            verb,
            run,
        }
    }
}

/// Something that a person should know; the work goes on.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "warning")]
pub struct WarningEvent {
    /// The warning in words.
    pub message: String,
}

/// The error that ended the command, or one repo of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "error")]
pub struct ErrorEvent {
    /// What happened and what to do.
    pub message: String,
    /// The exit code.
    pub exit: u8,
    /// The repo of the same owner, or the owner, that may have been meant where that was not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
}

/// A line as it is printed: its time, the repo or revision it is about, and the event.
#[derive(Serialize)]
pub(super) struct JsonLine<'a, E> {
    time: String,
    #[serde(flatten)]
    event: &'a E,
    #[serde(flatten)]
    part: Map<String, Value>,
}

impl<'a, E: Serialize> JsonLine<'a, E> {
    /// The event, now, about these parts of the command.
    pub(super) fn now(event: &'a E, part: Map<String, Value>) -> Self {
        Self {
            time: time(Timestamp::now()),
            event,
            part,
        }
    }
}

/// `2026-11-20T09:40:00.123Z`.
fn time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_time_its_event_and_its_repo() {
        let part = Map::from_iter([("repo".to_owned(), "a/b".into())]);
        let event = WarningEvent {
            message: "m".into(),
        };
        let line = JsonLine {
            time: time(Timestamp::from_millisecond(1_795_167_600_007).unwrap()),
            event: &event,
            part,
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"time":"2026-11-20T09:40:00.007Z","event":"warning","message":"m","repo":"a/b"}"#
        );
    }
}
