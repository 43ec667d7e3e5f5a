//! A batch on disk: a folder beside those of its runs, with its record, its result and the lock that says that its process works.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::locks::{hold_alive, is_held};
use super::read::readable;
pub use super::record::BatchRecord;
use super::record::{BATCH, FORMAT};
use super::{RunRecord, Runs, State, THIS, create_private, next_id, now, write_aside};
use crate::ui::errors::{CliError, CliResult};

/// What an id means.
#[derive(Debug)]
pub enum RunOrBatch {
    /// One run.
    Run(Box<RunRecord>),
    /// A batch of runs.
    Batch(BatchRecord),
}

/// The folder of a batch that is under way. Dropping it releases its lock.
#[derive(Debug)]
pub struct BatchDir {
    path: PathBuf,
    record: BatchRecord,
    _alive: fs::File,
}

impl BatchDir {
    /// The batch's id.
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Records how the batch ended, and its result.
    ///
    /// # Errors
    /// The disk's.
    pub fn end(mut self, state: State, result: &impl Serialize) -> CliResult<()> {
        write_json(&self.path.join("result.json"), result)?;
        self.record.state = state;
        write_json(&self.path.join(BATCH), &self.record)
    }
}

fn write_json(path: &Path, content: &impl Serialize) -> CliResult<()> {
    write_aside(path, |file| Ok(serde_json::to_writer(file, content)?))
        .map_err(|error| CliError::state_file(path, &error))
}

impl Runs {
    /// Starts a batch of so many repos.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn begin_batch(&self, repos: usize) -> CliResult<BatchDir> {
        let record = BatchRecord {
            id: next_id(),
            format: FORMAT,
            written_by: Some(THIS.to_owned()),
            started: now(),
            state: State::Running,
            repos: repos as u64,
        };
        let path = self.path(&record.id);
        create_private(&path)?;
        let alive =
            hold_alive(&path.join("alive")).map_err(|error| CliError::state_file(&path, &error))?;
        write_json(&path.join(BATCH), &record)?;
        Ok(BatchDir {
            path,
            record,
            _alive: alive,
        })
    }

    /// The same runs; those that begin here belong to this batch.
    pub fn of_batch(&self, batch: &BatchDir) -> Self {
        Self {
            batch: Some(batch.id().into()),
            ..self.clone()
        }
    }

    /// The batch with this id, if this version can read it. One whose process is gone has been killed.
    pub fn batch(&self, id: &str) -> Option<BatchRecord> {
        let json = fs::read(self.path(id).join(BATCH)).ok()?;
        let mut record: BatchRecord = readable(&json)?;
        if record.state == State::Running && !is_held(&self.path(id).join("alive")) {
            record.state = State::Killed;
        }
        Some(record)
    }

    /// The runs of a batch, the oldest first.
    pub fn runs_of(&self, batch: &str) -> Vec<RunRecord> {
        let mut runs = self.list();
        runs.retain(|run| run.batch.as_deref() == Some(batch));
        runs.reverse();
        runs
    }

    /// The run or the batch with this id, or the one whose id ends with it; `last` is the batch of the newest run, or that run.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn find_any(&self, asked: &str) -> CliResult<RunOrBatch> {
        let mut batches = self.batches(asked);
        let run = match self.find(asked) {
            Ok(run) => run,
            Err(missing) => {
                return match (batches.pop(), batches.pop()) {
                    (Some(batch), None) => Ok(RunOrBatch::Batch(batch)),
                    _ => Err(missing),
                };
            }
        };
        if asked == "last" {
            let batch = run.batch.as_ref().and_then(|id| self.batch(id));
            return Ok(batch.map_or(RunOrBatch::Run(Box::new(run)), RunOrBatch::Batch));
        }
        match batches.is_empty() {
            true => Ok(RunOrBatch::Run(Box::new(run))),
            false => Err(CliError::usage(format!(
                "a run and a batch end in {asked}: give more of the id"
            ))),
        }
    }

    /// The batches whose ids end with this.
    fn batches(&self, asked: &str) -> Vec<BatchRecord> {
        let end = asked.to_uppercase();
        let folders = fs::read_dir(self.state().join("runs"))
            .into_iter()
            .flatten();
        let names = folders
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| name.ends_with(&end))
            .filter_map(|name| self.batch(&name))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::protocol::PlanSummary;

    use super::*;
    use crate::args::workers::EngineKind;
    use crate::runs::tests::at;
    use crate::runs::{NewRun, RunVerb};

    #[test]
    fn a_batch_is_found_by_its_id_and_has_its_runs() {
        let folder = tempfile::tempdir().unwrap();
        let runs = Runs::new(folder.path());
        let batch = runs.begin_batch(2).unwrap();
        let of_batch = runs.of_batch(&batch);
        let new = NewRun {
            verb: RunVerb::Migrate,
            on: EngineKind::Local,
            source: &at("huggingface", "org/a"),
            destination: &at("modelscope", "org/a"),
            plan: &PlanSummary::default(),
        };
        let run = of_batch.begin(new).unwrap();
        let ids = |all: Vec<RunRecord>| all.into_iter().map(|run| run.id).collect::<Vec<_>>();
        assert_eq!(ids(runs.runs_of(batch.id())), [run.id()]);
        for asked in [batch.id(), "last"] {
            let found = runs.find_any(asked).unwrap();
            assert!(
                matches!(found, RunOrBatch::Batch(found) if found.id == batch.id()),
                "{asked}"
            );
        }
        assert!(matches!(
            runs.find_any(run.id()).unwrap(),
            RunOrBatch::Run(_)
        ));
        assert!(runs.is_alive(batch.id()));
        let id = batch.id().to_owned();
        drop(batch);
        let read = runs.batch(&id).unwrap();
        let written = (read.format, read.written_by.as_deref());
        assert_eq!((read.state, written), (State::Killed, (FORMAT, Some(THIS))));
    }
}
