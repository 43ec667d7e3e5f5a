//! What goes wrong at hubs in memory.

use std::time::Duration;

use hf2ms_hub::Kind;

/// What goes wrong at the next read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ReadFault {
    Cut(usize),
    IgnoreRange,
    Expired,
    Corrupt,
    Fail(Kind),
}

/// What goes wrong at the next commit.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CommitFault {
    BranchMoved,
    LostAnswer,
    Fail(Kind),
    /// The hub answers this status.
    Status(Kind, u16),
    /// The hub asks for this pause.
    Wait(Duration),
    /// The hub names this path.
    Naming(Kind, &'static str),
    /// Someone deletes this path first, and the hub refuses the whole.
    Gone(&'static str),
}
