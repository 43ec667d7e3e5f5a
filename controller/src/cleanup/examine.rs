//! A source and its copy, examined: every branch and tag is verified now, and what the copy lacks is counted. Nothing is written to a hub.

mod whole;

use std::sync::Arc;

use hf2ms_hub::{Kind, Ref, RefKind, Refs, RepoAdmin, RepoAt, RepoKind, Revision, open_admin};
use hf2ms_worker::pipeline::source::{PinnedSource, SourceError, describe};
use hf2ms_worker::protocol::{PlanSummary, SampleSize, Transport};

pub use self::whole::WholeCopy;
use super::copy_repo::{self, CopyReaders};
use super::doubt::{Checked, Doubt};
use super::losses;
use super::options::{CleanupOptions, HistoryPolicy, RemovalRequest};
use super::row::{CleanupEntry, CleanupRow};
use super::source_refs::{SourceRefs, check_count, missing, source_repo};
use super::verified::VerifiedRevision;
use crate::args::workers::EngineKind;
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::plan::{FoundSides, Purpose, find};
use crate::copy::verify::check_exists;
use crate::copy::verify::options::VerifyOptions;
use crate::revisions::verify::RevisionPairs;
use crate::runs::removal::Losses;
use crate::runs::{NewRun, RunDir, RunRecord, RunVerb, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::settings::refused_write::RefusedWrite;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;
use hf2ms_worker::revisions::targets::{DefaultBranches, RefMapping, RevisionTargets};

/// A repo that was examined: its row, the run that holds its locks if it may be removed, and the copy if that is whole.
pub struct ExaminedRepo {
    /// What was found.
    pub row: CleanupRow,
    /// The run of the removal; `None` where nothing is removed.
    pub run: Option<RunDir>,
    /// The copy, where it is whole and the source may go.
    pub whole: Option<Box<WholeCopy>>,
}

/// Examines one source and its copy.
///
/// # Errors
/// What ends the whole command: a token that is refused, a stop.
pub async fn examine(
    entry: &CleanupEntry,
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> CliResult<ExaminedRepo> {
    let mut examined = ExaminedRepo {
        row: CleanupRow::of(entry),
        run: None,
        whole: None,
    };
    let looking = Examiner {
        entry,
        options,
        screen,
    };
    match looking.look(&mut examined).await {
        Ok(whole) => {
            examined.row.would_go();
            examined.whole = Some(Box::new(whole));
        }
        Err(doubt) => {
            let run = examined.run.take();
            match doubt {
                Doubt::Gone => examined.row.gone(),
                Doubt::Absent => examined.row.absent(),
                Doubt::Stays(reason) => examined.row.stays(screen.shown(&reason)),
                Doubt::Ends(failure) => {
                    let failed = run.map(|mut run| run.fail(&failure, screen));
                    failed.transpose()?;
                    return Err(failure);
                }
            }
            if let Some(run) = run {
                end_kept(run, &examined.row, screen)?;
            }
        }
    }
    Ok(examined)
}

/// Ends the run of a repo that stays.
///
/// # Errors
/// The disk's.
pub fn end_kept(mut run: RunDir, row: &CleanupRow, screen: &Screen) -> CliResult<()> {
    if let Some(reason) = row.reason() {
        run.because(reason, screen);
    }
    run.end(State::Incomplete)
}

struct Examiner<'a> {
    entry: &'a CleanupEntry,
    options: &'a CleanupOptions<'a>,
    screen: &'a Screen,
}

impl Examiner<'_> {
    async fn look(&self, examined: &mut ExaminedRepo) -> Checked<WholeCopy> {
        let CleanupOptions { settings, stop, .. } = self.options;
        self.entry.route.announce(self.screen);
        let (source, destination) = stop.unless(self.find()).await?;
        examined.row.found(&source.repo.at, &destination.at);
        check_apart(&source.repo.at, &destination.at)?;
        examined.run = self.begin(&source.repo.at, &destination.at)?;
        if let Some(run) = &examined.run {
            examined.row.begun(run.id());
        }
        let refs = stop.unless(SourceRefs::of(&source.repo.at, settings));
        let refs = refs.await?;
        check_pinned(&source.repo, &refs)?;
        let readers = stop.unless(CopyReaders::of(&destination.at, settings));
        let readers = readers.await?;
        self.check_owner(&readers)?;
        let options = self.verify_options();
        let pairs = RevisionPairs {
            source,
            destination,
            route: &self.entry.route,
            options: &options,
        };
        let revisions = self.verify(&pairs, &refs).await?;
        let RevisionPairs {
            source: SourceRepo { repo: source, .. },
            destination,
            ..
        } = pairs;
        let (files, bytes) = examined.row.measured(&revisions);
        if let Some(run) = &mut examined.run {
            run.extent(files, bytes)?;
        }
        let admin = admin_of(&source.at, settings)?;
        let losses = losses::of(&source, &refs, &readers, admin.as_deref(), settings);
        let losses = stop.unless(losses).await?;
        if self.loses() {
            examined.row.loses(&losses);
        }
        let Some(admin) = admin else {
            if self.options.request.is_some() {
                examined.row.by_hand();
            }
            return Err(by_hand(&source.at));
        };
        self.check_history(&losses)?;
        let account = stop.unless(self.check_permission(&source.at)).await?;
        Ok(WholeCopy {
            source,
            copy: destination.at,
            refs,
            readers,
            revisions,
            losses,
            level: options.level,
            account,
            admin,
        })
    }

    /// Every file is compared by its digest, and at least both ends of each content are read at the copy: a listing names also what is lost.
    fn verify_options(&self) -> VerifyOptions<'_> {
        let CleanupOptions {
            settings,
            runs,
            stop,
            level,
            ..
        } = *self.options;
        let mut options = VerifyOptions::new(settings, runs, stop, level);
        options.sample.size = SampleSize::ALL;
        options
    }

    /// A copy of another owner may go any day: it counts where that owner was named.
    fn check_owner(&self, readers: &CopyReaders) -> Checked<()> {
        let named = self.entry.owner.as_deref();
        match &readers.stranger {
            Some(owner) if !named.is_some_and(|named| named.eq_ignore_ascii_case(owner)) => {
                Err(Doubt::because(format!(
                    "the copy belongs to {owner}, which is not known to be this account: --against {owner} says that it is meant"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Both sides, at their main branches.
    async fn find(&self) -> Checked<(SourceRepo, DestinationRepo)> {
        let (route, settings) = (&self.entry.route, self.options.settings);
        let candidates = route.kinds().iter();
        let candidates = candidates.map(|kind| route.source_at(settings, *kind, route.asked()));
        let found = PinnedSource::find(candidates, Transport::Auto, settings).await;
        match found {
            Err(SourceError::Hub(at, error)) if error.kind() == Kind::NotFound => {
                for kind in route.kinds() {
                    let at = route.source_at(settings, *kind, &at.revision);
                    match missing(&error, &at, settings).await {
                        Doubt::Gone => (),
                        doubt => return Err(doubt),
                    }
                }
                return Err(self.absent(&at));
            }
            Ok(found) => {
                check_not_renamed(&found)?;
                self.check_one_kind(&found.at).await?;
            }
            // The next look says it for a person.
            Err(_) => (),
        }
        match find(route, Purpose::Read, settings).await? {
            FoundSides::Skip(_) => Err(is_space()),
            FoundSides::Both(both) if both.0.repo.at.kind == RepoKind::Space => Err(is_space()),
            FoundSides::Both(both) => {
                check_exists(&both.1)?;
                Ok(*both)
            }
        }
    }

    /// A repo that is not found: a run of this machine has removed it, or its id is wrong, or it is not to be seen.
    fn absent(&self, at: &RepoAt) -> Doubt {
        let all = self.options.runs.list().into_iter();
        let is_of = |run: &RunRecord| {
            let (one, other) = (&run.source, at);
            (one.hub, &one.endpoint, &one.id) == (other.hub, &other.endpoint, &other.id)
        };
        let mut removed = all
            .filter(|run| run.verb == RunVerb::Cleanup && run.state == State::Done && is_of(run));
        match removed.next() {
            Some(_) => Doubt::Gone,
            None => Doubt::Absent,
        }
    }

    /// Refuses an id that is a repo of several kinds, where none was named: another one than was found may be meant.
    async fn check_one_kind(&self, found: &RepoAt) -> Checked<()> {
        let (kinds, settings) = (self.entry.route.kinds(), self.options.settings);
        if kinds.len() < RepoKind::ALL.len() {
            return Ok(());
        }
        for kind in kinds.iter().filter(|kind| **kind != found.kind) {
            let at = RepoAt {
                kind: *kind,
                revision: Revision::main_of(found.hub),
                ..found.clone()
            };
            match describe(&at, Transport::Auto, settings).await {
                Err(error) if error.kind() == Kind::NotFound => (),
                Err(error) => {
                    return Err(hub_error(&error, &at, settings, AccessMode::Read).into());
                }
                Ok(_) => {
                    let (first, id) = (found.kind, &at.id);
                    return Err(Doubt::because(format!(
                        "{id} is a {first} and a {kind}: name one of them, as {kind}s/{id}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Begins the run that holds the locks of both sides; none where nothing is removed.
    fn begin(&self, source: &RepoAt, copy: &RepoAt) -> Checked<Option<RunDir>> {
        if self.options.request.is_none() {
            return Ok(None);
        }
        self.options.runs.check_unused(source, copy)?;
        let run = self.options.runs.begin(NewRun {
            verb: RunVerb::Cleanup,
            on: EngineKind::Local,
            source,
            destination: copy,
            plan: &PlanSummary::default(),
        })?;
        Ok(Some(run))
    }

    /// Verifies every branch and tag. One that stands at the same commits as another on both sides is as that one.
    async fn verify(
        &self,
        pairs: &RevisionPairs<'_>,
        refs: &SourceRefs,
    ) -> Checked<Vec<VerifiedRevision>> {
        let (at, copy) = (&pairs.source.repo.at, &pairs.destination.at);
        let there = copy_repo::refs(copy, self.options.settings).await?;
        let defaults = DefaultBranches::of(at.hub, copy.hub);
        let targets = RevisionTargets::of(refs.refs(), &there, &defaults);
        if let Some(refused) = targets.refused.first() {
            let (path, reason) = (&refused.path, &refused.reason);
            return Err(Doubt::because(format!(
                "{path} can't be compared: {reason}"
            )));
        }
        if targets.left_over > 0 {
            return Err(Doubt::because(
                "it has temporary branches of a copy that was cut off: delete them first",
            ));
        }
        let all = targets.targets.iter().flat_map(|target| {
            let commit = &target.commit;
            target.refs().map(move |named| (named, commit))
        });
        check_names(&there)?;
        let mut verified: Vec<VerifiedRevision> = Vec::new();
        for (named, commit) in all {
            let Some(stands) = there.find(named.kind, &named.destination) else {
                let (kind, name) = (named.kind.name(), &named.destination);
                return Err(Doubt::because(format!("the copy has no {kind} {name}")));
            };
            let same = verified.iter().find(|one| one.is_of(commit, stands));
            let one = match same {
                Some(same) => same.renamed(named),
                None => self.verify_one(pairs, named, commit).await?,
            };
            if stands.is_commit() && !one.is_of(commit, stands) {
                let (kind, name) = (named.kind.name(), &named.destination);
                return Err(Doubt::because(format!(
                    "the copy's {kind} {name} was compared at another commit than {stands}"
                )));
            }
            verified.push(one);
        }
        Ok(verified)
    }

    async fn verify_one(
        &self,
        pairs: &RevisionPairs<'_>,
        named: &RefMapping,
        commit: &Revision,
    ) -> Checked<VerifiedRevision> {
        let name = format!("{} {}", named.kind.name(), named.source);
        let screen = self.screen.of_revision(&name);
        let verified = pairs.verify(named, commit, &screen).await?;
        let one = VerifiedRevision::of(named, commit, &verified).map_err(Doubt::because)?;
        let at = RepoAt {
            revision: commit.clone(),
            ..pairs.source.repo.at.clone()
        };
        let files = one.record().files.len() as u64;
        // Where no token removes anything, the table is all that comes of it.
        if at.hub.profile().abilities.deletes_repos {
            check_count(&at, verified.source_count, files)?;
        }
        Ok(one)
    }

    /// Refuses to lose a history that no copy is known to hold.
    fn check_history(&self, losses: &Losses) -> Checked<()> {
        if !self.loses() || self.options.history == HistoryPolicy::MayGo {
            return Ok(());
        }
        match losses.unheld() {
            None => Ok(()),
            Some(unheld) => Err(Doubt::because(format!(
                "{unheld} would be lost: --history-may-go agrees to that"
            ))),
        }
    }

    /// Whether what the copy lacks is lost; a table tells it, too.
    fn loses(&self) -> bool {
        let request = self.options.request.as_ref();
        request.is_none_or(RemovalRequest::loses)
    }

    /// Refuses a token that is known to write nothing there, before anyone is asked to agree. The account's name, if it is told.
    async fn check_permission(&self, at: &RepoAt) -> Checked<Option<String>> {
        if self.options.request.is_none() {
            return Ok(None);
        }
        let settings = self.options.settings;
        let account = source_repo(at, settings)?.account_if_told().await;
        let account = account.map_err(|error| hub_error(&error, at, settings, AccessMode::Read))?;
        let Some(account) = account else {
            return Ok(None);
        };
        match account.write_refusal(at) {
            None => Ok(Some(account.name)),
            Some(refusal) => {
                let RefusedWrite { why, remedy } = RefusedWrite::of(refusal, at, &account);
                let token = settings.access(at.hub).token_name;
                Err(Doubt::because(format!(
                    "{token} may not remove it: {why}; {remedy}"
                )))
            }
        }
    }
}

/// Refuses a source whose main branch has moved since it was found.
fn check_pinned(source: &PinnedSource, refs: &SourceRefs) -> Checked<()> {
    let stands = refs.refs().find(RefKind::Branch, &source.asked);
    match stands == Some(&source.at.revision) {
        true => Ok(()),
        false => Err(Doubt::because(format!(
            "branch {} has moved while it was looked at",
            source.asked
        ))),
    }
}

/// Refuses a copy of which a name is a branch and a tag: what is read by that name may be either.
fn check_names(there: &Refs) -> Checked<()> {
    let is_branch = |tag: &&Ref| there.branches.iter().any(|branch| branch.name == tag.name);
    match there.tags.iter().find(is_branch) {
        None => Ok(()),
        Some(tag) => Err(Doubt::because(format!(
            "the copy has a branch and a tag of the name {}",
            tag.name
        ))),
    }
}

/// Refuses a pair that may be one repo: of one hub, with the same id. An address of a mirror site shows the repos of its hub.
fn check_apart(source: &RepoAt, copy: &RepoAt) -> Checked<()> {
    let is_same_id = source.id.as_str().eq_ignore_ascii_case(copy.id.as_str());
    match source.hub == copy.hub && is_same_id {
        true => Err(Doubt::because(format!(
            "its copy has the same id on {}, and may be the same repo seen at another address",
            copy.hub
        ))),
        false => Ok(()),
    }
}

fn check_not_renamed(found: &PinnedSource) -> Checked<()> {
    match &found.info.renamed {
        None => Ok(()),
        Some(renamed) => Err(Doubt::because(format!(
            "it is called {renamed} on {} now: name that one",
            found.at.hub
        ))),
    }
}

fn is_space() -> Doubt {
    Doubt::because("it is a Space: what it runs, its secrets and its variables are not compared")
}

/// The doubt about a repo that its hub lets nobody remove by a token: where a person does.
fn by_hand(at: &RepoAt) -> Doubt {
    let page = at.settings_url().unwrap_or_else(|| at.web_url());
    let hub = at.hub;
    Doubt::because(format!("{hub} lets no token remove a repo: open {page}"))
}

/// What removes the source; `None` where its hub lets no token do that.
fn admin_of(at: &RepoAt, settings: &Settings) -> CliResult<Option<Arc<dyn RepoAdmin>>> {
    let side = settings.source(at);
    let opened = side.and_then(|side| open_admin(&side, settings.http()));
    opened.map_err(|error| hub_error(&error, at, settings, AccessMode::Read))
}
