//! What came of an assumption, and why one was not tried.

use std::fmt;

use hf2ms_hub::Hub;
use serde::Serialize;

/// What came of an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The hub does what is believed.
    Holds,
    /// The hub does something else.
    Differs,
    /// Nothing was seen that tells.
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
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The assumption's name.
    pub id: &'static str,
    /// The hub it is about.
    pub hub: Hub,
    /// What is believed.
    pub assumption: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen, or why it was not tried.
    pub seen: String,
}

/// What a look at one assumption showed.
#[derive(Debug)]
pub struct Seen {
    /// Whether it is what is believed.
    pub holds: bool,
    /// What was seen.
    pub what: String,
}

/// Why an assumption was not tried.
#[derive(Debug, Clone)]
pub struct NotTried(pub String);

/// What comes of a look.
pub type Tried = Result<Seen, NotTried>;

/// What was seen, and whether it is what is believed.
pub fn seen(holds: bool, what: impl Into<String>) -> Tried {
    Ok(Seen {
        holds,
        what: what.into(),
    })
}

/// Not tried, for this reason.
pub fn not_tried<T>(why: impl Into<String>) -> Result<T, NotTried> {
    Err(NotTried(why.into()))
}

/// What came of taking the repo away.
#[derive(Debug)]
pub struct Removed {
    /// The look at it.
    pub tried: Tried,
    /// Whether there is no repo any more.
    pub is_gone: bool,
}

impl Removed {
    /// There was nothing to take away.
    pub fn nothing(why: Option<String>) -> Self {
        let why = why.unwrap_or_else(|| "the scratch repo was not made".to_owned());
        Self {
            tried: Err(NotTried(why)),
            is_gone: true,
        }
    }
}
