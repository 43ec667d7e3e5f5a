//! The source: found, pinned to a commit, listed.

use std::sync::Arc;

use hf2ms_hub::{Error, Gate, Kind, Listing, RepoAt, RepoInfo, RepoKind, Revision, Sdk, Source};

use super::{renamed, said};
use crate::args::filter::Filter;
use crate::args::route::Route;
use crate::settings::Settings;
use crate::settings::hub_errors::AccessMode;
use crate::ui::errors::{CliError, CliResult};
use hf2ms_worker::context::open_source_by;
use hf2ms_worker::plan::GitFiles;
use hf2ms_worker::protocol::{Transport, WorkerOptions};
use hf2ms_worker::transfer::reader::Reader;

/// The source, found and pinned.
pub struct SourceRepo {
    /// The revision that was asked for.
    pub asked: Revision,
    /// The source at its commit, or at the name that was asked for where its hub tells none.
    pub at: RepoAt,
    /// What its hub says of it.
    pub info: RepoInfo,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// How it is read.
    pub transport: Transport,
    /// What its commit holds outside LFS, once it was listed.
    pub outside: GitFiles,
    /// What runs the app, if it is a Space that becomes one.
    pub app: Option<Sdk>,
    source: Arc<dyn Source>,
    filter: Filter,
}

impl SourceRepo {
    /// Finds the source and pins its commit.
    ///
    /// # Errors
    /// It is not there, or may not be read.
    pub async fn find(route: &Route, settings: &Settings) -> CliResult<Self> {
        let mut absent = None;
        for (index, kind) in route.kinds().iter().enumerate() {
            let at = route.source_at(settings, *kind, route.asked());
            match look(&at, route.transport(), settings).await {
                Ok(found) => {
                    return Self::pinned(route, settings, at, found, &route.kinds()[index + 1..])
                        .await;
                }
                Err(error) if error.kind() == Kind::NotFound => {
                    absent = absent.or(Some((error, at)))
                }
                Err(error) => return Err(said(&error, &at, settings, AccessMode::Reading)),
            }
        }
        Err(match absent {
            Some((error, at)) => not_found(route, settings, &error, &at).await,
            None => CliError::usage("there is no kind to look for"),
        })
    }

    async fn pinned(
        route: &Route,
        settings: &Settings,
        at: RepoAt,
        found: Found,
        other: &[RepoKind],
    ) -> CliResult<Self> {
        let Found {
            info,
            transport,
            lock,
        } = found;
        let mut warnings: Vec<String> = lock.iter().map(|lock| read_by_git(&at, lock)).collect();
        let commit = match &info.commit {
            Some(commit) => commit.clone(),
            None if !at.hub.profile().abilities.tells_commits => {
                warnings.push(read_by_name(&at));
                at.revision.clone()
            }
            None => {
                return Err(CliError::refused(format!(
                    "{} does not say at which commit {} is",
                    at.hub, at.id
                )));
            }
        };
        let at = RepoAt {
            revision: commit,
            ..at
        };
        if at.kind == RepoKind::Model && other.contains(&RepoKind::Dataset) {
            let dataset = RepoAt {
                kind: RepoKind::Dataset,
                revision: route.asked().clone(),
                ..at.clone()
            };
            if describe(&dataset, transport, settings).await.is_ok() {
                warnings.push(format!("{} is a model and a dataset: the model is taken; for the other, give --repo-type dataset", at.id));
            }
        }
        warnings.extend(renamed(&at, &info));
        if info.gate == Gate::Gated {
            warnings.push(format!(
                "{} is gated, and the copy will not be: give --private unless its terms allow that",
                at.id
            ));
        }
        let source = open(&at, transport, settings)
            .map_err(|error| said(&error, &at, settings, AccessMode::Reading))?;
        let (asked, filter) = (route.asked().clone(), route.filter().clone());
        Ok(Self {
            asked,
            at,
            info,
            warnings,
            transport,
            outside: GitFiles::default(),
            app: None,
            source,
            filter,
        })
    }

    /// Lists by Git, from now on the way to everything else, too.
    async fn turn_to_git(&mut self, lock: &Error, settings: &Settings) -> Result<Listing, Error> {
        self.warnings.push(read_by_git(&self.at, lock));
        self.transport = Transport::Git;
        self.source = open(&self.at, Transport::Git, settings)?;
        self.source.list().await.map_err(|error| both(lock, error))
    }

    /// The same repo at another commit, which `asked` names.
    ///
    /// # Errors
    /// The hub can't be spoken to.
    pub fn at_commit(
        &self,
        commit: &Revision,
        asked: &Revision,
        settings: &Settings,
    ) -> CliResult<Self> {
        let at = RepoAt {
            revision: commit.clone(),
            ..self.at.clone()
        };
        let (info, filter, transport) = (self.info.clone(), self.filter.clone(), self.transport);
        let source = open(&at, transport, settings)
            .map_err(|error| said(&error, &at, settings, AccessMode::Reading))?;
        let outside = GitFiles::default();
        Ok(Self {
            asked: asked.clone(),
            at,
            info,
            warnings: Vec::new(),
            transport,
            outside,
            app: self.app,
            source,
            filter,
        })
    }

    /// Whether filters may leave files of it out.
    pub fn is_part(&self) -> bool {
        self.filter != Filter::default()
    }

    /// Takes over what was found out when another looked at the same commit.
    ///
    /// # Errors
    /// The hub can't be spoken to.
    pub fn take_over(
        &mut self,
        transport: Transport,
        outside: GitFiles,
        settings: &Settings,
    ) -> CliResult<()> {
        if transport != self.transport {
            self.source = open(&self.at, transport, settings)
                .map_err(|error| said(&error, &self.at, settings, AccessMode::Reading))?;
        }
        (self.transport, self.outside) = (transport, outside);
        Ok(())
    }

    /// A reader of its files.
    pub fn reader(&self, settings: &Settings) -> Reader {
        Reader::new(self.source.clone(), settings.http())
    }

    /// Lists what the run is about.
    ///
    /// # Errors
    /// The hub's.
    pub async fn list(&mut self, settings: &Settings) -> CliResult<Listing> {
        let listed = match self.source.list().await {
            Err(lock) if lock.kind() == Kind::Locked && self.transport != Transport::Git => {
                self.turn_to_git(&lock, settings).await
            }
            listed => listed,
        };
        let mut listing =
            listed.map_err(|error| said(&error, &self.at, settings, AccessMode::Reading))?;
        self.outside = GitFiles::of(&listing);
        self.filter.apply(&mut listing);
        Ok(listing)
    }
}

/// A repo as it was found.
struct Found {
    info: RepoInfo,
    transport: Transport,
    /// Why it could be found by Git only.
    lock: Option<Error>,
}

/// Looks a repo up; by Git where its hub has locked its API.
async fn look(at: &RepoAt, transport: Transport, settings: &Settings) -> Result<Found, Error> {
    match describe(at, Transport::Auto, settings).await {
        Err(lock) if lock.kind() == Kind::Locked => {
            let info = describe(at, Transport::Git, settings)
                .await
                .map_err(|error| both(&lock, error))?;
            Ok(Found {
                info,
                transport: Transport::Git,
                lock: Some(lock),
            })
        }
        described => Ok(Found {
            info: described?,
            transport,
            lock: None,
        }),
    }
}

/// The lock, and what Git says: where there is no such repo, that is what counts.
fn both(lock: &Error, by_git: Error) -> Error {
    match by_git.kind() {
        Kind::NotFound => by_git,
        kind => Error::new(kind, format!("{}; by Git: {by_git}", lock.message())),
    }
}

/// The line that says why Git is taken.
fn read_by_git(at: &RepoAt, lock: &Error) -> String {
    format!(
        "{}: {} is read by Git, which still works",
        lock.message(),
        at.id
    )
}

/// The line that says how a source without a commit is read.
fn read_by_name(at: &RepoAt) -> String {
    format!(
        "{} does not tell the commit of {}: files are read by the name {}, and it is listed again at the end",
        at.hub, at.id, at.revision
    )
}

async fn describe(
    at: &RepoAt,
    transport: Transport,
    settings: &Settings,
) -> Result<RepoInfo, Error> {
    open(at, transport, settings)?.describe().await
}

fn open(at: &RepoAt, transport: Transport, settings: &Settings) -> Result<Arc<dyn Source>, Error> {
    let options = WorkerOptions {
        transport,
        ..WorkerOptions::default()
    };
    open_source_by(&settings.source(at), &options, settings.http())
}

/// Which of the two is absent: the repo, or only the revision.
async fn not_found(route: &Route, settings: &Settings, error: &Error, at: &RepoAt) -> CliError {
    for kind in route.kinds() {
        let main = Revision::main_of(at.hub);
        if *route.asked() != main
            && describe(
                &route.source_at(settings, *kind, &main),
                Transport::Auto,
                settings,
            )
            .await
            .is_ok()
        {
            let (id, hub) = (&at.id, at.hub);
            return CliError::refused(format!(
                "{kind} {id} on {hub} has no revision {}: check --revision",
                route.asked()
            ));
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
        return CliError::refused(format!(
            "no {} {id} was found on {hub}: check the id, {rest}",
            kinds.join(" or ")
        ));
    }
    said(error, at, settings, AccessMode::Reading)
}
