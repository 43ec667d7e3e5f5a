//! The source of a copy: found, pinned to a commit, and read by Git where the API of its hub is locked.

use std::sync::Arc;

use hf2ms_hub::{
    Error, FileCount, FileTimes, Gate, Kind, Listing, RepoAt, RepoInfo, Revision, Source,
};

use crate::context::open_source_by;
use crate::plan::GitFiles;
use crate::protocol::{Transport, WorkerOptions};
use crate::settings::Settings;
use crate::transfer::reader::Reader;

/// A source that its hub has described.
pub struct PinnedSource {
    /// The revision that was asked for.
    pub asked: Revision,
    /// The repo at its commit, or at the name that was asked for where the hub tells no commit.
    pub at: RepoAt,
    /// What the hub says of the repo.
    pub info: RepoInfo,
    /// How files are read.
    pub transport: Transport,
    /// What the commit holds outside LFS; nothing before [`Self::list`].
    pub git_files: GitFiles,
    /// Lines for the user about how the source is read.
    pub warnings: Vec<String>,
    /// How many files the hub counts at this commit; `None` where its description does not tell, and nothing else was asked yet.
    count: Option<FileCount>,
    /// The line about a copy that is private since the source is gated and its gate is not kept.
    pub gate_warning: Option<String>,
    hub: Arc<dyn Source>,
}

/// Why a source can't be used.
#[derive(Debug)]
pub enum SourceError {
    /// The hub's error about this repo; [`Kind::NotFound`] where none of the candidates exists.
    Hub(Box<RepoAt>, Error),
    /// The hub names no commit of this repo, though it names those of others.
    NoCommit(Box<RepoAt>),
    /// There was no candidate.
    NoKind,
}

impl SourceError {
    fn hub(at: &RepoAt, error: Error) -> Self {
        Self::Hub(Box::new(at.clone()), error)
    }
}

impl From<SourceError> for Error {
    fn from(source: SourceError) -> Self {
        match source {
            SourceError::Hub(_, error) => error,
            SourceError::NoCommit(at) => Self::new(
                Kind::Refused,
                format!("{} does not say at which commit {} is", at.hub, at.id),
            ),
            SourceError::NoKind => Self::new(Kind::NotFound, "there is no kind to look for"),
        }
    }
}

impl PinnedSource {
    /// Takes the first of `candidates` that exists, and pins its commit. The candidates are one id as several kinds.
    ///
    /// # Errors
    /// [`SourceError`]; of candidates that are all absent, the first one's.
    pub async fn find(
        candidates: impl IntoIterator<Item = RepoAt>,
        transport: Transport,
        settings: &Settings,
    ) -> Result<Self, SourceError> {
        let mut absent = None;
        for at in candidates {
            match describe_or_by_git(&at, transport, settings).await {
                Ok(described) => return Self::pin(at, described, settings),
                Err(error) if error.kind() == Kind::NotFound => {
                    absent = absent.or(Some(SourceError::hub(&at, error)));
                }
                Err(error) => return Err(SourceError::hub(&at, error)),
            }
        }
        Err(absent.unwrap_or(SourceError::NoKind))
    }

    fn pin(at: RepoAt, described: Described, settings: &Settings) -> Result<Self, SourceError> {
        let Described {
            info,
            transport,
            lock,
        } = described;
        let mut warnings: Vec<String> = lock.iter().map(|lock| read_by_git(&at, lock)).collect();
        let commit = match &info.commit {
            Some(commit) => commit.clone(),
            None if !at.hub.profile().abilities.tells_commits => {
                warnings.push(read_by_name(&at));
                at.revision.clone()
            }
            None => return Err(SourceError::NoCommit(Box::new(at))),
        };
        let gate_warning = copied_private(&at, info.gate);
        let pinned = RepoAt {
            revision: commit,
            ..at.clone()
        };
        let hub =
            open(&pinned, transport, settings).map_err(|error| SourceError::hub(&pinned, error))?;
        Ok(Self {
            asked: at.revision,
            at: pinned,
            count: Some(info.files).filter(|count| *count != FileCount::Untold),
            info,
            transport,
            git_files: GitFiles::default(),
            warnings,
            gate_warning,
            hub,
        })
    }

    /// The same repo at another commit, which `asked` names; nothing of it is listed yet. Its files are counted when it is listed, by one
    /// more request.
    ///
    /// # Errors
    /// What opening a source fails with.
    pub fn at_commit(
        &self,
        commit: &Revision,
        asked: &Revision,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let at = RepoAt {
            revision: commit.clone(),
            ..self.at.clone()
        };
        Ok(Self {
            asked: asked.clone(),
            info: RepoInfo {
                files: FileCount::Untold,
                ..self.info.clone()
            },
            count: self.count.filter(|_| *commit == self.at.revision),
            transport: self.transport,
            git_files: GitFiles::default(),
            warnings: Vec::new(),
            gate_warning: None,
            hub: open(&at, self.transport, settings)?,
            at,
        })
    }

    /// Reads the source as another listing of the same commit found it has to be read.
    ///
    /// # Errors
    /// What opening a source fails with.
    pub fn reuse_listing(
        &mut self,
        transport: Transport,
        git_files: GitFiles,
        settings: &Settings,
    ) -> Result<(), Error> {
        if transport != self.transport {
            self.hub = open(&self.at, transport, settings)?;
        }
        (self.transport, self.git_files) = (transport, git_files);
        Ok(())
    }

    /// Every file of the commit; by Git where the hub's API is locked, and then all that is read later, too.
    ///
    /// # Errors
    /// What the hub fails with; [`Kind::Transient`] where the hub counts more files than are listed.
    pub async fn list(&mut self, settings: &Settings) -> Result<Listing, Error> {
        let (listed, counted) = tokio::join!(self.hub.list(), self.counted());
        let listing = match listed {
            Err(lock) if lock.kind() == Kind::Locked && self.transport != Transport::Git => {
                self.warnings.push(read_by_git(&self.at, &lock));
                self.transport = Transport::Git;
                self.hub = open(&self.at, Transport::Git, settings)?;
                let listed = self.hub.list().await;
                listed.map_err(|error| both_errors(&lock, error))?
            }
            listed => listed?,
        };
        let count = counted?;
        listing.check_count(count)?;
        self.count = Some(count);
        self.git_files = GitFiles::of(&listing);
        Ok(listing)
    }

    async fn counted(&self) -> Result<FileCount, Error> {
        match self.count {
            Some(count) => Ok(count),
            None => match self.hub.file_count().await {
                // Git lists the commit then, and the API counts nothing.
                Err(lock) if lock.kind() == Kind::Locked => Ok(FileCount::Untold),
                counted => counted,
            },
        }
    }

    /// The count that the listing of this commit was held against.
    pub fn file_count(&self) -> FileCount {
        self.count.unwrap_or_default()
    }

    /// When each file was changed last; `None` where the hub does not tell, or the source is read by Git.
    ///
    /// # Errors
    /// What the hub fails with.
    pub async fn file_times(&self) -> Result<Option<FileTimes>, Error> {
        self.hub.file_times().await
    }

    /// A reader of the source's files.
    pub fn reader(&self, settings: &Settings) -> Reader {
        Reader::new(self.hub.clone(), settings.http())
    }
}

/// A repo as its hub has described it.
struct Described {
    info: RepoInfo,
    transport: Transport,
    /// Why only Git could describe it.
    lock: Option<Error>,
}

async fn describe_or_by_git(
    at: &RepoAt,
    transport: Transport,
    settings: &Settings,
) -> Result<Described, Error> {
    match describe(at, Transport::Auto, settings).await {
        Err(lock) if lock.kind() == Kind::Locked => {
            let by_git = describe(at, Transport::Git, settings).await;
            Ok(Described {
                info: by_git.map_err(|error| both_errors(&lock, error))?,
                transport: Transport::Git,
                lock: Some(lock),
            })
        }
        described => Ok(Described {
            info: described?,
            transport,
            lock: None,
        }),
    }
}

/// What the source's hub says of a repo, which is read in this way.
///
/// # Errors
/// What the hub fails with.
pub async fn describe(
    at: &RepoAt,
    transport: Transport,
    settings: &Settings,
) -> Result<RepoInfo, Error> {
    open(at, transport, settings)?.describe().await
}

fn open(at: &RepoAt, transport: Transport, settings: &Settings) -> Result<Arc<dyn Source>, Error> {
    let options = WorkerOptions {
        transport,
        ..WorkerOptions::default()
    };
    open_source_by(&settings.source(at)?, &options, settings.http())
}

/// The lock and what Git says; where Git finds no such repo, that alone.
fn both_errors(lock: &Error, by_git: Error) -> Error {
    match by_git.kind() {
        Kind::NotFound => by_git,
        kind => Error::new(kind, format!("{}; by Git: {by_git}", lock.message())),
    }
}

fn read_by_git(at: &RepoAt, lock: &Error) -> String {
    format!(
        "{}: {} is read by Git, which still works",
        lock.message(),
        at.id
    )
}

/// Why the copy of a repo is private though the repo may be public.
fn copied_private(at: &RepoAt, gate: Gate) -> Option<String> {
    let (why, keep) = match gate {
        Gate::Open => return None,
        Gate::Gated(_) => (
            format!("{} is gated", at.id),
            "--gated keep sets the gate there, too, or ",
        ),
        Gate::Untold => (
            format!("Git does not tell whether {} is public or gated", at.id),
            "",
        ),
    };
    Some(format!(
        "{why}: its copy is private, unless {keep}--public shows it to everyone"
    ))
}

fn read_by_name(at: &RepoAt) -> String {
    format!(
        "{} does not tell the commit of {}: files are read by the name {}, and it is listed again at the end",
        at.hub, at.id, at.revision
    )
}
