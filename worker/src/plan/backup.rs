//! The tag that keeps what stands at the destination before a copy replaces or deletes some of it.

use hf2ms_hub::{Error, Kind, Result, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Changeset, Plan};

/// What a name begins with that nobody has chosen.
pub const BACKUP_PREFIX: &str = "hf2ms-before-";

/// A tag of the destination's head, made before the first commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupTag {
    /// Its name; one with the run's id where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Revision>,
    /// Who wants it.
    pub reason: BackupReason,
    /// The commit at which an interrupted run of the same copy has made it: no other is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Revision>,
}

/// Who wants a backup tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackupReason {
    /// The command line: nothing is written without the tag.
    Asked,
    /// An option that replaces or deletes. Where a hub takes no tag, the copy goes on and names the commit.
    Usual,
}

/// What a command line says of backup tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BackupRequest {
    /// Nothing: options that replace or delete have one.
    #[default]
    Usual,
    /// There is to be one, with this name if it has one.
    Asked(Option<Revision>),
    /// There is to be none.
    Never,
}

impl BackupRequest {
    /// Reads `--backup-tag[=NAME]` and `--no-backup-tag`. As of every flag, `=true` and `=false` switch it on and off.
    pub fn of_options(tag: Option<Option<Revision>>, never: bool) -> Self {
        let name = match tag {
            None if never => return Self::Never,
            None => return Self::Usual,
            Some(name) => name,
        };
        match name.as_ref().map(Revision::as_str) {
            Some("false") => Self::Never,
            Some("true") => Self::Asked(None),
            _ => Self::Asked(name),
        }
    }

    /// The tag of a copy; `by_default`: whether it has an option that replaces or deletes.
    pub fn tag(&self, by_default: bool) -> Option<BackupTag> {
        let (name, reason) = match self {
            Self::Asked(name) => (name.clone(), BackupReason::Asked),
            Self::Usual if by_default => (None, BackupReason::Usual),
            Self::Usual | Self::Never => return None,
        };
        Some(BackupTag {
            name,
            reason,
            made: None,
        })
    }
}

impl BackupTag {
    /// The name in a run.
    ///
    /// # Errors
    /// The run's id makes no name of a tag.
    pub fn name_in(&self, run: &str) -> Result<Revision> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let name = format!("{BACKUP_PREFIX}{run}").parse();
        name.map_err(|_| Error::new(Kind::Invalid, "the run's id makes no name of a tag"))
    }
}

impl Plan {
    /// Whether it replaces or deletes what stood there when it was made.
    pub fn replaces(&self) -> bool {
        let replaced = self.changing().any(|planned| planned.current.is_some());
        self.creation.exists && (replaced || !self.delete.is_empty())
    }

    /// The same with this tag, unless the destination is new: then there is nothing to be kept.
    pub fn with_backup(self, backup: Option<BackupTag>) -> Self {
        let exists = self.creation.exists;
        Self {
            backup: backup.filter(|_| exists),
            ..self
        }
    }
}

impl Changeset {
    /// Whether it replaces or deletes what the plan saw.
    pub fn replaces(&self) -> bool {
        !self.delete.is_empty() || self.files.iter().any(|file| file.current.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{listed, plan, there};
    use super::*;
    use crate::plan::MaxDelete;

    #[test]
    fn only_what_replaces_or_deletes_something_needs_a_backup() {
        let new = || {
            ["new.txt", "other.txt"]
                .map(|path| listed(path, b"n", false))
                .to_vec()
        };
        let old = |content| vec![there("new.txt", content, false), there("x", b"x", false)];
        for (there, prune, replaces) in [
            (Vec::new(), None, false),
            (old(b"other"), None, true),
            (vec![there("x", b"x", false)], None, false),
            (
                vec![there("x", b"x", false)],
                Some(MaxDelete::Percent(100)),
                true,
            ),
        ] {
            assert_eq!(plan(new(), there, prune).replaces(), replaces);
        }
        let mut absent = plan(new(), old(b"other"), None);
        absent.creation.exists = false;
        assert!(!absent.replaces());
        let asked = BackupRequest::Asked(None).tag(false);
        assert_eq!(absent.with_backup(asked).backup, None);
    }

    #[test]
    fn the_option_is_switched_on_and_off_like_a_flag() {
        let read = |name: Option<&str>| {
            let name = name.map(|name| name.parse().unwrap());
            BackupRequest::of_options(Some(name), false)
        };
        let v1 = BackupRequest::Asked("v1".parse().ok());
        assert_eq!(read(Some("v1")), v1);
        assert_eq!(read(Some("false")), BackupRequest::Never);
        for on in [None, Some("true")] {
            assert_eq!(read(on), BackupRequest::Asked(None));
        }
        let without = |never| BackupRequest::of_options(None, never);
        assert_eq!(without(false), BackupRequest::Usual);
        assert_eq!(without(true), BackupRequest::Never);
    }

    #[test]
    fn a_tag_has_the_name_that_was_given_or_that_of_its_run() {
        let named = |request: BackupRequest| {
            let tag = request.tag(true)?;
            Some((tag.name_in("01K").unwrap().to_string(), tag.reason))
        };
        let given = BackupRequest::Asked("v1".parse().ok());
        let usual = named(BackupRequest::Usual);
        assert_eq!(named(given), Some(("v1".into(), BackupReason::Asked)));
        assert_eq!(
            usual,
            Some(("hf2ms-before-01K".into(), BackupReason::Usual))
        );
        assert_eq!(named(BackupRequest::Never), None);
        assert_eq!(BackupRequest::Usual.tag(false), None);
    }
}
