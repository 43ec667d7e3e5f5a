//! One run on disk: `run.json` (what it is), `plan.json`, `journal.ndjson` (what happened), `report.json`, `known.json`
//! and the workers' logs. Files are written aside and renamed; a torn last line of the journal is forgiven.

pub mod digests;
mod files;
mod locks;
mod record;
pub mod report;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hf2ms_hub::RepoAt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ulid::Ulid;

pub use self::files::write_aside;
use self::files::{create_private, private};
use self::locks::{hold_alive, is_held, lock_destination, lock_name};
pub use self::record::{JournalEntry, NewRun, RunRecord, RunVerb, State};
use crate::args::workers::EngineKind;
use crate::ui::errors::{CliError, CliResult};

/// The folder of all runs.
#[derive(Debug, Clone)]
pub struct Runs {
    state: PathBuf,
    /// Records of runs that have ended: nothing changes them any more, and a batch asks for all runs again and again.
    ended: Arc<Mutex<HashMap<PathBuf, RunRecord>>>,
}

impl Runs {
    /// The runs under this state folder.
    pub fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            ended: Arc::default(),
        }
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Starts a run: its folder, its record, and the locks on it and on its destination.
    ///
    /// # Errors
    /// Another run writes to the destination; the folder can't be written.
    pub fn begin(&self, new: NewRun<'_>) -> CliResult<RunDir> {
        let id = Ulid::new().to_string();
        let lock = match new.verb {
            RunVerb::Migrate | RunVerb::Mirror => {
                self.detached(new.destination)
                    .map_or(Ok(()), |other| Err(in_the_cloud(&other)))?;
                Some(Arc::new(self.lock(&id, new.destination)?))
            }
            RunVerb::Verify => None,
        };
        self.make(id, new, lock, None)
    }

    /// Starts a run beside another that writes to the same destination, as one of its revisions does: they share the lock.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn begin_beside(&self, new: NewRun<'_>, other: &RunDir) -> CliResult<RunDir> {
        self.make(
            Ulid::new().to_string(),
            new,
            other.destination.clone(),
            Some(other.id().to_owned()),
        )
    }

    fn make(
        &self,
        id: String,
        new: NewRun<'_>,
        destination: Option<Arc<File>>,
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
        let alive =
            hold_alive(&path.join("alive")).map_err(|error| CliError::file(&path, &error))?;
        let (started, source, to) = (now(), source.clone(), to.clone());
        let (state, files, bytes) = (State::Running, plan.files, plan.bytes);
        let record = RunRecord {
            id,
            verb,
            started,
            source,
            destination: to,
            on,
            state,
            files,
            bytes,
            beside,
        };
        let run = RunDir {
            path,
            record,
            _alive: alive,
            destination,
        };
        run.write("run.json", &run.record)?;
        Ok(run)
    }

    /// Takes up a run again that nobody watches.
    ///
    /// # Errors
    /// Someone does; the folder can't be written.
    pub fn resume(&self, record: &RunRecord) -> CliResult<RunDir> {
        let lock = self.lock(&record.id, &record.destination)?;
        let path = self.path(&record.id);
        let alive =
            hold_alive(&path.join("alive")).map_err(|error| CliError::file(&path, &error))?;
        let record = RunRecord {
            state: State::Running,
            ..record.clone()
        };
        let run = RunDir {
            path,
            record,
            _alive: alive,
            destination: Some(Arc::new(lock)),
        };
        run.write("run.json", &run.record)?;
        Ok(run)
    }

    /// The run that works on this destination in the cloud, unwatched.
    pub fn detached(&self, destination: &RepoAt) -> Option<RunRecord> {
        self.list()
            .into_iter()
            .find(|run| run.state == State::Detached && run.destination == *destination)
    }

    fn lock(&self, id: &str, destination: &RepoAt) -> CliResult<File> {
        let locks = self.state.join("locks");
        create_private(&locks)?;
        lock_destination(
            &locks.join(format!("{}.lock", lock_name(destination))),
            id,
            destination,
        )
    }

    /// Every run, the newest first; folders without a readable record are passed over.
    pub fn list(&self) -> Vec<RunRecord> {
        let folders = fs::read_dir(self.state.join("runs"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        let mut runs: Vec<RunRecord> = folders.filter_map(|path| self.record(&path)).collect();
        runs.sort_by(|a, b| b.id.cmp(&a.id));
        runs
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

    /// The run with this id, or one whose id ends so; `last` is the newest.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn find(&self, asked: &str) -> CliResult<RunRecord> {
        let all = self.list();
        let mut found = all
            .iter()
            .filter(|run| asked == "last" || run.id.ends_with(&asked.to_uppercase()));
        match (found.next(), found.next()) {
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
        let process = fs::read_to_string(&path).ok()?.parse().ok();
        // What a process left behind may be another's number by now: it counts while the lock is held.
        process.filter(|_| is_held(&path))
    }

    /// Who keeps these runs: an id of the folder's own, made when it is first asked for. What runs elsewhere is marked with it.
    ///
    /// # Errors
    /// The disk's.
    pub fn identity(&self) -> CliResult<String> {
        create_private(&self.state)?;
        let path = self.state.join("id");
        let read = || {
            fs::read_to_string(&path)
                .ok()
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty())
        };
        if let Some(id) = read() {
            return Ok(id);
        }
        let lock = self.state.join("id.lock");
        let wait = || {
            private()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&lock)
                .and_then(|file| file.lock().map(|()| file))
        };
        let _alone = wait().map_err(|error| CliError::file(&lock, &error))?;
        if let Some(id) = read() {
            return Ok(id);
        }
        let id = Ulid::new().to_string().to_lowercase();
        write_aside(&path, |file| file.write_all(id.as_bytes()))
            .map_err(|error| CliError::file(&path, &error))?;
        Ok(id)
    }

    /// A run's folder.
    pub fn path(&self, id: &str) -> PathBuf {
        self.state.join("runs").join(id)
    }

    /// A JSON file of a run, if it is there and readable.
    pub fn read<T: DeserializeOwned>(&self, id: &str, name: &str) -> Option<T> {
        serde_json::from_reader(BufReader::new(File::open(self.path(id).join(name)).ok()?)).ok()
    }

    /// A run's journal: every whole line.
    pub fn journal(&self, id: &str) -> Vec<JournalEntry> {
        journal(&self.path(id))
    }
}

/// A run that is under way. Its locks are let go when it is dropped.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    record: RunRecord,
    _alive: File,
    /// The lock on its destination, which revisions of one repo share.
    destination: Option<Arc<File>>,
}

impl RunDir {
    /// The run's id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log of one worker.
    pub fn log(&self, worker: &str) -> PathBuf {
        self.path.join("logs").join(format!("{worker}.log"))
    }

    /// Writes a JSON file: aside, synced, renamed.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, name: &str, content: &impl Serialize) -> CliResult<()> {
        let path = self.path.join(name);
        write_aside(&path, |file| Ok(serde_json::to_writer(file, content)?))
            .map_err(|error| CliError::file(&path, &error))
    }

    /// Notes that the worker of a job that is no chunk crashed.
    ///
    /// # Errors
    /// The journal can't be written.
    pub fn note_crash(&self, attempt: u32, why: &str) -> CliResult<()> {
        let (chunk, why) = (0, why.to_owned());
        self.note(&JournalEntry::Crashed {
            chunk,
            attempt,
            why,
        })
    }

    /// Appends to the journal.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&self, entry: &JournalEntry) -> CliResult<()> {
        let path = self.path.join("journal.ndjson");
        let append = || {
            let mut line = serde_json::to_vec(entry)?;
            line.push(b'\n');
            let mut file = private().append(true).create(true).open(&path)?;
            file.write_all(&line)?;
            file.sync_data()
        };
        append().map_err(|error: io::Error| CliError::file(&path, &error))
    }

    /// Says how much it is about, once that is known.
    ///
    /// # Errors
    /// The disk's.
    pub fn extent(&mut self, files: u64, bytes: u64) -> CliResult<()> {
        (self.record.files, self.record.bytes) = (files, bytes);
        self.write("run.json", &self.record)
    }

    /// Leaves it to the cloud.
    ///
    /// # Errors
    /// The disk's.
    pub fn detach(mut self) -> CliResult<()> {
        self.record.state = State::Detached;
        self.write("run.json", &self.record)
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// The disk's.
    pub fn end(&mut self, state: State) -> CliResult<()> {
        self.record.state = state;
        self.note(&JournalEntry::Ended { state })?;
        self.write("run.json", &self.record)
    }
}

fn in_the_cloud(run: &RunRecord) -> CliError {
    let (id, repo, hub) = (&run.id, &run.destination.id, run.destination.hub);
    let line = format!(
        "run {id} works on {repo} on {hub} in the cloud: hf2ms attach {id} waits for it, hf2ms stop {id} ends it"
    );
    CliError::new(hf2ms_worker::protocol::Exit::Incomplete, line)
}

fn record(path: &Path) -> Option<RunRecord> {
    let mut record: RunRecord =
        serde_json::from_slice(&fs::read(path.join("run.json")).ok()?).ok()?;
    if record.state == State::Running && !is_held(&path.join("alive")) {
        record.state = if record.on == EngineKind::Modal && has_calls(path) {
            State::Detached
        } else {
            State::Killed
        };
    }
    Some(record)
}

fn has_calls(path: &Path) -> bool {
    journal(path)
        .iter()
        .any(|entry| matches!(entry, JournalEntry::Call { .. }))
}

fn journal(path: &Path) -> Vec<JournalEntry> {
    let Ok(file) = File::open(path.join("journal.ndjson")) else {
        return Vec::new();
    };
    BufReader::new(file)
        .split(b'\n')
        .map_while(io::Result::ok)
        .filter_map(|line| serde_json::from_slice(&line).ok())
        .collect()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_secs())
        .unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use hf2ms_worker::protocol::{PlanSummary, Receipt};

    use super::*;

    pub(crate) fn at(hub: &str, id: &str) -> RepoAt {
        let json = serde_json::json!({"hub": hub, "endpoint": "http://h", "kind": "model", "id": id, "revision": "main"});
        serde_json::from_value(json).unwrap()
    }

    fn begin(runs: &Runs, id: &str) -> CliResult<RunDir> {
        let plan = &PlanSummary {
            files: 3,
            ..PlanSummary::default()
        };
        let (source, destination) = (&at("huggingface", id), &at("modelscope", id));
        runs.begin(NewRun {
            verb: RunVerb::Migrate,
            on: EngineKind::Local,
            source,
            destination,
            plan,
        })
    }

    #[test]
    fn a_run_is_found_again() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let mut run = begin(&runs, "org/a").unwrap();
        assert_eq!(runs.find("last").unwrap().state, State::Running);
        run.end(State::Done).unwrap();
        let id = run.id().to_owned();
        assert_eq!(runs.find(&id[20..].to_lowercase()).unwrap().files, 3);
        assert_eq!(
            runs.journal(&id),
            [JournalEntry::Ended { state: State::Done }]
        );
        assert!(
            runs.find("nope")
                .unwrap_err()
                .to_string()
                .contains("no run nope")
        );
    }

    #[test]
    fn a_second_controller_on_one_destination_stops() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let first = begin(&runs, "org/a").unwrap();
        let line = begin(&runs, "org/a").unwrap_err().to_string();
        assert!(
            line.contains(first.id()) && line.contains("org/a on ModelScope"),
            "{line}"
        );
        assert!(begin(&runs, "org/b").is_ok());
        drop(first);
        assert!(begin(&runs, "org/a").is_ok());
    }

    #[test]
    fn revisions_of_one_repo_share_its_lock_and_the_last_lets_it_go() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let first = begin(&runs, "org/a").unwrap();
        let (plan, source, destination) = (
            &PlanSummary::default(),
            &at("huggingface", "org/a"),
            &at("modelscope", "org/a"),
        );
        let second = runs
            .begin_beside(
                NewRun {
                    verb: RunVerb::Migrate,
                    on: EngineKind::Local,
                    source,
                    destination,
                    plan,
                },
                &first,
            )
            .unwrap();
        assert!(first.id() != second.id());
        drop(first);
        assert!(begin(&runs, "org/a").is_err());
        drop(second);
        assert!(begin(&runs, "org/a").is_ok());
    }

    #[test]
    fn a_killed_run_is_seen_as_one() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        drop(begin(&runs, "org/a").unwrap());
        assert_eq!(runs.find("last").unwrap().state, State::Killed);
    }

    #[test]
    fn a_run_names_its_process_while_it_is_alive() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = begin(&runs, "org/a").unwrap();
        let id = run.id().to_owned();
        assert_eq!(
            (runs.is_alive(&id), runs.controller(&id)),
            (true, Some(std::process::id()))
        );
        drop(run);
        assert_eq!(
            (runs.is_alive(&id), runs.controller(&id)),
            (false, None),
            "the number is still written there"
        );
        assert!(!runs.is_alive("no such run"));
    }

    #[test]
    fn a_state_folder_keeps_its_identity() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let of = |state: &tempfile::TempDir| Runs::new(state.path()).identity().unwrap();
        assert_eq!((of(&one), of(&one).len()), (of(&one), 26));
        assert_ne!(of(&one), of(&other));
    }

    #[test]
    fn a_torn_last_line_is_forgiven() {
        let state = tempfile::tempdir().unwrap();
        let runs = Runs::new(state.path());
        let run = begin(&runs, "org/a").unwrap();
        run.note(&JournalEntry::Chunk(Receipt::default())).unwrap();
        let journal = run.path().join("journal.ndjson");
        let whole = fs::read(&journal).unwrap();
        fs::write(&journal, [&whole[..], &whole[..whole.len() / 2]].concat()).unwrap();
        assert_eq!(runs.journal(run.id()).len(), 1);
    }
}
