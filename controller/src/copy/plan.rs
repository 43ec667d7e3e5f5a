//! From a route to a plan: both sides are found, listed and compared, and the difference is cut into chunks. Nothing is written.

use hf2ms_hub::{Listing, RepoKind};
use hf2ms_worker::pipeline::creation::{VisibilityRequest, readers_of_copy};
use hf2ms_worker::pipeline::planning::{GitUse, Listings, PlanPolicy, Trust, make_plan};
use hf2ms_worker::plan::{CardPolicy, DigestCache, MaxDelete, Plan, PlanRequest};
use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{Creation, Transport, WorkerOptions};

use crate::args::route::Route;
use crate::args::terms::RunTerms;
use crate::args::workers::WorkerArgs;
use crate::copy::inspect::{DestinationRepo, SourceRepo, Writer, renamed};
use crate::estimate::containers::chunking;
use crate::estimate::rates::Rates;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error, token_missing};
use crate::ui::errors::{CliError, CliResult};

/// Whether the destination will be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It will be written: a token is needed, and the right to write.
    Write,
    /// It is only compared.
    Read,
}

/// The source and the destination, listed.
pub struct RepoPair {
    /// The source.
    pub source: SourceRepo,
    /// The destination.
    pub destination: DestinationRepo,
    listing: Listing,
}

/// What the command asks of a plan.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// The workers and the size of chunks.
    pub worker_args: WorkerArgs,
    /// How fast workers are.
    pub rates: Rates,
    /// Who may read a repo that is created.
    pub visibility: VisibilityRequest,
    /// The most files to delete of those that only the destination has; `None` keeps them.
    pub prune: Option<MaxDelete>,
    /// What happens to a card that the destination refuses.
    pub card: CardPolicy,
    /// Whether files are written that someone else has changed at the destination meanwhile.
    pub overwrite: bool,
    /// Whether what the destination lists may be lost there.
    pub trust: Trust,
    /// What is kept of the destination, and the limits.
    pub terms: RunTerms,
}

/// Both sides, found and not listed yet.
pub enum FoundSides {
    /// They are there, or can be made.
    Both(Box<(SourceRepo, DestinationRepo)>),
    /// The source is skipped for this reason: a Space that no option makes into something.
    Skip(String),
}

/// Finds and lists both sides of the one repo of a command.
///
/// # Errors
/// One of them can't be read, the destination can't be written, or nothing can be made of the source.
pub async fn find_and_list(
    route: &Route,
    purpose: Purpose,
    settings: &Settings,
) -> CliResult<RepoPair> {
    match find(route, purpose, settings).await? {
        FoundSides::Both(both) => RepoPair::list(both.0, both.1, settings).await,
        FoundSides::Skip(reason) => Err(not_skipped(route.source_id(), &reason)),
    }
}

/// The error of a command whose only repo would be skipped.
pub fn not_skipped(repo: impl std::fmt::Display, reason: &str) -> CliError {
    CliError::usage(format!("{repo} is {reason}"))
}

/// Finds both sides without listing them.
///
/// # Errors
/// One of them can't be found, or the destination can't be written.
pub async fn find(route: &Route, purpose: Purpose, settings: &Settings) -> CliResult<FoundSides> {
    let access = settings.access_to(route.to());
    if purpose == Purpose::Write && access.token.is_none() {
        return Err(token_missing(route.to(), access));
    }
    // Whose the token is does not depend on the source, whose error comes first.
    let writer = async { Ok(writer(route, purpose, settings).await) };
    let (mut source, writer) = futures_util::try_join!(SourceRepo::find(route, settings), writer)?;
    if source.repo.at.kind == RepoKind::Space && route.keeps_space(source.repo.at.kind) {
        if route.spaces_as().is_none() {
            return Ok(FoundSides::Skip(why_skipped(route)));
        }
        source.look_at_app(route, settings).await?;
    }
    let at = route.destination_at(settings, source.repo.at.kind);
    if at.is_same_repo(&source.repo.at) {
        return Err(CliError::usage(format!(
            "{} {} on {} is both source and destination: give --dest with another id",
            at.kind, at.id, at.hub
        )));
    }
    let filter = route.filter().clone();
    let destination = match writer? {
        Some(writer) => DestinationRepo::written_by(writer, at, filter, settings).await?,
        None => DestinationRepo::to_read(at, filter, settings).await?,
    };
    Ok(FoundSides::Both(Box::new((source, destination))))
}

/// The account that will write, if one will.
async fn writer(route: &Route, purpose: Purpose, settings: &Settings) -> CliResult<Option<Writer>> {
    match (purpose, route.kinds().first()) {
        (Purpose::Write, Some(likely)) => {
            let at = route.destination_at(settings, *likely);
            Writer::ask(at, settings).await.map(Some)
        }
        (Purpose::Write, None) | (Purpose::Read, _) => Ok(None),
    }
}

/// Why a Space is skipped, and what can be made of it.
fn why_skipped(route: &Route) -> String {
    let destination = route.to();
    let app = match destination.profile().app {
        Some("space") => "--spaces-as space makes one of it".to_owned(),
        Some(app) => format!("--spaces-as {app} makes a {app} of it"),
        None => "its hub gives its files by Git only".to_owned(),
    };
    format!("a Space: {app}; --repo-type model copies its files as a model")
}

impl RepoPair {
    /// Lists both sides.
    ///
    /// # Errors
    /// One of them can't be listed.
    pub async fn list(
        mut source: SourceRepo,
        mut destination: DestinationRepo,
        settings: &Settings,
    ) -> CliResult<Self> {
        let (listing, current) =
            futures_util::try_join!(source.list(settings), destination.current(settings))?;
        destination.listing = current;
        if destination.info.is_none() {
            source.check_new_copy(&listing)?;
        }
        Ok(Self {
            source,
            destination,
            listing,
        })
    }

    /// The pair of repos whose listings are known.
    pub fn of(source: SourceRepo, destination: DestinationRepo, listing: Listing) -> Self {
        Self {
            source,
            destination,
            listing,
        }
    }

    /// Compares both sides and cuts the difference into chunks.
    ///
    /// # Errors
    /// The destination can't be asked about the card.
    pub async fn plan(
        self,
        options: &PlanOptions,
        known: &DigestCache,
        settings: &Settings,
    ) -> CliResult<(Plan, DestinationRepo)> {
        let Self {
            source,
            mut destination,
            listing,
        } = self;
        source.narrow(&listing, &mut destination.listing);
        let request = request(&source, &destination, options);
        let is_open = options.worker_args.transport == Transport::Auto;
        let listings = Listings {
            source: listing,
            destination: &destination.listing,
            digests: known,
        };
        let policy = PlanPolicy {
            card: options.card,
            git: if is_open {
                GitUse::WhenFaster
            } else {
                GitUse::WhenLocked
            },
            chunking: &|sizes| chunking(&options.worker_args, sizes, &options.rates),
            trust: &options.trust,
        };
        let made = make_plan(
            request,
            listings,
            policy,
            &source.repo,
            destination.hub.as_ref(),
            settings,
        );
        let (at, mode) = (&destination.at, AccessMode::ReadDestination);
        let explained = |error| hub_error(&error, at, settings, mode);
        let mut plan: Plan = made.await.map_err(explained)?;
        plan.part = source.is_part();
        plan.overwrite = options.overwrite;
        let by_default = options.prune.is_some() || options.overwrite;
        let backup = options.terms.backup.tag(by_default);
        let mut plan = plan.with_backup(backup).with_limits(options.terms.limits);
        let of_destination = destination
            .info
            .as_ref()
            .and_then(|info| renamed(&destination.at, info));
        let of_gate = source
            .repo
            .gate_warning
            .filter(|_| plan.creation.gate.is_none());
        let of_source = source.repo.warnings.into_iter().chain(of_gate);
        plan.warnings.splice(0..0, of_source.chain(of_destination));
        Ok((plan, destination))
    }
}

fn request(
    source: &SourceRepo,
    destination: &DestinationRepo,
    options: &PlanOptions,
) -> PlanRequest {
    let readers = readers_of_copy(&source.repo.info, options.visibility);
    let creation = Creation {
        visibility: readers.visibility,
        gate: readers.gate,
        exists: destination.info.is_some(),
        sdk: source
            .app
            .filter(|_| destination.at.kind == RepoKind::Space),
    };
    PlanRequest {
        source: source.repo.at.clone(),
        asked: source.repo.asked.clone(),
        destination: destination.at.clone(),
        creation,
        chunking: Chunking::Even { containers: 1 },
        prune: options.prune,
        options: WorkerOptions {
            streams: options.worker_args.streams.map(usize::from),
            transport: options.worker_args.transport,
            verify: options.worker_args.verify,
            deadline: options.terms.deadline,
            bandwidth: options.terms.bandwidth.clone(),
            ..WorkerOptions::default()
        },
    }
}
