//! Which repos an inventory is about: all that owners have at the source, and where the copy of each is to be.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_hub::path::escape;
use hf2ms_hub::{
    Error, Hub, Kind, OwnedRepo, OwnerRepos, Refused, RepoAt, RepoId, RepoKind, Revision,
};
use hf2ms_worker::protocol::Exit;
use hf2ms_worker::repo_ref::{DestinationRef, HubSites, RepoRef, direction};

use crate::args::route::hub;
use crate::batch::list;
use crate::settings::Settings;
use crate::settings::account::{self, owned_repos, owns_nothing};
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::settings::nearest::Hints;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::few;

/// Lists of owners that are asked for at a time.
const LISTS: usize = 3;

/// The owners, and where their copies are.
#[derive(Debug, Clone, clap::Args)]
pub struct OwnersArgs {
    /// The accounts or organisations: NAME, hf:NAME or ms:NAME
    #[arg(value_name = "OWNER", required = true)]
    pub owners: Vec<String>,
    /// The hub of owners that are named without one: hf or ms [default: the other one than that of --against, else hf]
    #[arg(long, value_name = "HUB", value_parser = hub)]
    pub from: Option<Hub>,
    /// Where the copies are: ms:OWNER or hf:OWNER, or an owner of the other hub [default: the other hub, the same owner]
    #[arg(long, value_name = "HUB:OWNER")]
    pub against: Option<String>,
    /// Take the destinations of some repos from this list, as `batch --file` takes it: a source and a destination a line
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Repos of these kinds only [default: models, datasets and spaces]
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub repo_type: Vec<RepoKind>,
}

fn kind(text: &str) -> Result<RepoKind, String> {
    let mut all = RepoKind::ALL.into_iter();
    all.find(|kind| kind.to_string() == text)
        .ok_or_else(|| "expected model, dataset or space".to_owned())
}

/// A repo of an owner, and its destination.
#[derive(Debug, Clone)]
pub struct InventoryEntry {
    /// The source, at its main branch.
    pub source: RepoAt,
    /// What the owner's list tells of it.
    pub owned: OwnedRepo,
    /// The destination, at its main branch.
    pub destination: RepoAt,
    /// What the list of the destination's owner tells of it, if it is in there: private repos may be left out.
    pub listed: Option<OwnedRepo>,
}

/// All repos of an inventory.
#[derive(Debug, Default)]
pub struct InventoryEntries {
    /// The repos, by owner and kind.
    pub entries: Vec<InventoryEntry>,
    /// Entries of the lists that can't be copied.
    pub refused: Vec<Refused>,
    /// Owners, of several, that have no repo.
    absent: usize,
    /// Lines for the user about what was not listed.
    pub warnings: Vec<String>,
    /// What the owners of the destinations have.
    pub at_destination: Vec<OwnedRepo>,
    /// The hub of the destinations, where all are on one.
    pub to: Option<Hub>,
}

/// An owner at the source, and how destinations are named.
struct Owner {
    hub: Hub,
    name: String,
    to: Hub,
}

/// Finds all repos of the owners.
///
/// # Errors
/// The command line or the list is wrong; a hub's; an owner has no repo.
pub async fn find(args: &OwnersArgs, settings: &Settings) -> CliResult<InventoryEntries> {
    let against = against(args.against.as_deref(), settings)?;
    let owners = args.owners.iter().map(|owner| {
        let found = Owner::parse(owner, args.from, against.hub, settings);
        found.map_err(|bad| {
            CliError::usage(format!("OWNER: {bad}; give the name of an account alone"))
        })
    });
    let owners = owners.collect::<CliResult<Vec<Owner>>>()?;
    let map = Destinations::read(args, against, settings)?;
    let (mut all, hints) = (InventoryEntries::default(), Hints::default());
    for owner in &owners {
        let listed = owner.list(&args.kinds(), &map, settings, &mut all).await;
        let listed = match listed {
            Err(failure) => Err(hints.beside(failure).await),
            listed => listed,
        };
        all.take_owner(listed, owners.len())?;
    }
    all.drop_repeats();
    all.warnings.extend(map.unused(&all.entries));
    all.look_at_destinations(settings).await?;
    Ok(all)
}

impl OwnersArgs {
    fn kinds(&self) -> Vec<RepoKind> {
        match self.repo_type.as_slice() {
            [] => RepoKind::ALL.to_vec(),
            some => some.to_vec(),
        }
    }
}

/// The owner that `--against` names: a destination without a repo's name.
fn against(text: Option<&str>, settings: &Settings) -> CliResult<DestinationRef> {
    let Some(text) = text else {
        return Ok(DestinationRef::default());
    };
    let whole = match text.ends_with(['/', ':']) {
        true => text.to_owned(),
        false => format!("{text}/"),
    };
    let parsed = DestinationRef::parse(&whole, settings).ok();
    let is_owner = whole.matches('/').count() <= 1;
    parsed.filter(|_| is_owner).ok_or_else(|| {
        CliError::usage(format!(
            "--against: '{}' is not an owner: write ms:OWNER, hf:OWNER or OWNER",
            escape(text)
        ))
    })
}

/// Whether `text` is the address of an owner's page, as browsers show it: `https://huggingface.co/org`.
fn is_page_of_owner(text: &str, owner: &str) -> bool {
    let site = text.trim_end_matches('/').strip_suffix(owner);
    let host = site.and_then(|site| site.strip_suffix('/'));
    host.is_some_and(|host| {
        let host = host.split_once("://").map_or(host, |(_, host)| host);
        host.contains('.') && !host.contains('/')
    })
}

impl Owner {
    fn parse(
        text: &str,
        from: Option<Hub>,
        to: Option<Hub>,
        settings: &Settings,
    ) -> CliResult<Self> {
        let any = format!("{}/any", text.trim_end_matches('/'));
        let named = RepoRef::parse(&any, HubSites::read(settings))?;
        if let (Some(named), Some(from)) = (named.hub, from)
            && named != from
        {
            return Err(CliError::usage(format!(
                "{} is on {named}, and --from says {from}: leave one of them out",
                escape(text)
            )));
        }
        let (hub, to) = direction(named.hub.or(from), to);
        if named.kind.is_some() && !is_page_of_owner(text, named.id.owner()) {
            return Err(CliError::usage(format!(
                "{} names a kind of repo, and an owner has none: give --repo-type",
                escape(text)
            )));
        }
        Ok(Self {
            hub,
            name: named.id.owner().to_owned(),
            to,
        })
    }

    /// Adds the repos of these kinds.
    async fn list(
        &self,
        kinds: &[RepoKind],
        map: &Destinations,
        settings: &Settings,
        all: &mut InventoryEntries,
    ) -> CliResult<()> {
        let before = all.entries.len();
        let lists = stream::iter(kinds).map(|kind| async move {
            let at = any_of(
                self.hub,
                *kind,
                &self.name,
                &settings.access(self.hub).endpoint,
            )?;
            Ok::<_, CliError>((at.clone(), listed(&at, AccessMode::Read, settings).await?))
        });
        let lists: Vec<(RepoAt, Listed)> = lists.buffered(LISTS).try_collect().await?;
        let mut refused = 0;
        for (any, list) in lists {
            match list {
                Ok(owned) => {
                    refused += owned.refused.len();
                    all.refused.extend(owned.refused);
                    for owned in owned.repos {
                        let source = RepoAt {
                            id: owned.id.clone(),
                            ..any.clone()
                        };
                        all.add(source, owned, self.to, map, settings)?;
                    }
                }
                Err(error) => all.warnings.push(format!(
                    "{} does not list the {}s of {}: they are left out ({error})",
                    any.hub, any.kind, self.name
                )),
            }
        }
        if all.entries.len() + refused == before {
            let endpoint = &settings.access(self.hub).endpoint;
            let at = any_of(self.hub, RepoKind::Model, &self.name, endpoint)?;
            return Err(owns_nothing(&at, kinds));
        }
        Ok(())
    }
}

/// What a hub lists; its error where it does not list repos of this kind.
type Listed = Result<OwnerRepos, Error>;

/// A repo of an owner, of which the name does not matter.
fn any_of(hub: Hub, kind: RepoKind, owner: &str, endpoint: &str) -> CliResult<RepoAt> {
    account::any_of(hub, kind, owner, endpoint)
        .map_err(|bad| CliError::usage(format!("{bad}; give the name of an account")))
}

/// What the owner of `at` has of its kind. A site that lists no apps, or knows no such owner of copies, ends nothing.
async fn listed(at: &RepoAt, mode: AccessMode, settings: &Settings) -> CliResult<Listed> {
    let explained = |error: Error| hub_error(&error, at, settings, mode);
    match owned_repos(at, mode, settings).await {
        Err(error)
            if is_not_listed(&error)
                && (at.kind == RepoKind::Space || mode == AccessMode::ReadDestination) =>
        {
            Ok(Err(error))
        }
        listed => Ok(Ok(listed.map_err(explained)?)),
    }
}

fn is_not_listed(error: &Error) -> bool {
    matches!(error.kind(), Kind::NotFound | Kind::Usage)
}

/// Where copies are: by the list of `--map`, else by `--against`.
struct Destinations {
    against: DestinationRef,
    /// By what a line says of the source.
    named: HashMap<NamedSource, DestinationRef>,
}

/// A source of a list: its id and, where the line names them, its hub and kind.
type NamedSource = (Option<Hub>, RepoId, Option<RepoKind>);

impl Destinations {
    fn read(args: &OwnersArgs, against: DestinationRef, settings: &Settings) -> CliResult<Self> {
        let lines = match &args.map {
            Some(path) => list::read_pairs(path)?,
            None => Vec::new(),
        };
        let pairs = list::named_pairs(lines, settings)?;
        let mut named: HashMap<NamedSource, DestinationRef> = HashMap::new();
        // A line without a destination says nothing of one.
        let pairs = pairs
            .into_iter()
            .filter(|(_, to)| *to != DestinationRef::default());
        for (source, to) in pairs {
            let id = source.id.clone();
            let before = named.insert((source.hub, source.id, source.kind), to.clone());
            if before.is_some_and(|before| before != to) {
                return Err(CliError::usage(format!(
                    "--map: {id} has two destinations: leave one of the lines out"
                )));
            }
        }
        Ok(Self { against, named })
    }

    /// A warning about lines of the list whose source is not among these repos.
    fn unused(&self, entries: &[InventoryEntry]) -> Option<String> {
        let has = |(hub, id, kind): &NamedSource| {
            let mut sources = entries.iter().map(|entry| &entry.source);
            sources.any(|at| {
                at.id == *id
                    && hub.is_none_or(|hub| hub == at.hub)
                    && kind.is_none_or(|kind| kind == at.kind)
            })
        };
        let unused = self.named.keys().filter(|named| !has(named));
        let mut names: Vec<&str> = unused.map(|(_, id, _)| id.as_str()).collect();
        names.sort_unstable();
        let is_any = !names.is_empty();
        is_any.then(|| format!("--map: no owner has {}: check the names", few(&names)))
    }

    /// The destination of a source, whose hub is `to` where none is named.
    fn of(&self, source: &RepoAt, to: Hub, settings: &Settings) -> CliResult<RepoAt> {
        let by = |hub, kind| self.named.get(&(hub, source.id.clone(), kind));
        let (hub, kind) = (Some(source.hub), Some(source.kind));
        let named = by(hub, kind)
            .or_else(|| by(hub, None))
            .or_else(|| by(None, kind))
            .or_else(|| by(None, None));
        let named = named.unwrap_or(&self.against);
        let hub = named.hub.unwrap_or(to);
        let at = RepoAt {
            hub,
            endpoint: settings.access_to(hub).endpoint.clone(),
            kind: named.kind.unwrap_or(source.kind),
            id: named.id(&source.id)?.unwrap_or_else(|| source.id.clone()),
            revision: Revision::main_of(hub),
        };
        if at.is_same_repo(source) {
            return Err(CliError::usage(format!(
                "{} {} on {} would be compared with itself: give --against with another hub or owner",
                at.kind, at.id, at.hub
            )));
        }
        Ok(at)
    }
}

impl InventoryEntries {
    /// Entries and owners that have no row.
    pub fn left_out(&self) -> usize {
        self.refused.len() + self.absent
    }

    /// Takes how the listing of one of so many owners ended. One that is absent among others costs only itself.
    fn take_owner(&mut self, listed: CliResult<()>, owners: usize) -> CliResult<()> {
        match listed {
            Err(failure)
                if owners > 1 && !failure.ends_all() && failure.exit() == Exit::Refused =>
            {
                self.warnings.push(failure.with_hint());
                self.absent += 1;
                Ok(())
            }
            listed => listed,
        }
    }

    fn add(
        &mut self,
        source: RepoAt,
        owned: OwnedRepo,
        to: Hub,
        map: &Destinations,
        settings: &Settings,
    ) -> CliResult<()> {
        let destination = map.of(&source, to, settings)?;
        self.entries.push(InventoryEntry {
            source,
            owned,
            destination,
            listed: None,
        });
        Ok(())
    }

    /// Keeps each source once, and warns of sources that have the same destination: a batch would refuse them.
    fn drop_repeats(&mut self) {
        let mut sources = HashSet::new();
        self.entries
            .retain(|entry| sources.insert(entry.source.web_url()));
        let mut by_destination: HashMap<String, &InventoryEntry> = HashMap::new();
        for entry in &self.entries {
            let first = by_destination.insert(entry.destination.web_url(), entry);
            if let Some(first) = first {
                let (a, b, to) = (&first.source.id, &entry.source.id, &entry.destination.id);
                self.warnings.push(format!(
                    "{a} and {b} have the same destination, {to}: name another for one of them, with --map"
                ));
            }
        }
    }

    /// Lists what the owners of the destinations have, once for each owner and kind: Hugging Face tells so where each repo stands.
    async fn look_at_destinations(&mut self, settings: &Settings) -> CliResult<()> {
        let mut owners: Vec<RepoAt> = Vec::new();
        let destinations = self.entries.iter().map(|entry| &entry.destination);
        for at in destinations.flat_map(lists_of) {
            let is_new = |known: &RepoAt| key(known) != key(&at);
            if owners.iter().all(is_new) {
                owners.push(at);
            }
        }
        self.to = owners.first().map(|first| first.hub);
        self.to = self.to.filter(|to| owners.iter().all(|at| at.hub == *to));
        let lists = stream::iter(owners).map(|at| async move {
            match listed(&at, AccessMode::ReadDestination, settings).await? {
                Ok(owned) => Ok::<_, CliError>(
                    owned
                        .repos
                        .into_iter()
                        .map(|one| (at.clone(), one))
                        .collect(),
                ),
                Err(_) => Ok(Vec::new()),
            }
        });
        let lists: Vec<Vec<(RepoAt, OwnedRepo)>> = lists.buffered(LISTS).try_collect().await?;
        let mut there = HashMap::new();
        for (at, owned) in lists.into_iter().flatten() {
            self.at_destination.push(owned.clone());
            there.insert((at.hub, at.kind, owned.id.as_str().to_lowercase()), owned);
        }
        for entry in &mut self.entries {
            let at = &entry.destination;
            let id = at.id.as_str().to_lowercase();
            entry.listed = there.get(&(at.hub, at.kind, id)).cloned();
        }
        Ok(())
    }
}

/// The lists that tell of a destination: that of its kind, and where private repos of all kinds share the room of an account, all.
fn lists_of(destination: &RepoAt) -> Vec<RepoAt> {
    let shares_room = !destination.hub.profile().private_storage.is_empty();
    let kinds = RepoKind::ALL.into_iter();
    let kinds = kinds.filter(|kind| shares_room || *kind == destination.kind);
    let of_kind = |kind| RepoAt {
        kind,
        ..destination.clone()
    };
    kinds.map(of_kind).collect()
}

/// What one list is about.
fn key(at: &RepoAt) -> (Hub, RepoKind, String) {
    (at.hub, at.kind, at.id.owner().to_lowercase())
}
