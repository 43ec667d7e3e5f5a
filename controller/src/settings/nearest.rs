//! What may have been meant by a repo that was not found: the one of its owner whose name is nearest. One request asks for it, once a
//! command. It is told beside the error and not kept with it, since a private repo's name has no place in a log.

use std::time::Duration;

use hf2ms_hub::{RepoAt, RepoId, list_first_repos};

use crate::settings::load;
use crate::ui::alike;
use crate::ui::errors::CliError;

/// Nobody waits longer than this for a hint.
const PATIENCE: Duration = Duration::from_secs(5);

/// The error that ends a command, with the repo that may have been meant where it is about one that was not found.
pub async fn with_nearest(failure: CliError) -> CliError {
    let Some(at) = failure.absent().cloned() else {
        return failure;
    };
    // A hint that can't be had is none: the error says what is wrong.
    let asked = tokio::time::timeout(PATIENCE, nearest(&at)).await;
    failure.with_nearest(asked.ok().flatten())
}

async fn nearest(at: &RepoAt) -> Option<RepoId> {
    let settings = load().ok()?;
    let mut http = settings.http();
    http.retry.retries = 0;
    let listed = list_first_repos(&settings.source(at).ok()?, http)
        .await
        .ok()?;
    let ids: Vec<&RepoId> = listed.repos.iter().map(|owned| &owned.id).collect();
    meant(&at.id, &ids).cloned()
}

/// The id whose name is nearest; none where the repo itself is listed, since something else of it was not found then.
fn meant<'a>(absent: &RepoId, ids: &[&'a RepoId]) -> Option<&'a RepoId> {
    let near = alike::nearest(absent.name(), ids.iter().map(|id| id.name()))?;
    let is_listed = ids.contains(&absent);
    let found = ids.iter().find(|id| id.name() == near).copied();
    found.filter(|_| !is_listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_of_the_owner_is_meant_and_none_that_is_unlike() {
        let ids: Vec<RepoId> = ["org/bert-base", "org/gpt2"]
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let ids: Vec<&RepoId> = ids.iter().collect();
        let of = |id: &str| meant(&id.parse().unwrap(), &ids).map(RepoId::as_str);
        assert_eq!(of("org/bert-bsae"), Some("org/bert-base"));
        assert_eq!(of("org/Bert_Base"), Some("org/bert-base"));
        assert_eq!(of("org/whisper"), None);
        assert_eq!(of("org/gpt2"), None, "its revision is what was not found");
    }
}
