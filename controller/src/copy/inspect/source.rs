//! The source of a copy, as the controller sees it: found and pinned by the pipeline, with warnings and errors for a person.

use hf2ms_hub::path::escape;
use hf2ms_hub::{FileTimes, Kind, Listing, RepoAt, RepoKind, Revision, Sdk};
use hf2ms_worker::pipeline::source::{PinnedSource, SourceError, describe};
use hf2ms_worker::plan::GitFiles;
use hf2ms_worker::protocol::Transport;

use super::renamed;
use crate::args::filter::{Filter, LeftOut};
use crate::args::route::Route;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{Absent, CliError, CliResult};
use crate::ui::nouns::counted;

/// The source, found and pinned.
pub struct SourceRepo {
    /// The repo, and how it is read.
    pub repo: PinnedSource,
    /// What runs the app, if it is a Space that becomes one.
    pub app: Option<Sdk>,
    filter: Filter,
    left_out: LeftOut,
}

impl SourceRepo {
    /// Finds the source and pins its commit.
    ///
    /// # Errors
    /// It is not there, or may not be read.
    pub async fn find(route: &Route, settings: &Settings) -> CliResult<Self> {
        let candidates = route
            .kinds()
            .iter()
            .map(|kind| route.source_at(settings, *kind, route.asked()));
        let found = PinnedSource::find(candidates, route.transport(), settings).await;
        let mut repo = match found {
            Ok(repo) => repo,
            Err(error) => return Err(source_error(route, settings, error).await),
        };
        warn_of_dataset(&mut repo, route, settings).await;
        repo.warnings.extend(renamed(&repo.at, &repo.info));
        Ok(Self {
            repo,
            app: None,
            filter: route.filter().clone(),
            left_out: LeftOut::default(),
        })
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
        let repo = self.repo.at_commit(commit, asked, settings);
        Ok(Self {
            repo: repo
                .map_err(|error| hub_error(&error, &self.repo.at, settings, AccessMode::Read))?,
            app: self.app,
            filter: self.filter.clone(),
            left_out: LeftOut::default(),
        })
    }

    /// Whether filters may leave files of it out.
    pub fn is_part(&self) -> bool {
        !self.filter.is_none()
    }

    /// Reads the commit as an earlier listing of it did.
    ///
    /// # Errors
    /// The hub can't be spoken to.
    pub fn take_over(
        &mut self,
        transport: Transport,
        git_files: GitFiles,
        left_out: LeftOut,
        settings: &Settings,
    ) -> CliResult<()> {
        self.left_out = left_out;
        self.repo
            .reuse_listing(transport, git_files, settings)
            .map_err(|error| hub_error(&error, &self.repo.at, settings, AccessMode::Read))
    }

    /// Lists what the run is about.
    ///
    /// # Errors
    /// The hub's.
    pub async fn list(&mut self, settings: &Settings) -> CliResult<Listing> {
        let listed = self.repo.list(settings).await;
        let mut listing =
            listed.map_err(|error| hub_error(&error, &self.repo.at, settings, AccessMode::Read))?;
        if let Some(why) = self.filter.leaves_nothing(&listing) {
            return Err(self.copies_nothing(&why));
        }
        self.repo.warnings.extend(self.filter.unused(&listing));
        self.filter.apply(&mut listing);
        let times = self.times(&listing, settings).await?;
        let before = listing.files.len();
        self.left_out = self.filter.apply_contents(&mut listing, &times);
        match self.filter.sizes_leave_nothing(before, &listing) {
            Some(why) => Err(self.copies_nothing(&why)),
            None => Ok(listing),
        }
    }

    /// Refuses a copy into a repo that does not exist, of which times leave no file: nobody wants an empty repo.
    ///
    /// # Errors
    /// No file is left.
    pub fn check_new_copy(&self, listing: &Listing) -> CliResult<()> {
        match self.filter.changed_since() {
            Some(since) if listing.files.is_empty() && !self.left_out.is_empty() => {
                let why = format!("--changed-since {} leaves no file", escape(since));
                Err(self.copies_nothing(&why))
            }
            _ => Ok(()),
        }
    }

    fn copies_nothing(&self, why: &str) -> CliError {
        let RepoAt { id, hub, .. } = &self.repo.at;
        let revision = &self.repo.asked;
        CliError::usage(format!(
            "{why}, of {id} at {revision} on {hub}: nothing would be copied; change the filter"
        ))
    }

    /// When the files of a listing were changed last; nothing where no filter asks.
    async fn times(&mut self, listing: &Listing, settings: &Settings) -> CliResult<FileTimes> {
        if !self.filter.needs_times() {
            return Ok(FileTimes::new());
        }
        let at = &self.repo.at;
        let told = self.repo.file_times().await;
        let told = told.map_err(|error| hub_error(&error, at, settings, AccessMode::Read))?;
        let times = told.unwrap_or_default();
        let files = listing.files.iter();
        let untold = files.filter(|listed| !times.contains_key(&listed.file.path));
        match untold.count() {
            0 => Ok(times),
            all if all == listing.files.len() => Err(CliError::refused(format!(
                "{} does not tell when files of {} were changed, by the way that it is read: leave out --changed-since, or --use-git",
                at.hub, at.id
            ))),
            some => {
                let files = counted(some as u64, "file");
                let warning = format!(
                    "{} does not tell when {files} were changed: --changed-since keeps them",
                    at.hub
                );
                self.repo.warnings.push(warning);
                Ok(times)
            }
        }
    }

    /// Leaves out of the destination's listing what the filter leaves out of this one.
    pub fn narrow(&self, listing: &Listing, destination: &mut Listing) {
        self.filter
            .apply_to_destination(&self.left_out, listing, destination);
    }

    /// The paths that a size or a time leaves out.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }
}

/// Warns of a dataset of the same id, where a model was found and no kind was asked for.
async fn warn_of_dataset(repo: &mut PinnedSource, route: &Route, settings: &Settings) {
    let others = route
        .kinds()
        .iter()
        .skip_while(|kind| **kind != repo.at.kind);
    let is_open = others.skip(1).any(|kind| *kind == RepoKind::Dataset);
    if repo.at.kind != RepoKind::Model || !is_open {
        return;
    }
    let dataset = RepoAt {
        kind: RepoKind::Dataset,
        revision: route.asked().clone(),
        ..repo.at.clone()
    };
    if describe(&dataset, repo.transport, settings).await.is_ok() {
        repo.warnings.push(format!("{} is a model and a dataset: the model is taken; for the other, give --repo-type dataset", repo.at.id));
    }
}

/// Why there is no source, for a person.
pub async fn source_error(route: &Route, settings: &Settings, error: SourceError) -> CliError {
    match error {
        SourceError::Hub(at, error) if error.kind() == Kind::NotFound => {
            not_found(route, settings, &error, &at).await
        }
        SourceError::Hub(at, error) => hub_error(&error, &at, settings, AccessMode::Read),
        error @ SourceError::NoCommit(_) => {
            let error = hf2ms_hub::Error::from(error);
            CliError::refused(format!(
                "{}; name one with --revision, or read by --use-git",
                error.message()
            ))
        }
        SourceError::NoKind => CliError::usage(
            "there is no kind of repo to look for: give --repo-type model, dataset or space",
        ),
    }
}

/// Which of the two is absent: the repo, or only the revision.
async fn not_found(
    route: &Route,
    settings: &Settings,
    error: &hf2ms_hub::Error,
    at: &RepoAt,
) -> CliError {
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
        let kinds = match kinds.split_last() {
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        };
        let rest = if access.token.is_some() {
            format!("and that the account of {token} may see it")
        } else {
            format!("or set {token} if it is private")
        };
        return CliError::refused(format!(
            "no {kinds} {id} was found on {hub}: check the id, {rest}"
        ))
        .about_absent(Absent::Repo(at.clone()));
    }
    hub_error(error, at, settings, AccessMode::Read)
}
