//! A repo: described, found, created; its head, and the check of its card. Facts: huggingface_hub 2.4.0, `hf_api.py` (`repo_info`,
//! `auth_check`, `create_repo`, `list_repo_refs`, `_validate_yaml`).

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::wire::{Count, RepoAnswer};
use super::{HuggingFaceRepo, quota};
use crate::http::Request;
use crate::{
    Error, FileCount, Gate, GateMode, Kind, Listing, RepoId, RepoInfo, RepoKind, Result, Revision,
    Visibility,
};

/// A repo's description lists its files too: tens of megabytes for the largest.
pub(super) const LONGEST: u64 = 256 << 20;
/// From here on a description may leave files out (recorded).
pub(super) const MOST_NAMES: usize = 50_000;

/// The repo and the commit of its revision; an error when its files may not be read.
pub(super) async fn describe(repo: &HuggingFaceRepo) -> Result<RepoInfo> {
    let url = repo.api(&format!("/revision/{}", repo.revision()))?;
    let told = repo
        .ask::<RepoAnswer>(LONGEST, || Request::get(url.clone()))
        .await?
        .value;
    if told.disabled == Some(true) {
        return Err(Error::new(
            Kind::Disabled,
            format!(
                "the {} {} is disabled by Hugging Face",
                repo.at.kind, repo.at.id
            ),
        ));
    }
    // What is not said to be public must not become so.
    let (visibility, renamed) = (
        seen_by(&told).unwrap_or(Visibility::Private),
        renamed(&repo.at.id, &told),
    );
    let gate = gate_of(&told);
    if gate != Gate::Open {
        knock(repo).await?;
    }
    Ok(RepoInfo {
        files: counted(told.siblings),
        commit: Some(commit_of(told.sha)?),
        visibility,
        gate,
        renamed,
    })
}

/// The commit of its revision.
pub(super) async fn commit(repo: &HuggingFaceRepo) -> Result<Revision> {
    let url = repo.api(&format!("/revision/{}", repo.revision()))?;
    commit_of(
        repo.ask::<RepoAnswer>(LONGEST, || Request::get(url.clone()))
            .await?
            .value
            .sha,
    )
}

/// How many files a revision has, as its description counts them.
pub(super) async fn count_of(repo: &HuggingFaceRepo, revision: &Revision) -> Result<FileCount> {
    let url = repo.api(&format!(
        "/revision/{}",
        super::api::escaped(revision.as_str())
    ))?;
    let told = repo.ask::<RepoAnswer>(LONGEST, || Request::get(url.clone()));
    Ok(counted(told.await?.value.siblings))
}

/// The names in a description: all of them below the limit from which on some may be left out.
fn counted(siblings: Option<Count>) -> FileCount {
    match siblings {
        None => FileCount::Untold,
        Some(Count(names)) if names < MOST_NAMES as u64 => FileCount::Exactly(names),
        Some(Count(names)) => FileCount::AtLeast(names),
    }
}

/// Who may see it, as far as it is said. A Space can be `protected`: then everyone sees its app, and nobody else its files.
pub(super) fn seen_by(told: &RepoAnswer) -> Option<Visibility> {
    match (told.visibility.as_deref(), told.private) {
        (Some("protected"), _) => Some(Visibility::Protected),
        (_, Some(true)) => Some(Visibility::Private),
        (_, Some(false)) => Some(Visibility::Public),
        (_, None) => None,
    }
}

fn gate_of(told: &RepoAnswer) -> Gate {
    match &told.gated {
        Some(gated) if gated.is_closed() => Gate::Gated(gated.mode()),
        _ => Gate::Open,
    }
}

/// The repo's id of today: one that was renamed answers to its old name by a redirect (307, recorded at the real hub).
pub(super) fn renamed(asked: &RepoId, told: &RepoAnswer) -> Option<RepoId> {
    let id: RepoId = told.id.as_deref()?.parse().ok()?;
    (!id.as_str().eq_ignore_ascii_case(asked.as_str())).then_some(id)
}

/// Asks whether a gated repo lets this token in: its listing would be answered, its files not.
async fn knock(repo: &HuggingFaceRepo) -> Result<()> {
    match repo.http.send(Request::get(repo.api("/auth-check")?)).await {
        // A mirror without this question: the files will tell.
        Err(error) if error.status() == Some(404) => Ok(()),
        // The repo was found a moment ago, so it is the gate that says no.
        Err(error) if error.kind() == Kind::NotFound => Err(error.with_kind(Kind::Gated)),
        answer => answer.map(|_| ()),
    }
}

/// Another repo of the same account is being made; it passes (`create_repo` tries again at these words).
const BUSY: &str = "conflicting operation is in progress";

/// What the hub knows of the repo; `None` when there is none that the token may see.
///
/// # Errors
/// What the hub complains of otherwise.
pub(super) async fn look_up(repo: &HuggingFaceRepo) -> Result<Option<RepoInfo>> {
    let url = repo.api("")?;
    let told = match repo
        .ask::<RepoAnswer>(LONGEST, || Request::get(url.clone()))
        .await
    {
        Ok(told) => told.value,
        Err(error) if error.kind() == Kind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Where nothing is said, the repo counts as public: the careful reading for whoever brings something private.
    let (visibility, renamed) = (
        seen_by(&told).unwrap_or(Visibility::Public),
        renamed(&repo.at.id, &told),
    );
    let gate = gate_of(&told);
    Ok(Some(RepoInfo {
        commit: None,
        visibility,
        gate,
        renamed,
        files: FileCount::Untold,
    }))
}

/// Creates the repo. There is no "internal" here: the narrower word is sent. `private`, the field of older clients, is never
/// sent beside `visibility` by `create_repo`. Sent again when the answer is lost: the
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

/// Creates the repo behind a gate: private at first, and shown to more readers by the request that sets the gate
/// (`update_repo_settings`).
///
/// # Errors
/// As [`create`]; what the hub says to the settings.
pub(super) async fn create_gated(
    repo: &HuggingFaceRepo,
    visibility: Visibility,
    mode: GateMode,
) -> Result<()> {
    create(repo, Visibility::Private).await?;
    let visibility = match visibility {
        Visibility::Public => "public",
        _ => "private",
    };
    let settings = json!({"gated": mode, "visibility": visibility});
    let request = Request::put(repo.api("/settings")?).json(&settings)?;
    let set = repo.http.send(request).await;
    set.map(drop).map_err(|error| {
        error.about("the destination was created private, and its gate could not be set")
    })
}

/// Asks for a repo.
pub(super) async fn ask_for(repo: &HuggingFaceRepo, wanted: &Value) -> Result<()> {
    let request = Request::post(super::api::address(&format!(
        "{}/api/repos/create",
        repo.base
    ))?)
    .json(wanted)?
    .once();
    let may_be_done = AtomicBool::new(false);
    let attempt = || async {
        let sent = repo.http.send(request.clone()).await;
        sent.map(drop).map_err(|error| {
            may_be_done.fetch_or(error.may_be_done(), Ordering::Relaxed);
            quota::of_action(busy(error))
        })
    };
    let created = repo.http.options().retrying(attempt).await;
    created.map_err(|error| error.of_creation(may_be_done.load(Ordering::Relaxed)))
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
        Err(error) if error.status() == Some(404) => return commit(repo).await.map(Some),
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
        Some(commit) => list_at(repo, &commit).await,
        None => Ok(Listing::default()),
    }
}

/// Every file of this commit.
pub(super) async fn list_at(repo: &HuggingFaceRepo, commit: &Revision) -> Result<Listing> {
    Ok(Listing {
        commit: Some(commit.clone()),
        ..super::tree::list_at(repo, commit).await?
    })
}

/// What the hub would refuse in the front matter of this README.md; `None` when it takes it, or can't be asked.
///
/// # Errors
/// The hub fails.
pub(super) async fn refuses_card(repo: &HuggingFaceRepo, card: &str) -> Result<Option<String>> {
    let url = super::api::address(&format!("{}/api/validate-yaml", repo.base))?;
    let request = Request::post(url).json(&json!({"content": card, "repoType": repo.at.kind}))?;
    match repo.ask::<Value>(1 << 20, || request.clone()).await {
        Ok(_) => Ok(None),
        Err(error) if error.status() == Some(400) => Ok(Some(error.message().to_owned())),
        Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn commit_of(sha: Option<String>) -> Result<Revision> {
    let revision = sha
        .and_then(|sha| sha.parse().ok())
        .filter(Revision::is_commit);
    revision.ok_or_else(|| {
        Error::new(
            Kind::Refused,
            "Hugging Face did not say which commit the revision is",
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{COMMIT, anonymous, repo};
    use super::*;
    use crate::Repo;
    use crate::http::testing::{Reply, Server};

    fn described(extra: serde_json::Value) -> Reply {
        let mut answer = json!({"id": "org/name", "sha": COMMIT, "private": false, "gated": false, "disabled": false, "siblings": []});
        answer
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        Reply::json(&answer)
    }

    #[tokio::test]
    async fn a_renamed_repo_is_found_by_its_old_name_and_says_the_new_one() {
        let new = format!("/api/datasets/org/new/revision/{COMMIT}");
        let moved = Reply::new(307, &[("Location", &new)], "");
        let server = Server::scripted([
            moved,
            described(json!({"id": "org/new"})),
            described(json!({"id": "Org/Name"})),
        ])
        .await;
        let repo = repo(&server);
        assert_eq!(
            repo.describe().await.unwrap().renamed,
            Some("org/new".parse().unwrap())
        );
        assert_eq!(server.lines()[1], format!("GET {new}"));
        assert!(
            server.seen()[1].header("authorization").is_some(),
            "the same hub"
        );
        assert_eq!(
            repo.describe().await.unwrap().renamed,
            None,
            "ids are equal in any case"
        );
    }

    #[tokio::test]
    async fn a_revoked_token_is_sent_once_only() {
        let server = Server::answering(|_| {
            Reply::new(
                401,
                &[(
                    "X-Error-Message",
                    "Invalid credentials in Authorization header",
                )],
                "",
            )
        })
        .await;
        let repo = repo(&server);
        for _ in 0..3 {
            assert_eq!(
                repo.describe().await.unwrap_err().kind(),
                Kind::Unauthorized
            );
        }
        assert_eq!(server.seen().len(), 1);
    }

    #[tokio::test]
    async fn a_repo_is_described_at_its_commit() {
        let server = Server::scripted([described(json!({"private": true}))]).await;
        let info = repo(&server).describe().await.unwrap();
        assert_eq!(info.commit.unwrap().as_str(), COMMIT);
        assert_eq!(
            (info.visibility, info.gate),
            (Visibility::Private, Gate::Open)
        );
        assert_eq!(
            server.lines(),
            [format!("GET /api/datasets/org/name/revision/{COMMIT}")]
        );
    }

    #[tokio::test]
    async fn a_gated_repo_is_private_until_its_gate_stands() {
        let server = Server::scripted([Reply::json(&json!({})), Reply::json(&json!({}))]).await;
        let repo = repo(&server);
        let gated = create_gated(&repo, Visibility::Public, GateMode::Manual);
        gated.await.unwrap();
        let seen = server.seen();
        assert_eq!(seen[0].json()["visibility"], "private");
        assert_eq!(seen[1].line(), "PUT /api/datasets/org/name/settings");
        let settings = json!({"gated": "manual", "visibility": "public"});
        assert_eq!(seen[1].json(), settings);
    }

    #[tokio::test]
    async fn a_description_counts_the_files() {
        let named = json!({"siblings": [{"rfilename": "a"}, {"rfilename": "b"}]});
        let server =
            Server::scripted([described(named), described(json!({"siblings": null}))]).await;
        let repo = repo(&server);
        assert_eq!(repo.describe().await.unwrap().files, FileCount::Exactly(2));
        assert_eq!(repo.describe().await.unwrap().files, FileCount::Untold);
    }

    #[tokio::test]
    async fn what_is_not_said_to_be_public_is_private() {
        let server =
            Server::scripted([described(json!({"private": null})), described(json!({}))]).await;
        let repo = repo(&server);
        assert_eq!(
            repo.describe().await.unwrap().visibility,
            Visibility::Private
        );
        assert_eq!(
            repo.describe().await.unwrap().visibility,
            Visibility::Public
        );
    }

    #[tokio::test]
    async fn a_commit_may_have_64_digits() {
        let sha = "0123456789abcdef".repeat(4);
        let server = Server::scripted([described(json!({"sha": sha, "gated": null}))]).await;
        assert_eq!(
            repo(&server)
                .describe()
                .await
                .unwrap()
                .commit
                .unwrap()
                .as_str(),
            sha
        );
    }

    #[tokio::test]
    async fn where_branches_are_not_listed_the_repo_tells_the_head() {
        let server = Server::scripted([Reply::new(404, &[], ""), described(json!({}))]).await;
        assert_eq!(
            crate::Repo::head(&repo(&server))
                .await
                .unwrap()
                .unwrap()
                .as_str(),
            COMMIT
        );
        assert_eq!(
            server.lines()[1],
            format!("GET /api/datasets/org/name/revision/{COMMIT}")
        );
    }

    #[tokio::test]
    async fn a_closed_gate_is_found_before_anything_moves() {
        let closed = Reply::new(403, &[("X-Error-Code", "GatedRepo")], "");
        let server = Server::scripted([described(json!({"gated": "manual"})), closed]).await;
        assert_eq!(
            repo(&server).describe().await.unwrap_err().kind(),
            Kind::Gated
        );
        assert_eq!(server.lines()[1], "GET /api/datasets/org/name/auth-check");
    }

    #[tokio::test]
    async fn a_gate_that_says_only_401_to_a_stranger_is_still_a_gate() {
        let server = Server::scripted([
            described(json!({"gated": "auto"})),
            Reply::new(401, &[], ""),
        ])
        .await;
        assert_eq!(
            anonymous(&server).describe().await.unwrap_err().kind(),
            Kind::Gated
        );
    }

    #[tokio::test]
    async fn an_open_gate_and_a_mirror_that_knows_none_let_in() {
        for answer in [Reply::new(200, &[], "OK"), Reply::new(404, &[], "")] {
            let server = Server::scripted([described(json!({"gated": "auto"})), answer]).await;
            assert_eq!(
                repo(&server).describe().await.unwrap().gate,
                Gate::Gated(GateMode::Auto)
            );
        }
    }

    #[tokio::test]
    async fn disabled_repos_and_answers_without_a_commit_are_errors() {
        let server = Server::scripted([
            described(json!({"disabled": true})),
            described(json!({"sha": "main"})),
        ])
        .await;
        let repo = repo(&server);
        assert_eq!(repo.describe().await.unwrap_err().kind(), Kind::Disabled);
        assert_eq!(repo.describe().await.unwrap_err().kind(), Kind::Refused);
    }

    #[tokio::test]
    async fn a_page_of_html_and_a_broken_body_are_no_description() {
        let cut = Reply::headed(200, &[("Content-Length", "500")], "{\"sha\":");
        let server =
            Server::scripted([Reply::new(200, &[], "<html>"), cut, described(json!({}))]).await;
        let repo = repo(&server);
        assert_eq!(repo.describe().await.unwrap_err().kind(), Kind::Refused);
        assert!(
            repo.describe().await.is_ok(),
            "the cut answer is asked for again"
        );
    }
}
