//! A source and its copy, examined: both are found ([`find`]), every branch and tag is verified now ([`verify`]), and what the copy lacks is
//! counted. Nothing is written to a hub.

mod find;
mod verify;
mod whole;

use std::sync::Arc;

use hf2ms_hub::{RefKind, RepoAdmin, RepoAt, RepoInfo, Visibility, open_admin};
use hf2ms_worker::pipeline::source::PinnedSource;
use hf2ms_worker::protocol::PlanSummary;

use self::find::check_apart;
pub use self::find::is_gone;
pub use self::whole::WholeCopy;
use super::compared::Compared;
use super::copy_repo::CopyReaders;
use super::doubt::{Checked, Doubt};
use super::losses;
use super::options::{CleanupOptions, LossPolicy, RemovalRequest};
use super::row::{CleanupEntry, CleanupRow};
use super::source_refs::{SourceRefs, source_repo};
use crate::args::workers::EngineKind;
use crate::copy::inspect::SourceRepo;
use crate::revisions::verify::RevisionPairs;
use crate::runs::removal::Losses;
use crate::runs::{NewRun, RunDir, RunVerb, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::settings::refused_write::RefusedWrite;
use crate::ui::errors::{Absent, CliResult};
use crate::ui::screen::Screen;

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
                Doubt::Absent => {
                    let nearest = looking.nearest().await;
                    examined.row.absent(nearest);
                }
                Doubt::Settled(reason) => examined.row.settled(reason),
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
    /// The repo of the same owner that may have been meant by a source that is not found.
    async fn nearest(&self) -> Option<String> {
        let CleanupOptions {
            settings, hints, ..
        } = self.options;
        let route = &self.entry.route;
        let at = route.source_at(settings, *route.kinds().first()?, route.asked());
        hints.nearest(&Absent::Repo(at)).await
    }

    async fn look(&self, examined: &mut ExaminedRepo) -> Checked<WholeCopy> {
        let CleanupOptions { settings, stop, .. } = self.options;
        self.entry.route.announce(self.screen);
        let (source, destination) = stop.unless(self.find()).await?;
        examined.row.found(&source.repo.at, &destination.at);
        self.check_unsettled(&source.repo).await?;
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
        examined.row.shows(readers.more_than(&source.repo.info));
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
        let compared = Compared {
            source: &source,
            refs: &refs,
            copy: &destination.at,
            readers: &readers,
            revisions: &revisions,
        };
        let (losses, admin) = self.losses(&compared, admin, &mut examined.row).await?;
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

    /// Leaves a source that is to be made private and is so already. A hub that does not tell it answers in two ways.
    async fn check_unsettled(&self, source: &PinnedSource) -> Checked<()> {
        let is_private = |info: &RepoInfo| info.visibility == Visibility::Private;
        if self.options.request != Some(RemovalRequest::MakePrivate) || !is_private(&source.info) {
            return Ok(());
        }
        let (at, settings) = (&source.at, self.options.settings);
        let found = source_repo(at, settings)?.find().await;
        let found = found.map_err(|error| hub_error(&error, at, settings, AccessMode::Read))?;
        match found.as_ref().is_some_and(is_private) {
            true => Err(Doubt::Settled("it is private already".to_owned())),
            false => Ok(()),
        }
    }

    /// What is lost with the source, which has to be agreed to, and what removes it.
    async fn losses(
        &self,
        compared: &Compared<'_>,
        admin: Option<Arc<dyn RepoAdmin>>,
        row: &mut CleanupRow,
    ) -> Checked<(Losses, Arc<dyn RepoAdmin>)> {
        let losses = losses::of(compared, admin.as_deref(), self.options, self.screen);
        let losses = self.options.stop.unless(losses).await?;
        row.loses(match self.options.loses() {
            true => losses.clone(),
            false => losses.of_access(),
        });
        let Some(admin) = admin else {
            if self.options.request.is_some() {
                row.by_hand();
            }
            return Err(by_hand(&compared.source.at));
        };
        self.check_agreed(&losses, compared)?;
        Ok((losses, admin))
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

    /// Begins the run that holds the locks of both sides; none where nothing is removed.
    fn begin(&self, source: &RepoAt, copy: &RepoAt) -> Checked<Option<RunDir>> {
        self.options.runs.check_unused(source, copy)?;
        if self.options.request.is_none() {
            return Ok(None);
        }
        let run = self.options.runs.begin(NewRun {
            verb: RunVerb::Cleanup,
            on: EngineKind::Local,
            source,
            destination: copy,
            plan: &PlanSummary::default(),
        })?;
        Ok(Some(run))
    }

    /// Refuses to lose a history that no copy is known to hold, or access that readers have now.
    fn check_agreed(&self, losses: &Losses, compared: &Compared<'_>) -> Checked<()> {
        if !self.options.loses() {
            return Ok(());
        }
        let mut needed = Vec::new();
        if self.options.history == LossPolicy::Needed
            && let Some(unheld) = losses.unheld()
        {
            needed.push(format!(
                "{unheld} would be lost: --history-may-go agrees to that"
            ));
        }
        let readers = losses::readers(&compared.source.info, compared.readers);
        if self.options.readers == LossPolicy::Needed && !readers.is_empty() {
            let readers = readers.join("; ");
            needed.push(format!(
                "access would be lost ({readers}): --readers-may-go agrees to that"
            ));
        }
        match needed.is_empty() {
            true => Ok(()),
            false => Err(Doubt::because(needed.join("; "))),
        }
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
