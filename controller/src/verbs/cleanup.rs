//! `hf2ms cleanup`: removes sources whose copies are whole.

use std::path::PathBuf;

use clap::ArgGroup;
use hf2ms_hub::{Hub, RepoId, RepoKind};
use hf2ms_worker::protocol::{Exit, VerifyLevel};

use crate::args::route::{self, RouteArgs};
use crate::batch::list::{self, BatchEntry, SourceLine};
use crate::cleanup;
use crate::cleanup::follow_up::ConsentArgs;
use crate::cleanup::options::{CleanupOptions, MOST, MoveTarget, RemovalRequest};
use crate::cleanup::row::CleanupEntry;
use crate::cleanup::sites;
use crate::runs::Runs;
use crate::settings::hub_errors::token_missing;
use crate::settings::nearest::Hints;
use crate::settings::{self, Settings, writable_state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Show which sources have a whole copy, and delete them if that is asked for
///
/// Without --delete, --move-to or --make-private only a table is shown: what could go, and why the rest stays. Each source is verified
/// anew, all branches and tags, every file by its digest. Then somebody has to agree, and both sides are looked at once more, directly
/// before the hub is asked. Whatever is in doubt keeps a source. No option of this verb comes from a file or a variable.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("repos").args(["sources", "file"]).required(true))]
pub struct Args {
    /// The repos that may go: org/name, hf:org/name, or their web addresses
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,
    /// Read them from a list (- for stdin), as `batch --file` takes it: a source and, if it has another id, its copy a line
    #[arg(long, value_name = "LIST", conflicts_with = "sources")]
    file: Option<PathBuf>,
    /// The hub of the copies: hf or ms [default: that of --against; else the other one than SOURCE's]
    #[arg(long, value_name = "HUB", value_parser = route::hub)]
    to: Option<Hub>,
    /// The owner of the copies, which have the same names: OWNER, ms:OWNER or hf:OWNER [default: the source's owner]
    #[arg(long, value_name = "OWNER")]
    against: Option<String>,
    /// What the repos are: model or dataset [default: found out; an id that is both stays]
    #[arg(long, value_name = "KIND", value_parser = route::kind)]
    repo_type: Option<RepoKind>,
    /// Read every byte of each copy and hash it [default: both ends of each content]
    #[arg(long)]
    deep: bool,
    #[command(flatten)]
    action: ActionArgs,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Remove at most so many repos; where more would go, none is removed
    #[arg(long, value_name = "N", default_value_t = MOST)]
    max_delete: u64,
    /// Print NDJSON and nothing else: an event a repo, and the counts last
    #[arg(long)]
    pub json: bool,
}

/// What is done with the sources.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct ActionArgs {
    /// Delete each source whose copy is whole
    #[arg(long)]
    delete: bool,
    /// Move each to this id of its hub instead: a name, or OWNER/NAME; the word NAME in it stands for the repo's name, as in archive-NAME
    #[arg(long, value_name = "TARGET")]
    move_to: Option<MoveTarget>,
    /// Make each private instead
    #[arg(long)]
    make_private: bool,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms cleanup org/name                           what could go, and what is lost with it
  hf2ms cleanup --file repos.txt --against ms:me   the same for a list
  hf2ms cleanup org/name --delete                  asks for the repo's id, then deletes it
  hf2ms cleanup --file repos.txt --delete --yes-delete 7
                                                   in a script: the exact number of repos
  hf2ms cleanup org/name --move-to archive-NAME    keeps it under another name
  hf2ms cleanup org/name --make-private            keeps it for its owner alone";

/// Examines the sources, and removes what may go.
///
/// # Errors
/// The command line or the list is wrong; a hub refuses the token; nobody has agreed.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let request = args.action.request();
    args.fit(request.as_ref())?;
    let settings = settings::load()?;
    let runs = Runs::new(&writable_state_dir()?);
    let entries = args.entries(&settings, &runs, screen)?;
    check_tokens(&entries, &args, request.as_ref(), &settings)?;
    let options = CleanupOptions {
        settings: &settings,
        runs: &runs,
        stop,
        request,
        level: match args.deep {
            true => VerifyLevel::Deep,
            false => VerifyLevel::Sample,
        },
        history: args.consent.history(),
        readers: args.consent.readers(),
        agreed: args.consent.agreed(),
        most: args.max_delete,
        hints: Hints::default(),
    };
    let summary = cleanup::run(&entries, &options, screen).await?;
    Ok(summary.exit())
}

impl ActionArgs {
    fn request(&self) -> Option<RemovalRequest> {
        match (self.delete, &self.move_to, self.make_private) {
            (true, ..) => Some(RemovalRequest::Delete),
            (_, Some(target), _) => Some(RemovalRequest::MoveTo(target.clone())),
            (_, _, true) => Some(RemovalRequest::MakePrivate),
            _ => None,
        }
    }
}

impl Args {
    /// Whether anything is to be removed.
    pub fn removes(&self) -> bool {
        self.action.request().is_some()
    }

    /// Refuses what contradicts itself.
    fn fit(&self, request: Option<&RemovalRequest>) -> CliResult<()> {
        if self.consent.agreed().is_some() && request.is_none() {
            return Err(CliError::usage(
                "--yes-delete agrees to a removal, and none is asked for: give --delete, --move-to or --make-private, too",
            ));
        }
        if self.repo_type == Some(RepoKind::Space) {
            return Err(CliError::usage(
                "a Space stays: what it runs, its secrets and its variables are not compared; give --repo-type model or dataset",
            ));
        }
        Ok(())
    }

    /// The hub and the owner of the copies, as far as they are named.
    fn copies(&self) -> CliResult<(Option<Hub>, Option<&str>)> {
        let Some(against) = &self.against else {
            return Ok((self.to, None));
        };
        let wrong = |why| CliError::usage(format!("--against: {why}: write ms:OWNER or hf:OWNER"));
        let (hub, owner) = match against.split_once(':') {
            None => (None, against.as_str()),
            Some((prefix, owner)) => (Some(route::hub(prefix).map_err(wrong)?), owner),
        };
        match (hub, self.to) {
            (Some(named), Some(to)) if named != to => Err(CliError::usage(format!(
                "--against says {named}, and --to {to}: leave one of them out"
            ))),
            (hub, to) => {
                let owner = owner.trim_end_matches('/');
                let any: Result<RepoId, _> = format!("{owner}/any").parse();
                any.map_err(|bad| wrong(bad.to_string()))?;
                Ok((hub.or(to), Some(owner)))
            }
        }
    }

    fn entries(
        &self,
        settings: &Settings,
        runs: &Runs,
        screen: &Screen,
    ) -> CliResult<Vec<CleanupEntry>> {
        let lines = match &self.file {
            Some(file) => list::read_file(file)?,
            None => {
                let plain = self.sources.iter().map(|source| SourceLine::plain(source));
                plain.map(Ok).collect()
            }
        };
        if self.removes() {
            list::check_sites(&lines, settings)?;
        }
        let (hub, owner) = self.copies()?;
        let route = RouteArgs::of_whole_repos(hub, self.repo_type);
        let entries = list::entries(lines, &route, owner, settings, screen)?;
        entries
            .iter()
            .try_for_each(BatchEntry::check_is_whole_repo)?;
        sites::check_no_copy(&entries, self.file.is_none(), runs)?;
        Ok(entries.into_iter().map(CleanupEntry::of).collect())
    }
}

/// Refuses a removal for which a token is missing, before anything is asked.
fn check_tokens(
    entries: &[CleanupEntry],
    args: &Args,
    request: Option<&RemovalRequest>,
    settings: &Settings,
) -> CliResult<()> {
    if request.is_none() {
        return Ok(());
    }
    for CleanupEntry { route, .. } in entries {
        sites::check_not_of_folder(route, settings)?;
        let (from, to) = (
            settings.access(route.from()),
            settings.access_to(route.to()),
        );
        if from.token.is_none() {
            return Err(token_missing(route.from(), from));
        }
        if args.deep && to.token.is_none() {
            return Err(token_missing(route.to(), to));
        }
    }
    Ok(())
}
