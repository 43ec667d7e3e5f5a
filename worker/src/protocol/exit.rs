//! The exit codes of both binaries, and the code for each kind of error.

use hf2ms_hub::Kind;

use super::{FailedFile, Verification};

/// Exit codes of both binaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything is done and verified.
    Done = 0,
    /// Some files failed: run again.
    Incomplete = 1,
    /// The command line or an input file is wrong.
    Usage = 2,
    /// A token, a permission or a name was refused.
    Refused = 3,
    /// Content is not what it should be.
    Integrity = 4,
    /// Stopped by a signal.
    Interrupted = 130,
}

impl Exit {
    /// The meaning of a process's exit code; `None` for any that these programs don't use.
    pub fn from_code(code: i32) -> Option<Self> {
        let all = [
            Self::Done,
            Self::Incomplete,
            Self::Usage,
            Self::Refused,
            Self::Integrity,
            Self::Interrupted,
        ];
        all.into_iter().find(|exit| *exit as i32 == code)
    }

    /// The code for an error of this meaning.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::NotFound | Kind::Unauthorized | Kind::Denied | Kind::Gated | Kind::Disabled => {
                Self::Refused
            }
            Kind::Locked | Kind::Full => Self::Refused,
            Kind::Corrupt => Self::Integrity,
            Kind::Usage => Self::Usage,
            _ => Self::Incomplete,
        }
    }

    /// The code that these failures call for together.
    pub fn of_failed(failed: &[FailedFile]) -> Self {
        let of = |failed: &FailedFile| match failed.kind {
            Kind::Corrupt => Self::Integrity,
            kind if kind.ends_the_hub() => Self::of(kind),
            _ => Self::Incomplete,
        };
        failed.iter().map(of).fold(Self::Done, Self::worse)
    }

    /// The worse of two: integrity before refusal before incompleteness.
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Verification {
    /// [`Exit::Integrity`] where content differs, [`Exit::Incomplete`] where files are missing or unread.
    pub fn exit(&self) -> Exit {
        match (self.different.is_empty(), self.is_good()) {
            (_, true) => Exit::Done,
            (false, _) => Exit::Integrity,
            (true, false) => Exit::Incomplete,
        }
    }
}
