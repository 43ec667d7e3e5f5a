//! The repo of a copy as its hub describes it. A copy that is disabled, closed to this account, or of unknown visibility is in doubt.

use std::sync::Arc;

use hf2ms_hub::{
    Destination, Gate, Refs, RepoAt, RepoInfo, Visibility, open_destination, open_ref_store,
};

use super::doubt::{Checked, Doubt};
use crate::copy::exposure::shows_more;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::CliResult;

/// Who may read a copy, where nothing about that is in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReaders {
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether its readers have to be let in.
    pub gate: Gate,
    /// Its owner, where that is not known to be this account or an organisation of it.
    pub stranger: Option<String>,
}

impl CopyReaders {
    /// Asks the hub of the copy, in two ways.
    ///
    /// # Errors
    /// The doubt: the copy is absent, renamed, disabled or closed, or it is not told who may see it.
    pub async fn of(at: &RepoAt, settings: &Settings) -> Checked<Self> {
        let failed = |error| hub_error(&error, at, settings, AccessMode::ReadDestination);
        let hub = open(at, settings)?;
        let Some(found) = hub.find().await.map_err(failed)? else {
            return Err(Doubt::because(format!(
                "the copy {} was not found on {}",
                at.id, at.hub
            )));
        };
        let described = hub.describe().await.map_err(failed)?;
        let readers = Self::agreed(at, &found, &described)?;
        let is_ours = is_ours(hub.as_ref(), at, settings).await?;
        let stranger = (!is_ours).then(|| at.id.owner().to_owned());
        if readers.gate != Gate::Open && !is_ours {
            return Err(Doubt::because(format!(
                "the copy {} is behind a gate on {}, and it is not known that its files stay open to this account",
                at.id, at.hub
            )));
        }
        Ok(Self {
            stranger,
            ..readers
        })
    }

    /// How the copy shows more than its source: `public, and the source private`.
    pub fn more_than(&self, source: &RepoInfo) -> Option<String> {
        shows_more(
            (self.visibility, self.gate),
            (source.visibility, source.gate),
        )
    }

    /// Whether a later answer of its hub says the same.
    pub fn are_those_of(&self, now: &RepoInfo) -> bool {
        now.renamed.is_none() && (self.visibility, self.gate) == (now.visibility, now.gate)
    }

    /// What both answers say. Where a hub does not tell who may see a repo, one of them takes it for public and the other for private.
    fn agreed(at: &RepoAt, found: &RepoInfo, described: &RepoInfo) -> Checked<Self> {
        let (id, hub) = (&at.id, at.hub);
        if let Some(renamed) = found.renamed.as_ref().or(described.renamed.as_ref()) {
            return Err(Doubt::because(format!(
                "the copy {id} is called {renamed} on {hub} now: name that one"
            )));
        }
        if found.visibility != described.visibility {
            return Err(Doubt::because(format!(
                "{hub} does not say who may see the copy {id}"
            )));
        }
        match found.gate == described.gate && found.gate != Gate::Untold {
            true => Ok(Self {
                visibility: found.visibility,
                gate: found.gate,
                stranger: None,
            }),
            false => Err(Doubt::because(format!(
                "{hub} does not say whether the copy {id} is behind a gate"
            ))),
        }
    }
}

/// The copy at the branch or tag that `at` names.
///
/// # Errors
/// Its hub can't be spoken to.
pub fn open(at: &RepoAt, settings: &Settings) -> CliResult<Arc<dyn Destination>> {
    settings
        .destination(at)
        .and_then(|side| open_destination(&side, settings.http()))
        .map_err(|error| hub_error(&error, at, settings, AccessMode::ReadDestination))
}

/// The branches and tags of the copy. One whose commit is not told is known by its name.
///
/// # Errors
/// The hub's.
pub async fn refs(at: &RepoAt, settings: &Settings) -> CliResult<Refs> {
    let failed = |error| hub_error(&error, at, settings, AccessMode::ReadDestination);
    let side = settings.destination(at).map_err(failed)?;
    let store = open_ref_store(&side, settings.http()).map_err(failed)?;
    Ok(store.refs().await.map_err(failed)?.named())
}

async fn is_ours(hub: &dyn Destination, at: &RepoAt, settings: &Settings) -> Checked<bool> {
    if settings.access_to(at.hub).token.is_none() {
        return Ok(false);
    }
    let account = hub.account_if_told().await;
    let account = account.map_err(|error| hub_error(&error, at, settings, AccessMode::Account))?;
    Ok(account.is_some_and(|account| account.owns(at.id.owner())))
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{FileCount, GateMode};

    use super::*;
    use crate::runs::tests::at;

    fn info(visibility: Visibility, gate: Gate) -> RepoInfo {
        RepoInfo {
            commit: None,
            visibility,
            gate,
            renamed: None,
            files: FileCount::Untold,
        }
    }

    #[test]
    fn what_is_told_in_two_ways_or_not_at_all_is_in_doubt() {
        use Visibility::{Private, Public};
        let agreed = |found: &RepoInfo, described: &RepoInfo| {
            let at = at("modelscope", "org/a");
            match CopyReaders::agreed(&at, found, described) {
                Ok(readers) => format!("{:?}", readers.visibility),
                Err(Doubt::Stays(words)) => words,
                Err(other) => panic!("{other:?}"),
            }
        };
        let (public, private) = (info(Public, Gate::Open), info(Private, Gate::Open));
        assert_eq!(agreed(&public, &public), "Public");
        assert!(agreed(&public, &private).contains("does not say who may see"));
        let gated = info(Public, Gate::Gated(GateMode::Auto));
        assert!(agreed(&public, &gated).contains("behind a gate"));
        let untold = info(Public, Gate::Untold);
        assert!(agreed(&untold, &untold).contains("behind a gate"));
        let renamed = RepoInfo {
            renamed: Some("org/b".parse().unwrap()),
            ..public.clone()
        };
        assert!(agreed(&renamed, &public).contains("called org/b"));
    }
}
