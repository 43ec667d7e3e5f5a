//! One mirror run, from the refs of both sides to its report: scan, transfer the LFS objects, push the refs.

use std::time::Instant;

use hf2ms_hub::git::GitRepo;
use hf2ms_hub::{Token, Url};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{
    Exit, PlanSummary, PushJob, PushReport, RefAt, RefUpdate, Scan, ScanJob, ScanOutput,
    VerifyLevel,
};
use hf2ms_worker::verbs::mirror::refs::updates;
use hf2ms_worker::verbs::mirror::steps::spares_target;
use schemars::JsonSchema;
use serde::Serialize;

use super::cloud::{JOB, ModalMirror, attach};
use super::endpoints::{GitEndpoint, MirrorSide};
use super::errors::explain;
use super::options::MirrorOptions;
use super::refs::{digest, outcomes};
use super::report::{MirrorReport, MirrorTally};
use super::scan_report::{ScanSummary, dry_run_table, follow};
use super::work::{MirrorRunResult, settle};
use crate::engine::Engine;
use crate::engine::job::{Ended, SingleJob, WorkerCommand, WorkerOutput};
use crate::engine::open::Runner;
use crate::engine::queue::Queue;
use crate::engine::remote::app::DeployedApp;
use crate::engine::remote::calls::SubmittedCalls;
use crate::engine::remote::{Completion, DetachMode};
use crate::engine::slots::WorkerSlots;
use crate::runs::{JournalEntry, NewRun, RunDir, RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::settings::remedies::remedy_of_mirror;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// One mirror run.
pub struct MirrorRun<'a> {
    /// What the command asks.
    pub options: &'a MirrorOptions,
    /// Endpoints, logins and the HTTP client.
    pub settings: &'a Settings,
    /// The folder of all runs.
    pub runs: &'a Runs,
    /// Where lines are printed.
    pub screen: &'a Screen,
    /// Set when the user stops the command.
    pub stop: &'a Stop,
    /// Whether this process waits for a run in the cloud.
    pub watch: DetachMode,
    /// When the run began.
    pub began: Instant,
}

/// A mirror would do this: a dry run.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "mirror_planned")]
pub struct MirrorPlannedEvent<'a> {
    /// The refs that would change.
    updates: &'a [RefUpdate],
    /// The refs of both sides, and the LFS objects.
    scan: &'a Scan,
}

/// The refs of both sides before the run.
struct RefStates {
    source: Vec<RefAt>,
    target: Vec<RefAt>,
}

/// How a mirror run ended, if no error ended it.
pub enum MirrorResult {
    /// With a report.
    Reported(Box<MirrorReport>),
    /// With the report of an earlier run, since which nothing has changed.
    Unchanged(Box<MirrorReport>),
    /// The run of this id goes on in the cloud, as `--detach` asks.
    Detached(String),
}

impl MirrorResult {
    /// The report.
    ///
    /// # Errors
    /// There is none yet.
    pub fn report(self) -> CliResult<MirrorReport> {
        match self {
            Self::Reported(report) | Self::Unchanged(report) => Ok(*report),
            Self::Detached(run) => Err(CliError::new(
                Exit::Incomplete,
                format!("run {run} goes on in the cloud: hf2ms attach {run}"),
            )),
        }
    }
}

impl MirrorRun<'_> {
    /// Lists the refs of both sides and mirrors, unless nothing has changed since the last run. A run of the same repos that is in the
    /// cloud is waited for first.
    ///
    /// # Errors
    /// What ended the run; failures of single refs and objects are in the report.
    pub async fn run(
        &self,
        open: impl AsyncFn(&RunDir) -> CliResult<Runner>,
    ) -> CliResult<MirrorResult> {
        while let Some(record) = self.in_the_cloud() {
            self.screen.status(format!(
                "run {} of these repos is in the cloud already: waiting for it first",
                record.id
            ));
            match attach(&record, self.runs, self.settings, self.screen, self.stop).await? {
                None => return Ok(MirrorResult::Detached(record.id)),
                Some(report) if report.exit() != Exit::Done => {
                    return Ok(MirrorResult::Reported(Box::new(report)));
                }
                Some(_) => (),
            }
        }
        let refs = self.stop.unless(self.list_refs()).await?;
        if let Some(report) = self.up_to_date(&refs) {
            return Ok(MirrorResult::Unchanged(Box::new(report)));
        }
        self.begin(open).await
    }

    /// The detached run of these repos, if this process may wait for it.
    fn in_the_cloud(&self) -> Option<RunRecord> {
        let MirrorOptions { source, target, .. } = self.options;
        let run = self.runs.detached(&target.at)?;
        (self.watch == DetachMode::Attached
            && run.verb == RunVerb::Mirror
            && run.source == source.at)
            .then_some(run)
    }

    async fn begin(
        &self,
        open: impl AsyncFn(&RunDir) -> CliResult<Runner>,
    ) -> CliResult<MirrorResult> {
        let MirrorOptions {
            source,
            target,
            worker_args,
            ..
        } = self.options;
        let plan = &PlanSummary::default();
        let mut run = self.runs.begin(NewRun {
            verb: RunVerb::Mirror,
            on: worker_args.on,
            source: &source.at,
            destination: &target.at,
            plan,
        })?;
        self.screen.enter_run(run.path());
        let (id, mut job) = (
            run.id().to_owned(),
            self.options.job(
                run.id(),
                worker_args.chunking_in_the_cloud(),
                ScanOutput::Steps,
            ),
        );
        let came = match open(&run).await {
            Ok(Runner::Engine(engine)) => {
                job.tell = ScanOutput::Found;
                self.mirror(engine.as_ref(), &mut run, &mut job)
                    .await
                    .map(Completion::Finished)
            }
            Ok(Runner::Remote(app, detach)) => self.run_remotely(&app, detach, &run, &job).await,
            Err(failure) => Err(failure),
        };
        let seconds = self.began.elapsed().as_secs_f64();
        let report = settle(run, &job, came, seconds, self.screen)?;
        Ok(report.map_or(MirrorResult::Detached(id), |report| {
            MirrorResult::Reported(Box::new(report))
        }))
    }

    async fn run_remotely(
        &self,
        app: &DeployedApp,
        detach: DetachMode,
        run: &RunDir,
        job: &ScanJob,
    ) -> CliResult<Completion<MirrorRunResult>> {
        run.write(JOB, job)?;
        let remote = app.begin(run, self.screen, self.stop)?;
        ModalMirror::new(remote, job)
            .work(SubmittedCalls::default(), detach)
            .await
    }

    /// Prints what would be done and writes nothing.
    ///
    /// # Errors
    /// What ended the scan.
    pub async fn dry_run(&self, engine: &dyn Engine) -> CliResult<Exit> {
        self.stop.unless(self.list_refs()).await?;
        let job = self.options.job(
            "dry-run",
            self.options.worker_args.chunking(0),
            ScanOutput::Found,
        );
        let scan = self.scan(engine, &job).await?;
        let updates = updates(&scan.refs, &scan.there, self.options.scope);
        self.screen.json(&MirrorPlannedEvent {
            updates: &updates,
            scan: &scan,
        });
        self.screen.print(dry_run_table(&scan, &updates));
        spares_target(&job, &scan).map_err(|refused| CliError::refused(refused.to_string()))?;
        Ok(Exit::Done)
    }

    /// What the target lacks of the source, whose LFS objects are read there as far as `contents` says. Nothing is written.
    ///
    /// # Errors
    /// What ended the scan.
    pub async fn scanned(&self, engine: &dyn Engine, contents: VerifyLevel) -> CliResult<Scan> {
        let chunking = self.options.worker_args.chunking(0);
        let job = self.options.job("look", chunking, ScanOutput::Found);
        self.scan(engine, &ScanJob { contents, ..job }).await
    }

    /// The refs that both hosts advertise. A missing permission to read or to push shows here, before any byte moves.
    async fn list_refs(&self) -> CliResult<RefStates> {
        let MirrorOptions {
            source,
            target,
            scope,
            ..
        } = self.options;
        if source.at.endpoint.trim_end_matches(".git")
            == target.at.endpoint.trim_end_matches(".git")
        {
            return Err(CliError::usage(format!(
                "{} is both source and target: give another address with -t",
                source.at.endpoint
            )));
        }
        let readable = async { self.repo(source)?.advertised().await };
        let writable = async { self.repo(target)?.writable().await };
        let (readable, writable) = tokio::join!(readable, writable);
        let readable = readable.map_err(|error| explain(&error, source, MirrorSide::Source))?;
        let writable = writable.map_err(|error| explain(&error, target, MirrorSide::Target))?;
        Ok(RefStates {
            source: scope.of(&readable),
            target: scope.of(&writable),
        })
    }

    fn repo(&self, endpoint: &GitEndpoint) -> hf2ms_hub::Result<GitRepo> {
        let bad = |error| {
            hf2ms_hub::Error::new(hf2ms_hub::Kind::Usage, format!("it is no address: {error}"))
        };
        let url: Url = endpoint.at.endpoint.parse().map_err(bad)?;
        GitRepo::open(
            &url,
            endpoint
                .login
                .as_ref()
                .and_then(Token::user)
                .unwrap_or_default(),
            endpoint.login.as_ref(),
            self.settings.http(),
        )
    }

    /// The report of the last run of these repos, if it left nothing to do and no ref has changed since.
    fn up_to_date(&self, now: &RefStates) -> Option<MirrorReport> {
        let MirrorOptions {
            source,
            target,
            scope,
            ..
        } = self.options;
        let is_ours = |run: &&crate::runs::RunRecord| {
            run.verb == RunVerb::Mirror
                && (&run.source, &run.destination) == (&source.at, &target.at)
        };
        let last = self.runs.list().into_iter().find(|run| is_ours(&run))?;
        let report: MirrorReport = self.runs.read(&last.id, "report.json")?;
        let stands = (report.source_stood, report.target_stands)
            == (digest(&now.source), digest(&now.target));
        let is_whole = report.exit() == Exit::Done
            && report.tally.lacking == 0
            && report.scope == *scope
            && last.state == State::Done;
        let refs = outcomes(
            &now.source,
            report
                .refs
                .iter()
                .filter(|outcome| outcome.why.is_some())
                .cloned()
                .collect(),
        );
        let tally = MirrorTally {
            moved: 0,
            moved_bytes: 0,
            reused: 0,
            retries: 0,
            lost_workers: 0,
            bytes_per_second: 0.0,
            ..report.tally.clone()
        };
        (stands && is_whole).then(|| MirrorReport {
            refs,
            tally,
            seconds: self.began.elapsed().as_secs_f64(),
            ..report
        })
    }

    async fn mirror(
        &self,
        engine: &dyn Engine,
        run: &mut RunDir,
        job: &mut ScanJob,
    ) -> CliResult<MirrorRunResult> {
        let scan = self.scan(engine, job).await?;
        run.extent(scan.pointers, scan.pointer_bytes)?;
        self.announce(&scan);
        job.policy.chunking = self.options.worker_args.chunking(scan.missing_bytes);
        let steps = follow(job, &scan, self.screen)?;
        let mut work = MirrorRunResult::new(scan);
        if !steps.plan.chunks.is_empty() {
            self.carry(engine, run, &steps.plan, &mut work).await?;
        }
        if let Some(push) = steps.push {
            let receipts = work.carried.receipts.clone();
            work.landed = Some(
                self.push(
                    engine,
                    &PushJob { receipts, ..push },
                    &mut work.carried.lost,
                )
                .await?,
            );
        }
        Ok(work)
    }

    /// Has a worker scan both sides.
    ///
    /// # Errors
    /// It gave no result.
    pub(super) async fn scan(&self, engine: &dyn Engine, job: &ScanJob) -> CliResult<Scan> {
        let is_complete = |output: &WorkerOutput| output.scan.is_some();
        let single = self.single(engine, WorkerCommand::Scan, "scanning");
        match single.run(|_| job, is_complete, |_, _| Ok(())).await? {
            Ended::Finished(
                _,
                WorkerOutput {
                    scan: Some(scan), ..
                },
            ) => Ok(scan),
            ended => Err(ended.into_error("scan", remedy_of_mirror)),
        }
    }

    fn single<'a>(
        &'a self,
        engine: &'a dyn Engine,
        verb: WorkerCommand,
        title: &'static str,
    ) -> SingleJob<'a> {
        SingleJob {
            engine,
            verb,
            title,
            of: Amount::default(),
            screen: self.screen,
        }
    }

    fn announce(&self, scan: &Scan) {
        scan.warnings
            .iter()
            .for_each(|warning| self.screen.warn(warning));
        if self.options.folder.kept {
            let below = self
                .options
                .folder
                .below
                .clone()
                .unwrap_or_else(|| std::env::temp_dir().display().to_string());
            self.screen.status(format!(
                "Git's objects stay in folders hf2ms-git-.. below {below}"
            ));
        }
        ScanSummary::of(scan).print(self.screen);
    }

    /// Transfers the LFS objects that the target lacks, as chunks of a plan.
    async fn carry(
        &self,
        engine: &dyn Engine,
        run: &RunDir,
        plan: &Plan,
        work: &mut MirrorRunResult,
    ) -> CliResult<()> {
        run.write("plan.json", plan)?;
        let summary = plan.summary();
        let progress = &Progress::new(
            self.screen,
            "copying",
            Amount {
                files: summary.blobs,
                bytes: summary.blob_bytes,
            },
        );
        run.note(&JournalEntry::Planned(summary))?;
        let slots = &WorkerSlots::new(engine.workers());
        let carried = Queue {
            engine,
            slots,
            plan,
            run,
            progress,
        }
        .carry(|| ())
        .await;
        progress.finish();
        let ended = work.carried(plan, carried?);
        if self.stop.is_asked() {
            return Err(CliError::interrupted());
        }
        ended
    }

    async fn push(
        &self,
        engine: &dyn Engine,
        job: &PushJob,
        lost: &mut u64,
    ) -> CliResult<PushReport> {
        let is_complete = |output: &WorkerOutput| output.landed.is_some();
        let crashed = |_, _: &str| {
            *lost += 1;
            Ok(())
        };
        let single = self.single(engine, WorkerCommand::Push, "pushing");
        match single.run(|_| job, is_complete, crashed).await? {
            Ended::Finished(
                _,
                WorkerOutput {
                    landed: Some(report),
                    ..
                },
            ) => Ok(report),
            ended => Err(ended.into_error("push", remedy_of_mirror)),
        }
    }
}
