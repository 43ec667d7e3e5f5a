//! `proof.json` of a finished run: a commit of the source and a commit of the destination whose files were all compared and equal.
//! Commits name content, so a second run lists nothing while both branches stand at these commits.

use std::collections::HashSet;
use std::time::Instant;

use hf2ms_hub::{RepoAt, Revision, open_destination};
use hf2ms_worker::pipeline::planning::Trust;
use hf2ms_worker::plan::{CardPolicy, LargeFiles, MaxDelete, Plan};
use hf2ms_worker::protocol::Verification;
use serde::{Deserialize, Serialize};

use crate::args::filter::{Filter, FilterKey};
use crate::args::workers::EngineKind;
use crate::copy::inspect::DestinationRepo;
use crate::runs::report::{Report, Tally};
use crate::runs::{JournalEntry, NewRun, RunDir, RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::ui::errors::CliResult;

const FILE: &str = "proof.json";
const TERMS: &str = "proof-terms.json";

/// The verified commits of both sides, and which files were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncState {
    source: RepoAt,
    destination: RepoAt,
    head: Revision,
    filter: FilterKey,
    extra: ExtraFiles,
    #[serde(default)]
    card: CardPolicy,
    /// What the source has in LFS; absent where nobody counted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    large: Option<LargeFiles>,
}

/// What happened to files that only the destination had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExtraFiles {
    Keep,
    Delete,
}

impl From<Option<MaxDelete>> for ExtraFiles {
    fn from(prune: Option<MaxDelete>) -> Self {
        if prune.is_some() {
            Self::Delete
        } else {
            Self::Keep
        }
    }
}

impl SyncState {
    /// The state of these files at the source's commit and the destination's head.
    pub fn new(
        source: &RepoAt,
        destination: &RepoAt,
        head: Revision,
        filter: &Filter,
        prune: Option<MaxDelete>,
    ) -> Self {
        Self {
            source: source.clone(),
            destination: destination.clone(),
            head,
            filter: filter.key().clone(),
            extra: prune.into(),
            card: CardPolicy::default(),
            large: None,
        }
    }

    /// The same state with this policy for the card.
    pub fn with_card(self, card: CardPolicy) -> Self {
        Self { card, ..self }
    }

    /// The report of the newest run that verified this state, on this branch or another one at the same commit.
    pub fn find(&self, runs: &Runs) -> Option<Report> {
        SyncStates::of(runs, &self.destination).find(self, runs)
    }

    /// Whether both say the same of the same commits: commits name content on every branch.
    fn is_as(&self, other: &Self) -> bool {
        let mut same = self.clone();
        same.destination.revision = other.destination.revision.clone();
        same.large = other.large;
        same == *other
    }

    /// Writes the state into the run's folder, unless the source was read by a branch's name, since a branch moves.
    ///
    /// # Errors
    /// The disk's.
    pub fn save(&self, run: &RunDir) -> CliResult<()> {
        if self.source.revision.is_commit() {
            run.write(FILE, self)
        } else {
            Ok(())
        }
    }
}

/// What the proof of a run in the cloud says besides both commits and its plan: whoever waits for the run does not know its command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProofTerms {
    filter: FilterKey,
    extra: ExtraFiles,
}

impl ProofTerms {
    /// Those of a command that copies these files.
    pub fn new(filter: &Filter, prune: Option<MaxDelete>) -> Self {
        Self {
            filter: filter.key().clone(),
            extra: prune.into(),
        }
    }

    /// Writes them into the run's folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn save(&self, run: &RunDir) -> CliResult<()> {
        run.write(TERMS, self)
    }

    /// The state that a verification of this plan proves.
    pub fn state(self, plan: &Plan, head: Revision) -> SyncState {
        SyncState {
            source: plan.source.clone(),
            destination: plan.destination.clone(),
            head,
            filter: self.filter,
            extra: self.extra,
            card: plan.card,
            large: plan.large,
        }
    }
}

/// Where the destination of a run in the cloud stands, for whoever waits for it.
pub enum StandsAt {
    /// Its hub is asked.
    Asked,
    /// At this commit, which changes no more.
    Commit(Revision),
}

/// Saves what a run in the cloud has verified, if its destination still stands there. A run of an older version, and one of a part of the
/// files that nothing names, prove nothing.
///
/// # Errors
/// The disk's.
pub async fn save_proof(
    (plan, run): (&Plan, &RunDir),
    verified: Option<&Verification>,
    stands: StandsAt,
    settings: &Settings,
    runs: &Runs,
) -> CliResult<()> {
    let verified = verified.and_then(|found| found.head.clone());
    let terms: Option<ProofTerms> = runs.read(run.id(), TERMS);
    let (Some(verified), Some(terms)) = (verified, terms) else {
        return Ok(());
    };
    let stands = match stands {
        StandsAt::Commit(commit) => Some(commit),
        StandsAt::Asked => head_now(&plan.destination, settings).await,
    };
    match stands == Some(verified.clone()) {
        true => terms.state(plan, verified).save(run),
        false => Ok(()),
    }
}

async fn head_now(at: &RepoAt, settings: &Settings) -> Option<Revision> {
    let side = settings.destination(at).ok()?;
    let hub = open_destination(&side, settings.http()).ok()?;
    hub.head().await.ok().flatten()
}

/// A commit of the source and one of the destination that a run has compared and found equal, file by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenCopy {
    /// The source's commit.
    pub source: Revision,
    /// The destination's commit.
    pub destination: Revision,
    /// The source's files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those in LFS; absent where no run has counted them.
    pub large: Option<LargeFiles>,
}

/// What a run has compared and not found equal: no older run proves these sides equal any more.
struct Disproof {
    source: RepoAt,
    branch: Revision,
    head: Option<Revision>,
}

impl Disproof {
    fn of(run: &RunRecord, runs: &Runs) -> Option<Self> {
        let found = found_by(run, runs).filter(|found| !found.is_good())?;
        Some(Self {
            source: run.source.clone(),
            branch: run.destination.revision.clone(),
            head: found.head,
        })
    }

    fn is_of(&self, state: &SyncState) -> bool {
        let is_there =
            state.destination.revision == self.branch || self.head.as_ref() == Some(&state.head);
        state.source == self.source && is_there
    }
}

/// What a run found when it compared both sides, if it did.
fn found_by(run: &RunRecord, runs: &Runs) -> Option<Verification> {
    match run.verb {
        RunVerb::Migrate => runs.read::<Report>(&run.id, "report.json")?.verification,
        RunVerb::Verify => {
            let newest_first = runs.journal(&run.id).into_iter().rev();
            newest_first
                .filter_map(|entry| match entry {
                    JournalEntry::Verified(found) => Some(found),
                    _ => None,
                })
                .next()
        }
        RunVerb::Mirror | RunVerb::Cleanup => None,
    }
}

/// The verified states of one destination, the newest first. A later run that found the same sides not equal ends what earlier ones proved.
pub struct SyncStates(Vec<(SyncState, String)>);

impl SyncStates {
    /// Reads them all.
    pub fn of(runs: &Runs, destination: &RepoAt) -> Self {
        Self::among(runs, runs.list().into_iter(), destination)
    }

    /// Reads those of the runs with these records.
    pub fn among(
        runs: &Runs,
        records: impl Iterator<Item = RunRecord>,
        destination: &RepoAt,
    ) -> Self {
        let (mut states, mut disproofs) = (Vec::new(), Vec::new());
        for run in records.filter(|run| run.destination.is_same_repo(destination)) {
            if run.state != State::Done {
                disproofs.extend(Disproof::of(&run, runs));
                continue;
            }
            let state: Option<SyncState> = runs.read(&run.id, FILE);
            let stands = |state: &SyncState| !disproofs.iter().any(|newer| newer.is_of(state));
            states.extend(state.filter(stands).map(|state| (state, run.id)));
        }
        Self(states)
    }

    /// The copies of all files of `source` to the main branch that were verified, the newest first.
    pub fn whole_copies(&self, source: &RepoAt, runs: &Runs) -> Vec<ProvenCopy> {
        let whole = self.0.iter().filter(|(state, _)| {
            let main = Revision::main_of(state.destination.hub);
            state.source.is_same_repo(source)
                && state.filter == FilterKey::default()
                && state.destination.revision == main
        });
        let proven = whole.filter_map(|(state, run)| {
            let report: Report = runs.read(run, "report.json")?;
            let is_good = report.verification.as_ref()?.is_good();
            is_good.then(|| ProvenCopy {
                source: state.source.revision.clone(),
                destination: state.head.clone(),
                files: report.tally.files,
                bytes: report.tally.bytes,
                large: self.large_files(&state.source),
            })
        });
        proven.collect()
    }

    /// What a run has counted at this commit of the source: one that repeats an earlier run counts nothing.
    fn large_files(&self, source: &RepoAt) -> Option<LargeFiles> {
        let is_whole = |state: &SyncState| state.filter == FilterKey::default();
        let of_source = self.0.iter().map(|(state, _)| state);
        of_source
            .filter(|state| state.source == *source && is_whole(state))
            .find_map(|state| state.large)
    }

    /// The report of the newest run that verified this state.
    pub fn find(&self, wanted: &SyncState, runs: &Runs) -> Option<Report> {
        let matching = self.0.iter().filter(|(state, _)| state.is_as(wanted));
        let mut reports = matching.filter_map(|(_, run)| runs.read(run, "report.json"));
        reports.next().filter(|report: &Report| {
            report
                .verification
                .as_ref()
                .is_some_and(|found| found.is_good())
        })
    }
}

/// How far the destination's listing is believed. That is as the newest run left it, when that has compared all of these files and
/// found them well. It goes no further after anyone else's commit, a run that ended early, or one that could not read a content.
pub fn trust_in(runs: &Runs, destination: &DestinationRepo, filter: &Filter) -> Trust {
    let to_here = |run: &RunRecord| run.destination == destination.at;
    let newest = runs.list().into_iter().filter(to_here).find_map(|run| {
        let found = found_by(&run, runs)?;
        // A verification that found nothing wrong changes nothing.
        (run.verb == RunVerb::Migrate || !found.is_good()).then_some((found, run))
    });
    let Some((found, run)) = newest else {
        return Trust::BlobCheck(HashSet::new());
    };
    let state: Option<SyncState> = runs.read(&run.id, FILE);
    let is_as_left = |state: SyncState| {
        destination.head.as_ref() == Some(&state.head) && state.filter == *filter.key()
    };
    if found.is_good() && state.is_some_and(is_as_left) {
        return Trust::Listing;
    }
    let wrong = found.contents.into_iter().flat_map(|read| read.wrong);
    let unread = found.unread.into_iter().map(|unread| unread.path);
    Trust::BlobCheck(unread.chain(wrong.map(|path| path.to_string())).collect())
}

/// Begins and ends a run that has nothing to do, since `earlier` verified the same state.
///
/// # Errors
/// Another run writes to the destination; the disk's.
pub fn repeat(
    state: &SyncState,
    earlier: Report,
    runs: &Runs,
    began: Instant,
) -> CliResult<Report> {
    let Tally { files, bytes, .. } = earlier.tally;
    let summary = hf2ms_worker::protocol::PlanSummary {
        files,
        bytes,
        unchanged: files,
        ..Default::default()
    };
    let mut run = runs.begin(NewRun {
        verb: RunVerb::Migrate,
        on: EngineKind::Local,
        source: &state.source,
        destination: &state.destination,
        plan: &summary,
    })?;
    let report = Report {
        run: run.id().to_owned(),
        tally: Tally {
            files,
            bytes,
            unchanged: files,
            ..Tally::default()
        },
        seconds: began.elapsed().as_secs_f64(),
        bytes_per_second: 0.0,
        deleted_files: Vec::new(),
        last_error: None,
        ..earlier
    };
    run.note(&JournalEntry::Planned(summary))?;
    state.save(&run)?;
    run.write("report.json", &report)?;
    run.end(State::Done)?;
    Ok(report)
}
