//! The two verbs of a mirror. `scan` fetches a repo's Git objects and finds every LFS object that they name and the destination lacks;
//! `push` writes the refs, once these objects are stored. The chunks in between are those of [`super::run`]; [`steps`] makes them and
//! the push.

mod held;
mod push;
pub mod refs;
mod scan;
pub mod steps;
mod updates;

use std::sync::Arc;

use hf2ms_hub::git::{Bare, Depth, GitLimits, GitRepo, LfsStore};
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{Error, Kind, RepoAt, Result, Revision, Side, Token, Url};

pub use push::push;
pub use scan::scan;

use crate::events::Events;
use crate::protocol::{Exit, RefScope, ScratchFolder};
use crate::settings::Settings;

/// Both repos of a mirror, opened.
struct MirrorRepos {
    from: GitRepo,
    to: GitRepo,
    from_url: Url,
    to_url: Url,
    to_side: Side,
    http: HttpOptions,
}

impl MirrorRepos {
    fn open(from: &RepoAt, to: &RepoAt, settings: &Settings, events: &Arc<Events>) -> Result<Self> {
        let http = events.with_retry_events(settings.http());
        let (from_side, to_side) = (settings.source(from)?, settings.destination(to)?);
        let ((from, from_url), (to, to_url)) =
            (opened(&from_side, &http)?, opened(&to_side, &http)?);
        Ok(Self {
            from,
            to,
            from_url,
            to_url,
            to_side,
            http,
        })
    }

    /// The blobs of one side, at this LFS server, as those of a branch.
    fn store(&self, side: &Side, lfs: &str, branch: &Revision) -> Result<LfsStore> {
        let at = RepoAt {
            endpoint: lfs.to_owned(),
            revision: branch.clone(),
            ..side.at.clone()
        };
        LfsStore::open(
            &Side {
                at,
                token: side.token.clone(),
            },
            self.http.clone(),
        )
    }

    /// The source's refs of this scope, fetched with all their history.
    async fn fetch(&self, scope: RefScope, folder: &ScratchFolder) -> Result<Bare> {
        let fetched = fetch(&self.from, scope, folder).await;
        fetched.map_err(|error| error.about("the source"))
    }
}

/// The refs of this scope of one side, fetched with all their history.
async fn fetch(repo: &GitRepo, scope: RefScope, folder: &ScratchFolder) -> Result<Bare> {
    let below = folder.below.as_deref().map(std::path::Path::new);
    let bare = Bare::below(GitLimits::default(), below)?;
    bare.fetch(repo, scope.refspecs(), Depth::All).await?;
    Ok(bare)
}

fn opened(side: &Side, http: &HttpOptions) -> Result<(GitRepo, Url)> {
    let endpoint = &side.at.endpoint;
    let url: Url = endpoint
        .parse()
        .map_err(|error| Error::new(Kind::Usage, format!("'{endpoint}' is no address: {error}")))?;
    let user = side
        .token
        .as_ref()
        .and_then(Token::user)
        .unwrap_or_default();
    Ok((
        GitRepo::open(&url, user, side.token.as_ref(), http.clone())?,
        url,
    ))
}

/// Deletes the bare repository, unless the job keeps it.
fn close_folder(bare: Bare, folder: &ScratchFolder) {
    if folder.kept {
        eprintln!(
            "hf2ms-worker: Git's objects are kept in {}",
            bare.keep().display()
        );
    }
}

/// The exit code of a verb; an error is reported as an event.
fn exit_or_report(events: &Events, ended: Result<Exit>) -> Exit {
    ended.unwrap_or_else(|error| {
        events.verb_failed(&error);
        Exit::of(error.kind())
    })
}
