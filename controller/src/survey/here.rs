//! The source: found, pinned to a commit, listed.

use std::sync::Arc;

use hf2ms_hub::{Error, Gate, Kind, Listing, RepoAt, RepoInfo, RepoKind, Revision, Source, open_source};

use super::said;
use crate::explain::{Doing, Failure, Outcome};
use crate::filter::Filter;
use crate::route::Route;
use crate::settings::Settings;
use hf2ms_worker::fetch::Reader;

/// The source, found and pinned.
pub struct Here {
    /// The revision that was asked for.
    pub asked: Revision,
    /// The source at its commit.
    pub at: RepoAt,
    /// What its hub says of it.
    pub info: RepoInfo,
    /// What a person should know.
    pub warnings: Vec<String>,
    source: Arc<dyn Source>,
    filter: Filter,
}

impl Here {
    /// Finds the source and pins its commit.
    ///
    /// # Errors
    /// It is not there, or may not be read.
    pub async fn find(route: &Route, settings: &Settings) -> Outcome<Self> {
        let mut absent = None;
        for (index, kind) in route.kinds().iter().enumerate() {
            let at = route.source_at(settings, *kind, route.asked());
            match describe(&at, settings).await {
                Ok(info) => return Self::pinned(route, settings, at, info, &route.kinds()[index + 1..]).await,
                Err(error) if error.kind() == Kind::NotFound => absent = absent.or(Some((error, at))),
                Err(error) => return Err(said(&error, &at, settings, Doing::Reading)),
            }
        }
        Err(match absent {
            Some((error, at)) => not_found(route, settings, &error, &at).await,
            None => Failure::usage("there is no kind to look for"),
        })
    }

    async fn pinned(route: &Route, settings: &Settings, at: RepoAt, info: RepoInfo, other: &[RepoKind]) -> Outcome<Self> {
        let commit =
            info.commit.clone().ok_or_else(|| Failure::refused(format!("{} does not say at which commit {} is", at.hub, at.id)))?;
        let at = RepoAt { revision: commit, ..at };
        let mut warnings = Vec::new();
        if at.kind == RepoKind::Model && other.contains(&RepoKind::Dataset) {
            let dataset = RepoAt { kind: RepoKind::Dataset, revision: route.asked().clone(), ..at.clone() };
            if describe(&dataset, settings).await.is_ok() {
                warnings.push(format!("{} is a model and a dataset: the model is taken; for the other, give --repo-type dataset", at.id));
            }
        }
        if info.gate == Gate::Gated {
            warnings.push(format!("{} is gated, and the copy will not be: give --private unless its terms allow that", at.id));
        }
        let source = open_source(&settings.source(&at), settings.http()).map_err(|error| said(&error, &at, settings, Doing::Reading))?;
        Ok(Self { asked: route.asked().clone(), at, info, warnings, source, filter: route.filter().clone() })
    }

    /// A reader of its files.
    pub fn reader(&self, settings: &Settings) -> Reader {
        Reader::new(self.source.clone(), settings.http())
    }

    /// Lists what the run is about.
    ///
    /// # Errors
    /// The hub's.
    pub async fn list(&self, settings: &Settings) -> Outcome<Listing> {
        let mut listing = self.source.list().await.map_err(|error| said(&error, &self.at, settings, Doing::Reading))?;
        self.filter.apply(&mut listing);
        Ok(listing)
    }
}

async fn describe(at: &RepoAt, settings: &Settings) -> Result<RepoInfo, Error> {
    open_source(&settings.source(at), settings.http())?.describe().await
}

/// Which of the two is absent: the repo, or only the revision.
async fn not_found(route: &Route, settings: &Settings, error: &Error, at: &RepoAt) -> Failure {
    for kind in route.kinds() {
        let main = Revision::main_of(at.hub);
        if *route.asked() != main && describe(&route.source_at(settings, *kind, &main), settings).await.is_ok() {
            let (id, hub) = (&at.id, at.hub);
            return Failure::refused(format!("{kind} {id} on {hub} has no revision {}: check --revision", route.asked()));
        }
    }
    if route.kinds().len() > 1 {
        let (id, hub, access) = (&at.id, at.hub, settings.access(at.hub));
        let token = access.token_name;
        let kinds: Vec<String> = route.kinds().iter().map(RepoKind::to_string).collect();
        let rest = if access.token.is_some() {
            format!("and that the account of {token} may see it")
        } else {
            format!("or set {token} if it is private")
        };
        return Failure::refused(format!("no {} {id} was found on {hub}: check the id, {rest}", kinds.join(" or ")));
    }
    said(error, at, settings, Doing::Reading)
}
