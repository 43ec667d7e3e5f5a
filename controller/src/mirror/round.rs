//! One mirroring, from the first look at both sides to its report: scan, stream the LFS objects, push the refs.

use std::collections::HashSet;
use std::time::Instant;

use hf2ms_hub::git::GitRepo;
use hf2ms_hub::{RepoAt, Sha256, Token, Url};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{
    Exit, FailedFile, Folder, Force, How, Lacking, PlanSummary, PushJob, RefAt, RefOutcome, RefUpdate, Scan, ScanJob, Scope, VERSION,
    WorkerOptions,
};
use serde_json::json;

use super::refs::{Others, outcomes, stand, updates};
use super::report::{MirrorReport, MirrorTally};
use super::sides::{Party, Role};
use super::words::explain;
use crate::cutting::CuttingArgs;
use crate::engine::queue::{Carried, Queue};
use crate::engine::turns::Turns;
use crate::engine::{Ended, Engine, Verb};
use crate::explain::{Failure, Outcome};
use crate::migration::{broken, one};
use crate::progress::{Done, Progress};
use crate::run_dir::{Entry, NewRun, RunDir, RunVerb, Runs, State};
use crate::screen::{Screen, size};
use crate::settings::Settings;
use crate::stop::Stop;

/// Scans and pushes that may die.
const ATTEMPTS: u32 = 3;
/// More names than this are counted, not shown.
const SHOWN: usize = 20;

/// What is asked of a mirroring.
pub struct Wish {
    /// Where from.
    pub source: Party,
    /// Where to.
    pub target: Party,
    /// Which refs.
    pub scope: Scope,
    /// Whether a ref may lose what it has.
    pub force: Force,
    /// Whether LFS objects move, and what is done about those that the target lacks.
    pub lfs: Lfs,
    /// Where Git's objects go meanwhile.
    pub folder: Folder,
    /// How the work is cut.
    pub cutting: CuttingArgs,
}

/// What happens to LFS objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lfs {
    /// Those that the target lacks move.
    Moved,
    /// None moves; if the target lacks some, nothing is pushed (`GIT_LFS_SKIP_SMUDGE=1`).
    Expected,
    /// None moves, whatever the target lacks (`--allow-missing`).
    Missing,
}

/// Who does the work: opened for a run, or for a look alone.
pub type Open<'a> = &'a (dyn Fn(Option<&'a RunDir>) -> Outcome<Box<dyn Engine>> + Send + Sync);

/// One mirroring.
pub struct Round<'a> {
    /// What is asked.
    pub wish: &'a Wish,
    /// How the hosts are reached.
    pub settings: &'a Settings,
    /// Where runs are kept.
    pub runs: &'a Runs,
    /// Where words go.
    pub screen: &'a Screen,
    /// When to stop.
    pub stop: &'a Stop,
    /// When it began.
    pub began: Instant,
}

/// Where the refs of both sides stand.
struct Stood {
    here: Vec<RefAt>,
    there: Vec<RefAt>,
}

/// What came of the work so far.
#[derive(Default)]
struct Work {
    carried: Carried,
    refs: Vec<RefOutcome>,
    failed: Vec<FailedFile>,
    lost: Vec<Sha256>,
}

impl Round<'_> {
    /// Looks at both sides and, unless nothing has changed since a run that verified them, mirrors.
    ///
    /// # Errors
    /// Whatever stops it; what fails for single refs and objects is in the report.
    pub async fn go(&self, open: impl AsyncFn(&RunDir) -> Outcome<Box<dyn Engine>>) -> Outcome<MirrorReport> {
        let stood = self.stop.unless(self.look()).await?;
        if let Some(report) = self.earlier(&stood) {
            self.screen.say(format!("nothing has changed since run {}", report.run));
            return Ok(report);
        }
        let Wish { source, target, cutting, .. } = self.wish;
        let plan = &PlanSummary::default();
        let new = NewRun { verb: RunVerb::Mirror, on: cutting.on, source: &source.at, destination: &target.at, plan };
        let mut run = self.runs.begin(new)?;
        let mirrored = match open(&run).await {
            Ok(engine) => self.mirror(engine.as_ref(), &mut run).await,
            Err(failure) => Err(failure),
        };
        match mirrored {
            Ok(report) => {
                run.write("report.json", &report)?;
                run.end(report.state)?;
                Ok(report)
            }
            Err(failure) => {
                run.end(if failure.exit() == Exit::Interrupted { State::Interrupted } else { State::Failed })?;
                Err(failure)
            }
        }
    }

    /// Says what would be done; nothing is written anywhere.
    ///
    /// # Errors
    /// Whatever stops the look.
    pub async fn rehearse(&self, engine: &dyn Engine) -> Outcome<Exit> {
        self.stop.unless(self.look()).await?;
        let scan = self.scan(engine, "dry-run").await?;
        let updates = updates(&scan.refs, &scan.there, Others::of(self.wish.scope));
        self.screen.tell(&json!({"event": "planned", "updates": updates, "scan": scan}));
        let bytes = scan.missing.iter().map(|file| file.size).sum();
        let mut lines = vec![
            format!(
                "{} of {} refs would change; Git has {} objects, {}",
                updates.len(),
                scan.refs.len(),
                scan.objects,
                size(scan.git_bytes)
            ),
            format!("{} of {} LFS objects would move, {} of {}", scan.missing.len(), scan.pointers, size(bytes), size(scan.pointer_bytes)),
        ];
        lines.extend(updates.iter().take(SHOWN).map(in_words));
        lines.extend((updates.len() > SHOWN).then(|| format!("  and {} more", updates.len() - SHOWN)));
        self.screen.show(lines.join("\n"));
        Ok(Exit::Done)
    }

    /// Both advertisements: who may not read or push is told so before any byte moves.
    async fn look(&self) -> Outcome<Stood> {
        let Wish { source, target, scope, .. } = self.wish;
        if source.at.endpoint.trim_end_matches(".git") == target.at.endpoint.trim_end_matches(".git") {
            return Err(Failure::usage(format!("{} is both source and target", source.at.endpoint)));
        }
        let here = async { self.repo(source)?.advertised().await };
        let there = async { self.repo(target)?.writable().await };
        let (here, there) = tokio::join!(here, there);
        let here = here.map_err(|error| explain(&error, source, Role::Source))?;
        let there = there.map_err(|error| explain(&error, target, Role::Target))?;
        Ok(Stood { here: scope.of(&here), there: scope.of(&there) })
    }

    fn repo(&self, party: &Party) -> hf2ms_hub::Result<GitRepo> {
        let bad = |error| hf2ms_hub::Error::new(hf2ms_hub::Kind::Invalid, format!("it is no address: {error}"));
        let url: Url = party.at.endpoint.parse().map_err(bad)?;
        GitRepo::open(&url, party.login.as_ref().and_then(Token::user).unwrap_or_default(), party.login.as_ref(), self.settings.http())
    }

    /// The report of the last run of these two, if it left nothing to do and both stand where it left them.
    fn earlier(&self, stood: &Stood) -> Option<MirrorReport> {
        let Wish { source, target, scope, .. } = self.wish;
        let is_ours =
            |run: &&crate::run_dir::RunRecord| run.verb == RunVerb::Mirror && (&run.source, &run.destination) == (&source.at, &target.at);
        let last = self.runs.list().into_iter().find(|run| is_ours(&run))?;
        let report: MirrorReport = self.runs.read(&last.id, "report.json")?;
        let stands = (report.source_stood, report.target_stands) == (stand(&stood.here), stand(&stood.there));
        let is_whole = report.exit() == Exit::Done && report.tally.lacking == 0 && report.scope == *scope && last.state == State::Done;
        let refs = outcomes(&stood.here, report.refs.iter().filter(|outcome| outcome.why.is_some()).cloned().collect());
        let tally =
            MirrorTally { moved: 0, moved_bytes: 0, reused: 0, retries: 0, lost_workers: 0, bytes_per_second: 0.0, ..report.tally.clone() };
        (stands && is_whole).then(|| MirrorReport { refs, tally, seconds: self.began.elapsed().as_secs_f64(), ..report })
    }

    async fn mirror(&self, engine: &dyn Engine, run: &mut RunDir) -> Outcome<MirrorReport> {
        let scan = self.scan(engine, run.id()).await?;
        run.extent(scan.pointers, scan.pointer_bytes)?;
        self.announce(&scan);
        self.may_go_on(&scan)?;
        let mut work = Work { failed: scan.refused.clone(), lost: scan.lost.clone(), ..Work::default() };
        if self.wish.lfs == Lfs::Moved && !scan.missing.is_empty() {
            self.carry(engine, run, &scan, &mut work).await?;
        }
        self.push(engine, run, &scan, &mut work).await?;
        let there = self.stop.unless(self.look()).await?.there;
        Ok(self.report(run, &scan, work, &there))
    }

    async fn scan(&self, engine: &dyn Engine, run: &str) -> Outcome<Scan> {
        let Wish { source, target, scope, folder, .. } = self.wish;
        let (source, destination, folder) = (source.at.clone(), target.at.clone(), folder.clone());
        let job = ScanJob {
            version: VERSION,
            run: run.to_owned(),
            source,
            destination,
            scope: *scope,
            folder,
            options: WorkerOptions::default(),
        };
        for attempt in 1.. {
            match one(engine, Verb::Scan, &job, "scanning", Done::default(), self.screen).await? {
                Ended::Finished(_, heard) if heard.scan.is_some() => return heard.scan.ok_or_else(Failure::interrupted),
                ended if attempt < ATTEMPTS && ended.to_be_repeated(Verb::Scan, engine.network()).is_some() => (),
                ended => return Err(broken("scan", ended)),
            }
        }
        Err(Failure::interrupted())
    }

    fn announce(&self, scan: &Scan) {
        scan.warnings.iter().for_each(|warning| self.screen.warn(warning));
        if self.wish.folder.kept {
            let below = self.wish.folder.below.clone().unwrap_or_else(|| std::env::temp_dir().display().to_string());
            self.screen.say(format!("Git's objects stay in folders hf2ms-git-.. below {below}"));
        }
        let bytes = scan.missing.iter().map(|file| file.size).sum();
        let (lacks, has) = (scan.missing.len(), scan.pointers);
        self.screen.say(format!(
            "Git has {} objects, {}; the target lacks {lacks} of {has} LFS objects, {}",
            scan.objects,
            size(scan.git_bytes),
            size(bytes)
        ));
        self.screen.tell(&json!({
            "event": "scanned", "objects": scan.objects, "git_bytes": scan.git_bytes, "pointers": scan.pointers,
            "pointer_bytes": scan.pointer_bytes, "missing": lacks, "missing_bytes": bytes,
        }));
    }

    /// Refuses what would lose something, or leave pointers to nothing.
    fn may_go_on(&self, scan: &Scan) -> Outcome<()> {
        let url = &self.wish.target.at.endpoint;
        if self.wish.force == Force::Never && !scan.related {
            return Err(Failure::refused(format!(
                "the target {url} is not empty and has nothing in common with the source: without --no-force its refs would be replaced"
            )));
        }
        if self.wish.lfs == Lfs::Expected && !scan.missing.is_empty() {
            let names: Vec<String> = scan.missing.iter().take(SHOWN).map(|file| format!("  {} {}", file.path, size(file.size))).collect();
            let rest = scan.missing.len().saturating_sub(SHOWN);
            self.screen.show(names.join("\n") + &if rest > 0 { format!("\n  and {rest} more") } else { String::new() });
            self.screen.tell(&json!({"event": "lacking", "files": scan.missing}));
            return Err(Failure::refused(format!(
                "the target {url} lacks {} LFS objects: leave GIT_LFS_SKIP_SMUDGE out to move them, or give --allow-missing",
                scan.missing.len()
            )));
        }
        Ok(())
    }

    /// Streams the LFS objects that the target lacks, as chunks of a migration.
    async fn carry(&self, engine: &dyn Engine, run: &RunDir, scan: &Scan, work: &mut Work) -> Outcome<()> {
        let at = |party: &Party, lfs: &str| RepoAt { endpoint: lfs.to_owned(), ..party.at.clone() };
        let (from, to) = (at(&self.wish.source, &scan.lfs), at(&self.wish.target, &scan.lfs_there));
        let bytes = scan.missing.iter().map(|file| file.size).sum();
        let plan = Plan::of_blobs(from, to, scan.missing.clone(), self.wish.cutting.chunking(bytes));
        run.write("plan.json", &plan)?;
        run.note(&Entry::Planned(plan.summary()))?;
        let progress = &Progress::new(self.screen, "copying", Done { files: scan.missing.len() as u64, bytes });
        let turns = &Turns::new(engine.workers());
        let carried = Queue { engine, turns, plan: &plan, run, progress }.carry(|| ()).await;
        progress.finish();
        work.carried = carried?;
        let failed = plan.unsent(&work.carried.receipts);
        let names: HashSet<&str> = failed.iter().map(|failed| failed.path.as_str()).collect();
        let lost = plan.files.iter().filter(|planned| names.contains(planned.file.path.to_string().as_str()));
        work.lost.extend(lost.filter_map(|planned| planned.file.digest.sha256()));
        work.failed.extend(failed);
        if self.stop.is_asked() {
            return Err(Failure::interrupted());
        }
        match &work.carried.ended_by {
            Some((kind, error)) => Err(Failure::new(Exit::of(*kind), format!("the workers were stopped: {error}"))),
            None => Ok(()),
        }
    }

    async fn push(&self, engine: &dyn Engine, run: &RunDir, scan: &Scan, work: &mut Work) -> Outcome<()> {
        let Wish { source, target, scope, force, lfs, folder, .. } = self.wish;
        let updates = updates(&scan.refs, &scan.there, Others::of(*scope));
        if updates.is_empty() {
            return Ok(());
        }
        let job = PushJob {
            version: VERSION,
            run: run.id().to_owned(),
            source: source.at.clone(),
            destination: target.at.clone(),
            scope: *scope,
            updates,
            force: *force,
            lfs: if *lfs == Lfs::Missing { Lacking::Allowed } else { Lacking::Refused },
            lost: work.lost.clone(),
            folder: folder.clone(),
            options: WorkerOptions::default(),
        };
        for attempt in 1.. {
            match one(engine, Verb::Push, &job, "pushing", Done::default(), self.screen).await? {
                Ended::Finished(_, heard) if heard.refs.is_some() => {
                    work.refs = heard.refs.unwrap_or_default();
                    return Ok(());
                }
                ended if attempt < ATTEMPTS && ended.to_be_repeated(Verb::Push, engine.network()).is_some() => work.carried.lost += 1,
                ended => return Err(broken("push", ended)),
            }
        }
        Ok(())
    }

    fn report(&self, run: &RunDir, scan: &Scan, work: Work, there: &[RefAt]) -> MirrorReport {
        let Work { carried, refs, failed, .. } = work;
        let stored = || carried.receipts.iter().flat_map(|receipt| &receipt.files);
        let moved = || stored().filter(|stored| stored.how == How::Streamed);
        let sent: u64 = carried.receipts.iter().map(|receipt| receipt.sent).sum();
        let tally = MirrorTally {
            objects: scan.objects,
            git_bytes: scan.git_bytes,
            pointers: scan.pointers,
            pointer_bytes: scan.pointer_bytes,
            moved: moved().count() as u64,
            moved_bytes: moved().map(|stored| stored.size).sum(),
            reused: stored().filter(|stored| stored.how == How::Reused).count() as u64,
            lacking: if self.wish.lfs == Lfs::Moved { failed.len() } else { scan.missing.len() } as u64,
            retries: carried.receipts.iter().map(|receipt| receipt.retries).sum(),
            lost_workers: carried.lost,
            bytes_per_second: if carried.seconds > 0.0 { sent as f64 / carried.seconds } else { 0.0 },
        };
        let mut report = MirrorReport {
            run: run.id().to_owned(),
            state: State::Done,
            source: self.wish.source.at.clone(),
            destination: self.wish.target.at.clone(),
            scope: self.wish.scope,
            tally,
            refs: outcomes(&scan.refs, refs),
            failed,
            source_stood: stand(&scan.refs),
            target_stands: stand(there),
            seconds: self.began.elapsed().as_secs_f64(),
            warnings: scan.warnings.clone(),
        };
        if report.exit() != Exit::Done {
            report.state = State::Incomplete;
        }
        report
    }
}

fn in_words(update: &RefUpdate) -> String {
    let name = hf2ms_hub::path::escape(&update.name);
    let short = |oid: &Option<String>| oid.as_ref().map(|oid| oid.chars().take(10).collect::<String>());
    match (short(&update.old), short(&update.new)) {
        (None, Some(new)) => format!("  new       {name} {new}"),
        (Some(old), Some(new)) => format!("  changed   {name} {old} -> {new}"),
        (old, None) => format!("  deleted   {name} {}", old.unwrap_or_default()),
    }
}
