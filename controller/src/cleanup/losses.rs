//! What a source has that its copy lacks: earlier commits, discussions, pull requests, likes, and readers. What is not told stays not told.

use std::collections::BTreeSet;

use hf2ms_hub::{Community, Gate, RepoAdmin, Revision, Visibility, open_ref_store};
use hf2ms_worker::pipeline::source::PinnedSource;

use super::copy_repo::CopyReaders;
use super::doubt::Checked;
use super::source_refs::SourceRefs;
use crate::runs::removal::{HistoryLoss, Losses};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};

/// Counts what the copy lacks. A hub without `admin` tells of commits and readers only.
///
/// # Errors
/// A question fails for now. One that a hub answers to nobody leaves its answer not told.
pub async fn of(
    source: &PinnedSource,
    refs: &SourceRefs,
    readers: &CopyReaders,
    admin: Option<&dyn RepoAdmin>,
    settings: &Settings,
) -> Checked<Losses> {
    // What the hub tells nobody is not told; a question that fails for now is asked again another time.
    let community = match admin {
        None => Community::default(),
        Some(admin) => {
            let told = admin.community().await;
            told.map_err(|error| hub_error(&error, &source.at, settings, AccessMode::Read))?
        }
    };
    Ok(Losses {
        history: history(source, refs, settings).await?,
        discussions: community.discussions,
        pull_requests: community.pull_requests,
        likes: community.likes,
        conversions: refs.refs().others as u64,
        access: access(source.info.visibility, source.info.gate, readers),
    })
}

/// Equal commits prove nothing of the large files of earlier ones: only where each branch and tag has a single commit, the copy has all.
async fn history(
    source: &PinnedSource,
    refs: &SourceRefs,
    settings: &Settings,
) -> Checked<HistoryLoss> {
    let failed = |error| hub_error(&error, &source.at, settings, AccessMode::Read);
    let side = settings.source(&source.at).map_err(failed)?;
    let store = open_ref_store(&side, settings.http()).map_err(failed)?;
    let all = refs.refs().branches.iter().chain(&refs.refs().tags);
    let commits: BTreeSet<&str> = all.map(|one| one.commit.as_str()).collect();
    let mut earlier = 0;
    for commit in commits {
        let Ok(revision) = commit.parse::<Revision>() else {
            return Ok(HistoryLoss::NotTold);
        };
        match store.commit_count(&revision).await {
            Ok(Some(count @ 1..)) => earlier = earlier.max(count - 1),
            Ok(_) => return Ok(HistoryLoss::NotTold),
            Err(error) => return Err(failed(error).into()),
        }
    }
    Ok(match earlier {
        0 => HistoryLoss::None,
        earlier => HistoryLoss::Commits { earlier },
    })
}

/// What readers of the source lose.
fn access(visibility: Visibility, gate: Gate, readers: &CopyReaders) -> Vec<String> {
    let mut lost = Vec::new();
    if let Some(owner) = &readers.stranger {
        lost.push(format!(
            "control: the copy belongs to {owner}, who may delete it"
        ));
    }
    if visibility.shows_more_than(readers.visibility) {
        lost.push(format!(
            "readers: it is {visibility}, and the copy {}",
            readers.visibility
        ));
    }
    let is_open = readers.visibility == Visibility::Public && readers.gate == Gate::Open;
    if gate != Gate::Open && !is_open {
        lost.push("access that its gate has granted".to_owned());
    }
    if gate == Gate::Open && readers.gate != Gate::Open {
        lost.push("open access: the copy is behind a gate".to_owned());
    }
    lost
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::GateMode;

    use super::*;

    #[test]
    fn readers_that_the_copy_does_not_have_are_named() {
        use Visibility::{Private, Public};
        let gated = Gate::Gated(GateMode::Manual);
        let readers = |visibility, gate| CopyReaders {
            visibility,
            gate,
            stranger: None,
        };
        let open = readers(Public, Gate::Open);
        assert!(access(Public, Gate::Open, &open).is_empty());
        assert!(access(Private, gated, &open).is_empty());
        let private = access(Public, gated, &readers(Private, Gate::Open));
        assert_eq!(
            private,
            [
                "readers: it is public, and the copy private",
                "access that its gate has granted"
            ]
        );
        let closed = access(Public, Gate::Open, &readers(Public, gated));
        assert_eq!(closed, ["open access: the copy is behind a gate"]);
    }
}
