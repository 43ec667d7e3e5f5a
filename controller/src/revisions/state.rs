//! `revisions.json` in the folder of the first run of all revisions: whether every branch and tag succeeded. The runs alone don't tell:
//! some revisions fail before they have a run, and some refs are not created after one.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::{RevisionRow, RevisionStatus, RevisionsSummary};
use super::write::RevisionRun;
use crate::copy::decide::created_destination;
use crate::runs::{RunRecord, RunVerb, Runs, State, write_aside};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::table::labelled;

const FILE: &str = "revisions.json";

/// What became of all branches and tags of a copy.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeptRevisions<'a> {
    /// The exit code of all together; null while they are under way.
    exit: Option<u8>,
    /// A row for each branch or tag; empty while they are under way.
    revisions: Cow<'a, [RevisionRow]>,
}

impl KeptRevisions<'_> {
    /// Those of the copy whose first run is this one.
    pub fn read(run: &str, runs: &Runs) -> Option<Self> {
        runs.read(run, FILE)
    }

    /// How they stand, for a person: those that failed have a line each.
    pub fn lines(&self) -> Vec<String> {
        let (failed, rows) = (RevisionStatus::Failed, self.revisions.iter());
        let whole = rows.clone().filter(|row| row.state != failed).count();
        let first = match self.exit {
            None => "not all branches and tags are known to be written".to_owned(),
            Some(_) => format!("{whole} of {} are whole", self.revisions.len()),
        };
        let failures = rows.filter(|row| row.state == failed).map(|row| {
            let reason = row.reason.as_deref().unwrap_or("failed");
            labelled(
                "failed",
                format!("{} {}: {reason}", row.kind.name(), row.source),
            )
        });
        let first = labelled("revisions", first);
        std::iter::once(first).chain(failures).collect()
    }

    fn is_done(&self) -> bool {
        self.exit == Some(Exit::Done as u8)
    }
}

/// The folder that holds the file; `None` if there is no run.
pub struct RevisionsState(Option<PathBuf>);

impl RevisionsState {
    /// The folder of the first of these runs or, if nothing is to be written, that of the command before.
    pub fn of(
        revision_runs: &[Option<RevisionRun<'_>>],
        runs: &Runs,
        destination: &RepoAt,
    ) -> Self {
        let first = revision_runs
            .iter()
            .flatten()
            .next()
            .map(|run| run.copy.dir.path().to_owned());
        let before = || {
            of_repo(runs, destination)
                .map(|run| runs.path(&run.id))
                .find(|path| path.join(FILE).exists())
        };
        Self(first.or_else(before))
    }

    /// The folder of this run.
    pub fn in_folder(path: &Path) -> Self {
        Self(Some(path.to_owned()))
    }

    /// The id of the run in whose folder the file is.
    pub fn run(&self) -> Option<String> {
        let name = self.0.as_ref()?.file_name()?;
        Some(name.to_string_lossy().into_owned())
    }

    /// Writes the summary; without one the revisions are unfinished.
    ///
    /// # Errors
    /// The disk's.
    pub fn note(&self, summary: Option<&RevisionsSummary>) -> CliResult<()> {
        let Some(path) = self.0.as_ref().map(|folder| folder.join(FILE)) else {
            return Ok(());
        };
        let rows = summary.map_or(&[][..], |summary| summary.rows.as_slice());
        let kept = KeptRevisions {
            exit: summary.map(|summary| summary.exit() as u8),
            revisions: rows.into(),
        };
        write_aside(&path, |file| Ok(serde_json::to_writer(file, &kept)?))
            .map_err(|error| CliError::state_file(&path, &error))
    }
}

/// Whether a run of this machine created the destination, and no later one has copied all branches and tags.
pub fn is_unfinished(runs: &Runs, destination: &RepoAt) -> bool {
    let mut alone = of_repo(runs, destination).filter(|run| run.beside.is_none());
    alone
        .find_map(|run| leaves_unfinished(runs, &run, destination))
        .unwrap_or(false)
}

/// Whether this run leaves the destination unfinished; `None` if it doesn't tell. Only a run of the default branch creates the repo.
fn leaves_unfinished(runs: &Runs, run: &RunRecord, destination: &RepoAt) -> Option<bool> {
    let created_it = run.destination == *destination && created_destination(runs, run);
    match KeptRevisions::read(&run.id, runs) {
        Some(kept) if kept.is_done() => Some(false),
        Some(_) => created_it.then_some(true),
        None => created_it.then_some(run.state != State::Done),
    }
}

fn of_repo<'a>(runs: &Runs, destination: &'a RepoAt) -> impl Iterator<Item = RunRecord> + 'a {
    runs.list()
        .into_iter()
        .filter(|run| run.verb == RunVerb::Migrate && run.destination.is_same_repo(destination))
}
