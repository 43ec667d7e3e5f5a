//! The verification of one copy: both sides are found, listed and compared by one worker. Whole contents are read by workers of any
//! engine ([`hashing`]), and what they find is compared in [`contents`]. Nothing is written to a hub. [`against`] checks one side alone, by a
//! file of [`checksums`]. [`combined`] has a mark for each path.

pub mod against;
pub mod checksums;
pub mod combined;
mod contents;
mod hashing;
pub mod options;

use std::collections::BTreeMap;

use hf2ms_hub::{FileCount, Refused, RepoPath, Revision, Sha256};
use hf2ms_worker::pipeline::creation::VisibilityRequest;
use hf2ms_worker::pipeline::planning::Trust;
use hf2ms_worker::plan::{DigestCache, Plan};
use hf2ms_worker::protocol::{ChunkPurpose, Exit, Verification, VerifyJob, VerifyLevel};

use self::contents::Contents;
use self::hashing::Hashing;
use self::options::{ChecksumUse, ReadSides, VerifyOptions};
use crate::args::filter::Filter;
use crate::args::route::Route;
use crate::args::terms::RunTerms;
use crate::args::workers::EngineKind;
use crate::binaries::find_worker;
use crate::copy::inspect::DestinationRepo;
use crate::copy::plan::{PlanOptions, Purpose, RepoPair, find_and_list};
use crate::engine::job;
use crate::engine::local::Local;
use crate::estimate::rates::Rates;
use crate::runs::{JournalEntry, NewRun, RunDir, RunVerb, State};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, few, grouped};
use crate::ui::screen::Screen;

/// A copy that was verified.
pub struct VerifiedCopy {
    /// Both sides, the source at its pinned commit, and every file that was compared.
    pub plan: Plan,
    /// What was found, and where the destination stood.
    pub found: Verification,
    /// How many files the source's hub counts at its commit. The listing has as many; without a count a short one is not noticed.
    pub source_count: FileCount,
    /// The SHA-256 of each equal file at the destination, as far as it is known; of all, if they were asked for.
    pub sha256: BTreeMap<RepoPath, Sha256>,
    /// The id of the run.
    pub run: String,
}

impl VerifiedCopy {
    /// The exit code of this repo alone.
    pub fn exit(&self) -> Exit {
        match self.plan.refused.is_empty() {
            true => self.found.exit(),
            false => self.found.exit().worse(Exit::Incomplete),
        }
    }

    /// What was found, in one line.
    pub fn line(&self) -> String {
        let files = counted(self.found.checked, "file");
        match self.differences() {
            None => format!("equal: {files}, {}", self.found.scope()),
            Some(bad) => format!("NOT EQUAL: of {files} {bad}"),
        }
    }

    /// How many files are not equal, and the first of them; `None` where all are.
    pub fn differences(&self) -> Option<String> {
        let paths = |paths: &[RepoPath]| paths.iter().map(ToString::to_string).collect();
        let refused = |refused: &[Refused]| refused.iter().map(|one| one.path.clone()).collect();
        let all: [(&str, Vec<String>); 4] = [
            ("missing", paths(&self.found.missing)),
            ("different", paths(&self.found.different)),
            ("unread", refused(&self.found.unread)),
            ("refused", refused(&self.plan.refused)),
        ];
        let some = all.iter().filter(|(_, paths)| !paths.is_empty());
        let words = some.map(|(word, paths)| {
            let count = grouped(paths.len() as u64);
            format!("{count} {word} ({})", few(paths))
        });
        let words: Vec<String> = words.collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// The commit of the source, or the name by which it was read where its hub tells no commit.
    pub fn source_commit(&self) -> &Revision {
        &self.plan.source.revision
    }

    /// Where the destination's branch stood just before it was listed, if its hub tells.
    pub fn destination_head(&self) -> Option<&Revision> {
        self.found.head.as_ref()
    }
}

/// Verifies the copy of one repo now, as a run with a journal.
///
/// # Errors
/// One of the sides can't be read, or there is no copy.
pub async fn verify(
    route: &Route,
    options: &VerifyOptions<'_>,
    screen: &Screen,
) -> CliResult<VerifiedCopy> {
    route.announce(screen);
    let sides = find_and_list(route, Purpose::Read, options.settings);
    let sides = options.stop.unless(sides).await?;
    verify_pair(sides, route, options, screen).await
}

/// The same of two repos that are found and listed, at one revision each.
///
/// # Errors
/// As [`verify`].
pub async fn verify_pair(
    sides: RepoPair,
    route: &Route,
    options: &VerifyOptions<'_>,
    screen: &Screen,
) -> CliResult<VerifiedCopy> {
    let source_count = sides.source.repo.file_count();
    let (plan, destination) = compare_listings(sides, route, options).await?;
    plan.warnings
        .iter()
        .for_each(|warning| screen.warn(warning));
    check_exists(&destination)?;
    let mut run = options.runs.begin(NewRun {
        verb: RunVerb::Verify,
        on: options.worker_args.on,
        source: &plan.source,
        destination: &plan.destination,
        plan: &plan.summary(),
    })?;
    screen.enter_run(run.path());
    let verifying = Verifying {
        plan: &plan,
        run: &run,
        options,
        screen,
    };
    let found = verifying.run(route.filter()).await;
    let (found, sha256) = match found {
        Ok(found) => found,
        Err(failure) => return run.fail(&failure, screen).and(Err(failure)),
    };
    let verified = VerifiedCopy {
        plan,
        found,
        source_count,
        sha256,
        run: run.id().to_owned(),
    };
    run.end(match verified.exit() {
        Exit::Done => State::Done,
        _ => State::Incomplete,
    })?;
    run.note(&JournalEntry::Verified(verified.found.clone()))?;
    Ok(verified)
}

/// What was found, and the digests of what is equal.
type Found = (Verification, BTreeMap<RepoPath, Sha256>);

/// Refuses a copy that is not there.
///
/// # Errors
/// That it is not.
pub fn check_exists(destination: &DestinationRepo) -> CliResult<()> {
    if destination.info.is_some() {
        return Ok(());
    }
    let (kind, id, hub) = (destination.at.kind, &destination.at.id, destination.at.hub);
    Err(CliError::refused(format!(
        "{kind} {id} was not found on {hub}: copy it first, with hf2ms migrate"
    )))
}

async fn compare_listings(
    sides: RepoPair,
    route: &Route,
    options: &VerifyOptions<'_>,
) -> CliResult<(Plan, DestinationRepo)> {
    let (settings, stop) = (options.settings, options.stop);
    let level = match options.level {
        // Whole contents are read in chunks, once the listings are compared.
        VerifyLevel::Deep => VerifyLevel::Listing,
        level => level,
    };
    let plan_options = PlanOptions {
        worker_args: options.worker_args.clone().verifying(level),
        rates: Rates::assumed(EngineKind::Local),
        visibility: VisibilityRequest::default(),
        prune: None,
        card: route.card(),
        overwrite: false,
        trust: Trust::Listing,
        terms: RunTerms::default(),
    };
    stop.unless(sides.plan(&plan_options, &DigestCache::new(), settings))
        .await
}

/// The verification of one copy, once both sides are listed.
struct Verifying<'a> {
    plan: &'a Plan,
    run: &'a RunDir,
    options: &'a VerifyOptions<'a>,
    screen: &'a Screen,
}

impl Verifying<'_> {
    async fn run(&self, filter: &Filter) -> CliResult<Found> {
        let mut job = self.plan.verify_job(self.run.id(), &[], &[]);
        job.sample = self.options.sample;
        let is_deep = self.options.level == VerifyLevel::Deep;
        let left = match is_deep {
            true => contents::leave_to_reading(&mut job.files, &self.plan.files),
            false => Vec::new(),
        };
        let mut found = self.compare(&job).await?;
        found.extra.retain(|path| filter.passes(path));
        let mut contents = Contents::new(&job.files, &self.plan.files, &left, found);
        let hashing = Hashing {
            options: self.options,
            run: self.run,
            screen: self.screen,
            worker_options: self.plan.options.clone(),
        };
        let sides = || (self.plan.source.clone(), self.plan.destination.clone());
        if is_deep {
            let (purpose, files) = (ChunkPurpose::HashDestination, contents.of_destination());
            contents.check_destination(&hashing.hash(purpose, sides(), files).await?);
        }
        if is_deep && self.options.sides == ReadSides::Both {
            let (purpose, files) = (ChunkPurpose::HashSource, contents.of_source());
            contents.check_source(&hashing.hash(purpose, sides(), files).await?);
        }
        if self.options.checksums == ChecksumUse::Needed {
            let (purpose, files) = (ChunkPurpose::HashSource, contents.of_unknown_sha256());
            contents.check_unknown(&hashing.hash(purpose, sides(), files).await?);
        }
        Ok(contents.conclude())
    }

    /// Compares both listings in a worker on this machine, and reads a sample if that is asked for.
    async fn compare(&self, job: &VerifyJob) -> CliResult<Verification> {
        let (from, to) = (self.plan.source.hub, self.plan.destination.hub);
        let engine = Local {
            binary: find_worker()?,
            workers: 1,
            logs: Some(self.run.path().join("logs")),
            settings: self.options.settings.of_job(from, to),
            stop: self.options.stop.clone(),
        };
        job::verify(&engine, job, self.screen, self.run).await
    }
}
