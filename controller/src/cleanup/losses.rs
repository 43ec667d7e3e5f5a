//! What a source has that its copy lacks: earlier commits, messages of tags, discussions, pull requests, likes, and readers. What is not told stays not told.

use hf2ms_hub::{Community, Gate, RepoAdmin, RepoInfo, Visibility, refs_by_git};
use hf2ms_worker::pipeline::source::PinnedSource;

use super::compared::Compared;
use super::copy_repo::CopyReaders;
use super::doubt::Checked;
use super::history;
use super::options::CleanupOptions;
use super::verified::VerifiedRevision;
use crate::runs::removal::{Losses, Removal};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// Counts what the copy lacks. A hub without `admin` tells of commits and readers only.
///
/// # Errors
/// A question fails for now. One that a hub answers to nobody leaves its answer not told.
pub async fn of(
    compared: &Compared<'_>,
    admin: Option<&dyn RepoAdmin>,
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> Checked<Losses> {
    let (source, settings) = (compared.source, options.settings);
    // What the hub tells nobody is not told; a question that fails for now is asked again another time.
    let community = match admin {
        None => Community::default(),
        Some(admin) => {
            let told = admin.community().await;
            told.map_err(|error| hub_error(&error, &source.at, settings, AccessMode::Read))?
        }
    };
    let access = match removal_of(compared, options)? {
        Some(removal) => kept_access(source, &removal),
        None => access(&source.info, compared.readers),
    };
    let (history, history_doubt) = history::of(compared, options, screen).await?;
    let mut revisions = compared.revisions.iter();
    let is_same = revisions.all(VerifiedRevision::is_same_commit);
    Ok(Losses {
        history,
        history_doubt,
        tag_messages: tag_messages(compared, settings).await,
        // No listing tells them, and a commit names them.
        file_modes: is_same.then_some(0),
        discussions: community.discussions,
        pull_requests: community.pull_requests,
        likes: community.likes,
        conversions: compared.refs.refs().others as u64,
        access,
    })
}

/// Annotated tags whose objects the copy is not known to have: each holds a message and the name of who made it.
async fn tag_messages(compared: &Compared<'_>, settings: &Settings) -> u64 {
    let annotated = &compared.refs.refs().tag_objects;
    if annotated.is_empty() {
        return 0;
    }
    // A tag of the copy that can't be asked for is taken for one without a message.
    let there = match settings.destination(compared.copy) {
        Ok(side) => refs_by_git(&side, settings.http()).await.ok(),
        Err(_) => None,
    };
    let there = there.unwrap_or_default().tag_objects;
    let lost = annotated.iter().filter(|tag| !there.contains(tag));
    lost.count() as u64
}

/// What is done with a source that stays; `None` where the copy is all that is left of it.
fn removal_of(compared: &Compared<'_>, options: &CleanupOptions<'_>) -> CliResult<Option<Removal>> {
    let request = options.request.as_ref();
    let kept = request.filter(|request| !request.loses());
    kept.map(|request| request.of(&compared.source.at.id))
        .transpose()
}

/// What its owner and its readers lose where it stays, in another place or for fewer.
fn kept_access(source: &PinnedSource, removal: &Removal) -> Vec<String> {
    let lost = match removal {
        Removal::Move { to } if !to.owner().eq_ignore_ascii_case(source.at.id.owner()) => {
            let owner = to.owner();
            Some(format!(
                "control: it will belong to {owner}, whose members may read it"
            ))
        }
        Removal::MakePrivate if source.info.visibility.shows_more_than(Visibility::Private) => {
            let visibility = source.info.visibility;
            Some(format!(
                "readers: it is {visibility}, and nobody but its owner will see it"
            ))
        }
        _ => None,
    };
    lost.into_iter().collect()
}

/// What its owner and its readers lose where it is deleted.
fn access(source: &RepoInfo, readers: &CopyReaders) -> Vec<String> {
    let control = readers.stranger.iter();
    let control =
        control.map(|owner| format!("control: the copy belongs to {owner}, who may delete it"));
    control.chain(self::readers(source, readers)).collect()
}

/// What readers of the source lose, who may not see the copy as they see the source.
pub fn readers(source: &RepoInfo, readers: &CopyReaders) -> Vec<String> {
    let RepoInfo {
        visibility, gate, ..
    } = *source;
    let mut lost = Vec::new();
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
    use hf2ms_hub::{FileCount, GateMode};

    use super::*;

    #[test]
    fn readers_that_the_copy_does_not_have_are_named() {
        use Visibility::{Private, Public};
        let gated = Gate::Gated(GateMode::Manual);
        let source = |visibility, gate| RepoInfo {
            commit: None,
            visibility,
            gate,
            renamed: None,
            files: FileCount::Untold,
        };
        let copy = |visibility, gate| CopyReaders {
            visibility,
            gate,
            stranger: None,
        };
        let open = copy(Public, Gate::Open);
        assert!(access(&source(Public, Gate::Open), &open).is_empty());
        assert!(access(&source(Private, gated), &open).is_empty());
        let private = access(&source(Public, gated), &copy(Private, Gate::Open));
        assert_eq!(
            private,
            [
                "readers: it is public, and the copy private",
                "access that its gate has granted"
            ]
        );
        let closed = access(&source(Public, Gate::Open), &copy(Public, gated));
        assert_eq!(closed, ["open access: the copy is behind a gate"]);
        let strange = CopyReaders {
            stranger: Some("org".into()),
            ..open
        };
        let public = source(Public, Gate::Open);
        assert_eq!(access(&public, &strange).len(), 1);
        assert!(readers(&public, &strange).is_empty());
    }
}
