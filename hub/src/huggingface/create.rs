//! The repo as a destination: looked up, created, its head, and what the hub says of its card. Facts: huggingface_hub 2.4.0,
//! `hf_api.py` (`create_repo`, `list_repo_refs`, `_validate_yaml`).

use serde_json::{Value, json};

use super::wire::RepoAnswer;
use super::{HuggingFaceRepo, quota, repo};
use crate::http::Request;
use crate::{Error, Gate, Kind, Listing, RepoInfo, RepoKind, Result, Revision, Visibility};

/// Another repo of the same account is being made; it passes (`create_repo` tries again at these words).
const BUSY: &str = "conflicting operation is in progress";

/// What the hub knows of the repo; `None` when there is none that the token may see.
///
/// # Errors
/// What the hub complains of otherwise.
pub(super) async fn look_up(repo: &HuggingFaceRepo) -> Result<Option<RepoInfo>> {
    let url = repo.api("")?;
    let told = match repo
        .ask::<RepoAnswer>(repo::LONGEST, || Request::get(url.clone()))
        .await
    {
        Ok(told) => told.value,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Where nothing is said, the repo counts as public: the careful reading for whoever brings something private.
    let (visibility, renamed) = (
        repo::seen_by(&told).unwrap_or(Visibility::Public),
        repo::renamed(repo, &told),
    );
    let gate = if told.gated.is_some_and(|gated| gated.is_closed()) {
        Gate::Gated
    } else {
        Gate::Open
    };
    Ok(Some(RepoInfo {
        commit: None,
        visibility,
        gate,
        renamed,
    }))
}

/// Creates the repo. There is no "internal" here: the narrower word is sent. Sent again when the answer is lost: the
/// second answer is then [`Kind::Conflict`].
///
/// # Errors
/// [`Kind::Conflict`] when the id is taken; [`Kind::Invalid`] for a Space, which [`super::space`] creates.
pub(super) async fn create(repo: &HuggingFaceRepo, visibility: Visibility) -> Result<()> {
    if repo.at.kind == RepoKind::Space {
        return Err(Error::new(
            Kind::Invalid,
            "a Space can't be created: it needs an SDK to run",
        ));
    }
    let visibility = if visibility == Visibility::Public {
        "public"
    } else {
        "private"
    };
    let id = &repo.at.id;
    ask_for(repo, &json!({"name": id.name(), "organization": id.owner(), "type": repo.at.kind, "visibility": visibility})).await
}

/// Asks for a repo.
pub(super) async fn ask_for(repo: &HuggingFaceRepo, wanted: &Value) -> Result<()> {
    let request = Request::post(super::address(&format!("{}/api/repos/create", repo.base))?)
        .json(wanted)?
        .once();
    let attempt = || async {
        let sent = repo.http.send(request.clone()).await;
        sent.map(drop)
            .map_err(|error| quota::of_action(busy(error)))
    };
    repo.http.options().retrying(attempt).await
}

fn busy(error: Error) -> Error {
    let passes = error.kind() == Kind::Conflict && error.message().contains(BUSY);
    if passes {
        error.with_kind(Kind::Transient)
    } else {
        error
    }
}

/// The commit of the branch or tag, in one short request; `None` where there is none yet.
pub(super) async fn head(repo: &HuggingFaceRepo) -> Result<Option<Revision>> {
    let told = match repo.told_refs().await {
        // CSGHub has no list of branches.
        Err(error) if error.status() == Some(404) => return repo::commit(repo).await.map(Some),
        told => told?,
    };
    let named = told
        .branches
        .into_iter()
        .chain(told.tags)
        .find(|entry| entry.name == repo.at.revision.as_str());
    Ok(named
        .and_then(|entry| entry.target_commit)
        .and_then(|commit| commit.parse().ok()))
}

/// Every file on the branch, at the commit where it stands now, so that no commit falls between two pages.
pub(super) async fn list(repo: &HuggingFaceRepo) -> Result<Listing> {
    match head(repo).await? {
        Some(commit) => Ok(Listing {
            commit: Some(commit.clone()),
            ..super::tree::list_at(repo, &commit).await?
        }),
        None => Ok(Listing::default()),
    }
}

/// What the hub would refuse in the front matter of this README.md; `None` when it takes it, or can't be asked.
///
/// # Errors
/// The hub fails.
pub(super) async fn refuses_card(repo: &HuggingFaceRepo, card: &str) -> Result<Option<String>> {
    let url = super::address(&format!("{}/api/validate-yaml", repo.base))?;
    let request = Request::post(url).json(&json!({"content": card, "repoType": repo.at.kind}))?;
    match repo.ask::<Value>(1 << 20, || request.clone()).await {
        Ok(_) => Ok(None),
        Err(error) if error.status() == Some(400) => Ok(Some(error.message().to_owned())),
        Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => Ok(None),
        Err(error) => Err(error),
    }
}
