//! One run of a copy, from its plan to its report: create the destination, transfer the blobs, commit, verify.

use std::time::Instant;

use hf2ms_hub::{Revision, Visibility};
use hf2ms_worker::pipeline::creation::{Created, Readers};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::Deletion;
use hf2ms_worker::protocol::{Exit, VERSION};
use hf2ms_worker::verbs::finalize::FinalizeJob;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::copy::cloud::ModalCopy;
use crate::copy::inspect::DestinationRepo;
use crate::copy::options::CopyOptions;
use crate::copy::outcome::{RunResult, verification_of_listing};
use crate::copy::request::CopyRequest;
use crate::copy::sync_state::ProofTerms;
use crate::engine::Engine;
use crate::engine::chunk_results::ChunkResults;
use crate::engine::job::{Ended, SingleJob, WorkerCommand};
use crate::engine::open::Runner;
use crate::engine::queue::Queue;
use crate::engine::remote::Completion;
use crate::engine::remote::calls::SubmittedCalls;
use crate::runs::report::Report;
use crate::runs::{JournalEntry, RunDir, State};
use crate::settings::remedies::remedy;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::log::Level;
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// One run of a copy.
pub struct CopyRun<'a> {
    /// The plan, brought up to date when the destination is listed again.
    pub plan: Plan,
    /// The destination as it was found.
    pub destination: &'a DestinationRepo,
    /// What the command asks of each repo.
    pub options: &'a CopyOptions<'a>,
    /// The run's folder.
    pub dir: RunDir,
    /// The engine; `None` if the plan has nothing to do.
    pub runner: Option<Runner>,
    /// The permit to plan ahead of a free worker, dropped when the first chunk starts.
    pub ahead: Option<OwnedSemaphorePermit>,
    /// Where lines about this repo are printed.
    pub screen: &'a Screen,
    /// When the copy of this repo began.
    pub began: Instant,
}

/// The destination was created.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "created")]
pub struct CreatedEvent<'a> {
    /// Who may see it.
    visibility: Visibility,
    /// Its page.
    url: &'a str,
}

impl CopyRun<'_> {
    /// Carries the plan out and writes the report, also of a run that fails; `None` if the run goes on in the cloud, as asked.
    ///
    /// # Errors
    /// What ended the run; its record says so too.
    pub async fn execute(mut self) -> CliResult<Option<Report>> {
        self.record_plan()?;
        let mut result = RunResult::default();
        let done = match self.steps(&mut result).await {
            Ok(Completion::Detached(why)) => {
                self.dir.detach()?;
                return why.map_or(Ok(None), Err);
            }
            Ok(Completion::Finished(())) => Ok(()),
            Err(failure) => Err(failure),
        };
        let report = self.conclude(result, &done).await?;
        if let (Err(_), Some(stands)) = (&done, report.stands()) {
            let line = format!("at the destination: {stands}  {}", report.url);
            self.screen.status(line);
        }
        done.map(|()| Some(report))
    }

    /// Creates the destination, transfers the blobs, commits and verifies; or submits all that to the cloud.
    async fn steps(&mut self, result: &mut RunResult) -> CliResult<Completion> {
        if self.plan.is_done() && !self.plan.reads_contents() {
            result.verification = Some(verification_of_listing(&self.plan, self.destination));
            return Ok(Completion::Finished(()));
        }
        self.options.stop.unless(self.create()).await?;
        if let Some(Runner::Remote(app, detach)) = &self.runner {
            drop(self.ahead.take());
            let copy = ModalCopy {
                cloud: app.begin(&self.dir, self.screen, self.options.stop)?,
                plan: &self.plan,
                settings: self.options.settings,
            };
            return copy.work(SubmittedCalls::default(), *detach, result).await;
        }
        self.transfer(result).await?;
        let _finishing = self.options.slots.finishing().await;
        self.commit(result, Deletion::WhenWhole).await?;
        Ok(Completion::Finished(()))
    }

    /// Writes the plan and its request into the run's folder and notes it in the journal.
    ///
    /// # Errors
    /// The disk's.
    pub fn record_plan(&self) -> CliResult<()> {
        self.dir.write("plan.json", &self.plan)?;
        let request = CopyRequest::new(&self.plan.asked, self.destination.filter());
        let request = match self.is_of_untold_part() {
            true => request.of_untold_part(),
            false => request,
        };
        request.save(&self.dir)?;
        let is_remote = matches!(self.runner, Some(Runner::Remote(..)));
        if is_remote && !self.is_of_untold_part() {
            self.proof_terms().save(&self.dir)?;
        }
        self.dir.note(&JournalEntry::Planned(self.plan.summary()))
    }

    /// Ends the run: writes its report and, if the verification holds for where the destination stands, the sync state.
    ///
    /// # Errors
    /// The disk's.
    pub async fn conclude(&mut self, result: RunResult, done: &CliResult<()>) -> CliResult<Report> {
        let head = match done {
            Ok(()) => self.verified_head(&result).await,
            Err(_) => None,
        };
        self.conclude_at(head, result, done)
    }

    /// The same where the destination is known to stand at a verified commit, or not to.
    ///
    /// # Errors
    /// The disk's.
    pub fn conclude_at(
        &mut self,
        head: Option<Revision>,
        mut result: RunResult,
        done: &CliResult<()>,
    ) -> CliResult<Report> {
        let found = self.destination.info.as_ref();
        let created = Readers::from(self.plan.creation);
        let created = self.plan.creation.exists.then_some(created);
        let readers = found.map(Readers::from).or(created);
        result.visibility = readers.map(|readers| readers.visibility);
        result.gate = readers.and_then(|readers| readers.gate);
        // What a plan from a file left out is not known: a part proves nothing of the whole.
        if let Some(head) = head.filter(|_| !self.is_of_untold_part()) {
            self.proof_terms().state(&self.plan, head).save(&self.dir)?;
        }
        if let Err(failure) = done {
            self.dir.because(&failure.to_string(), self.screen);
            self.screen.note_in_log(Level::Error, &failure.to_string());
        }
        let workers = self.runner.as_ref().map_or(0, Runner::workers);
        let (seconds, state) = (self.began.elapsed().as_secs_f64(), State::of(done));
        result.conclude(
            &self.plan,
            &mut self.dir,
            state,
            workers,
            seconds,
            self.screen,
        )
    }

    /// Whether the plan comes from a file and leaves files out by a filter that only its maker knew.
    fn is_of_untold_part(&self) -> bool {
        self.plan.part && self.destination.filter().is_none()
    }

    fn engine(&self) -> CliResult<&dyn Engine> {
        match &self.runner {
            Some(Runner::Engine(engine)) => Ok(engine.as_ref()),
            _ => Err(CliError::usage(
                "this run has no workers: run the same command again",
            )),
        }
    }

    /// The commit that was verified, if the destination's branch still stands at it.
    async fn verified_head(&self, result: &RunResult) -> Option<Revision> {
        let asked = async { CliResult::Ok(self.destination.head_now().await) };
        let head = self.options.stop.unless(asked).await.ok().flatten();
        let verified = result
            .verification
            .as_ref()
            .and_then(|found| found.head.as_ref());
        head.filter(|head| verified == Some(head))
    }

    fn proof_terms(&self) -> ProofTerms {
        ProofTerms::new(self.destination.filter(), self.options.max_delete())
    }

    /// Creates the destination if it is absent, and brings the plan up to date with what its hub put there.
    ///
    /// # Errors
    /// The hub refuses; the destination exists meanwhile and is public, and the source is not.
    pub async fn create(&mut self) -> CliResult<()> {
        if self.plan.creation.exists {
            return Ok(());
        }
        let (creation, destination) = (self.plan.creation, self.destination);
        let url = destination.at.web_url();
        // Without an answer nobody knows whether the hub did it: a later run takes the repo for ours then.
        self.dir.note(&JournalEntry::Creating)?;
        let (created, listing) = destination
            .create(creation, self.options.settings)
            .await
            .inspect_err(|error| self.note_refusal(error))?;
        match created {
            Created::New(visibility) => {
                self.screen.status(format!("created {visibility} {url}"));
            }
            Created::Before {
                visibility,
                may_be_ours: true,
            } => self.screen.status(format!(
                "created {visibility} {url}, as it seems: the hub's answer was lost, and the repo is there"
            )),
            Created::Before { .. } => self.screen.warn(format!(
                "{} was created by someone else meanwhile: what they wrote there is left alone",
                destination.at.id
            )),
        }
        self.screen.json(&CreatedEvent {
            visibility: created.visibility(),
            url: &url,
        });
        self.dir.note(&JournalEntry::Created(creation))?;
        match created {
            Created::New(visibility) => {
                self.plan.adopt_new(&listing?);
                self.plan.creation.visibility = visibility;
            }
            Created::Before { visibility, .. } => {
                self.plan.rebase_on(&listing?);
                self.plan.creation.take(visibility);
            }
        }
        Ok(())
    }

    fn note_refusal(&self, error: &CliError) {
        if error.exit() == Exit::Refused {
            // The refusal itself is what has to be told.
            self.dir.note(&JournalEntry::NotCreated).ok();
        }
    }

    /// Has the engine's workers transfer all chunks.
    ///
    /// # Errors
    /// An error of a hub that ends the run for all files; failures of single files are in `result`.
    pub async fn transfer(&mut self, result: &mut RunResult) -> CliResult<()> {
        let ahead = self.ahead.take();
        let summary = self.plan.summary();
        let of = Amount {
            files: summary.blobs,
            bytes: summary.blob_bytes,
        };
        let progress = &Progress::new(self.screen, "copying", of);
        let queue = Queue {
            engine: self.engine()?,
            slots: &self.options.slots,
            plan: &self.plan,
            run: &self.dir,
            progress,
        };
        let carried = queue.carry(|| drop(ahead)).await;
        progress.finish();
        let ChunkResults {
            receipts,
            ended_by,
            lost,
            seconds,
            ..
        } = carried?;
        result.failed = self.plan.unsent(&receipts);
        (
            result.receipts,
            result.ended_by,
            result.lost,
            result.seconds,
        ) = (receipts, ended_by, lost, seconds);
        if self.options.stop.is_asked() {
            return Err(CliError::interrupted());
        }
        result.check(&self.plan, self.options.settings)
    }

    /// Commits every file whose blob is stored, by the receipts, and then compares all files of both sides.
    ///
    /// # Errors
    /// The finalizer died, or an error of a hub ended it.
    pub async fn commit(&self, result: &mut RunResult, deletion: Deletion) -> CliResult<()> {
        if deletion == Deletion::WhenWhole
            && !result.failed.is_empty()
            && !self.plan.delete.is_empty()
        {
            self.screen
                .warn("nothing is deleted at the destination, because some files failed");
        }
        self.finalize(&self.plan, result, deletion).await
    }

    /// Compares all files of both sides and writes nothing.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub async fn compare(&self, result: &mut RunResult) -> CliResult<()> {
        self.finalize(&self.plan.compare_only(), result, Deletion::WhenWhole)
            .await
    }

    async fn finalize(
        &self,
        plan: &Plan,
        result: &mut RunResult,
        deletion: Deletion,
    ) -> CliResult<()> {
        let engine = self.engine()?;
        let of = Amount {
            files: plan.files.len() as u64,
            bytes: plan.summary().bytes,
        };
        let receipts = result.receipts.as_slice();
        let job = |attempt| FinalizeJob {
            version: VERSION,
            run: self.dir.id().to_owned(),
            plan,
            receipts,
            // A finalizer that crashed may have committed: the next one lists the destination first.
            relist: attempt > 1,
            deletion,
        };
        let mut lost = 0;
        let crashed = |attempt, why: &str| {
            lost += 1;
            self.dir.note_crash(attempt, why)
        };
        let single = SingleJob {
            engine,
            verb: WorkerCommand::Finalize,
            title: "finishing",
            of,
            screen: self.screen,
        };
        let ended = single.run(job, |_| false, crashed).await?;
        result.lost += lost;
        self.finalized(ended, result)
    }

    /// Takes a finalizer's output into the result.
    fn finalized(&self, ended: Ended, result: &mut RunResult) -> CliResult<()> {
        let Ended::Finished(_, output) = ended else {
            return Err(ended.into_error("finalizer", remedy));
        };
        result.finalized(&self.dir, output)?;
        result.check(&self.plan, self.options.settings)
    }
}
