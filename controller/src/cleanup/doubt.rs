//! Why a source is not removed. Whatever is unlike a whole copy, or can't be told, keeps it.

use std::fmt::Display;

use hf2ms_worker::protocol::Exit;

use crate::stop::Interrupted;
use crate::ui::errors::CliError;

/// Why a source is not removed.
#[derive(Debug)]
pub enum Doubt {
    /// A run of this machine has deleted it.
    Gone,
    /// It is not found: its id is wrong, it may not be seen, or somebody else has removed it.
    Absent,
    /// It is as the removal would leave it.
    Settled(String),
    /// Something is unlike a whole copy, or can't be told.
    Stays(String),
    /// What ends the whole command: a refused token, a hub that can't be reached, a stop.
    Ends(CliError),
}

/// A step of the way to a removal.
pub type Checked<T> = Result<T, Doubt>;

impl Doubt {
    /// A doubt in these words.
    pub fn because(words: impl Display) -> Self {
        Self::Stays(words.to_string())
    }
}

impl From<CliError> for Doubt {
    fn from(failure: CliError) -> Self {
        match failure.ends_all() || failure.exit() == Exit::Interrupted {
            true => Self::Ends(failure),
            false => Self::Stays(failure.to_string()),
        }
    }
}

impl From<Interrupted> for Doubt {
    fn from(interrupted: Interrupted) -> Self {
        Self::Ends(interrupted.into())
    }
}
