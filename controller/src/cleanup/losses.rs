//! What a source has that its copy lacks: earlier commits, messages of tags, discussions, pull requests, likes, and readers. What is not told stays not told.

use hf2ms_hub::{Community, Gate, RepoAdmin, Visibility, refs_by_git};

use super::compared::Compared;
use super::copy_repo::CopyReaders;
use super::doubt::Checked;
use super::history;
use super::options::CleanupOptions;
use super::verified::VerifiedRevision;
use crate::runs::removal::Losses;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
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
        access: access(source.info.visibility, source.info.gate, compared.readers),
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
