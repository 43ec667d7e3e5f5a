//! Who may see and change what on Hugging Face, and how it says no.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use crate::accounts::{Account, Caller, Site};
use crate::answer::{Refusal, empty, json as json_answer, settle, with};
use crate::call::Call;
use crate::repo::{Commit, Kind, Repo};
use crate::world::World;

const PRIVATE_LIMIT: &str = "Private repository storage limit reached, please upgrade your plan to increase your private storage limit";
const PATTERNS: &str = "Your storage patterns tripped our internal systems! Please contact us at website@huggingface.co so we can verify your account and unlock more storage for your use-case.";
// What it says to tokens without the right, as users of its clients recorded it.
const NO_COMMIT: &str =
    "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request.";
const NO_UPLOAD: &str = "You have read access but not the required permissions for this operation";
const NO_RIGHT: &str = "Authorization error.";
const NO_GATED: &str = "Please enable access to public gated repositories in your fine-grained token settings to view this repository.";

/// Who is calling. Basic credentials, as git sends them, work like a token.
pub fn caller(world: &World, call: &Call) -> Caller {
    let basic = || {
        use base64::Engine as _;
        let encoded = call.header("authorization")?.strip_prefix("Basic ")?;
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(encoded.trim())
            .ok()?;
        let text = String::from_utf8(decoded).ok()?;
        text.split_once(':')
            .map(|(_, password)| password.to_owned())
    };
    let token = call.bearer().map(str::to_owned).or_else(basic);
    world.accounts.caller(Site::HuggingFace, token.as_deref())
}

/// A refusal with Hugging Face's headers for clients and its text for people.
pub fn refused(status: u16, code: Option<&str>, message: &str) -> Refusal {
    let mut response = with(
        json_answer(status, &json!({"error": message})),
        "x-error-message",
        message,
    );
    if let Some(code) = code {
        response = with(response, "x-error-code", code);
    }
    response.into()
}

/// The token is not one.
pub fn bad_token() -> Refusal {
    refused(401, None, "Invalid credentials in Authorization header")
}

/// The request makes no sense.
pub fn bad_request(message: &str) -> Refusal {
    refused(400, None, message)
}

/// No such repo, as far as the caller may know. A stranger is asked who it is.
fn repo_not_found(world: &World, caller: Caller) -> Refusal {
    let code = Some("RepoNotFound");
    match caller {
        Caller::Known(_) => refused(404, code, "Repository not found"),
        _ => {
            let refusal = refused(
                401,
                code.filter(|_| world.settings().hf_absent_code),
                "Invalid username or password.",
            );
            with(
                settle(Err(refusal)),
                "www-authenticate",
                "Bearer realm=\"Authentication required\", charset=\"UTF-8\"",
            )
            .into()
        }
    }
}

/// The repo, if the caller may know of it.
pub fn repo(world: &World, caller: Caller, (kind, id): (Kind, &str)) -> Result<Arc<Repo>, Refusal> {
    let repo = world
        .hf
        .repo(kind, id)
        .ok_or_else(|| repo_not_found(world, caller))?;
    let reads = caller
        .account()
        .is_some_and(|account| account.may_read(repo.owner()));
    let state = repo.state();
    if !state.is_public() && !reads {
        return Err(repo_not_found(world, caller));
    }
    if state.disabled {
        return Err(refused(403, None, "Access to this resource is disabled."));
    }
    drop(state);
    Ok(repo)
}

/// The repo that had this id has another one now: the same request, there (307, as recorded).
pub fn moved(call: &Call, from: &str, to: &str) -> Response<Body> {
    with(empty(307), "location", &call.target.replacen(from, to, 1))
}

/// Refuses while the storage of the repo's owner is locked.
pub fn not_locked(repo: &Repo) -> Result<(), Refusal> {
    match repo.state().storage_locked.as_deref() {
        None => Ok(()),
        Some("private") => Err(refused(403, None, PRIVATE_LIMIT)),
        Some("patterns" | "true") => Err(refused(403, None, PATTERNS)),
        Some(other) => Err(refused(403, None, other)),
    }
}

/// Refuses who was not let through the gate.
pub fn through_gate(repo: &Repo, caller: Caller) -> Result<(), Refusal> {
    let state = repo.state();
    if state.gated.is_none() {
        return Ok(());
    }
    let id = &repo.id;
    let is_let_in =
        |account: &Account| account.owns(repo.owner()) || state.granted.contains(account.user);
    match caller.account() {
        Some(account) if is_let_in(account) => {
            let no_gated = account.scopes.is_some_and(|scopes| !scopes.reads_gated);
            if no_gated && !account.may_read(repo.owner()) {
                return Err(refused(403, None, NO_GATED));
            }
            Ok(())
        }
        Some(_) => {
            let text = format!(
                "Access to model {id} is restricted and you are not in the authorized list. Visit https://huggingface.co/{id} to ask for access."
            );
            Err(refused(403, Some("GatedRepo"), &text))
        }
        None => {
            let text = format!(
                "Access to model {id} is restricted. You must have access to it and be authenticated to access it. Please log in."
            );
            Err(refused(401, Some("GatedRepo"), &text))
        }
    }
}

/// The account, if it may write in `namespace`; else `words`.
fn writer(caller: Caller, namespace: &str, words: &str) -> Result<&'static Account, Refusal> {
    let account = caller
        .account()
        .ok_or_else(|| refused(401, None, "Invalid username or password."))?;
    if account.may_write(namespace) {
        return Ok(account);
    }
    Err(refused(403, None, words))
}

/// The account, if it may create a repo of this kind in `namespace`.
pub fn creator(caller: Caller, namespace: &str, kind: Kind) -> Result<&'static Account, Refusal> {
    let kind = format!("{kind:?}").to_lowercase();
    let words =
        format!("You don't have the rights to create a {kind} under the namespace \"{namespace}\"");
    writer(caller, namespace, &words)
}

/// The account, if it may commit to `repo`.
pub fn committer(repo: &Repo, caller: Caller) -> Result<&'static Account, Refusal> {
    writer(caller, repo.owner(), NO_COMMIT)
}

/// The account, if it may send blobs to `repo`.
pub fn uploader(repo: &Repo, caller: Caller) -> Result<&'static Account, Refusal> {
    writer(caller, repo.owner(), NO_UPLOAD)
}

/// The account, if it may change `repo` in any other way.
pub fn repo_writer(repo: &Repo, caller: Caller) -> Result<&'static Account, Refusal> {
    writer(caller, repo.owner(), NO_RIGHT)
}

/// The snapshot that `revision` names.
pub fn revision(repo: &Repo, revision: &str) -> Result<Arc<Commit>, Refusal> {
    repo.commit(revision).ok_or_else(|| {
        refused(
            404,
            Some("RevisionNotFound"),
            &format!("Invalid rev id: {revision}"),
        )
    })
}

/// There is nothing at that path.
pub fn entry_not_found(commit: &Commit, path: &str) -> Refusal {
    not_found(
        commit,
        &format!("{path} does not exist on \"{}\"", commit.id),
    )
}

/// There is no such file, as the resolver says it.
pub fn file_not_found(commit: &Commit) -> Refusal {
    not_found(commit, "Entry not found")
}

fn not_found(commit: &Commit, message: &str) -> Refusal {
    let response = settle(Err(refused(404, Some("EntryNotFound"), message)));
    with(response, "x-repo-commit", &commit.id.to_string()).into()
}
