//! Hubs in memory, with faults on demand, for this crate's own tests.

mod answers;
mod copies;
mod faults;
mod observed;
mod tags;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hf2ms_hub::http::{HttpOptions, retry::RetryPolicy};
use hf2ms_hub::{
    Account, Action, Blob, BlobSource, BlobStore, Body, ByteStream, Cards, Commit, CommitLimits,
    Committer, Content, Digest, Error, File, Gate, GateMode, Gates, GitSha1, Kind, Listed, Listing,
    Missing, Placement, Redactor, RefStore, Repo, RepoInfo, RepoPath, Result, Revision, Sha256,
    Visibility,
};

use crate::context::Context;
use crate::events::Events;
use crate::protocol::{Memory, VerifyLevel, WorkerOptions};
use answers::{account, info};
pub(crate) use copies::FakeServerSideCopy;
pub(crate) use faults::{CommitFault, ReadFault};
pub(crate) use observed::{AtOnce, EventLog, SteppedClock};
pub(crate) use tags::Tags;

#[derive(Default)]
pub(crate) struct FakeSource {
    contents: HashMap<RepoPath, Bytes>,
    by_sha: HashMap<Sha256, Bytes>,
    pub(crate) faults: Mutex<VecDeque<ReadFault>>,
    pub(crate) reads: Mutex<Vec<Range<u64>>>,
    /// The reads that are answered at a time.
    pub(crate) at_once: AtOnce,
    /// What goes wrong when it is asked where blobs are.
    pub(crate) location_fault: Mutex<Option<Kind>>,
    /// What it lists.
    pub(crate) listing: Listing,
}

impl FakeSource {
    /// Adds a file that the listing names by SHA-256 (as LFS files are).
    pub(crate) fn lfs(&mut self, path: &str, content: impl Into<Bytes>) -> File {
        let content = content.into();
        self.by_sha.insert(Sha256::of(&content), content.clone());
        self.add(path, content.clone(), Digest::Sha256(Sha256::of(&content)))
    }

    /// Adds a file that the listing names by Git's digest.
    pub(crate) fn git(&mut self, path: &str, content: impl Into<Bytes>) -> File {
        let content = content.into();
        self.add(
            path,
            content.clone(),
            Digest::GitSha1(GitSha1::of(&content)),
        )
    }

    fn add(&mut self, path: &str, content: Bytes, digest: Digest) -> File {
        let path: RepoPath = path.parse().unwrap();
        let size = content.len() as u64;
        self.contents.insert(path.clone(), content);
        File { path, size, digest }
    }
}

#[async_trait]
impl Repo for FakeSource {
    async fn account(&self) -> Result<Account> {
        Ok(account())
    }

    async fn describe(&self) -> Result<RepoInfo> {
        Ok(info(Visibility::Public))
    }

    async fn list(&self) -> Result<Listing> {
        Ok(self.listing.clone())
    }

    async fn head(&self) -> Result<Option<Revision>> {
        Ok(None)
    }
}

#[async_trait]
impl BlobSource for FakeSource {
    async fn locate(&self, blobs: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        if let Some(kind) = *self.location_fault.lock().unwrap() {
            return Err(Error::new(kind, "no"));
        }
        let lost = blobs
            .iter()
            .filter(|blob| !self.by_sha.contains_key(&blob.sha256));
        Ok(lost
            .map(|blob| {
                (
                    blob.sha256,
                    Error::new(Kind::NotFound, "the source lost it"),
                )
            })
            .collect())
    }

    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        self.reads.lock().unwrap().push(range.clone());
        let content = self.contents[&file.path]
            .slice(usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap());
        let fault = self.faults.lock().unwrap().pop_front();
        self.at_once.moment().await;
        let mut frames: Vec<Result<Bytes>> = content
            .chunks(1000)
            .map(|frame| Ok(Bytes::copy_from_slice(frame)))
            .collect();
        match fault {
            Some(ReadFault::Cut(after)) => {
                frames.truncate(after);
                frames.push(Err(Error::new(Kind::Transient, "reset")));
            }
            Some(ReadFault::IgnoreRange) if range != (0..file.size) => {
                return Err(Error::new(Kind::RangeIgnored, "200"));
            }
            Some(ReadFault::Expired) => return Err(Error::new(Kind::Expired, "403")),
            Some(ReadFault::Corrupt) => {
                frames[0] = Ok(Bytes::from(vec![b'!'; frames[0].as_ref().unwrap().len()]))
            }
            Some(ReadFault::Fail(kind)) => return Err(Error::new(kind, "no")),
            _ => {}
        }
        Ok(stream::iter(frames).boxed())
    }
}

#[derive(Default)]
pub(crate) struct FakeDestination {
    pub(crate) blobs: Mutex<HashMap<Sha256, Bytes>>,
    pub(crate) files: Mutex<HashMap<RepoPath, Blob>>,
    pub(crate) commits: Mutex<Vec<Vec<String>>>,
    /// The first line of each commit.
    pub(crate) messages: Mutex<Vec<String>>,
    pub(crate) faults: Mutex<VecDeque<CommitFault>>,
    pub(crate) put_faults: Mutex<VecDeque<Kind>>,
    pub(crate) bad_path: Option<&'static str>,
    /// Policy rejects commits with this path.
    pub(crate) rejected: Option<&'static str>,
    /// It takes commits without looking for their blobs.
    pub(crate) blind: bool,
    /// It says that it took a blob, and keeps nothing.
    pub(crate) forgets: bool,
    /// Its branch's commit, if it tells one; each commit moves it on.
    pub(crate) tip: Mutex<Option<u64>>,
    /// How often its branch was listed.
    pub(crate) listings: Mutex<usize>,
    /// What goes wrong when it is.
    pub(crate) listing_faults: Mutex<VecDeque<Kind>>,
    /// How often its branch's commit was asked for.
    pub(crate) heads: Mutex<usize>,
    /// The parent of each commit.
    pub(crate) parents: Mutex<Vec<Option<Revision>>>,
    /// It says that it refuses a commit whose parent is an older one.
    pub(crate) checks_parent: bool,
    /// Its answers to commits tell no id.
    pub(crate) tells_no_id: bool,
    /// Cards that hold this are refused.
    pub(crate) bad_card: Option<&'static str>,
    pub(crate) checks: Mutex<Vec<usize>>,
    /// Who may see the repo; `None` while there is none.
    pub(crate) visibility: Mutex<Option<Visibility>>,
    /// Someone else creates it like this while we do.
    pub(crate) made_meanwhile: Mutex<Option<Visibility>>,
    /// It creates repos like this, whatever is asked for.
    pub(crate) creates: Option<Visibility>,
    /// It exists, but is not ours to see.
    pub(crate) taken: bool,
    /// Its commits take these many actions at most, and this long at best.
    pub(crate) adaptive: Option<(usize, Duration)>,
    /// It can set gates.
    pub(crate) has_gates: bool,
    /// It says that it has set one and has not.
    pub(crate) ignores_gates: bool,
    /// The gate before its files.
    pub(crate) gate: Mutex<Option<GateMode>>,
    /// The bytes that it serves of a blob, in place of those stored.
    pub(crate) served: Mutex<HashMap<Sha256, Bytes>>,
    /// The ranges of files that were read.
    pub(crate) reads: Mutex<Vec<(String, Range<u64>)>>,
    /// Its tags, if it takes any.
    pub(crate) tags: tags::Tags,
}

impl FakeDestination {
    fn apply(&self, commit: &Commit) {
        let mut names = Vec::new();
        for action in &commit.actions {
            match action {
                Action::Delete { path } => {
                    self.files.lock().unwrap().remove(path);
                    names.push(format!("-{path}"));
                }
                Action::Put { path, content, .. } => {
                    let blob = match content {
                        Content::Stored(blob) => *blob,
                        Content::Inline(bytes) => Blob {
                            sha256: Sha256::of(bytes),
                            size: bytes.len() as u64,
                        },
                    };
                    self.files.lock().unwrap().insert(path.clone(), blob);
                    names.push(path.to_string());
                }
            }
        }
        self.commits.lock().unwrap().push(names);
        self.messages.lock().unwrap().push(commit.message.clone());
        self.parents.lock().unwrap().push(commit.parent.clone());
    }
}

#[async_trait]
impl Repo for FakeDestination {
    async fn account(&self) -> Result<Account> {
        Ok(account())
    }

    async fn describe(&self) -> Result<RepoInfo> {
        let found = self.find().await?;
        found.ok_or_else(|| Error::new(Kind::NotFound, "it does not exist"))
    }

    async fn list(&self) -> Result<Listing> {
        self.list_branch().await
    }

    async fn head(&self) -> Result<Option<Revision>> {
        *self.heads.lock().unwrap() += 1;
        let tip = *self.tip.lock().unwrap();
        Ok(tip.map(|tip| format!("{tip:040}").parse().unwrap()))
    }

    fn ref_store(self: Arc<Self>) -> Option<Arc<dyn RefStore>> {
        self.tags.store()
    }
}

#[async_trait]
impl BlobSource for FakeDestination {
    async fn locate(&self, _: &[Blob]) -> Result<Vec<(Sha256, Error)>> {
        Ok(Vec::new())
    }

    async fn read(&self, file: &File, range: Range<u64>) -> Result<ByteStream> {
        let read = (file.path.to_string(), range.clone());
        self.reads.lock().unwrap().push(read);
        let sha256 = file.digest.sha256().unwrap();
        let served = self.served.lock().unwrap().get(&sha256).cloned();
        let content = served.or_else(|| self.blobs.lock().unwrap().get(&sha256).cloned());
        let content = content.ok_or_else(|| Error::new(Kind::NotFound, "no such key"))?;
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(stream::iter([Ok(content.slice(range))]).boxed())
    }
}

#[async_trait]
impl BlobStore for FakeDestination {
    fn sends_in_parts(&self) -> bool {
        false
    }

    async fn missing(&self, blobs: &[Blob]) -> Result<Missing> {
        self.checks.lock().unwrap().push(blobs.len());
        let stored = self.blobs.lock().unwrap();
        let wanted = blobs
            .iter()
            .filter(|blob| !stored.contains_key(&blob.sha256))
            .copied()
            .collect();
        Ok(Missing {
            wanted,
            refused: Vec::new(),
        })
    }

    async fn put(&self, blob: Blob, body: Body) -> Result<()> {
        let mut body = body.verified(blob);
        let fault = self.put_faults.lock().unwrap().pop_front();
        let mut content = Vec::new();
        while let Some(frame) = body.next().await {
            content.extend_from_slice(&frame?);
            if let Some(kind) = fault {
                return Err(Error::new(kind, "the upload failed"));
            }
        }
        assert_eq!(
            content.len() as u64,
            blob.size,
            "a short body must have failed"
        );
        if !self.forgets {
            let mut blobs = self.blobs.lock().unwrap();
            blobs.insert(blob.sha256, content.into());
        }
        Ok(())
    }
}

#[async_trait]
impl Committer for FakeDestination {
    async fn find(&self) -> Result<Option<RepoInfo>> {
        let visibility = *self.visibility.lock().unwrap();
        let gate = self.gate.lock().unwrap().map_or(Gate::Open, Gate::Gated);
        Ok(visibility.map(|visibility| RepoInfo {
            gate,
            ..info(visibility)
        }))
    }

    async fn create(&self, visibility: Visibility) -> Result<()> {
        let earlier = self.made_meanwhile.lock().unwrap().take();
        let mut standing = self.visibility.lock().unwrap();
        let conflicts = self.taken || standing.is_some() || earlier.is_some();
        if !self.taken {
            *standing = standing.or(earlier).or(self.creates).or(Some(visibility));
        }
        if conflicts {
            Err(Error::new(Kind::Conflict, "it exists"))
        } else {
            Ok(())
        }
    }

    async fn list_branch(&self) -> Result<Listing> {
        *self.listings.lock().unwrap() += 1;
        if let Some(kind) = self.listing_faults.lock().unwrap().pop_front() {
            return Err(Error::new(kind, "no listing"));
        }
        let files = self.files.lock().unwrap();
        let listed = files.iter().map(|(path, blob)| Listed {
            file: File {
                path: path.clone(),
                size: blob.size,
                digest: Digest::Sha256(blob.sha256),
            },
            lfs: false,
        });
        Ok(Listing {
            files: listed.collect(),
            ..Listing::default()
        })
    }

    fn placement(&self, path: &RepoPath, _: u64) -> Placement {
        if path.suffix() == ".bin" {
            Placement::Blob
        } else {
            Placement::Inline
        }
    }

    fn limits(&self) -> CommitLimits {
        let (max_actions, commit_time) = self.adaptive.unzip();
        CommitLimits {
            max_actions: max_actions.unwrap_or(8),
            batch_actions: max_actions.unwrap_or(4),
            body_bytes: 1 << 20,
            commit_time,
            folder_entries: None,
            checks_blobs: !self.blind,
            checks_parent: self.checks_parent,
        }
    }

    fn gates(&self) -> Option<&dyn Gates> {
        self.has_gates.then_some(self as &dyn Gates)
    }

    fn cards(&self) -> Option<&dyn Cards> {
        self.bad_card.is_some().then_some(self as &dyn Cards)
    }

    async fn commit(&self, commit: &Commit) -> Result<Option<String>> {
        let holds = |bad: Option<&str>| {
            commit.actions.iter().any(
                |action| matches!(action, Action::Put { path, .. } if Some(path.as_str()) == bad),
            )
        };
        if holds(self.bad_path) {
            return Err(Error::new(Kind::Invalid, "a bad path"));
        }
        if holds(self.rejected) {
            return Err(Error::new(Kind::Policy, "rejected by policy"));
        }
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            Some(CommitFault::BranchMoved) => Err(Error::new(Kind::Conflict, "branch changed")),
            Some(CommitFault::Fail(kind)) => Err(Error::new(kind, "no")),
            Some(CommitFault::Status(kind, status)) => {
                Err(Error::new(kind, "no").with_status(status))
            }
            Some(CommitFault::Wait(wait)) => {
                Err(Error::new(Kind::RateLimited, "later").with_retry_after(Some(wait)))
            }
            Some(CommitFault::Naming(kind, path)) => {
                Err(Error::new(kind, "no").naming(vec![path.to_owned()]))
            }
            Some(CommitFault::Gone(path)) => {
                self.files.lock().unwrap().remove(&path.parse().unwrap());
                Err(Error::new(Kind::Invalid, "no such file"))
            }
            Some(CommitFault::LostAnswer) => {
                self.apply(commit);
                Err(Error::new(Kind::Transient, "connection closed"))
            }
            None => {
                self.apply(commit);
                let mut tip = self.tip.lock().unwrap();
                *tip = tip.map(|tip| tip + 1);
                let told = tip.filter(|_| !self.tells_no_id);
                Ok(told.map(|tip| format!("{tip:040}")))
            }
        }
    }
}

/// A worker between two hubs in memory.
pub(crate) fn context(
    source: FakeSource,
    destination: FakeDestination,
    memory: u64,
) -> (Context, Arc<FakeSource>, Arc<FakeDestination>) {
    let retry = RetryPolicy {
        base: Duration::from_micros(1),
        ..RetryPolicy::default()
    };
    let http = HttpOptions {
        retry,
        ..HttpOptions::default()
    };
    let events = Events::new(std::io::sink(), Redactor::default());
    context_with(source, destination, memory, events, http)
}

/// The same with a clock that moves by sleeping alone, and what the worker has written.
pub(crate) fn observed(
    source: FakeSource,
    destination: FakeDestination,
) -> (Context, Arc<FakeDestination>, Arc<SteppedClock>, EventLog) {
    let (clock, log) = (Arc::new(SteppedClock::new()), EventLog::default());
    let events = Events::new(log.clone(), Redactor::default());
    let http = HttpOptions {
        clock: clock.clone(),
        ..HttpOptions::default()
    };
    let (context, _, destination) = context_with(source, destination, 1 << 20, events, http);
    (context, destination, clock, log)
}

fn context_with(
    source: FakeSource,
    destination: FakeDestination,
    memory: u64,
    events: Arc<Events>,
    http: HttpOptions,
) -> (Context, Arc<FakeSource>, Arc<FakeDestination>) {
    let http = events.with_retry_events(http);
    let (source, destination) = (Arc::new(source), Arc::new(destination));
    let options = WorkerOptions {
        streams: Some(3),
        memory: Memory(memory),
        verify: VerifyLevel::Listing,
        ..WorkerOptions::default()
    };
    let context = Context::new(source.clone(), destination.clone(), events, &options, http);
    (context, source, destination)
}

/// `size` bytes that differ from place to place.
pub(crate) fn content(size: usize, seed: u8) -> Bytes {
    (0..size)
        .map(|at| u8::try_from((at * 31 + at / 251 + usize::from(seed)) % 256).unwrap())
        .collect::<Vec<_>>()
        .into()
}
