//! What a cleanup is asked to do, and how careful it has to be.

use std::str::FromStr;

use hf2ms_hub::RepoId;
use hf2ms_hub::path::escape;
use hf2ms_worker::protocol::VerifyLevel;

use crate::runs::Runs;
use crate::runs::removal::Removal;
use crate::settings::Settings;
use crate::settings::nearest::Hints;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};

/// The word in the target of `--move-to` that stands for the name of each repo.
const NAME: &str = "NAME";

/// The most repos that a run removes unless it is told another number.
pub const MOST: u64 = 10;

/// What a cleanup is asked to do.
pub struct CleanupOptions<'a> {
    /// Endpoints, tokens and the HTTP client.
    pub settings: &'a Settings,
    /// The folder of all runs.
    pub runs: &'a Runs,
    /// Set when the user stops the command.
    pub stop: &'a Stop,
    /// What is done with the sources; `None` only shows what could be done.
    pub request: Option<RemovalRequest>,
    /// How much of each copy is read.
    pub level: VerifyLevel,
    /// Whether a history that no copy holds may be lost.
    pub history: LossPolicy,
    /// Whether readers of the source may lose their access.
    pub readers: LossPolicy,
    /// The number of repos that the command line agrees to remove.
    pub agreed: Option<u64>,
    /// The most repos that are removed.
    pub most: u64,
    /// What may have been meant by sources that are not found.
    pub hints: Hints,
}

impl CleanupOptions<'_> {
    /// Whether what the copy lacks is lost; a table tells it, too.
    pub fn loses(&self) -> bool {
        self.request.as_ref().is_none_or(RemovalRequest::loses)
    }
}

/// What happens to a source that has something which the copy does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossPolicy {
    /// It stays.
    Needed,
    /// It may be removed all the same.
    MayGo,
}

impl LossPolicy {
    /// The policy, by whether somebody has agreed.
    pub fn of(is_agreed: bool) -> Self {
        match is_agreed {
            true => Self::MayGo,
            false => Self::Needed,
        }
    }
}

/// What is done with every source of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalRequest {
    /// It is deleted.
    Delete,
    /// It is moved.
    MoveTo(MoveTarget),
    /// It is made private.
    MakePrivate,
}

impl RemovalRequest {
    /// What is done with this source.
    ///
    /// # Errors
    /// The target makes no id of it, or the one that it has.
    pub fn of(&self, source: &RepoId) -> CliResult<Removal> {
        Ok(match self {
            Self::Delete => Removal::Delete,
            Self::MoveTo(target) => Removal::Move {
                to: target.of(source)?,
            },
            Self::MakePrivate => Removal::MakePrivate,
        })
    }

    /// Whether what the copy lacks is lost with it.
    pub fn loses(&self) -> bool {
        matches!(self, Self::Delete)
    }
}

/// The id that a source is moved to: a name, or an owner and a name. `NAME` stands for the source's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveTarget(String);

impl MoveTarget {
    /// Whether it is another id for each source.
    pub fn is_pattern(&self) -> bool {
        self.0.contains(NAME)
    }

    fn of(&self, source: &RepoId) -> CliResult<RepoId> {
        let text = self.0.replace(NAME, source.name());
        let whole = match text.contains('/') {
            true => text,
            false => format!("{}/{text}", source.owner()),
        };
        let id: RepoId = whole.parse().map_err(|bad| {
            CliError::usage(format!("--move-to: {bad}; give a name, or OWNER/NAME"))
        })?;
        match id.as_str().eq_ignore_ascii_case(source.as_str()) {
            true => Err(CliError::usage(format!(
                "--move-to: {id} is the id that it has: give another one, as archive-NAME"
            ))),
            false => Ok(id),
        }
    }
}

impl FromStr for MoveTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let target = Self(text.to_owned());
        let any: RepoId = "owner/any".parse().map_err(|_| text.to_owned())?;
        match target.of(&any) {
            Ok(_) => Ok(target),
            Err(_) => Err(format!(
                "'{}' is no name: expected archive-NAME, say, where NAME stands for the name of each repo",
                escape(text)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_or_an_owner_and_a_name_and_never_the_id_that_it_has() {
        let source: RepoId = "org/model".parse().unwrap();
        for (text, expected) in [
            ("archive-NAME", "org/archive-model"),
            ("attic/NAME", "attic/model"),
            ("old", "org/old"),
        ] {
            let target: MoveTarget = text.parse().unwrap();
            assert_eq!(target.of(&source).unwrap().as_str(), expected);
            assert_eq!(target.is_pattern(), text.contains("NAME"));
        }
        for bad in ["", "a b", "-NAME", "a/b/c"] {
            assert!(bad.parse::<MoveTarget>().is_err(), "{bad:?}");
        }
        let same: MoveTarget = "Model".parse().unwrap();
        assert!(same.of(&source).is_err(), "ids are equal in any case");
    }
}
