//! The comparison of files by their contents, for `--deep`: a worker reads what the listings can't compare. The controller reads no content.

use std::collections::HashSet;

use hf2ms_hub::{Listing, Placement, RepoAt, RepoPath, Visibility};
use hf2ms_worker::plan::{DigestCache, Plan, PlanRequest};
use hf2ms_worker::protocol::{Chunking, Creation, Verification, VerifyLevel, WorkerOptions};
use tokio::sync::Semaphore;

use crate::args::workers::EngineKind;
use crate::binaries::find_worker;
use crate::engine::job;
use crate::engine::local::Local;
use crate::inventory::row::{CopyState, Evidence, InventoryRow};
use crate::runs::{JournalEntry, NewRun, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Workers at a time: each reads up to 32 files at a time itself.
const WORKERS: usize = 2;

/// What a worker found, and the sizes of the files that have to be copied.
pub struct ContentsCompared {
    found: Verification,
    to_copy: Vec<u64>,
}

impl ContentsCompared {
    /// Whether every content was read.
    pub fn is_all_read(&self) -> bool {
        self.found.unread.is_empty()
    }
}

/// Has workers compare contents, each repo as a run of `verify`.
pub struct ContentReader<'a> {
    runs: &'a Runs,
    settings: &'a Settings,
    screen: &'a Screen,
    stop: &'a Stop,
    workers: Semaphore,
}

impl<'a> ContentReader<'a> {
    /// One whose runs are kept in `runs`.
    pub fn new(runs: &'a Runs, settings: &'a Settings, screen: &'a Screen, stop: &'a Stop) -> Self {
        let workers = Semaphore::new(WORKERS);
        Self {
            runs,
            settings,
            screen,
            stop,
            workers,
        }
    }

    /// Compares every file of both listings by a digest.
    ///
    /// # Errors
    /// No worker gave a result.
    pub async fn compare(
        &self,
        (source, destination): (RepoAt, &RepoAt),
        listing: Listing,
        current: &Listing,
        known: &DigestCache,
    ) -> CliResult<ContentsCompared> {
        let permit = self.workers.acquire().await;
        let _turn = permit.map_err(|_| CliError::interrupted())?;
        let request = request(source, destination);
        let plan = Plan::make(request, listing, current, |_, _| Placement::Inline, known);
        let mut run = self.runs.begin(NewRun {
            verb: RunVerb::Verify,
            on: EngineKind::Local,
            source: &plan.source,
            destination: &plan.destination,
            plan: &plan.summary(),
        })?;
        let screen = self.screen.of_repo(plan.source.id.as_str());
        let engine = Local {
            binary: find_worker()?,
            workers: 1,
            logs: Some(run.path().join("logs")),
            settings: self.settings.of_job(plan.source.hub, plan.destination.hub),
            stop: self.stop.clone(),
        };
        let job = plan.verify_job(run.id(), &[], &[]);
        let found = match job::verify(&engine, &job, &screen, &run).await {
            Ok(found) => found,
            Err(failure) => return run.fail(&failure, &screen).and(Err(failure)),
        };
        run.end(match found.is_good() {
            true => State::Done,
            false => State::Incomplete,
        })?;
        run.note(&JournalEntry::Verified(found.clone()))?;
        let bad: HashSet<&RepoPath> = found.missing.iter().chain(&found.different).collect();
        let files = plan.files.iter().map(|planned| &planned.file);
        let to_copy = files.filter(|file| bad.contains(&file.path));
        let to_copy = to_copy.map(|file| file.size).collect();
        Ok(ContentsCompared { found, to_copy })
    }
}

/// A plan that nobody carries out: the job of a verification is made of one.
fn request(source: RepoAt, destination: &RepoAt) -> PlanRequest {
    PlanRequest {
        asked: source.revision.clone(),
        source,
        destination: destination.clone(),
        creation: Creation {
            visibility: Visibility::Private,
            gate: None,
            exists: true,
            sdk: None,
        },
        chunking: Chunking::Even { containers: 1 },
        prune: None,
        options: WorkerOptions {
            verify: VerifyLevel::Listing,
            ..WorkerOptions::default()
        },
    }
}

impl InventoryRow {
    /// The same with what a worker found by reading contents.
    pub fn read(self, compared: &ContentsCompared) -> Self {
        let ContentsCompared { found, to_copy } = compared;
        let count = |paths: &[_]| Some(paths.len() as u64);
        let different = found.different.iter().map(ToString::to_string);
        let (different_files, state) = (different.take(20).collect(), CopyState::None);
        let reason = found.unread.first().map(|unread| {
            let (path, why) = (&unread.path, &unread.reason);
            format!("{path} could not be read: {why}")
        });
        let unread = found.unread.len() as u64;
        Self {
            state,
            evidence: Evidence::Contents,
            present: Some(found.equal + unread),
            by_size: Some(unread),
            missing: count(&found.missing),
            different: count(&found.different),
            different_files,
            bytes_to_copy: Some(to_copy.iter().sum()),
            largest_to_copy: to_copy.iter().max().copied().or(Some(0)),
            reason,
            ..self
        }
    }
}
