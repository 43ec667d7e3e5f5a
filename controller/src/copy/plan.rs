//! From a command line to a plan: both sides looked at, compared, and the work cut. Nothing is written anywhere.

use hf2ms_hub::{Hub, Listing, RepoKind, Visibility};
use hf2ms_worker::plan::card::{self, CardPolicy};
use hf2ms_worker::plan::{DigestCache, MaxDelete, Plan, PlanRequest};
use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{Creation, Transport, WorkerOptions};

use crate::args::route::Route;
use crate::args::workers::CuttingArgs;
use crate::copy::inspect::{Here, There, renamed, said};
use crate::settings::Settings;
use crate::settings::hub_errors::{Doing, token_missing};
use crate::ui::errors::{Failure, Outcome};
use crate::ui::screen::Screen;

/// What the destination is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It will be written: a token is needed, and the right to write.
    Write,
    /// It is only compared.
    Read,
}

/// Both sides as they were found.
pub struct Sides {
    /// The source.
    pub here: Here,
    /// The destination.
    pub there: There,
    listing: Listing,
}

/// How a plan is made.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// How the work is cut.
    pub cutting: CuttingArgs,
    /// Who may see a repo that has to be created; else as the source.
    pub visibility: Option<Visibility>,
    /// How many of the files that only the destination has are deleted at most; they stay without it.
    pub prune: Option<MaxDelete>,
    /// What is done about a card that the destination refuses.
    pub card: CardPolicy,
}

/// Looks at both sides and lists them. `None` for what is skipped, which has been said.
///
/// # Errors
/// One of them can't be read, or the destination can't be written.
pub async fn look(
    route: &Route,
    purpose: Purpose,
    settings: &Settings,
    screen: &Screen,
) -> Outcome<Option<Sides>> {
    match find(route, purpose, settings, screen).await? {
        Some((here, there)) => Sides::list(here, there, settings).await.map(Some),
        None => Ok(None),
    }
}

/// Finds both sides without listing them. `None` for what is skipped, which has been said.
///
/// # Errors
/// One of them can't be found, or the destination can't be written.
pub async fn find(
    route: &Route,
    purpose: Purpose,
    settings: &Settings,
    screen: &Screen,
) -> Outcome<Option<(Here, There)>> {
    let access = settings.access_to(route.to());
    if purpose == Purpose::Write && access.token.is_none() {
        return Err(token_missing(route.to(), access));
    }
    let mut here = Here::find(route, settings).await?;
    if here.at.kind == RepoKind::Space && route.keeps_space(here.at.kind) {
        if route.spaces_as().is_none() {
            screen.warn(skipped(&here, route));
            return Ok(None);
        }
        here.look_at_app(route, settings).await?;
    }
    let at = route.destination_at(settings, here.at.kind);
    if at.is_same_repo(&here.at) {
        return Err(Failure::usage(format!(
            "{} {} on {} is both source and destination: give --dest with another id",
            at.kind, at.id, at.hub
        )));
    }
    let there = match purpose {
        Purpose::Write => There::to_write(at, route.filter().clone(), settings).await?,
        Purpose::Read => There::to_read(at, route.filter().clone(), settings).await?,
    };
    Ok(Some((here, there)))
}

/// What is said of a Space that is left where it is.
fn skipped(here: &Here, route: &Route) -> String {
    let (id, there) = (&here.at.id, route.to());
    let app = match (here.at.hub, there) {
        (_, Hub::ModelScope) => "--spaces-as studio makes a studio of it",
        (_, Hub::HuggingFace) => "--spaces-as space makes one of it",
        _ => "its hub gives its files by Git only",
    };
    format!("{id} is a Space and is skipped: {app}; --repo-type model copies its files as a model")
}

impl Sides {
    /// Lists both sides.
    ///
    /// # Errors
    /// One of them can't be listed.
    pub async fn list(mut here: Here, mut there: There, settings: &Settings) -> Outcome<Self> {
        let (listing, current) =
            futures_util::try_join!(here.list(settings), there.current(settings))?;
        there.listing = current;
        Ok(Self {
            here,
            there,
            listing,
        })
    }

    /// Both sides, listed before.
    pub fn of(here: Here, there: There, listing: Listing) -> Self {
        Self {
            here,
            there,
            listing,
        }
    }

    /// Compares the sides and cuts what differs.
    ///
    /// # Errors
    /// The destination can't be asked about the card.
    pub async fn plan(
        self,
        wishes: &Wishes,
        known: &DigestCache,
        settings: &Settings,
    ) -> Outcome<(Plan, There)> {
        let Self {
            here,
            there,
            listing,
        } = self;
        let order = PlanRequest {
            source: here.at.clone(),
            asked: here.asked.clone(),
            destination: there.at.clone(),
            creation: Creation {
                visibility: wishes.visibility.unwrap_or(here.info.visibility),
                exists: there.info.is_some(),
                sdk: here.app.filter(|_| there.at.kind == RepoKind::Space),
            },
            chunking: Chunking::Even { containers: 1 },
            prune: wishes.prune,
            options: WorkerOptions {
                transport: wishes.cutting.transport,
                ..WorkerOptions::default()
            },
        };
        let mut plan = Plan::make(
            order,
            listing,
            &there.listing,
            |path, size| there.hub.placement(path, size),
            known,
        );
        let is_open = wishes.cutting.transport == Transport::Auto;
        if here.transport == Transport::Git || (is_open && plan.prefers_git(here.outside)) {
            plan.read_by_git(here.outside);
        }
        let bytes = plan.summary().blob_bytes;
        plan.rechunk(wishes.cutting.chunking(bytes));
        plan.card = wishes.card;
        plan.part = here.is_part();
        let mended = card::mend(&mut plan, &here.reader(settings), there.hub.as_ref()).await;
        mended.map_err(|error| said(&error, &there.at, settings, Doing::Writing))?;
        let of_destination = there
            .info
            .as_ref()
            .and_then(|info| renamed(&there.at, info));
        plan.warnings
            .splice(0..0, here.warnings.into_iter().chain(of_destination));
        Ok((plan, there))
    }
}
