//! One migration, from its plan to its report: create, carry the chunks, commit once, verify. What is decided before is
//! [`crate::verbs::migrate`]'s.

use std::time::Instant;

use hf2ms_hub::{Blob, File, Kind, Listing, Revision, Sha256};
use hf2ms_worker::pipeline::creation::Created;
use hf2ms_worker::plan::{MaxDelete, Plan};
use hf2ms_worker::protocol::Deletion;
use hf2ms_worker::protocol::{Exit, VERSION, Verification};
use hf2ms_worker::verbs::finalize::FinalizeJob;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::copy::cloud::ModalCopy;
use crate::copy::inspect::{DestinationRepo, said};
use crate::copy::outcome::RunResult;
use crate::copy::sync_state::SyncState;
use crate::engine::Engine;
use crate::engine::job::{Ended, SingleJob, Verb};
use crate::engine::modal::{Deployment, Modal};
use crate::engine::open::Runner;
use crate::engine::queue::{ChunkResults, Queue};
use crate::engine::remote::{Completion, DetachMode, RemoteRun, SubmittedCalls};
use crate::engine::slots::WorkerSlots;
use crate::runs::report::Report;
use crate::runs::{JournalEntry, RunDir, State};
use crate::settings::Settings;
use crate::settings::hub_errors::AccessMode;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// One migration under way.
pub struct CopyRun<'a> {
    /// What it does.
    pub plan: Plan,
    /// The destination as it was found.
    pub destination: &'a DestinationRepo,
    /// How many of the files that only the destination has are deleted at most; they stay without it.
    pub prune: Option<MaxDelete>,
    /// Its folder.
    pub run: RunDir,
    /// Who does the work; nobody is needed when nothing differs.
    pub runner: Option<Runner>,
    /// When they may.
    pub slots: &'a WorkerSlots,
    /// That it was planned ahead of its turn; let go as soon as that has come.
    pub ahead: Option<OwnedSemaphorePermit>,
    /// How the hubs are reached.
    pub settings: &'a Settings,
    /// Where words go.
    pub screen: &'a Screen,
    /// When to stop.
    pub stop: &'a Stop,
    /// When it began.
    pub began: Instant,
}

impl CopyRun<'_> {
    /// Does it all, and leaves a report however it ends; `None` when the cloud goes on without anyone here, as asked.
    ///
    /// # Errors
    /// What stopped it; the run's record says so too.
    pub async fn carry_out(mut self) -> CliResult<Option<Report>> {
        self.begin()?;
        let mut work = RunResult::default();
        let done = match self.work(&mut work).await {
            Ok(Completion::Away(why)) => {
                self.run.detach()?;
                return why.map_or(Ok(None), Err);
            }
            Ok(Completion::Home(())) => Ok(()),
            Err(failure) => Err(failure),
        };
        let report = self.settle(work, &done).await?;
        done.map(|()| Some(report))
    }

    /// Keeps what is to be done.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(&self) -> CliResult<()> {
        self.run.write("plan.json", &self.plan)?;
        self.run.note(&JournalEntry::Planned(self.plan.summary()))
    }

    /// Leaves a report of what came of it, and the proof where it can be one.
    ///
    /// # Errors
    /// The disk's.
    pub async fn settle(&mut self, work: RunResult, done: &CliResult<()>) -> CliResult<Report> {
        let head = if done.is_ok() {
            self.verified_head(&work).await
        } else {
            None
        };
        let state = match done {
            Err(failure) if failure.exit() == Exit::Interrupted => State::Interrupted,
            Err(_) => State::Failed,
            Ok(()) => State::Done,
        };
        if let Some(head) = head {
            self.proof(head).save(&self.run)?;
        }
        let workers = self.runner.as_ref().map_or(0, Runner::workers);
        work.conclude(
            &self.plan,
            &mut self.run,
            state,
            workers,
            self.began.elapsed().as_secs_f64(),
        )
    }

    async fn work(&mut self, work: &mut RunResult) -> CliResult<Completion> {
        if self.plan.is_done() {
            work.verification = Some(self.compare_listing());
            return Ok(Completion::Home(()));
        }
        self.stop.unless(self.create()).await?;
        if let Some(Runner::Remote(modal, deployment, watch)) = &self.runner {
            drop(self.ahead.take());
            return self.in_the_cloud(modal, deployment, *watch, work).await;
        }
        self.carry_chunks(work).await?;
        let _finishing = self.slots.finishing().await;
        self.finalize(work, Deletion::WhenWhole).await?;
        Ok(Completion::Home(()))
    }

    /// Submits everything, and waits for it unless nobody here should.
    async fn in_the_cloud(
        &self,
        modal: &Modal,
        deployment: &Deployment,
        watch: DetachMode,
        work: &mut RunResult,
    ) -> CliResult<Completion> {
        let Self {
            plan,
            run,
            settings,
            screen,
            stop,
            ..
        } = self;
        let containers = deployment.containers as u64;
        run.note(&JournalEntry::Deployed {
            app: deployment.app.clone(),
            containers,
        })?;
        let cloud = RemoteRun {
            modal,
            app: &deployment.app,
            containers,
            run,
            screen,
            stop,
        };
        ModalCopy {
            cloud,
            plan,
            settings,
        }
        .work(SubmittedCalls::default(), watch, work)
        .await
    }

    fn engine(&self) -> CliResult<&dyn Engine> {
        match &self.runner {
            Some(Runner::Engine(engine)) => Ok(engine.as_ref()),
            _ => Err(CliError::usage("there is nobody here to work")),
        }
    }

    /// The head that was verified: it stands where it stood before the verification.
    async fn verified_head(&self, work: &RunResult) -> Option<Revision> {
        let head = self.head_now().await.ok().flatten();
        let verified = work
            .verification
            .as_ref()
            .and_then(|found| found.head.as_ref());
        head.filter(|head| verified == Some(head))
    }

    /// Where the destination's branch stands now, unless it is asked to stop first.
    async fn head_now(&self) -> CliResult<Option<Revision>> {
        self.stop
            .unless(async { Ok(self.destination.head_now().await) })
            .await
    }

    fn proof(&self, head: Revision) -> SyncState {
        SyncState::new(
            &self.plan.source,
            &self.plan.destination,
            head,
            self.destination.filter(),
            self.prune,
        )
        .with_card(self.plan.card)
    }

    /// Everything was found equal: the fresh listing is the verification.
    pub fn compare_listing(&self) -> Verification {
        let count = self.plan.files.len() as u64;
        let planned: std::collections::HashSet<_> = self
            .plan
            .files
            .iter()
            .map(|planned| &planned.file.path)
            .collect();
        let paths = self
            .destination
            .listing
            .files
            .iter()
            .map(|listed| &listed.file.path);
        let extra = paths
            .filter(|path| !planned.contains(path))
            .cloned()
            .collect();
        Verification {
            checked: count,
            equal: count,
            extra,
            head: self.destination.head.clone(),
            ..Verification::default()
        }
    }

    /// Creates the destination if it is absent, and notes what its hub put there.
    ///
    /// # Errors
    /// It can't be created, or shows what is to be hidden.
    pub async fn create(&mut self) -> CliResult<()> {
        if self.plan.creation.exists {
            return Ok(());
        }
        let visibility = self.plan.creation.visibility;
        let created = self.destination.create(self.plan.creation, self.settings);
        match created.await? {
            Created::New => self.screen.status(format!(
                "created {} {}",
                visibility,
                self.destination.at.web_url()
            )),
            Created::ByAnother => self.screen.warn(format!(
                "{} was created by someone else meanwhile: what differs is written into it",
                self.destination.at.id
            )),
        }
        self.screen.json(
            &json!({"event": "created", "visibility": visibility, "url": self.destination.at.web_url()}),
        );
        self.run.note(&JournalEntry::Created(self.plan.creation))?;
        self.look_again().await.map(|_| ())
    }

    /// Lists the destination anew and notes what stands there.
    async fn look_again(&mut self) -> CliResult<Listing> {
        let listing = self
            .stop
            .unless(self.destination.list(self.settings))
            .await?;
        self.plan.rebase_on(&listing);
        Ok(listing)
    }

    /// Has the chunks carried.
    ///
    /// # Errors
    /// A hub ended it for all files.
    pub async fn carry_chunks(&mut self, work: &mut RunResult) -> CliResult<()> {
        let ahead = self.ahead.take();
        let summary = self.plan.summary();
        let progress = &Progress::new(
            self.screen,
            "copying",
            Amount {
                files: summary.blobs,
                bytes: summary.blob_bytes,
            },
        );
        let queue = Queue {
            engine: self.engine()?,
            slots: self.slots,
            plan: &self.plan,
            run: &self.run,
            progress,
        };
        let carried = queue.carry(|| drop(ahead)).await;
        progress.finish();
        let ChunkResults {
            receipts,
            ended_by,
            lost,
            seconds,
        } = carried?;
        work.failed = self.plan.unsent(&receipts);
        (work.receipts, work.ended_by, work.lost, work.seconds) =
            (receipts, ended_by, lost, seconds);
        if self.stop.is_asked() {
            return Err(CliError::interrupted());
        }
        match &work.ended_by {
            Some((kind, error)) => Err(in_words(&self.plan, self.settings, *kind, error)),
            None => Ok(()),
        }
    }

    /// Writes the commits, as far as the receipts say that blobs are stored, and compares every file.
    ///
    /// # Errors
    /// The finalizer died, or a hub ended it.
    pub async fn finalize(&self, work: &mut RunResult, deletion: Deletion) -> CliResult<()> {
        if deletion == Deletion::WhenWhole
            && !work.failed.is_empty()
            && !self.plan.delete.is_empty()
        {
            self.screen
                .warn("nothing is deleted at the destination, because some files failed");
        }
        self.finish(&self.plan, work, deletion).await
    }

    /// Compares every file with what stands there, and leaves it as it is.
    ///
    /// # Errors
    /// As [`Self::finalize`].
    pub async fn compare(&self, work: &mut RunResult) -> CliResult<()> {
        self.finish(&self.plan.compare_only(), work, Deletion::WhenWhole)
            .await
    }

    async fn finish(&self, plan: &Plan, work: &mut RunResult, deletion: Deletion) -> CliResult<()> {
        let engine = self.engine()?;
        let of = Amount {
            files: plan.files.len() as u64,
            bytes: plan.summary().bytes,
        };
        let (run, receipts) = (self.run.id(), work.receipts.as_slice());
        // A finalizer that crashed may have written: the next one reads the destination first.
        let job = |attempt| FinalizeJob {
            version: VERSION,
            run: run.to_owned(),
            plan,
            receipts,
            relist: attempt > 1,
            deletion,
        };
        let mut lost = 0;
        let single = SingleJob {
            engine,
            verb: Verb::Finalize,
            title: "finishing",
            of,
            screen: self.screen,
        };
        let crashed = |attempt, why: &str| {
            lost += 1;
            self.run.note_crash(attempt, why)
        };
        let ended = single.run(job, |_| false, crashed).await?;
        work.lost += lost;
        self.finished(ended, work)
    }

    /// Takes note of what a finalizer did.
    fn finished(&self, ended: Ended, work: &mut RunResult) -> CliResult<()> {
        let Ended::Finished(_, output) = ended else {
            return Err(ended.into_error("finalizer"));
        };
        work.finalized(&self.run, output)?;
        match &work.ended_by {
            Some((kind, error)) => Err(in_words(&self.plan, self.settings, *kind, error)),
            None => Ok(()),
        }
    }
}

/// A worker's error for a person. The request that it names tells which hub it is about.
pub fn in_words(plan: &Plan, settings: &Settings, kind: Kind, error: &str) -> CliError {
    let error_of = hf2ms_hub::Error::new(kind, error);
    let of_source = plan.destination.endpoint == plan.source.endpoint
        && !error.contains(plan.destination.id.as_str());
    if error.contains(&plan.destination.endpoint) && !of_source {
        return said(&error_of, &plan.destination, settings, AccessMode::Writing);
    }
    if error.contains(&plan.source.endpoint) {
        return said(&error_of, &plan.source, settings, AccessMode::Reading);
    }
    CliError::new(Exit::of(kind), format!("the workers were stopped: {error}"))
}

/// The blob that a permission check asks about: one that moves anyway. Where none does there is still a commit to be
/// written, so any blob will do: asking stores nothing.
pub fn asked_about(plan: &Plan) -> Blob {
    let moving = plan
        .chunks
        .iter()
        .flatten()
        .filter_map(|index| plan.files.get(*index as usize));
    let blob = |file: &File| {
        Some(Blob {
            sha256: file.digest.sha256()?,
            size: file.size,
        })
    };
    const ANY: &[u8] = b"hf2ms";
    moving
        .filter_map(|planned| blob(&planned.file))
        .next()
        .unwrap_or(Blob {
            sha256: Sha256::of(ANY),
            size: ANY.len() as u64,
        })
}
