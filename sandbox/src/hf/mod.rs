//! Hugging Face: which request is which, and the rate limits they all count against.

mod access;
mod commit;
mod community;
mod duplicate;
pub mod lfs;
mod limits;
mod listing;
mod read;
mod refusals;
mod resolve;
pub mod rules;
mod space;
pub mod storage;
mod write;

use std::io;
use std::sync::Arc;

use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, broken, settle};
use crate::call::Call;
use crate::git;
use crate::repo::{Kind, Repo};
use crate::world::World;
use axum::body::Body;
use axum::http::Response;

const NO_PAGE: &str = "Sorry, we can't find the page you are looking for.";

/// What a request asks for.
pub enum Route {
    /// Who the token is.
    Whoami,
    /// Whether a README's front matter will do.
    ValidateYaml,
    /// A new repo.
    Create,
    /// An end to a repo.
    Delete,
    /// Another id for a repo.
    Move,
    /// Repos of an owner.
    List(Kind),
    /// An upload in parts is whole.
    Complete(String),
    /// Something about one repo.
    Repo(Kind, String, Verb),
    /// Nothing known.
    Unknown,
}

/// What is asked of a repo.
pub enum Verb {
    /// May I read, or write?
    AuthCheck { write: bool },
    /// What is it?
    Info { revision: Option<String> },
    /// What is in it?
    Tree { revision: String, path: String },
    /// What branches and tags are there?
    Refs,
    /// What is at these paths?
    PathsInfo { revision: String },
    /// What do people say of it?
    Discussions,
    /// What commits are there?
    Commits { revision: String },
    /// Where is this file?
    Resolve { revision: String, path: String },
    /// A small file.
    ResolveCache { revision: String, path: String },
    /// Where do these blobs come from or go to?
    LfsBatch,
    /// Copy these blobs to another repo.
    LfsDuplicate,
    /// Is this blob whole?
    LfsVerify,
    /// What branches and tags are there? Asked as Git asks.
    GitRefs,
    /// Objects, for Git.
    GitObjects,
    /// A push.
    GitPush,
    /// Which of these files go to LFS?
    Preupload { revision: String },
    /// Change these files.
    Commit { revision: String },
    /// Change the repo itself.
    Settings,
    /// A space's secrets or variables.
    Space(space::Setting),
    /// A branch comes or goes.
    Branch { name: String },
    /// What opens Xet's storage.
    XetToken { write: bool },
    /// A tag comes or goes; the name is a revision when it comes.
    Tag { name: String },
}

impl Route {
    /// The name it is counted and made to fail under.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Whoami => "hf.whoami",
            Self::ValidateYaml => "hf.validate_yaml",
            Self::Create => "hf.create",
            Self::Delete => "hf.delete",
            Self::Move => "hf.move",
            Self::List(_) => "hf.list",
            Self::Complete(_) => "hf.lfs_complete",
            Self::Unknown => "hf.unknown",
            Self::Repo(_, _, verb) => match verb {
                Verb::AuthCheck { .. } => "hf.auth_check",
                Verb::Info { .. } => "hf.info",
                Verb::Tree { .. } => "hf.tree",
                Verb::Refs => "hf.refs",
                Verb::PathsInfo { .. } => "hf.paths_info",
                Verb::Discussions => "hf.discussions",
                Verb::Commits { .. } => "hf.commits",
                Verb::Resolve { .. } => "hf.resolve",
                Verb::ResolveCache { .. } => "hf.resolve_cache",
                Verb::LfsBatch => "hf.lfs_batch",
                Verb::LfsDuplicate => "hf.lfs_duplicate",
                Verb::LfsVerify => "hf.lfs_verify",
                Verb::GitRefs => "hf.git_refs",
                Verb::GitObjects => "hf.git_upload_pack",
                Verb::GitPush => "hf.git_push",
                Verb::Preupload { .. } => "hf.preupload",
                Verb::Commit { .. } => "hf.commit",
                Verb::Settings => "hf.settings",
                Verb::Space(_) => "hf.space",
                Verb::Branch { .. } => "hf.branch",
                Verb::XetToken { write: false } => "hf.xet_read_token",
                Verb::XetToken { write: true } => "hf.xet_write_token",
                Verb::Tag { .. } => "hf.tag",
            },
        }
    }
}

/// What `call` asks for.
pub fn route(call: &Call) -> Route {
    let segments: Vec<&str> = call.segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["api", "whoami-v2"] => Route::Whoami,
        ["api", "validate-yaml"] => Route::ValidateYaml,
        ["api", "repos", "create"] => Route::Create,
        ["api", "repos", "delete"] => Route::Delete,
        ["api", "repos", "move"] => Route::Move,
        ["api", "complete_multipart", upload] => Route::Complete((*upload).to_owned()),
        [
            "api",
            "resolve-cache",
            kind,
            owner,
            name,
            revision,
            path @ ..,
        ] => {
            let verb = Verb::ResolveCache {
                revision: (*revision).to_owned(),
                path: path.join("/"),
            };
            Kind::from_plural(kind).map_or(Route::Unknown, |kind| {
                Route::Repo(kind, format!("{owner}/{name}"), verb)
            })
        }
        ["api", kind] => Kind::from_plural(kind).map_or(Route::Unknown, Route::List),
        ["api", kind, owner, name, rest @ ..] => match (Kind::from_plural(kind), api_verb(rest)) {
            (Some(kind), Some(verb)) => Route::Repo(kind, format!("{owner}/{name}"), verb),
            _ => Route::Unknown,
        },
        ["datasets", rest @ ..] => web(call, Kind::Dataset, rest),
        ["spaces", rest @ ..] => web(call, Kind::Space, rest),
        rest => web(call, Kind::Model, rest),
    }
}

fn api_verb(rest: &[&str]) -> Option<Verb> {
    Some(match rest {
        [] => Verb::Info { revision: None },
        ["revision", revision] => Verb::Info {
            revision: Some((*revision).to_owned()),
        },
        ["auth-check"] => Verb::AuthCheck { write: false },
        ["auth-check", "write"] => Verb::AuthCheck { write: true },
        ["tree", revision, path @ ..] => Verb::Tree {
            revision: (*revision).to_owned(),
            path: path.join("/"),
        },
        ["refs"] => Verb::Refs,
        ["paths-info", revision] => Verb::PathsInfo {
            revision: (*revision).to_owned(),
        },
        ["discussions"] => Verb::Discussions,
        ["commits", revision] => Verb::Commits {
            revision: (*revision).to_owned(),
        },
        ["lfs-files", "duplicate"] => Verb::LfsDuplicate,
        ["preupload", revision] => Verb::Preupload {
            revision: (*revision).to_owned(),
        },
        ["commit", revision] => Verb::Commit {
            revision: (*revision).to_owned(),
        },
        ["xet-read-token", _] => Verb::XetToken { write: false },
        ["xet-write-token", _] => Verb::XetToken { write: true },
        ["settings"] => Verb::Settings,
        ["secrets"] => Verb::Space(space::Setting::Secret),
        ["variables"] => Verb::Space(space::Setting::Variable),
        ["branch", name] => Verb::Branch {
            name: (*name).to_owned(),
        },
        ["tag", name] => Verb::Tag {
            name: (*name).to_owned(),
        },
        _ => return None,
    })
}

fn web(call: &Call, kind: Kind, rest: &[&str]) -> Route {
    let (owner, name, verb) = match rest {
        [owner, name, "resolve", revision, path @ ..] => (
            owner,
            *name,
            Verb::Resolve {
                revision: (*revision).to_owned(),
                path: path.join("/"),
            },
        ),
        [owner, name, "info", "refs"] => {
            let verb = if call.param("service") == Some("git-upload-pack") {
                Verb::GitRefs
            } else {
                Verb::GitPush
            };
            (owner, name.trim_end_matches(".git"), verb)
        }
        [owner, name, "git-upload-pack"] => {
            (owner, name.trim_end_matches(".git"), Verb::GitObjects)
        }
        [owner, name, "git-receive-pack"] => (owner, name.trim_end_matches(".git"), Verb::GitPush),
        [owner, name, "info", "lfs", "objects", "batch"] => {
            (owner, name.trim_end_matches(".git"), Verb::LfsBatch)
        }
        [owner, name, "info", "lfs", "objects", "verify"] => {
            (owner, name.trim_end_matches(".git"), Verb::LfsVerify)
        }
        _ => return Route::Unknown,
    };
    Route::Repo(kind, format!("{owner}/{name}"), verb)
}

/// Answers a request.
pub async fn handle(world: &Arc<World>, call: Call) -> Response<Body> {
    let route = route(&call);
    let caller = access::caller(world, &call);
    let limits = limits::Limits::count(world, &route, &call);
    let is_git = matches!(
        route,
        Route::Repo(_, _, Verb::GitRefs | Verb::GitObjects | Verb::GitPush)
    );
    let response = match limits.exceeded() {
        Some(refusal) => settle(Err(refusal)),
        None if is_git => settle(
            answer(world, call, route, caller)
                .await
                .map_err(git::challenged),
        ),
        None => settle(answer(world, call, route, caller).await),
    };
    limits.told(response)
}

async fn answer(world: &Arc<World>, call: Call, route: Route, caller: Caller) -> Answer {
    if matches!(caller, Caller::Bad) {
        return Err(gated_file(world, &route).unwrap_or_else(access::bad_token));
    }
    match route {
        Route::Whoami => read::whoami(caller),
        Route::ValidateYaml => write::validate_yaml(call).await,
        Route::Create => write::create(world, call, caller).await,
        Route::Delete => write::delete(world, call, caller).await,
        Route::Move => write::rename(world, call, caller).await,
        Route::List(kind) => listing::repos(world, &call, caller, kind),
        Route::Complete(upload) => lfs::complete(world, call, &upload).await,
        Route::Repo(kind, id, verb) => about_repo(world, call, caller, (kind, &id), verb).await,
        Route::Unknown => Err(access::refused(404, None, NO_PAGE)),
    }
}

/// A gated file answers a wrong token as it answers none.
fn gated_file(world: &World, route: &Route) -> Option<Refusal> {
    let Route::Repo(kind, id, Verb::Resolve { .. }) = route else {
        return None;
    };
    let repo = access::repo(world, Caller::Anonymous, (*kind, id)).ok()?;
    access::through_gate(&repo, Caller::Anonymous).err()
}

/// Refuses what a locked API refuses, and has Xet's storage take in what is read.
async fn ready(world: &Arc<World>, repo: &Arc<Repo>, verb: &Verb) -> Result<(), Refusal> {
    // Git and its large files go on while the API is locked.
    if !matches!(
        verb,
        Verb::LfsBatch | Verb::LfsVerify | Verb::GitRefs | Verb::GitObjects | Verb::GitPush
    ) {
        access::not_locked(repo)?;
    }
    if matches!(
        verb,
        Verb::Tree { .. } | Verb::PathsInfo { .. } | Verb::Resolve { .. }
    ) && world.settings().hf_xet
    {
        let (world, repo) = (Arc::clone(world), Arc::clone(repo));
        // Whoever asked may go away in the middle; what is begun there has to be ended.
        let adopted = tokio::spawn(async move { world.xet.adopt(&world.hf, &repo).await });
        adopted
            .await
            .map_err(io::Error::other)
            .flatten()
            .map_err(|error| broken(&error))?;
    }
    Ok(())
}

async fn about_repo(
    world: &Arc<World>,
    call: Call,
    caller: Caller,
    place: (Kind, &str),
    verb: Verb,
) -> Answer {
    if let Some(id) = world.hf.moved_to(place.0, place.1) {
        access::repo(world, caller, (place.0, &id))?;
        return Ok(access::moved(&call, place.1, &id));
    }
    let repo = access::repo(world, caller, place)?;
    ready(world, &repo, &verb).await?;
    match verb {
        Verb::AuthCheck { write } => read::auth_check(&repo, caller, write),
        Verb::Info { revision } => read::info(&repo, &call, revision.as_deref()),
        Verb::Tree { revision, path } => listing::tree(world, &call, &repo, &revision, &path),
        Verb::Refs => read::refs(&repo, &call),
        Verb::PathsInfo { revision } => listing::paths_info(world, call, &repo, &revision).await,
        Verb::Discussions => community::discussions(&repo, &call),
        Verb::Commits { revision } => listing::commits(world, &call, &repo, &revision),
        Verb::Resolve { revision, path } => {
            resolve::file(world, &call, caller, &repo, &revision, &path)
        }
        Verb::ResolveCache { revision, path } => {
            resolve::cache(world, &call, caller, &repo, &revision, &path)
        }
        Verb::LfsBatch if !world.settings().hf_lfs => {
            Err(access::refused(404, Some("RepoNotFound"), NO_PAGE))
        }
        Verb::LfsBatch => lfs::batch(world, call, caller, &repo).await,
        Verb::LfsDuplicate => duplicate::duplicate(world, call, caller, &repo).await,
        Verb::LfsVerify => lfs::verify(world, call, caller, &repo).await,
        Verb::GitRefs => access::through_gate(&repo, caller)
            .map(|()| git::refs::advertised(&repo, world.hf.branch)),
        Verb::GitObjects => {
            access::through_gate(&repo, caller)?;
            git::upload_pack(&world.hf, call, &repo).await
        }
        Verb::GitPush if call.method == "GET" && world.settings().hf_git_write => {
            access::repo_writer(&repo, caller).map(|_| git::refs::to_write(&repo))
        }
        Verb::GitPush => Err(git::no_push()),
        Verb::Preupload { revision } => write::preupload(call, caller, &repo, &revision).await,
        Verb::Commit { revision } => commit::commit(world, call, caller, &repo, &revision).await,
        Verb::XetToken { write } => read::xet_token(world, &call, &repo, caller, write),
        Verb::Settings => write::settings(call, caller, &repo).await,
        Verb::Space(setting) => space::settings(call, caller, &repo, setting).await,
        Verb::Branch { name } => write::branch(call, caller, &repo, &name).await,
        Verb::Tag { name } => write::tag(call, caller, &repo, &name).await,
    }
}
