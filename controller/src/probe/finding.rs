//! The result of testing an assumption, or why it was not tested.

use std::fmt;

use hf2ms_hub::Hub;
use schemars::JsonSchema;
use serde::Serialize;

/// The verdict on an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The hub does what the assumption says.
    Holds,
    /// The hub does something else.
    Differs,
    /// The assumption was not tested.
    NotTried,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Differs => "differs",
            Self::NotTried => "not tried",
        })
    }
}

/// One row of the table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Finding {
    /// The assumption's name.
    pub id: &'static str,
    /// Its hub.
    pub hub: Hub,
    /// The assumption in one sentence.
    pub assumption: &'static str,
    /// The verdict.
    pub verdict: Verdict,
    /// The observation, or why there is none.
    pub seen: String,
}

/// What was observed.
#[derive(Debug)]
pub struct Seen {
    /// Whether the observation agrees with the assumption.
    pub holds: bool,
    /// The observation, for people.
    pub what: String,
}

/// Why an assumption was not tested.
#[derive(Debug, Clone)]
pub struct NotTried(pub String);

/// The result of testing one assumption.
pub type Tried = Result<Seen, NotTried>;

/// An observation, and whether it agrees with the assumption.
pub fn seen(holds: bool, what: impl Into<String>) -> Tried {
    Ok(Seen {
        holds,
        what: what.into(),
    })
}

/// Not tested, for this reason.
pub fn not_tried<T>(why: impl Into<String>) -> Result<T, NotTried> {
    Err(NotTried(why.into()))
}

/// The result of deleting the scratch repo.
#[derive(Debug)]
pub struct Removed {
    /// The result of the assumption about deletion.
    pub tried: Tried,
    /// Whether the repo is gone.
    pub is_gone: bool,
}

impl Removed {
    /// There was no repo to delete.
    pub fn nothing(why: Option<String>) -> Self {
        let why = why.unwrap_or_else(|| "the scratch repo was not made".to_owned());
        Self {
            tried: Err(NotTried(why)),
            is_gone: true,
        }
    }
}
