//! A cleanup that follows copies: the same looks, the same rules, the same consents, for sources whose copies were just verified.

use clap::ValueEnum;
use hf2ms_hub::Revision;
use hf2ms_worker::protocol::{Exit, VerifyLevel};

use super::consent::check_none_agreed;
use super::examine::is_gone;
use super::options::{CleanupOptions, LossPolicy, MOST, RemovalRequest};
use super::row::CleanupEntry;
use super::sites;
use crate::args::route::Route;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::settings::hub_errors::token_missing;
use crate::settings::nearest::Hints;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// What follows copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FollowUp {
    /// The sources are deleted, as hf2ms cleanup does it
    Cleanup,
}

/// The consents of the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConsentArgs {
    /// Agree that commits are lost which no copy is known to hold, and discussions and pull requests whose number is not told
    #[arg(long)]
    history_may_go: bool,
    /// Agree that readers of the sources lose their access, where the copies are private or behind a gate
    #[arg(long)]
    readers_may_go: bool,
    /// Agree to the removal of exactly so many repos, without a question [default: each repo's id has to be typed]
    #[arg(long, value_name = "N")]
    yes_delete: Option<u64>,
}

impl ConsentArgs {
    /// Whether a history that no copy holds may be lost.
    pub fn history(&self) -> LossPolicy {
        LossPolicy::of(self.history_may_go)
    }

    /// Whether readers of the source may lose their access.
    pub fn readers(&self) -> LossPolicy {
        LossPolicy::of(self.readers_may_go)
    }

    /// The number of repos that the command line agrees to remove.
    pub fn agreed(&self) -> Option<u64> {
        self.yes_delete
    }

    fn is_given(&self) -> bool {
        self.history_may_go || self.readers_may_go || self.yes_delete.is_some()
    }
}

/// What follows the copies of a command.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FollowUpArgs {
    /// Delete each source once its copy is verified, by the rules of hf2ms cleanup: it is verified anew, and somebody has to agree
    #[arg(long, value_name = "cleanup", value_enum, conflicts_with_all = [
        "dry_run", "detach", "revision", "include", "exclude", "files_from", "min_size", "max_size", "changed_since", "spaces_as",
    ])]
    then: Option<FollowUp>,
    #[command(flatten)]
    consent: ConsentArgs,
}

impl FollowUpArgs {
    /// Whether the sources are to be removed.
    pub fn removes(&self) -> bool {
        self.then == Some(FollowUp::Cleanup)
    }

    /// Refuses consents to a removal that nothing asks for.
    ///
    /// # Errors
    /// That is so.
    pub fn fit(&self) -> CliResult<()> {
        match self.consent.is_given() && !self.removes() {
            true => Err(CliError::usage(
                "--yes-delete, --history-may-go and --readers-may-go agree to a removal, and none is asked for: give --then cleanup, too",
            )),
            false => Ok(()),
        }
    }

    /// Refuses sources that no cleanup removes, before anything is copied.
    ///
    /// # Errors
    /// A source names a revision, its hub lets no token remove it, or the token is missing.
    pub fn check(&self, route: &Route, settings: &Settings) -> CliResult<()> {
        if !self.removes() {
            return Ok(());
        }
        let (from, id) = (route.from(), route.source_id());
        if *route.asked() != Revision::main_of(from) {
            return Err(CliError::usage(format!(
                "SOURCE names a revision of {id}, and --then cleanup is about the whole repo: leave one of them out"
            )));
        }
        sites::check_not_of_folder(route, settings)?;
        if !from.profile().abilities.deletes_repos {
            return Err(CliError::refused(format!(
                "{from} lets no token remove {id}: leave --then out, and use its web page"
            )));
        }
        let access = settings.access(from);
        match access.token {
            Some(_) => Ok(()),
            None => Err(token_missing(from, access)),
        }
    }

    /// Whether nothing is left to copy: the source is not there, and a run of this machine has deleted it.
    ///
    /// # Errors
    /// The hub's.
    pub async fn is_done(
        &self,
        route: &Route,
        settings: &Settings,
        runs: &Runs,
    ) -> CliResult<bool> {
        Ok(self.removes() && is_gone(route, runs, settings).await?)
    }

    /// Removes these sources, whose copies were just verified, or that are gone already.
    ///
    /// # Errors
    /// As [`super::run`]; there is none, and the command line has agreed to some.
    pub async fn follow(
        &self,
        entries: &[CleanupEntry],
        (settings, runs): (&Settings, &Runs),
        stop: &Stop,
        screen: &Screen,
    ) -> CliResult<Exit> {
        let agreed = self.consent.agreed();
        if entries.is_empty() {
            return check_none_agreed(agreed, 0).map(|()| Exit::Done);
        }
        let options = CleanupOptions {
            settings,
            runs,
            stop,
            request: Some(RemovalRequest::Delete),
            level: VerifyLevel::Sample,
            history: self.consent.history(),
            readers: self.consent.readers(),
            agreed,
            // The exact number is a limit itself.
            most: agreed.map_or(MOST, |_| u64::MAX),
            hints: Hints::default(),
        };
        let summary = super::run(entries, &options, screen).await?;
        Ok(summary.exit())
    }
}
