//! Commits on ModelScope: one at a time for a repo, whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::json;

use super::Surface;
use super::access;
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, broken, settle, with};
use crate::call::Call;
use crate::digest::Digest;
use crate::hf::rules::bad_path;
use crate::hub::{Change, apply, lfs_file};
use crate::repo::{Commit, Kind, Repo};
use crate::settings::Settings;
use crate::world::World;

/// Actions a commit may have.
const MOST_ACTIONS: usize = 2000;
/// What it says of a branch that is not there, and of a tag: no commit makes one (modelscope/modelscope issue 1470).
const NO_BRANCH: &str = "You can only create or edit files when you are on a branch";
/// The code of several things, which its words tell apart.
const BY_WORDS: i64 = 10_030_000_001;
/// Parts of a path that policy rejects.
const REJECTED: [&str; 2] = [".git", "__pycache__"];

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    commit_message: String,
    actions: Vec<Action>,
}

#[derive(Deserialize)]
struct Action {
    action: String,
    path: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: String,
}

/// `POST /api/v1/repos/S/{id}/commit/{branch}`.
pub async fn commit(
    world: &Arc<World>,
    mut call: Call,
    caller: Caller,
    repo: &Arc<Repo>,
    branch: &str,
) -> Answer {
    writer(world, caller, repo)?;
    let settings = world.settings();
    within_quota(world, &settings, repo)?;
    let wanted: Wanted = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let count = wanted.actions.len();
    if count > MOST_ACTIONS {
        let message = format!(
            "commit request exceeds actions limit: {count} > {MOST_ACTIONS}; split the commit into smaller batches"
        );
        return Err(access::legacy_refused(422, 10_030_000_422, &message));
    }
    if count == 0 {
        return Err(access::bad_request("a commit has actions"));
    }
    let _lock = CommitLock::take(&repo.committing).ok_or_else(|| busy(&settings))?;
    let head = repo
        .state()
        .head(branch)
        .ok_or_else(|| access::bad_request(NO_BRANCH))?;
    if too_soon(&settings, &head) {
        return Err(rejected());
    }
    let changes = wanted
        .actions
        .into_iter()
        .map(|action| change(world, &settings, &head, action))
        .collect::<Result<Vec<_>, _>>()?;
    tokio::time::sleep(Duration::from_millis(settings.ms_commit_ms)).await;
    let mut state = repo.state();
    if state.branches.get(branch) != Some(&head.id) {
        return Err(access::legacy_refused(
            409,
            BY_WORDS,
            "could not update refs: branch changed, please retry",
        ));
    }
    let made = apply(
        &mut state,
        &repo.first_id,
        branch,
        &wanted.commit_message,
        changes,
    );
    Ok(access::envelope(
        &json!({"oid": made.id, "CommitId": made.id, "commit_id": made.id, "commit_message": made.message}),
    ))
}

/// Whether the caller may write to the repo; said as it was recorded.
pub(super) fn writer(world: &World, caller: Caller, repo: &Repo) -> Result<(), Refusal> {
    match caller.account() {
        None => Err(not_logged_in()),
        Some(account) if account.may_write(repo.owner()) => Ok(()),
        Some(_) if world.settings().ms_denial_is_404 => {
            let (kinds, id) = (kinds(repo), &repo.id);
            let unseen = "The project you were looking for could not be found or you don't have permission to view it";
            Err(access::legacy_refused(
                404,
                404,
                &format!("{unseen}: {kinds}/{id}"),
            ))
        }
        Some(_) => access::writer(Surface::Legacy, caller, repo.owner()).map(drop),
    }
}

/// The repo's kind in addresses.
pub(super) fn kinds(repo: &Repo) -> &'static str {
    match repo.kind {
        Kind::Space => "studios",
        kind => kind.plural(),
    }
}

/// A write without a login.
pub(super) fn not_logged_in() -> Refusal {
    access::legacy_refused(400, BY_WORDS, "user not logged in")
}

fn rejected() -> Refusal {
    access::legacy_refused(400, BY_WORDS, "commit rejected by repository policy")
}

/// Another commit is being written.
fn busy(settings: &Settings) -> Refusal {
    if settings.ms_lock_busy {
        access::legacy_refused(429, BY_WORDS, "commit lock busy, please try again")
    } else {
        access::legacy_refused(409, BY_WORDS, "branch changed, please retry")
    }
}

fn too_soon(settings: &Settings, head: &Commit) -> bool {
    settings.ms_commit_gap_ms > 0
        && head.parent.is_some()
        && head.date.elapsed().unwrap_or_default()
            < Duration::from_millis(settings.ms_commit_gap_ms)
}

fn within_quota(world: &World, settings: &Settings, repo: &Repo) -> Result<(), Refusal> {
    let Some(quota) = settings.ms_commit_quota else {
        return Ok(());
    };
    let left = world.quotas.count(
        format!("commits {:?} {}", repo.kind, repo.id),
        quota,
        Duration::from_secs(settings.ms_commit_window_s),
    );
    if left.allowed {
        return Ok(());
    }
    let refusal = access::legacy_refused(429, 10_030_000_429, "Commit frequency limit exceeded");
    let wait = left.resets_in.as_secs_f64().ceil().to_string();
    Err(with(settle(Err(refusal)), "retry-after", &wait).into())
}

fn change(
    world: &World,
    settings: &Settings,
    head: &Commit,
    action: Action,
) -> Result<Change, Refusal> {
    let is_absent = action.action == "delete" && head.tree.get(&action.path).is_none();
    if settings.ms_policy
        && (is_absent || action.path.split('/').any(|part| REJECTED.contains(&part)))
    {
        return Err(rejected());
    }
    if let Some(why) = bad_path(&action.path) {
        return Err(access::bad_request(&format!(
            "invalid commit action: path {:?}: {why}",
            action.path
        )));
    }
    match (action.action.as_str(), action.kind.as_str()) {
        ("delete", _) if is_absent => Err(access::bad_request(&format!(
            "invalid commit action: nothing to delete at {}",
            action.path
        ))),
        ("delete", _) => Ok(Change::Remove(action.path)),
        ("create" | "update", "lfs") => {
            let is_taken =
                |digest: &Digest| !settings.ms_checks_blobs || world.ms.store.get(digest).is_some();
            let digest = Digest::parse(&action.sha256).filter(is_taken);
            let digest = digest.ok_or_else(|| {
                access::bad_request(&format!(
                    "invalid commit action: lfs object of {} does not exist",
                    action.path
                ))
            })?;
            Ok(Change::Put(action.path, lfs_file(digest, action.size)))
        }
        ("create" | "update", "normal" | "") => {
            let content = match action.encoding.as_str() {
                "base64" => base64::engine::general_purpose::STANDARD
                    .decode(&action.content)
                    .map_err(|error| access::bad_request(&error.to_string()))?,
                _ => action.content.into_bytes(),
            };
            Ok(Change::Put(
                action.path,
                world
                    .ms
                    .inline(content.into())
                    .map_err(|error| broken(&error))?,
            ))
        }
        (other, kind) => Err(access::bad_request(&format!(
            "invalid commit action: {other} of type {kind}"
        ))),
    }
}

/// The right to commit to a repo, which one request at a time has.
struct CommitLock<'a>(&'a AtomicBool);

impl<'a> CommitLock<'a> {
    fn take(busy: &'a AtomicBool) -> Option<Self> {
        (!busy.swap(true, Ordering::AcqRel)).then_some(Self(busy))
    }
}

impl Drop for CommitLock<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
