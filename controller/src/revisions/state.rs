//! `revisions.json` in the folder of the first run of all revisions: whether every branch and tag succeeded. The runs alone don't tell:
//! some revisions fail before they have a run, and some refs are not created after one.

use std::path::{Path, PathBuf};

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::Exit;
use serde::{Deserialize, Serialize};

use super::summary::{RevisionRow, RevisionsSummary};
use super::write::RevisionRun;
use crate::copy::decide::created_destination;
use crate::runs::{RunRecord, RunVerb, Runs, State, write_aside};
use crate::ui::errors::{CliError, CliResult};

const FILE: &str = "revisions.json";

/// The file as it is written.
#[derive(Serialize)]
struct Kept<'a> {
    /// The exit code; none while it is under way.
    exit: Option<u8>,
    revisions: &'a [RevisionRow],
}

/// The field that is read again.
#[derive(Deserialize)]
struct Ended {
    exit: Option<u8>,
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
        let kept = Kept {
            exit: summary.map(|summary| summary.exit() as u8),
            revisions: summary.map_or(&[], |summary| summary.rows.as_slice()),
        };
        write_aside(&path, |file| Ok(serde_json::to_writer(file, &kept)?))
            .map_err(|error| CliError::file(&path, &error))
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
    match runs.read::<Ended>(&run.id, FILE) {
        Some(Ended { exit }) if exit == Some(Exit::Done as u8) => Some(false),
        Some(_) => created_it.then_some(true),
        None => created_it.then_some(run.state != State::Done),
    }
}

fn of_repo<'a>(runs: &Runs, destination: &'a RepoAt) -> impl Iterator<Item = RunRecord> + 'a {
    runs.list()
        .into_iter()
        .filter(|run| run.verb == RunVerb::Migrate && run.destination.is_same_repo(destination))
}
