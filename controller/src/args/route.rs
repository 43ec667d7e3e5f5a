//! The options for the route: which repo is copied where, as which kind, and which of its files.

use std::fmt::Display;
use std::sync::LazyLock;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use hf2ms_hub::{Hub, RepoAt, RepoId, RepoKind, Revision};
use hf2ms_worker::plan::CardPolicy;
use hf2ms_worker::protocol::Transport;
use hf2ms_worker::repo_ref::{DestinationRef, HubSites, RepoRef, direction};

use crate::args::filter::{Filter, FilterArgs};
use crate::settings::Settings;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The second name on the command line of verbs for one repo.
#[derive(Debug, Clone, Default, Args)]
pub struct DestinationArg {
    /// Where to: ms:org/name, ms:OWNER/ (the source's name), ms: (the source's id), org/name (the other hub), or a web address
    #[arg(value_name = "DESTINATION")]
    destination: Option<String>,
}

impl DestinationArg {
    /// What was typed.
    pub fn typed(&self) -> Option<&str> {
        self.destination.as_deref()
    }

    /// The destination that is named, or one that is as the source in all.
    ///
    /// # Errors
    /// It is no destination.
    pub fn parse(&self, settings: &Settings) -> CliResult<DestinationRef> {
        Ok(match &self.destination {
            Some(text) => DestinationRef::parse(text, settings)
                .map_err(|bad| CliError::usage(format!("DESTINATION: {bad}")))?,
            None => DestinationRef::default(),
        })
    }
}

/// Which repo goes where, and which of its files.
#[derive(Debug, Clone, Default, Args)]
pub struct RouteArgs {
    /// The hub to copy to: hf or ms [default: DESTINATION's; else the other one than SOURCE's, and ModelScope for a bare org/name]
    #[arg(long, value_name = "HUB", value_parser = hub)]
    pub to: Option<Hub>,
    /// The repo to copy to [default: DESTINATION's; else the source's id]
    #[arg(long, value_name = "OWNER/NAME")]
    pub dest: Option<RepoId>,
    /// What the repo is [default: found out; models before datasets before spaces]. `model` also copies a Space's files
    /// as a model
    #[arg(long, value_name = "model|dataset|space", value_parser = kind)]
    pub repo_type: Option<RepoKind>,
    /// What becomes of a Space: a studio on ModelScope, a Space on Hugging Face [default: it is skipped]
    #[arg(long, value_name = "studio|space", value_enum)]
    pub spaces_as: Option<SpacesAs>,
    /// The branch, tag or commit to copy [default: main, or master on ModelScope]
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<Revision>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Read the source by Git: its files outside LFS come in one pack [default: for many of them, and where Hugging Face has
    /// locked its API]
    #[arg(long)]
    pub use_git: bool,
    /// Send README.md as it is, though Hugging Face refuses its license [default: the license is named as it wants]
    #[arg(long)]
    pub keep_readme: bool,
}

impl RouteArgs {
    /// The arguments for repos as they are: every file at the main branch, in no other form.
    pub fn of_whole_repos(to: Option<Hub>, repo_type: Option<RepoKind>) -> Self {
        Self {
            to,
            repo_type,
            keep_readme: true,
            ..Self::default()
        }
    }
}

/// The app that a Space becomes: the one of this hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpacesAs(Hub);

impl ValueEnum for SpacesAs {
    fn value_variants<'a>() -> &'a [Self] {
        static APPS: LazyLock<Vec<SpacesAs>> = LazyLock::new(|| {
            let mut hubs: Vec<Hub> = Hub::with_api().collect();
            hubs.retain(|hub| hub.profile().app.is_some());
            hubs.into_iter().rev().map(SpacesAs).collect()
        });
        &APPS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let app = self.0.profile().app?;
        let noun = if app == "space" { "Space" } else { app };
        Some(PossibleValue::new(app).help(format!("A {noun}, on {}", self.0)))
    }
}

/// The hub of a word: its prefix or its name.
///
/// # Errors
/// It is no hub's.
pub fn hub(text: &str) -> Result<Hub, String> {
    Hub::by_prefix(text).ok_or_else(|| {
        let prefixes = Hub::with_api().map(|hub| hub.profile().prefix);
        format!("expected {}", prefixes.collect::<Vec<_>>().join(" or "))
    })
}

/// The kind of a word.
///
/// # Errors
/// It is none.
pub fn kind(text: &str) -> Result<RepoKind, String> {
    RepoKind::ALL
        .into_iter()
        .find(|kind| kind.to_string() == text)
        .ok_or_else(|| "expected model, dataset or space".to_owned())
}

/// Refuses the address of another site than the one that is asked.
///
/// # Errors
/// That is so.
pub fn check_sites(source: &str, destination: Option<&str>, settings: &Settings) -> CliResult<()> {
    HubSites::read(settings).check_is_asked(source)?;
    let written = HubSites::written(settings);
    destination.map_or(Ok(()), |text| Ok(written.check_is_asked(text)?))
}

/// The route of the command line, with both sides.
#[derive(Debug, Clone)]
pub struct Route {
    source: (Hub, RepoId),
    asked: Revision,
    kinds: Vec<RepoKind>,
    destination: (Hub, RepoId),
    kind_there: Option<RepoKind>,
    spaces_as: Option<SpacesAs>,
    filter: Filter,
    card: CardPolicy,
    transport: Transport,
}

impl Route {
    /// Reads what the command line says.
    ///
    /// # Errors
    /// It contradicts itself, or a pattern is none.
    pub fn resolve(
        source: &str,
        named: &DestinationRef,
        args: &RouteArgs,
        settings: &Settings,
    ) -> CliResult<Self> {
        let reference = RepoRef::parse(source, HubSites::read(settings))?;
        let to = agreed(named.hub, args.to, "--to")?;
        let (from, to) = direction(reference.hub, to);
        let kind_there = agreed(named.kind, args.repo_type, "--repo-type")?;
        spaces_fit(args.spaces_as, kind_there, to)?;
        let dest = agreed(named.id(&reference.id)?, args.dest.clone(), "--dest")?;
        let asked = args
            .revision
            .clone()
            .or(reference.revision)
            .unwrap_or_else(|| Revision::main_of(from));
        Ok(Self {
            kinds: kinds(reference.kind, kind_there)?,
            destination: (to, dest.unwrap_or_else(|| reference.id.clone())),
            source: (from, reference.id),
            asked,
            kind_there,
            spaces_as: args.spaces_as,
            filter: Filter::new(&args.filter)?,
            card: if args.keep_readme {
                CardPolicy::Kept
            } else {
                CardPolicy::Mended
            },
            transport: if args.use_git {
                Transport::Git
            } else {
                Transport::Auto
            },
        })
    }

    /// The source, if it is of this kind.
    pub fn source_at(&self, settings: &Settings, kind: RepoKind, revision: &Revision) -> RepoAt {
        let (hub, id) = self.source.clone();
        RepoAt {
            hub,
            endpoint: settings.access(hub).endpoint.clone(),
            kind,
            id,
            revision: revision.clone(),
        }
    }

    /// Says which repos are looked at, before a hub is asked.
    pub fn announce(&self, screen: &Screen) {
        let ((from, source), (to, destination)) = (&self.source, &self.destination);
        screen.looking(format!(
            "looking at both sides: {source} on {from} and {destination} on {to}"
        ));
    }

    /// Where a source that was found to be of this kind goes.
    pub fn destination_at(&self, settings: &Settings, found: RepoKind) -> RepoAt {
        let kind = self.kind_there.unwrap_or(found);
        let (hub, id) = self.destination.clone();
        RepoAt {
            hub,
            endpoint: settings.access_to(hub).endpoint.clone(),
            kind,
            id,
            revision: Revision::main_of(hub),
        }
    }

    /// The policy for a card that the destination refuses.
    pub fn card(&self) -> CardPolicy {
        self.card
    }

    /// How the source is to be read, if the command line says it.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The files that the run is about.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The id of the source.
    pub fn source_id(&self) -> &RepoId {
        &self.source.1
    }

    /// The id of the destination.
    pub fn destination_id(&self) -> &RepoId {
        &self.destination.1
    }

    /// Whether the sources of both may be of one kind.
    pub fn may_be_kind_of(&self, other: &Self) -> bool {
        self.kinds.iter().any(|kind| other.kinds.contains(kind))
    }

    /// The kinds that the source may be, in the order in which it is looked for.
    pub fn kinds(&self) -> &[RepoKind] {
        &self.kinds
    }

    /// The revision of the command line.
    pub fn asked(&self) -> &Revision {
        &self.asked
    }

    /// The hub that is read.
    pub fn from(&self) -> Hub {
        self.source.0
    }

    /// The hub that is written to.
    pub fn to(&self) -> Hub {
        self.destination.0
    }

    /// The kind of app that a Space is copied as, if it is not skipped.
    pub fn spaces_as(&self) -> Option<SpacesAs> {
        self.spaces_as
    }

    /// Whether a space would become a space, which files alone don't make.
    pub fn keeps_space(&self, found: RepoKind) -> bool {
        self.kind_there.unwrap_or(found) == RepoKind::Space
    }
}

/// What DESTINATION or an option says, where they say the same.
fn agreed<T: PartialEq + Display>(
    named: Option<T>,
    given: Option<T>,
    option: &str,
) -> CliResult<Option<T>> {
    match (named, given) {
        (Some(named), Some(given)) if named != given => Err(CliError::usage(format!(
            "DESTINATION says {named}, and {option} {given}: leave one of them out"
        ))),
        (named, given) => Ok(named.or(given)),
    }
}

/// An app is made where there are such, and not of what is to be something else.
fn spaces_fit(app: Option<SpacesAs>, kind: Option<RepoKind>, to: Hub) -> CliResult<()> {
    let Some(app) = app else {
        return Ok(());
    };
    if let Some(kind @ (RepoKind::Model | RepoKind::Dataset)) = kind {
        return Err(CliError::usage(format!(
            "--spaces-as makes an app, and the destination is to be a {kind} (--repo-type, or DESTINATION): leave one of them out"
        )));
    }
    if app.0 != to {
        let fits = to.profile().app.unwrap_or("nothing");
        return Err(CliError::usage(format!(
            "{to} has no such apps: give --spaces-as {fits}"
        )));
    }
    Ok(())
}

/// The kinds that the source may be, in the order in which it is looked for.
fn kinds(named: Option<RepoKind>, forced: Option<RepoKind>) -> CliResult<Vec<RepoKind>> {
    match (named, forced) {
        (Some(named), Some(forced)) if named != forced && named != RepoKind::Space => {
            Err(CliError::usage(format!(
                "SOURCE names a {named}, and --repo-type or DESTINATION a {forced}: give one kind"
            )))
        }
        (Some(named), _) => Ok(vec![named]),
        (None, Some(RepoKind::Space)) => Ok(vec![RepoKind::Space]),
        (None, Some(forced)) => Ok(vec![forced, RepoKind::Space]),
        (None, None) => Ok(RepoKind::ALL.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Command {
        source: String,
        #[command(flatten)]
        destination: DestinationArg,
        #[command(flatten)]
        route: RouteArgs,
    }

    fn way(words: &[&str]) -> CliResult<String> {
        let settings = Settings::read(&|_| None).unwrap();
        let args = <Command as clap::Parser>::try_parse_from([&["x"], words].concat()).unwrap();
        let named = args.destination.parse(&settings)?;
        let route = Route::resolve(&args.source, &named, &args.route, &settings)?;
        let prefix = |hub: Hub| hub.profile().prefix;
        let ((from, source), (to, destination)) = (&route.source, &route.destination);
        let (from, to) = (prefix(*from), prefix(*to));
        Ok(format!("{from}:{source} {to}:{destination}"))
    }

    #[test]
    fn a_destination_is_named_once_or_twice_alike() {
        for (words, route) in [
            (&["a/b"][..], "hf:a/b ms:a/b"),
            (&["a/b", "c/d"], "hf:a/b ms:c/d"),
            (&["ms:a/b", "c/d"], "ms:a/b hf:c/d"),
            (&["a/b", "hf:"], "ms:a/b hf:a/b"),
            (&["hf:a/b", "ms:me/"], "hf:a/b ms:me/b"),
            (&["hf:a/b", "hf:c/d"], "hf:a/b hf:c/d"),
            (&["hf:a/b", "ms:", "--dest", "c/d"], "hf:a/b ms:c/d"),
            (
                &["hf:a/b", "ms:c/d", "--to", "ms", "--dest", "c/d"],
                "hf:a/b ms:c/d",
            ),
            (&["hf:a/b", "c/d", "--to", "hf"], "hf:a/b hf:c/d"),
        ] {
            assert_eq!(way(words).as_deref(), Ok(route), "{words:?}");
        }
        for (words, line) in [
            (
                &["a/b", "ms:c/d", "--to", "hf"][..],
                "DESTINATION says ModelScope, and --to Hugging Face",
            ),
            (
                &["a/b", "c/d", "--dest", "c/e"],
                "DESTINATION says c/d, and --dest c/e",
            ),
            (
                &["a/b", "ms:c/", "--dest", "d/b"],
                "DESTINATION says c/b, and --dest d/b",
            ),
            (
                &["a/b", "ms:datasets/c/d", "--repo-type", "model"],
                "DESTINATION says dataset, and --repo-type model",
            ),
            (&["datasets/a/b", "ms:models/c/d"], "SOURCE names a dataset"),
        ] {
            let failure = way(words).unwrap_err();
            assert_eq!(failure.exit(), hf2ms_worker::protocol::Exit::Usage);
            assert!(failure.to_string().starts_with(line), "{failure}");
        }
    }

    #[test]
    fn a_type_that_is_forced_still_finds_a_space() {
        use RepoKind::{Dataset, Model, Space};
        assert_eq!(kinds(None, None), Ok(vec![Model, Dataset, Space]));
        assert_eq!(kinds(None, Some(Model)), Ok(vec![Model, Space]));
        assert_eq!(kinds(Some(Space), Some(Model)), Ok(vec![Space]));
        assert_eq!(kinds(Some(Dataset), None), Ok(vec![Dataset]));
        assert!(kinds(Some(Dataset), Some(Model)).is_err());
    }
}
