//! The branches and tags of a source, and what each of its commits holds. A second look has to find the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use hf2ms_hub::{
    Destination, Error, FileCount, Kind, Listing, RefKind, Refs, RepoAt, RepoInfo,
    open_destination, open_ref_store, refs_by_git,
};
use hf2ms_worker::pipeline::source::{PinnedSource, describe};
use hf2ms_worker::protocol::Transport;

use super::doubt::{Checked, Doubt};
use crate::runs::removal::RemovedFile;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::CliResult;
use crate::ui::nouns::{counted, grouped};

/// The branches and tags of a source, each at its commit, with nothing left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRefs(Refs);

impl SourceRefs {
    /// Asks the hub of the source, by its API and by Git: neither alone says that it has left nothing out.
    ///
    /// # Errors
    /// [`Doubt::Absent`] where there is no such repo. A ref can't be read, its commit is not told, there is no branch, or both ways tell
    /// different refs.
    pub async fn of(at: &RepoAt, settings: &Settings) -> Checked<Self> {
        let failed = |error| hub_error(&error, at, settings, AccessMode::Read);
        let side = settings.source(at).map_err(failed)?;
        let store = open_ref_store(&side, settings.http()).map_err(failed)?;
        let by_git = refs_by_git(&side, settings.http());
        match tokio::try_join!(store.refs(), by_git) {
            Ok((refs, by_git)) => {
                let mut refs = Self::checked(refs)?;
                let by_git = Self::checked(by_git)?;
                match refs.change(&by_git) {
                    None => {
                        refs.0.tag_objects = by_git.0.tag_objects;
                        Ok(refs)
                    }
                    Some(change) => Err(Doubt::because(format!(
                        "Git and the hub's API tell different refs: {change}"
                    ))),
                }
            }
            Err(error) => Err(missing(&error, at, settings).await),
        }
    }

    fn checked(refs: Refs) -> Checked<Self> {
        if let Some(refused) = refs.refused.first() {
            let (path, reason) = (&refused.path, &refused.reason);
            return Err(Doubt::because(format!(
                "{path} can't be compared: {reason}"
            )));
        }
        if let Some((kind, name)) = refs.by_name.first() {
            let kind = kind.name();
            return Err(Doubt::because(format!(
                "the hub does not tell the commit of {kind} {name}"
            )));
        }
        match refs.branches.is_empty() {
            true => Err(Doubt::because(
                "it has no branch: there is nothing to verify",
            )),
            false => Ok(Self(refs)),
        }
    }

    /// The branches and tags.
    pub fn refs(&self) -> &Refs {
        &self.0
    }

    /// What is not as it was, in words; `None` where all refs stand where they did.
    pub fn change(&self, now: &Self) -> Option<String> {
        let [before, after] = [self, now].map(Self::by_name);
        let moved = before
            .iter()
            .find(|(name, commit)| after.get(*name) != Some(*commit));
        let new = after.keys().find(|name| !before.contains_key(*name));
        let named = |(kind, name): &(&str, &str)| format!("{kind} {name}");
        match (moved, new) {
            (Some((name, _)), _) if after.contains_key(name) => {
                Some(format!("{} stands at another commit", named(name)))
            }
            (Some((name, _)), _) => Some(format!("{} is gone", named(name))),
            (None, Some(name)) => Some(format!("{} is new", named(name))),
            (None, None) => None,
        }
    }

    fn by_name(&self) -> BTreeMap<(&'static str, &str), &str> {
        let branches = self.0.branches.iter().map(|one| (RefKind::Branch, one));
        let tags = self.0.tags.iter().map(|one| (RefKind::Tag, one));
        let all = branches.chain(tags);
        all.map(|(kind, one)| ((kind.name(), one.name.as_str()), one.commit.as_str()))
            .collect()
    }
}

/// Holds the number of files that the hub counts at a commit against the number that was compared there.
///
/// # Errors
/// They differ, or the hub does not count all.
pub fn check_count(at: &RepoAt, count: FileCount, compared: u64) -> Checked<()> {
    let (hub, commit) = (at.hub, short(at));
    match count {
        FileCount::Exactly(count) if count == compared => Ok(()),
        FileCount::Exactly(count) => Err(Doubt::because(format!(
            "{hub} counts {} at commit {commit}, and {} were compared",
            counted(count, "file"),
            grouped(compared)
        ))),
        FileCount::AtLeast(count) => Err(Doubt::because(format!(
            "{hub} counts no more than {} of commit {commit}: a short listing would not be noticed",
            counted(count, "file")
        ))),
        FileCount::Untold => Err(Doubt::because(format!(
            "{hub} does not count the files of commit {commit}: a short listing would not be noticed"
        ))),
    }
}

/// Lists and counts a commit again, and holds both against the files that were compared.
///
/// # Errors
/// They are not the same.
pub async fn check_files(
    source: &PinnedSource,
    at: &RepoAt,
    files: &[RemovedFile],
    settings: &Settings,
) -> Checked<()> {
    let look = async {
        let mut again = source.at_commit(&at.revision, &source.asked, settings)?;
        let listing = again.list(settings).await?;
        let info = describe(at, Transport::Auto, settings).await?;
        Ok((listing, info))
    };
    let (listing, info) = match look.await {
        Ok(looked) => looked,
        Err(error) => return Err(missing(&error, at, settings).await),
    };
    check_same_repo(&source.info, &info)?;
    check_count(at, info.files, files.len() as u64)?;
    match is_same(&listing, files) {
        true => Ok(()),
        false => Err(Doubt::because(format!(
            "commit {} is listed with other files than a moment ago",
            short(at)
        ))),
    }
}

/// Holds what the hub says of the repo against what it said before.
fn check_same_repo(before: &RepoInfo, now: &RepoInfo) -> Checked<()> {
    if let Some(renamed) = &now.renamed {
        return Err(Doubt::because(format!(
            "the source is called {renamed} now"
        )));
    }
    match (before.visibility, before.gate) == (now.visibility, now.gate) {
        true => Ok(()),
        false => Err(Doubt::because(
            "the source has other readers than it had: its visibility or its gate has changed",
        )),
    }
}

fn is_same(listing: &Listing, files: &[RemovedFile]) -> bool {
    let before: BTreeMap<_, _> = files
        .iter()
        .map(|file| (&file.path, (file.size, file.listed())))
        .collect();
    let listed = listing.files.iter().map(|listed| &listed.file);
    let now: BTreeMap<_, _> = listed
        .map(|file| (&file.path, (file.size, Some(file.digest))))
        .collect();
    listing.refused.is_empty() && before == now
}

/// What an error about the source means: where it is not found, whether the repo is gone, or only what was asked for.
pub async fn missing(error: &Error, at: &RepoAt, settings: &Settings) -> Doubt {
    let explained = |error: &Error| hub_error(error, at, settings, AccessMode::Read).into();
    if error.kind() != Kind::NotFound {
        return explained(error);
    }
    let hub = match source_repo(at, settings) {
        Ok(hub) => hub,
        Err(failure) => return failure.into(),
    };
    match hub.find().await {
        Ok(None) => Doubt::Absent,
        Ok(Some(_)) => Doubt::because(format!(
            "{} of it is not there: nothing to compare",
            at.revision
        )),
        Err(error) => explained(&error),
    }
}

/// The source, for questions about the repo itself.
///
/// # Errors
/// Its hub can't be spoken to.
pub fn source_repo(at: &RepoAt, settings: &Settings) -> CliResult<Arc<dyn Destination>> {
    let side = settings.source(at);
    let opened = side.and_then(|side| open_destination(&side, settings.http()));
    opened.map_err(|error| hub_error(&error, at, settings, AccessMode::Read))
}

/// The account of the token that reads the source, if there is one and the hub tells.
///
/// # Errors
/// The hub's.
pub async fn account_name(at: &RepoAt, settings: &Settings) -> CliResult<Option<String>> {
    if settings.access(at.hub).token.is_none() {
        return Ok(None);
    }
    let account = source_repo(at, settings)?.account_if_told().await;
    let account = account.map_err(|error| hub_error(&error, at, settings, AccessMode::Read))?;
    Ok(account.map(|account| account.name))
}

/// The first digits of the commit.
fn short(at: &RepoAt) -> String {
    at.revision.as_str().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Ref, Refused};

    use super::*;

    fn refs(branches: &[(&str, char)], tags: &[(&str, char)]) -> Refs {
        let one = |(name, digit): &(&str, char)| Ref {
            name: name.parse().unwrap(),
            commit: digit.to_string().repeat(40).parse().unwrap(),
        };
        Refs {
            branches: branches.iter().map(one).collect(),
            tags: tags.iter().map(one).collect(),
            ..Refs::default()
        }
    }

    fn checked(refs: Refs) -> SourceRefs {
        SourceRefs::checked(refs).unwrap()
    }

    #[test]
    fn refs_that_can_not_be_compared_and_no_refs_at_all_are_in_doubt() {
        let main = || refs(&[("main", 'a')], &[]);
        let refused = Refs {
            refused: vec![Refused {
                path: "tag v 1".into(),
                reason: "its name is none that Git allows".into(),
            }],
            ..main()
        };
        let untold = Refs {
            by_name: vec![(RefKind::Tag, "v1".parse().unwrap())],
            ..main()
        };
        for (refs, words) in [
            (refused, "tag v 1 can't be compared"),
            (untold, "the commit of tag v1"),
            (Refs::default(), "nothing to verify"),
        ] {
            let doubt = SourceRefs::checked(refs).unwrap_err();
            assert!(
                matches!(&doubt, Doubt::Stays(why) if why.contains(words)),
                "{doubt:?}"
            );
        }
        assert!(SourceRefs::checked(main()).is_ok());
    }

    #[test]
    fn a_ref_that_came_went_or_moved_is_a_change() {
        let before = checked(refs(&[("main", 'a')], &[("v1", 'a')]));
        for (now, expected) in [
            (refs(&[("main", 'a')], &[("v1", 'a')]), None),
            (
                refs(&[("main", 'b')], &[("v1", 'a')]),
                Some("branch main stands at another commit"),
            ),
            (refs(&[("main", 'a')], &[]), Some("tag v1 is gone")),
            (
                refs(&[("main", 'a'), ("dev", 'a')], &[("v1", 'a')]),
                Some("branch dev is new"),
            ),
        ] {
            assert_eq!(before.change(&checked(now)).as_deref(), expected);
        }
    }
}
