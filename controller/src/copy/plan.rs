//! From a route to a plan: both sides are found, listed and compared, and the difference is cut into chunks. Nothing is written.

use hf2ms_hub::{Listing, RepoKind, Visibility};
use hf2ms_worker::pipeline::creation::visibility_of_copy;
use hf2ms_worker::pipeline::planning::{GitUse, Listings, PlanPolicy, make_plan};
use hf2ms_worker::plan::{CardPolicy, DigestCache, MaxDelete, Plan, PlanRequest};
use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{Creation, Transport, WorkerOptions};

use crate::args::route::Route;
use crate::args::workers::WorkerArgs;
use crate::copy::inspect::{DestinationRepo, SourceRepo, renamed};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error, token_missing};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

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
    /// The visibility of a repo that is created; `None` means that of the source.
    pub visibility: Option<Visibility>,
    /// The most files to delete of those that only the destination has; `None` keeps them.
    pub prune: Option<MaxDelete>,
    /// What happens to a card that the destination refuses.
    pub card: CardPolicy,
}

/// Finds and lists both sides. `None` for a Space that is skipped, of which a warning was printed.
///
/// # Errors
/// One of them can't be read, or the destination can't be written.
pub async fn find_and_list(
    route: &Route,
    purpose: Purpose,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<Option<RepoPair>> {
    match find(route, purpose, settings, screen).await? {
        Some((source, destination)) => RepoPair::list(source, destination, settings)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Finds both sides without listing them. `None` for a Space that is skipped, of which a warning was printed.
///
/// # Errors
/// One of them can't be found, or the destination can't be written.
pub async fn find(
    route: &Route,
    purpose: Purpose,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<Option<(SourceRepo, DestinationRepo)>> {
    let access = settings.access_to(route.to());
    if purpose == Purpose::Write && access.token.is_none() {
        return Err(token_missing(route.to(), access));
    }
    let mut source = SourceRepo::find(route, settings).await?;
    if source.repo.at.kind == RepoKind::Space && route.keeps_space(source.repo.at.kind) {
        if route.spaces_as().is_none() {
            screen.warn(skipped(&source, route));
            return Ok(None);
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
    let destination = match purpose {
        Purpose::Write => DestinationRepo::to_write(at, route.filter().clone(), settings).await?,
        Purpose::Read => DestinationRepo::to_read(at, route.filter().clone(), settings).await?,
    };
    Ok(Some((source, destination)))
}

/// The warning for a Space that is skipped.
fn skipped(source: &SourceRepo, route: &Route) -> String {
    let (id, destination) = (&source.repo.at.id, route.to());
    let app = match destination.profile().app {
        Some("space") => "--spaces-as space makes one of it".to_owned(),
        Some(app) => format!("--spaces-as {app} makes a {app} of it"),
        None => "its hub gives its files by Git only".to_owned(),
    };
    format!("{id} is a Space and is skipped: {app}; --repo-type model copies its files as a model")
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
            destination,
            listing,
        } = self;
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
            chunking: &|bytes| options.worker_args.chunking(bytes),
        };
        let made = make_plan(
            request,
            listings,
            policy,
            &source.repo,
            destination.hub.as_ref(),
            settings,
        );
        let mut plan = made
            .await
            .map_err(|error| hub_error(&error, &destination.at, settings, AccessMode::Write))?;
        plan.part = source.is_part();
        let of_destination = destination
            .info
            .as_ref()
            .and_then(|info| renamed(&destination.at, info));
        plan.warnings
            .splice(0..0, source.repo.warnings.into_iter().chain(of_destination));
        Ok((plan, destination))
    }
}

fn request(
    source: &SourceRepo,
    destination: &DestinationRepo,
    options: &PlanOptions,
) -> PlanRequest {
    let creation = Creation {
        visibility: visibility_of_copy(&source.repo.info, options.visibility),
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
            transport: options.worker_args.transport,
            ..WorkerOptions::default()
        },
    }
}
