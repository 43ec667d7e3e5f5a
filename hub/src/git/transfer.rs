//! Fetches objects from a server into a [`Bare`], and pushes them from there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{AutotagOption, FetchOptions, PushOptions, RemoteCallbacks};
use tokio::sync::watch;

use super::advertisement::Advertisement;
use super::bare::Bare;
use super::limits::GitLimits;
use super::remote::{GitRepo, RefsResponse, Service};
use super::session::{OpenSession, Session};
use crate::path::escape;
use crate::{Error, Kind, Result};

/// Bytes of a server's messages that are kept.
const MOST_SAID: usize = 4 << 10;

/// How much history is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The commits that the refspecs name, without their parents.
    One,
    /// Every commit.
    All,
}

/// The result of one ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The ref's full name at the server.
    pub name: String,
    /// Why the server refuses the ref; `None` when the server has updated it.
    pub refused: Option<Rejection>,
}

/// The response to a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushResponse {
    /// What became of each ref.
    pub refs: Vec<Pushed>,
    /// Bytes of the pack that was sent.
    pub bytes: u64,
}

impl Pushed {
    /// A ref that was not sent at all.
    fn kept(name: String, why: String) -> Self {
        let refused = Some(Rejection {
            status: why,
            words: String::new(),
        });
        Self { name, refused }
    }
}

/// Why a server refuses a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The ref's own status in the server's report: `pre-receive hook declined`, `failed to update ref`.
    pub status: String,
    /// The messages of the server and its hooks during the push. They may be about any of the refs.
    pub words: String,
}

/// The status of every ref of a pack that the server could not unpack, or would not (fsck, a limit). Fact: Git, `receive-pack.c`.
const UNPACKER: &str = "unpacker error";

impl Rejection {
    /// Whether the refs were refused together, so that some may pass without the others.
    pub fn is_of_all(&self) -> bool {
        self.status.contains("pre-receive hook declined") || self.status.contains(UNPACKER)
    }

    /// Whether another push held the ref for a moment; a hook's refusal is final, whatever its words.
    pub fn is_lock(&self) -> bool {
        let is_update =
            self.status == "failed to update ref" || self.status.starts_with("cannot lock ref");
        is_update
            && !["hook", "cannot create"]
                .iter()
                .any(|sign| self.words.contains(sign))
    }
}

impl std::fmt::Display for Rejection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.status)?;
        // What else was said may be about other refs.
        let belong = ["hook", UNPACKER, "update ref"]
            .iter()
            .any(|sign| self.status.contains(sign));
        if belong && !self.words.is_empty() {
            write!(f, ": {}", self.words)
        } else {
            Ok(())
        }
    }
}

impl Bare {
    /// Fetches what `refspecs` name (`refs/heads/*:refs/heads/*`, or `{commit}:refs/heads/x` from servers that allow it). A
    /// transfer that breaks is tried again, as the retry policy says.
    ///
    /// # Errors
    /// [`Kind::Refused`] beyond the limits and for what is not Git's protocol, [`Kind::Corrupt`] for a pack that is none; the
    /// server's and the network's.
    pub async fn fetch(&self, from: &GitRepo, refspecs: &[&str], depth: Depth) -> Result<()> {
        self.fetch_told(from, None, refspecs, depth).await
    }

    /// Fetches all history as [`Bare::fetch`] does, with limits of its own.
    pub(super) async fn fetch_within(
        &self,
        from: &GitRepo,
        specs: Vec<String>,
        limits: GitLimits,
    ) -> Result<()> {
        let attempt = || self.fetch_once(from, None, specs.clone(), Depth::All, limits);
        from.http.options().retrying(attempt).await
    }

    /// Fetches as [`Bare::fetch`] does, from an advertisement that was read already.
    pub(super) async fn fetch_told(
        &self,
        from: &GitRepo,
        told: Option<RefsResponse>,
        refspecs: &[&str],
        depth: Depth,
    ) -> Result<()> {
        let specs: Vec<String> = refspecs.iter().map(|spec| (*spec).to_owned()).collect();
        let (options, told) = (from.http.options(), Mutex::new(told));
        let attempt = || {
            let (told, specs) = (
                told.lock().unwrap_or_else(PoisonError::into_inner).take(),
                specs.clone(),
            );
            self.fetch_once(from, told, specs, depth, self.limits)
        };
        options.retrying(attempt).await
    }

    async fn fetch_once(
        &self,
        from: &GitRepo,
        told: Option<RefsResponse>,
        specs: Vec<String>,
        depth: Depth,
        limits: GitLimits,
    ) -> Result<()> {
        let (_alive, cut) = watch::channel(false);
        let session = Session::open(from, told, limits, cut)?;
        self.work(move |repository| fetch(repository, &session, &specs, depth, limits))
            .await
    }

    /// Pushes what `refspecs` name (`+refs/heads/*` with force) in one request, tried once: a broken push may have
    /// happened. Returns the result of each ref; refs that are up to date are not among them.
    ///
    /// `keeps` says of a ref's full name, and of the object that it names at the server now, why it is left alone. It is asked about
    /// the advertisement that the push goes by: a ref that moves after that is refused by the server.
    ///
    /// # Errors
    /// [`Kind::Denied`] and [`Kind::Unauthorized`] without the right to push, [`Kind::Conflict`] where without force something would
    /// be lost; the server's and the network's.
    pub async fn push(
        &self,
        to: &GitRepo,
        refspecs: &[&str],
        keeps: impl Fn(&str, Option<&str>) -> Option<String>,
    ) -> Result<PushResponse> {
        let told = to.advertisement(Service::ReceivePack).await?;
        let there =
            Advertisement::parse(&told.bytes).map_err(|error| error.without(to.http.redactor()))?;
        let there: HashMap<&str, &str> = there
            .all
            .iter()
            .map(|found| (found.name.as_str(), found.oid.as_str()))
            .collect();
        let (mut specs, mut kept) = (Vec::new(), Vec::new());
        for spec in refspecs {
            let name = named(spec);
            match keeps(&name, there.get(name.as_str()).copied()) {
                Some(why) => kept.push(Pushed::kept(name, why)),
                None => specs.push((*spec).to_owned()),
            }
        }
        if specs.is_empty() {
            return Ok(PushResponse {
                refs: kept,
                bytes: 0,
            });
        }
        let (_alive, cut) = watch::channel(false);
        let session = Session::open(to, Some(told), self.limits, cut)?;
        let mut answer = self
            .work(move |repository| push(repository, &session, &specs))
            .await?;
        answer.refs.extend(kept);
        Ok(answer)
    }
}

/// A fetch, on libgit2's thread.
fn fetch(
    repository: &git2::Repository,
    session: &OpenSession,
    specs: &[String],
    depth: Depth,
    limits: GitLimits,
) -> Result<()> {
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
    options
        .remote_callbacks(callbacks)
        .download_tags(AutotagOption::None)
        .update_fetchhead(false);
    if depth == Depth::One {
        options.depth(1);
    }
    let mut remote = repository
        .remote_anonymous(&session.address())
        .map_err(|error| session.failed(&error))?;
    let fetched = remote
        .fetch(specs, Some(&mut options), None)
        .map_err(|error| session.failed(&error));
    match *exploded.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(objects) => Err(Error::new(
            Kind::Refused,
            format!(
                "the repo has {objects} objects, more than the {} that are taken",
                limits.objects
            ),
        )),
        None => fetched,
    }
}

/// A ref's name and why the server refused it; `None` for one that was updated.
type RefStatus = (String, Option<String>);

/// What a server reports of a push, as libgit2 tells it piece by piece. Cheap to clone.
#[derive(Clone, Default)]
struct PushReport {
    statuses: Arc<Mutex<Vec<RefStatus>>>,
    messages: Arc<Mutex<Vec<u8>>>,
    /// Bytes of the pack.
    sent: Arc<AtomicU64>,
}

impl PushReport {
    /// The callbacks that fill this report.
    fn callbacks(&self) -> RemoteCallbacks<'static> {
        let mut callbacks = RemoteCallbacks::new();
        let report = self.clone();
        callbacks.push_update_reference(move |name, refused| {
            let refused = refused.map(|status| escape(status.trim()));
            locked(&report.statuses).push((name.to_owned(), refused));
            Ok(())
        });
        let report = self.clone();
        callbacks.sideband_progress(move |bytes| {
            let mut messages = locked(&report.messages);
            let room = MOST_SAID.saturating_sub(messages.len());
            messages.extend_from_slice(&bytes[..bytes.len().min(room)]);
            true
        });
        let report = self.clone();
        callbacks.push_transfer_progress(move |_, _, bytes| {
            report.sent.store(bytes as u64, Ordering::Relaxed);
        });
        callbacks
    }

    /// The result of each ref, and the size of the pack.
    fn results(&self) -> PushResponse {
        let words = words(&String::from_utf8_lossy(&locked(&self.messages)));
        let pushed = |(name, refused): RefStatus| Pushed {
            name,
            refused: refused.map(|status| Rejection {
                status,
                words: words.clone(),
            }),
        };
        PushResponse {
            refs: std::mem::take(&mut *locked(&self.statuses))
                .into_iter()
                .map(pushed)
                .collect(),
            bytes: self.sent.load(Ordering::Relaxed),
        }
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A push, on libgit2's thread.
fn push(
    repository: &git2::Repository,
    session: &OpenSession,
    specs: &[String],
) -> Result<PushResponse> {
    let report = PushReport::default();
    let mut options = PushOptions::new();
    options
        .remote_callbacks(report.callbacks())
        .packbuilder_parallelism(0);
    let mut remote = repository
        .remote_anonymous(&session.address())
        .map_err(|error| session.failed(&error))?;
    match remote.push(specs, Some(&mut options)) {
        Ok(()) => {}
        Err(error) if is_unpackers(&error) => {
            let refused = |spec: &String| (named(spec), Some(UNPACKER.to_owned()));
            *locked(&report.statuses) = specs.iter().map(refused).collect();
        }
        Err(error) => return Err(session.failed(&error)),
    }
    Ok(report.results())
}

/// Whether libgit2's error means that the server took the push and refused its pack.
fn is_unpackers(error: &git2::Error) -> bool {
    error.class() == git2::ErrorClass::Net
        && error
            .message()
            .starts_with("unpacking the sent packfile failed")
}

/// The ref that a refspec writes.
fn named(spec: &str) -> String {
    spec.rsplit(':').next().unwrap_or_default().to_owned()
}

/// The server's messages in one line, without progress counts.
fn words(said: &str) -> String {
    let lines = said.split(['\n', '\r']).map(str::trim);
    let lines =
        lines.filter(|line| line.chars().any(char::is_alphanumeric) && !line.contains("% ("));
    lines.map(escape).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection(status: &str, words: &str) -> Rejection {
        Rejection {
            status: status.to_owned(),
            words: words.to_owned(),
        }
    }

    #[test]
    fn a_lock_is_known_by_the_status_and_never_by_a_hooks_words() {
        let lock = "error: cannot lock ref 'refs/heads/main': Unable to create '/r/refs/heads/main.lock': File exists.";
        assert!(
            rejection("failed to update ref", lock).is_lock()
                && rejection("failed to update ref", "").is_lock()
        );
        for (status, words) in [
            (
                "pre-receive hook declined",
                "the branch is locked: unblock it, or it failed to update ref",
            ),
            ("hook declined", "cannot lock ref"),
            ("branch is locked", ""),
            (
                "failed to update ref",
                "error: ref updates aborted by the reference-transaction hook",
            ),
            (
                "failed to update ref",
                "error: cannot lock ref 'refs/heads/a/b': 'refs/heads/a' exists; cannot create 'refs/heads/a/b'",
            ),
        ] {
            assert!(!rejection(status, words).is_lock(), "{status}: {words}");
        }
    }

    #[test]
    fn the_servers_words_are_said_without_its_progress() {
        let said = "\nGitLab: \u{1b}[31mno\n======\nResolving deltas:  50% (1/2)\rResolving deltas: 100% (2/2), done.\nmore\n";
        assert_eq!(words(said), "GitLab: \\u{1b}[31mno more");
        assert_eq!(
            rejection("hook declined", "why").to_string(),
            "hook declined: why"
        );
        assert_eq!(
            rejection("deletion prohibited", "of another ref").to_string(),
            "deletion prohibited"
        );
    }
}
