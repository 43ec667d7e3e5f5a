//! What is kept of all revisions together, in the folder of the first of their runs: whether every branch and tag was as it should
//! be at the end. Runs alone don't tell: some revisions never get as far as a run, and some names are not made after one.

use std::path::PathBuf;

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::Exit;
use serde::{Deserialize, Serialize};

use super::summary::{RevisionRow, RevisionsSummary};
use super::write::RevisionRun;
use crate::copy::decide::made;
use crate::runs::{RunRecord, RunVerb, Runs, State, write_aside};
use crate::ui::errors::{CliError, CliResult};

const FILE: &str = "revisions.json";

/// What is kept.
#[derive(Serialize)]
struct Kept<'a> {
    /// The exit code; none while it is under way.
    exit: Option<u8>,
    revisions: &'a [RevisionRow],
}

/// What is read of it again.
#[derive(Deserialize)]
struct Ended {
    exit: Option<u8>,
}

/// The run that stands for all.
pub struct RevisionsState(Option<PathBuf>);

impl RevisionsState {
    /// The first of these; where nothing is to be written any more, that of the command before.
    pub fn of(
        revision_runs: &[Option<RevisionRun<'_>>],
        runs: &Runs,
        destination: &RepoAt,
    ) -> Self {
        let first = revision_runs
            .iter()
            .flatten()
            .next()
            .map(|run| run.migration.run.path().to_owned());
        let before = || {
            of_repo(runs, destination)
                .map(|run| runs.path(&run.id))
                .find(|path| path.join(FILE).exists())
        };
        Self(first.or_else(before))
    }

    /// Notes what came of all; nothing yet, while it is under way.
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

/// Whether a run of ours made this destination, and its branches and tags have not all got there since.
pub fn is_left_by_us(runs: &Runs, destination: &RepoAt) -> bool {
    let mut alone = of_repo(runs, destination).filter(|run| run.beside.is_none());
    alone
        .find_map(|run| verdict(runs, &run, destination))
        .unwrap_or(false)
}

/// What a run says about that, if anything. Only one that writes the default branch can have made the repo.
fn verdict(runs: &Runs, run: &RunRecord, destination: &RepoAt) -> Option<bool> {
    let made_it = run.destination == *destination && made(runs, run);
    match runs.read::<Ended>(&run.id, FILE) {
        Some(Ended { exit }) if exit == Some(Exit::Done as u8) => Some(false),
        Some(_) => made_it.then_some(true),
        None => made_it.then_some(run.state != State::Done),
    }
}

fn of_repo<'a>(runs: &Runs, destination: &'a RepoAt) -> impl Iterator<Item = RunRecord> + 'a {
    runs.list()
        .into_iter()
        .filter(|run| run.verb == RunVerb::Migrate && run.destination.is_same_repo(destination))
}
