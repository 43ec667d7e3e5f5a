//! One run on disk: `run.json` (what it is), `plan.json`, `journal.ndjson` (what happened), `report.json`, `known.json`
//! and the workers' logs. Files are written aside and renamed; a torn last line of the journal is forgiven.

pub mod batches;
pub mod digests;
mod dir;
pub mod failures;
mod files;
mod identity;
mod in_use;
mod locks;
mod read;
mod record;
pub mod removal;
pub mod removal_report;
pub mod report;
mod tally;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use hf2ms_hub::RepoAt;
use serde::de::DeserializeOwned;
use ulid::Ulid;

pub use self::dir::RunDir;
pub use self::files::{create_private, write_aside};
use self::locks::{check_free, is_held, lock_destination, lock_name};
pub use self::read::UnreadRun;
use self::read::{journal, record};
use self::record::FORMAT;
pub use self::record::{JournalEntry, NewRun, REVISIONS_JOB, RunRecord, RunVerb, State};
use crate::platform::read_holder;
use crate::ui::errors::{CliError, CliResult};

/// This version of the program.
const THIS: &str = env!("CARGO_PKG_VERSION");

/// The id of the first run of this process, which is known before the run begins.
static FIRST: LazyLock<String> = LazyLock::new(|| Ulid::new().to_string());
/// Whether a run has [`FIRST`] already.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// The id that the first run of this process gets: `--json` says it in its first line.
pub fn first_id() -> &'static str {
    &FIRST
}

fn next_id() -> String {
    match IS_TAKEN.swap(true, Ordering::Relaxed) {
        false => FIRST.clone(),
        true => Ulid::new().to_string(),
    }
}

/// The folder of all runs.
#[derive(Debug, Clone)]
pub struct Runs {
    state: PathBuf,
    /// Records of runs that have ended: nothing changes them any more, and a batch asks for all runs again and again.
    ended: Arc<Mutex<HashMap<PathBuf, RunRecord>>>,
    /// The batch that new runs belong to.
    batch: Option<Arc<str>>,
}

impl Runs {
    /// The runs under this state folder.
    pub fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            ended: Arc::default(),
            batch: None,
        }
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Starts a run: its folder, its record, and the locks on it and on its destination; on both sides where the source is to be removed.
    ///
    /// # Errors
    /// Another run writes there; the folder can't be written.
    pub fn begin(&self, new: NewRun<'_>) -> CliResult<RunDir> {
        let id = next_id();
        let locks = match new.verb {
            RunVerb::Migrate | RunVerb::Mirror => {
                self.detached(new.destination)
                    .map_or(Ok(()), |other| Err(in_the_cloud(&other)))?;
                Some(self.lock(&id, &[new.destination])?)
            }
            RunVerb::Cleanup => Some(self.lock(&id, &[new.source, new.destination])?),
            RunVerb::Verify => None,
        };
        self.make(id, new, locks, None)
    }

    /// Starts a run beside another that writes to the same destination, as one of its revisions does: they share the lock.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn begin_beside(&self, new: NewRun<'_>, other: &RunDir) -> CliResult<RunDir> {
        self.make(
            next_id(),
            new,
            other.locks.clone(),
            Some(other.id().to_owned()),
        )
    }

    fn make(
        &self,
        id: String,
        new: NewRun<'_>,
        locks: Option<Arc<Vec<File>>>,
        beside: Option<String>,
    ) -> CliResult<RunDir> {
        let NewRun {
            verb,
            on,
            source,
            destination: to,
            plan,
        } = new;
        let path = self.state.join("runs").join(&id);
        create_private(&path.join("logs"))?;
        let record = RunRecord {
            id,
            format: FORMAT,
            written_by: Some(THIS.to_owned()),
            verb,
            started: now(),
            source: source.clone(),
            destination: to.clone(),
            on,
            state: State::Running,
            files: plan.files,
            bytes: plan.bytes,
            reason: None,
            beside,
            batch: self.batch.as_deref().map(ToOwned::to_owned),
        };
        RunDir::new(path, record, locks)
    }

    /// Continues a run that no process holds.
    ///
    /// # Errors
    /// Someone does; the folder can't be written.
    pub fn resume(&self, record: &RunRecord) -> CliResult<RunDir> {
        let locks = match record.verb {
            RunVerb::Cleanup => self.lock(&record.id, &[&record.source, &record.destination])?,
            _ => self.lock(&record.id, &[&record.destination])?,
        };
        RunDir::new(self.path(&record.id), resumed(record), Some(locks))
    }

    /// Continues a run beside another that holds the lock on their destination.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn resume_beside(&self, record: &RunRecord, other: &RunDir) -> CliResult<RunDir> {
        RunDir::new(self.path(&record.id), resumed(record), other.locks.clone())
    }

    /// The run that works on this destination in the cloud, unwatched.
    pub fn detached(&self, destination: &RepoAt) -> Option<RunRecord> {
        let mut runs = self.list().into_iter();
        runs.find(|run| {
            let is_first = run.beside.is_none();
            is_first && run.state == State::Detached && run.destination.is_same_repo(destination)
        })
    }

    /// The first run of the command about all revisions that this one belongs to, or the run itself.
    pub fn first_of(&self, run: &RunRecord) -> RunRecord {
        let first = run.beside.as_ref();
        first
            .and_then(|id| self.record(&self.path(id)))
            .unwrap_or_else(|| run.clone())
    }

    /// The runs of other revisions beside this one.
    pub fn beside(&self, first: &RunRecord) -> Vec<RunRecord> {
        let mut runs = self.list();
        runs.retain(|run| run.beside.as_deref() == Some(first.id.as_str()));
        runs
    }

    /// Whether a file of a run is there.
    pub fn has(&self, id: &str, name: &str) -> bool {
        self.path(id).join(name).is_file()
    }

    /// Fails while another run writes to the destination: it is asked before the hubs are asked for anything large.
    ///
    /// # Errors
    /// Another run does.
    pub fn check_free(&self, destination: &RepoAt) -> CliResult<()> {
        check_free(&self.lock_path(destination), destination)
    }

    /// Locks these repos for a run, in the order of their locks' names: two runs that want the same never wait for each other.
    fn lock(&self, id: &str, repos: &[&RepoAt]) -> CliResult<Arc<Vec<File>>> {
        create_private(&self.state.join("locks"))?;
        let paths = repos.iter().map(|at| (self.lock_path(at), *at));
        let mut paths: Vec<(PathBuf, &RepoAt)> = paths.collect();
        paths.sort_by(|a, b| a.0.cmp(&b.0));
        paths.dedup_by(|a, b| a.0 == b.0);
        let locks = paths.iter();
        let locks = locks.map(|(path, at)| lock_destination(path, id, at));
        locks.collect::<CliResult<Vec<File>>>().map(Arc::new)
    }

    fn lock_path(&self, destination: &RepoAt) -> PathBuf {
        let name = format!("{}.lock", lock_name(destination));
        self.state.join("locks").join(name)
    }

    /// Every run, the newest first; folders without a readable record are passed over.
    pub fn list(&self) -> Vec<RunRecord> {
        self.newest(usize::MAX)
    }

    /// So many of the newest runs, as [`Self::list`] lists them. No more folders are read than it takes.
    pub fn newest(&self, most: usize) -> Vec<RunRecord> {
        let folders = self.folders().into_iter().rev();
        folders
            .filter_map(|path| self.record(&path))
            .take(most)
            .collect()
    }

    /// Runs whose record this version can't read, the newest first.
    pub fn unread(&self) -> Vec<UnreadRun> {
        let folders = self.folders().into_iter().rev();
        folders.filter_map(|path| UnreadRun::at(&path)).collect()
    }

    /// Runs alone whose record this version can't read. Those that it has read before are not read again.
    fn unread_runs(&self) -> impl Iterator<Item = UnreadRun> {
        let folders = self.folders().into_iter();
        let unread = folders.filter(|path| self.record(path).is_none());
        unread.filter_map(|path| UnreadRun::of_run(&path))
    }

    /// Fails for a run that is asked for, and can't be read: none is silently taken in its place.
    fn check_read(&self, asked: &str, found: Option<&RunRecord>) -> CliResult<()> {
        let end = asked.to_uppercase();
        let is_meant = |path: &PathBuf| {
            let id = path.file_name().unwrap_or_default().to_string_lossy();
            match asked {
                "last" => found.is_none_or(|found| *id > *found.id),
                _ => id.ends_with(&end),
            }
        };
        let mut meant = self.folders().into_iter().rev().filter(is_meant);
        let unread = meant.find_map(|path| UnreadRun::at(&path));
        unread.map_or(Ok(()), |run| Err(CliError::usage(run.to_string())))
    }

    /// The folders of all runs, by their ids, which tell the order in which they began.
    fn folders(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state.join("runs")).into_iter();
        let mut folders: Vec<PathBuf> = entries
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        folders.sort();
        folders
    }

    fn record(&self, path: &Path) -> Option<RunRecord> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = ended.get(path) {
            return Some(known.clone());
        }
        let found = record(path)?;
        if found.state.is_final() {
            ended.insert(path.to_owned(), found.clone());
        }
        Some(found)
    }

    /// The run with this id, or the one whose id ends with it; `last` is the newest.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn find(&self, asked: &str) -> CliResult<RunRecord> {
        let all = self.list();
        let mut found = all
            .iter()
            .filter(|run| asked == "last" || run.id.ends_with(&asked.to_uppercase()));
        let (first, second) = (found.next(), found.next());
        self.check_read(asked, first)?;
        match (first, second) {
            (Some(run), second) if asked == "last" || second.is_none() => Ok(run.clone()),
            (Some(_), Some(_)) => Err(CliError::usage(format!(
                "more than one run ends in {asked}: give more of its id"
            ))),
            _ if all.is_empty() => Err(CliError::usage(
                "there are no runs here yet: start one with hf2ms migrate",
            )),
            _ => Err(CliError::usage(format!(
                "there is no run {}: see `hf2ms runs`",
                hf2ms_hub::path::escape(asked)
            ))),
        }
    }

    /// Whether a process works on this run.
    pub fn is_alive(&self, id: &str) -> bool {
        is_held(&self.path(id).join("alive"))
    }

    /// The process that works on this run, if one does.
    pub fn controller(&self, id: &str) -> Option<u32> {
        let path = self.path(id).join("alive");
        let process = read_holder(&path).ok()?.parse().ok();
        // The number of a process that has ended may be another's by now: it counts while the lock is held.
        process.filter(|_| is_held(&path))
    }

    /// A run's folder.
    pub fn path(&self, id: &str) -> PathBuf {
        self.state.join("runs").join(id)
    }

    /// A JSON file of a run, if it is there and readable.
    pub fn read<T: DeserializeOwned>(&self, id: &str, name: &str) -> Option<T> {
        serde_json::from_reader(BufReader::new(File::open(self.path(id).join(name)).ok()?)).ok()
    }

    /// Seconds since a file of a run was written.
    pub fn age(&self, id: &str, name: &str) -> Option<u64> {
        let written = fs::metadata(self.path(id).join(name))
            .ok()?
            .modified()
            .ok()?;
        Some(written.elapsed().unwrap_or_default().as_secs())
    }

    /// A run's journal: every whole line.
    pub fn journal(&self, id: &str) -> Vec<JournalEntry> {
        journal(&self.path(id))
    }
}

/// The record of a run that goes on, written by this version.
fn resumed(record: &RunRecord) -> RunRecord {
    RunRecord {
        format: FORMAT,
        written_by: Some(THIS.to_owned()),
        state: State::Running,
        reason: None,
        ..record.clone()
    }
}

fn in_the_cloud(run: &RunRecord) -> CliError {
    let (id, repo, hub) = (&run.id, &run.destination.id, run.destination.hub);
    let line = format!(
        "run {id} works on {repo} on {hub} in the cloud: hf2ms attach {id} waits for it, hf2ms stop {id} ends it"
    );
    CliError::new(hf2ms_worker::protocol::Exit::Incomplete, line)
}

/// Seconds since 1970.
pub fn now() -> u64 {
    hf2ms_hub::clock::SystemClock.unix_seconds()
}

#[cfg(test)]
pub(crate) mod tests;
