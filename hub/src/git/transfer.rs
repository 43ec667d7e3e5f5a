//! Objects from a server into a [`Bare`], and from there to a server.

use std::sync::{Arc, Mutex, PoisonError};

use git2::{AutotagOption, FetchOptions, PushOptions, RemoteCallbacks};
use tokio::sync::watch;

use super::bare::Bare;
use super::limits::Limits;
use super::remote::{Advertisement, GitRepo, Service};
use super::session::{Open, Session};
use crate::http::retry::retrying;
use crate::path::escape;
use crate::{Error, Kind, Result};

/// Bytes of a server's words that are kept.
const MOST_SAID: usize = 4 << 10;

/// How much history is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The commits that are named, and none before them.
    One,
    /// All.
    All,
}

/// What became of one ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its name at the server, in full.
    pub name: String,
    /// Why the server refuses it; `None` when it stands there now.
    pub refused: Option<String>,
}

impl Bare {
    /// Fetches what `refspecs` name (`refs/heads/*:refs/heads/*`, or `{commit}:refs/heads/x` from servers that allow it). A
    /// transfer that breaks is begun again, as the retry policy says.
    ///
    /// # Errors
    /// [`Kind::Refused`] beyond the limits and for what is not Git's protocol, [`Kind::Corrupt`] for a pack that is none; the
    /// server's and the network's.
    pub async fn fetch(&self, from: &GitRepo, refspecs: &[&str], depth: Depth) -> Result<()> {
        self.fetch_told(from, None, refspecs, depth).await
    }

    /// The same, the refs being known already.
    pub(super) async fn fetch_told(&self, from: &GitRepo, told: Option<Advertisement>, refspecs: &[&str], depth: Depth) -> Result<()> {
        let specs: Vec<String> = refspecs.iter().map(|spec| (*spec).to_owned()).collect();
        let (options, told) = (from.http.options(), Mutex::new(told));
        retrying(&options.retry, &options.clock, &options.on_retry, || {
            let (told, specs) = (told.lock().unwrap_or_else(PoisonError::into_inner).take(), specs.clone());
            self.fetch_once(from, told, specs, depth)
        })
        .await
    }

    async fn fetch_once(&self, from: &GitRepo, told: Option<Advertisement>, specs: Vec<String>, depth: Depth) -> Result<()> {
        let (_alive, cut) = watch::channel(false);
        let (session, limits) = (Session::open(from, told, self.limits.pack_bytes, cut)?, self.limits);
        self.work(move |repository| fetch(repository, &session, &specs, depth, limits)).await
    }

    /// Pushes what `refspecs` name (`+refs/heads/*` with force) in one request, tried once: a broken push may have
    /// happened. Says what became of each ref; those that stand there already are not among them.
    ///
    /// # Errors
    /// [`Kind::Denied`] and [`Kind::Unauthorized`] without the right to push, [`Kind::Conflict`] where without force something would
    /// be lost; the server's and the network's.
    pub async fn push(&self, to: &GitRepo, refspecs: &[&str]) -> Result<Vec<Pushed>> {
        let specs: Vec<String> = refspecs.iter().map(|spec| (*spec).to_owned()).collect();
        let told = to.advertisement(Service::ReceivePack).await?;
        let (_alive, cut) = watch::channel(false);
        let session = Session::open(to, Some(told), u64::MAX, cut)?;
        self.work(move |repository| push(repository, &session, &specs)).await
    }
}

/// A fetch, on libgit2's thread.
fn fetch(repository: &git2::Repository, session: &Open, specs: &[String], depth: Depth, limits: Limits) -> Result<()> {
    let exploded = Arc::new(Mutex::new(None));
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress({
        let exploded = exploded.clone();
        move |progress| {
            let objects = progress.total_objects();
            if objects > limits.objects {
                *exploded.lock().unwrap_or_else(PoisonError::into_inner) = Some(objects);
            }
            objects <= limits.objects
        }
    });
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks).download_tags(AutotagOption::None).update_fetchhead(false);
    if depth == Depth::One {
        options.depth(1);
    }
    let mut remote = repository.remote_anonymous(&session.address()).map_err(|error| session.failed(&error))?;
    let fetched = remote.fetch(specs, Some(&mut options), None).map_err(|error| session.failed(&error));
    match *exploded.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(objects) => {
            Err(Error::new(Kind::Refused, format!("the repo has {objects} objects, more than the {} that are taken", limits.objects)))
        }
        None => fetched,
    }
}

/// A push, on libgit2's thread.
fn push(repository: &git2::Repository, session: &Open, specs: &[String]) -> Result<Vec<Pushed>> {
    let results = Arc::new(Mutex::new(Vec::new()));
    let mut callbacks = RemoteCallbacks::new();
    callbacks.push_update_reference({
        let results = results.clone();
        move |name, refused| {
            let pushed = Pushed { name: name.to_owned(), refused: refused.map(|why| escape(why.trim())) };
            results.lock().unwrap_or_else(PoisonError::into_inner).push(pushed);
            Ok(())
        }
    });
    let said = Arc::new(Mutex::new(Vec::new()));
    callbacks.sideband_progress({
        let said = said.clone();
        move |bytes| {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            let room = MOST_SAID.saturating_sub(said.len());
            said.extend_from_slice(&bytes[..bytes.len().min(room)]);
            true
        }
    });
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks).packbuilder_parallelism(0);
    let mut remote = repository.remote_anonymous(&session.address()).map_err(|error| session.failed(&error))?;
    remote.push(specs, Some(&mut options)).map_err(|error| session.failed(&error))?;
    let said = String::from_utf8_lossy(&said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    let results = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(results.into_iter().map(|pushed: Pushed| pushed.explained(&said)).collect())
}

impl Pushed {
    /// A hook's refusal is worth nothing without its words, which the server says to whoever listens.
    fn explained(self, said: &str) -> Self {
        let words: Vec<String> = said.lines().map(str::trim).filter(|line| line.chars().any(char::is_alphanumeric)).map(escape).collect();
        let refused =
            self.refused.map(|why| if why.contains("hook") && !words.is_empty() { format!("{why}: {}", words.join(" ")) } else { why });
        Self { refused, ..self }
    }
}
