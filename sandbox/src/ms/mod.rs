//! ModelScope: which request is which. The older routes under /api/v1 and the newer under /openapi/v1 answer in forms of their own.

mod access;
mod commit;
mod files;
mod form;
mod listing;
mod push;
mod read;
pub mod storage;
mod write;

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use serde_json::json as value;

use crate::accounts::Caller;
use crate::answer::{Answer, json, settle};
use crate::call::Call;
use crate::git;
use crate::repo::Kind;
use crate::settings::StudioFiles;
use crate::world::World;

pub use write::seeds;

/// Which of the two surfaces a request came to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// `/api/v1`: PascalCase, numbers for codes.
    Legacy,
    /// `/openapi/v1`: snake_case, words for codes.
    Open,
}

/// What a request asks for.
pub enum Route {
    /// Who the token is.
    Me,
    /// Cookies for a token.
    Login,
    /// Repos of an owner.
    List(Surface, Kind),
    /// A new repo.
    Create(Surface, Kind),
    /// Something about one repo.
    Repo(Surface, Kind, String, Verb),
    /// Nothing known.
    Unknown(Surface),
}

/// What is asked of a repo.
pub enum Verb {
    /// What is it?
    Info,
    /// Away with it, or with one of its files.
    Delete,
    /// What is in it, cut at a cap?
    Files,
    /// What is in it, page by page?
    Tree,
    /// A file.
    Download,
    /// A file, at an address of its own.
    Resolve { revision: String, path: String },
    /// What does a dataset of the old kind keep beside its repo?
    Beside,
    /// Which commits led to a branch, tag or commit?
    Commits,
    /// What branches and tags are there?
    Revisions,
    /// At which commits do they stand? Asked as Git asks.
    Refs,
    /// Objects, for Git.
    GitObjects,
    /// A push.
    GitPush,
    /// Where are these large files? Asked as Git asks.
    GitLfs,
    /// A new tag.
    Tag,
    /// Which of these blobs are wanted?
    Batch,
    /// Change these files.
    Commit { branch: String },
    /// Keep this blob.
    Blob { oid: String },
    /// A studio's settings, secrets, variables and runs.
    Studio,
}

impl Route {
    /// The name it is counted and made to fail under.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Me => "ms.me",
            Self::Login => "ms.login",
            Self::List(..) => "ms.list",
            Self::Create(..) => "ms.create",
            Self::Unknown(_) => "ms.unknown",
            Self::Repo(_, _, _, verb) => match verb {
                Verb::Info => "ms.info",
                Verb::Delete => "ms.delete",
                Verb::Files | Verb::Tree => "ms.files",
                Verb::Download => "ms.download",
                Verb::Resolve { .. } => "ms.resolve",
                Verb::Beside => "ms.oss",
                Verb::Commits => "ms.commits",
                Verb::Revisions => "ms.revisions",
                Verb::Refs => "ms.git_refs",
                Verb::GitObjects => "ms.git_upload_pack",
                Verb::GitPush => "ms.git_push",
                Verb::GitLfs => "ms.git_lfs",
                Verb::Tag => "ms.tag",
                Verb::Batch => "ms.batch",
                Verb::Commit { .. } => "ms.commit",
                Verb::Blob { .. } => "ms_storage.put",
                Verb::Studio => "ms.studio",
            },
        }
    }
}

/// What `call` asks for.
pub fn route(call: &Call) -> Route {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    let method = call.method.as_str();
    match segments.as_slice() {
        ["openapi", "v1", "users", "me"] => Route::Me,
        ["openapi", "v1", rest @ ..] => open(method, rest).unwrap_or(Route::Unknown(Surface::Open)),
        [kind, owner, name, rest @ ..] if name.ends_with(".git") => {
            git_verb(call, kind, owner, name, rest).unwrap_or(Route::Unknown(Surface::Legacy))
        }
        [kind, owner, name, "resolve", revision, path @ ..] if !path.is_empty() => {
            resolve(method, kind, format!("{owner}/{name}"), revision, path)
                .unwrap_or(Route::Unknown(Surface::Legacy))
        }
        ["api", "v1", "login"] => Route::Login,
        ["api", "v1", "repos", kind, owner, name, rest @ ..] => {
            written(kind, owner, name, rest).unwrap_or(Route::Unknown(Surface::Legacy))
        }
        ["api", "v1", rest @ ..] => legacy(method, rest).unwrap_or(Route::Unknown(Surface::Legacy)),
        _ => Route::Unknown(Surface::Legacy),
    }
}

/// Git's smart HTTP: the address is the client's `{endpoint}/{type}s/{repo_id}.git` (modelscope-hub 0.5.1, `_repository.py`).
fn git_verb(call: &Call, kind: &str, owner: &str, name: &str, rest: &[&str]) -> Option<Route> {
    let (kind, name) = (Kind::from_plural(kind)?, name.strip_suffix(".git")?);
    let verb = match rest {
        ["info", "refs"] if call.param("service") == Some("git-upload-pack") => Verb::Refs,
        ["git-upload-pack"] => Verb::GitObjects,
        ["info", "refs"] | ["git-receive-pack"] => Verb::GitPush,
        ["info", "lfs", "objects", "batch"] => Verb::GitLfs,
        _ => return None,
    };
    Some(Route::Repo(
        Surface::Legacy,
        kind,
        format!("{owner}/{name}"),
        verb,
    ))
}

fn resolve(method: &str, kind: &str, id: String, revision: &str, path: &[&str]) -> Option<Route> {
    let verb = Verb::Resolve {
        revision: revision.to_owned(),
        path: path.join("/"),
    };
    matches!(method, "GET" | "HEAD").then_some(Route::Repo(
        Surface::Legacy,
        Kind::from_plural(kind)?,
        id,
        verb,
    ))
}

fn open(method: &str, rest: &[&str]) -> Option<Route> {
    let kind = Kind::from_plural(rest.first()?)?;
    let of = |owner: &str, name: &str, verb| {
        Some(Route::Repo(
            Surface::Open,
            kind,
            format!("{owner}/{name}"),
            verb,
        ))
    };
    match (method, &rest[1..]) {
        ("GET", []) => Some(Route::List(Surface::Open, kind)),
        ("POST", []) if kind == Kind::Space => Some(Route::Create(Surface::Open, kind)),
        ("GET", [owner, name]) => of(owner, name, Verb::Info),
        (_, [owner, name, _, ..]) if kind == Kind::Space => of(owner, name, Verb::Studio),
        _ => None,
    }
}

fn legacy(method: &str, rest: &[&str]) -> Option<Route> {
    let kind = Kind::from_plural(rest.first()?)?;
    let of = |owner: &str, name: &str, verb| {
        Some(Route::Repo(
            Surface::Legacy,
            kind,
            format!("{owner}/{name}"),
            verb,
        ))
    };
    match (method, &rest[1..]) {
        ("GET", []) if kind == Kind::Dataset => Some(Route::List(Surface::Legacy, kind)),
        ("POST", []) => Some(Route::Create(Surface::Legacy, kind)),
        // A dataset also answers to its number.
        ("GET", [number, "repo", "tree"]) => Some(Route::Repo(
            Surface::Legacy,
            kind,
            (*number).to_owned(),
            Verb::Tree,
        )),
        ("GET", [owner, name]) => of(owner, name, Verb::Info),
        ("DELETE", [owner, name] | [owner, name, "repo" | "file"]) => of(owner, name, Verb::Delete),
        ("GET", [owner, name, "repo", "files"]) => of(owner, name, Verb::Files),
        ("GET", [owner, name, "repo", "tree"]) => of(owner, name, Verb::Tree),
        ("GET" | "HEAD", [owner, name, "repo"]) => of(owner, name, Verb::Download),
        ("GET", [owner, name, "revisions"]) => of(owner, name, Verb::Revisions),
        ("GET", [owner, name, "commits"]) => of(owner, name, Verb::Commits),
        ("GET", [owner, name, "oss", "tree"] | [owner, name, "oss", "tree", ""])
            if kind == Kind::Dataset =>
        {
            of(owner, name, Verb::Beside)
        }
        ("POST", [owner, name, "repo", "tag"]) => of(owner, name, Verb::Tag),
        _ => None,
    }
}

fn written(kind: &str, owner: &str, name: &str, rest: &[&str]) -> Option<Route> {
    let kind = Kind::from_plural(kind)?;
    let verb = match rest {
        ["info", "lfs", "objects", "batch"] => Verb::Batch,
        ["blobs", oid, _size] => Verb::Blob {
            oid: (*oid).to_owned(),
        },
        ["commit", branch] => Verb::Commit {
            branch: (*branch).to_owned(),
        },
        _ => return None,
    };
    Some(Route::Repo(
        Surface::Legacy,
        kind,
        format!("{owner}/{name}"),
        verb,
    ))
}

/// Answers a request.
pub async fn handle(world: &Arc<World>, call: Call) -> Response<Body> {
    let route = route(&call);
    if is_by_itself(world, &call, &route) {
        return json(
            421,
            &value!({"message": "mirror self-forwarded loop detected"}),
        );
    }
    let caller = access::caller(world, &call);
    let is_git = matches!(
        route,
        Route::Repo(
            _,
            _,
            _,
            Verb::Refs | Verb::GitObjects | Verb::GitPush | Verb::GitLfs
        )
    );
    let answer = answer(world, call, route, caller).await;
    settle(if is_git {
        answer.map_err(git::challenged)
    } else {
        answer
    })
}

/// Whether the hub's edge takes what asks Git for one of its own mirrors: it knows clients by the name that they begin with.
fn is_by_itself(world: &World, call: &Call, route: &Route) -> bool {
    let agent = call
        .header(axum::http::header::USER_AGENT)
        .unwrap_or_default();
    let is_client = match route {
        Route::Repo(_, _, _, Verb::Refs | Verb::GitObjects | Verb::GitPush) => {
            agent.starts_with("git/")
        }
        Route::Repo(_, _, _, Verb::GitLfs) => {
            agent.starts_with("git/") || agent.starts_with("git-lfs/")
        }
        _ => true,
    };
    world.settings().ms_git_agent && !is_client
}

/// Whether files of studios are asked for by a route that the settings shut.
fn is_shut(world: &World, call: &Call, verb: &Verb) -> bool {
    let is_of_files = matches!(verb, Verb::Files | Verb::Download | Verb::Commits);
    let shut = match world.settings().ms_studio_files {
        StudioFiles::Singular => "studios",
        StudioFiles::Plural => "studio",
        StudioFiles::Both => return false,
    };
    is_of_files && call.segments.get(2).is_some_and(|segment| segment == shut)
}

async fn answer(world: &Arc<World>, mut call: Call, route: Route, caller: Caller) -> Answer {
    if matches!(route, Route::Login) {
        return read::login(world, call).await;
    }
    let surface = match route {
        Route::Me => Surface::Open,
        Route::List(surface, _)
        | Route::Create(surface, _)
        | Route::Repo(surface, ..)
        | Route::Unknown(surface) => surface,
        Route::Login => Surface::Legacy,
    };
    if matches!(caller, Caller::Bad) {
        // An upload is heard out first, so that the answer is not lost to a reset.
        call.bytes_dropped().await;
        return Err(access::bad_token(surface));
    }
    match route {
        Route::Me => read::me(caller),
        Route::List(Surface::Open, kind) => read::list(world, &call, caller, kind),
        Route::List(Surface::Legacy, _) => read::list_datasets(world, &call, caller),
        Route::Create(Surface::Open, _) => write::create_studio(world, call, caller).await,
        Route::Create(Surface::Legacy, kind) => write::create(world, call, caller, kind).await,
        Route::Repo(surface, kind, id, verb) => {
            about_repo(world, call, caller, (surface, kind, &id), verb).await
        }
        Route::Login | Route::Unknown(_) => Err(access::refused(surface, &access::NO_ROUTE)),
    }
}

async fn about_repo(
    world: &Arc<World>,
    mut call: Call,
    caller: Caller,
    (surface, kind, id): (Surface, Kind, &str),
    verb: Verb,
) -> Answer {
    let is_git = matches!(
        verb,
        Verb::Refs | Verb::GitObjects | Verb::GitPush | Verb::GitLfs
    );
    let repo = match access::repo(world, caller, (surface, kind, id)) {
        // Git sends its credentials only to who asks for them.
        Err(_) if is_git && caller.account().is_none() => return Err(access::no_token()),
        // Storage asks for a login before it looks at the repo.
        Err(_) if matches!(verb, Verb::Blob { .. }) && caller.account().is_none() => {
            call.bytes_dropped().await;
            return Err(commit::not_logged_in());
        }
        repo => repo?,
    };
    if is_git {
        access::files_of(caller, &repo)?;
    }
    if is_shut(world, &call, &verb) {
        return Err(access::refused(surface, &access::NO_ROUTE));
    }
    match verb {
        Verb::Info => Ok(read::info(surface, &repo)),
        Verb::Delete => Err(access::refused(surface, &access::NO_DELETION)),
        Verb::Files => listing::unpaged(world, &call, caller, &repo),
        Verb::Tree => listing::paged(world, &call, caller, &repo),
        Verb::Download => files::download(world, &call, caller, &repo),
        Verb::Resolve { revision, path } => {
            files::resolve(world, &call, caller, &repo, (&revision, &path))
        }
        Verb::Beside => listing::beside(world, &call, caller, &repo),
        Verb::Commits => read::commits(world, &call, caller, &repo),
        Verb::Revisions => Ok(read::revisions(&repo)),
        Verb::Refs => Ok(git::refs::advertised(&repo, world.ms.branch)),
        Verb::GitObjects => git::upload_pack(&world.ms, call, &repo).await,
        Verb::GitPush => push::push(call, caller, &repo).await,
        Verb::GitLfs => files::lfs_batch(world, call).await,
        Verb::Tag => write::tag(call, caller, &repo).await,
        Verb::Batch => write::batch(world, call, caller, &repo).await,
        Verb::Commit { branch } => commit::commit(world, call, caller, &repo, &branch).await,
        Verb::Blob { oid } => storage::put_at_hub(world, call, caller, &repo, &oid).await,
        Verb::Studio => write::studio(&call, caller, &repo),
    }
}
