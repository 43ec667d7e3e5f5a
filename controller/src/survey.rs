//! Looking at both sides, before anything is decided: what was asked for, what the source holds at which commit, what
//! the destination has, and whether it may be written.

use std::sync::Arc;

use clap::Args;
use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{
    Account, Destination, Error, Gate, Hub, Kind, Listing, RepoAt, RepoId, RepoInfo, RepoKind, Revision, Source, open_destination,
    open_source,
};

use crate::explain::{Doing, Failure, Outcome, explain, token_missing, token_name, token_page};
use crate::filter::Filter;
use crate::place::{Place, direction};
use crate::settings::Settings;

/// Which repo goes where, and which of its files.
#[derive(Debug, Clone, Args)]
pub struct RouteArgs {
    /// The hub to copy to [default: the other one than SOURCE's; ModelScope for a bare org/name]
    #[arg(long, value_name = "HUB", value_parser = hub)]
    pub to: Option<Hub>,
    /// The repo to copy to [default: the source's id]
    #[arg(long, value_name = "OWNER/NAME")]
    pub dest: Option<RepoId>,
    /// What the repo is [default: found out; models before datasets before spaces]. `model` also copies a Space's files
    /// as a model
    #[arg(long, value_name = "model|dataset|space", value_parser = kind)]
    pub repo_type: Option<RepoKind>,
    /// The branch, tag or commit to copy [default: main]
    #[arg(long, value_name = "REVISION")]
    pub revision: Option<Revision>,
    /// Only files that match; may be given several times. `*` matches `/` too
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// No files that match; may be given several times
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

fn hub(text: &str) -> Result<Hub, String> {
    match text {
        "hf" | "huggingface" => Ok(Hub::HuggingFace),
        "ms" | "modelscope" => Ok(Hub::ModelScope),
        _ => Err("expected hf or ms".to_owned()),
    }
}

fn kind(text: &str) -> Result<RepoKind, String> {
    RepoKind::ALL.into_iter().find(|kind| kind.to_string() == text).ok_or_else(|| "expected model, dataset or space".to_owned())
}

/// What was asked for, both sides named.
#[derive(Debug, Clone)]
pub struct Route {
    source: (Hub, RepoId),
    asked: Revision,
    kinds: Vec<RepoKind>,
    destination: (Hub, RepoId),
    kind_there: Option<RepoKind>,
    filter: Filter,
}

impl Route {
    /// Reads what the command line says.
    ///
    /// # Errors
    /// It contradicts itself, or a pattern is none.
    pub fn resolve(source: &str, args: &RouteArgs, settings: &Settings) -> Outcome<Self> {
        let place = Place::parse(source, settings)?;
        let (from, to) = direction(place.hub, args.to)?;
        if from == Hub::ModelScope {
            return Err(Failure::usage(format!("{from} can't be a source yet: only Hugging Face to ModelScope is possible")));
        }
        let main = || "main".parse().map_err(|bad| Failure::usage(format!("{bad}")));
        let asked = args.revision.clone().or(place.revision).map_or_else(main, Ok)?;
        Ok(Self {
            kinds: kinds(place.kind, args.repo_type)?,
            destination: (to, args.dest.clone().unwrap_or_else(|| place.id.clone())),
            source: (from, place.id),
            asked,
            kind_there: args.repo_type,
            filter: Filter::new(&args.include, &args.exclude)?,
        })
    }

    fn source_at(&self, settings: &Settings, kind: RepoKind, revision: &Revision) -> RepoAt {
        let (hub, id) = self.source.clone();
        RepoAt { hub, endpoint: settings.access(hub).endpoint.clone(), kind, id, revision: revision.clone() }
    }

    fn destination_at(&self, settings: &Settings, kind: RepoKind) -> Outcome<RepoAt> {
        let (hub, id) = self.destination.clone();
        let branch = match hub {
            Hub::HuggingFace => "main",
            Hub::ModelScope => "master",
        };
        let revision = branch.parse().map_err(|bad| Failure::usage(format!("{bad}")))?;
        Ok(RepoAt { hub, endpoint: settings.access(hub).endpoint.clone(), kind, id, revision })
    }

    /// The hub that is written to.
    pub fn to(&self) -> Hub {
        self.destination.0
    }

    /// Whether a space would become a space: ModelScope's studios are none of Hugging Face's.
    pub fn keeps_space(&self, found: RepoKind) -> bool {
        self.kind_there.unwrap_or(found) == RepoKind::Space
    }
}

/// The kinds that the source may be, in the order in which it is looked for.
fn kinds(named: Option<RepoKind>, forced: Option<RepoKind>) -> Outcome<Vec<RepoKind>> {
    match (named, forced) {
        (Some(named), Some(forced)) if named != forced && named != RepoKind::Space => {
            Err(Failure::usage(format!("SOURCE names a {named}, and --repo-type a {forced}: leave one of them out")))
        }
        (Some(named), _) => Ok(vec![named]),
        (None, Some(RepoKind::Space)) => Ok(vec![RepoKind::Space]),
        (None, Some(forced)) => Ok(vec![forced, RepoKind::Space]),
        (None, None) => Ok(RepoKind::ALL.to_vec()),
    }
}

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
        for (index, kind) in route.kinds.iter().enumerate() {
            let at = route.source_at(settings, *kind, &route.asked);
            match describe(&at, settings).await {
                Ok(info) => return Self::pinned(route, settings, at, info, &route.kinds[index + 1..]).await,
                Err(error) if error.kind() == Kind::NotFound => absent = absent.or(Some((error, at))),
                Err(error) => return Err(explain(&error, &at, has_token(settings, &at), Doing::Reading)),
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
            let dataset = RepoAt { kind: RepoKind::Dataset, revision: route.asked.clone(), ..at.clone() };
            if describe(&dataset, settings).await.is_ok() {
                warnings.push(format!("{} is a model and a dataset: the model is taken; for the other, give --repo-type dataset", at.id));
            }
        }
        if info.gate == Gate::Gated {
            warnings.push(format!("{} is gated, and the copy will not be: give --private unless its terms allow that", at.id));
        }
        let source =
            open_source(&settings.side(&at), HttpOptions::default()).map_err(|error| said(&error, &at, settings, Doing::Reading))?;
        Ok(Self { asked: route.asked.clone(), at, info, warnings, source, filter: route.filter.clone() })
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
    open_source(&settings.side(at), HttpOptions::default())?.describe().await
}

/// Which of the two is absent: the repo, or only the revision.
async fn not_found(route: &Route, settings: &Settings, error: &Error, at: &RepoAt) -> Failure {
    for kind in &route.kinds {
        let Ok(main) = "main".parse() else { break };
        if route.asked.as_str() != "main" && describe(&route.source_at(settings, *kind, &main), settings).await.is_ok() {
            let (id, hub) = (&at.id, at.hub);
            return Failure::refused(format!("{kind} {id} on {hub} has no revision {}: check --revision", route.asked));
        }
    }
    if route.kinds.len() > 1 {
        let (id, hub, token) = (&at.id, at.hub, token_name(at.hub));
        let kinds: Vec<String> = route.kinds.iter().map(RepoKind::to_string).collect();
        let rest = if has_token(settings, at) {
            format!("and that the account of {token} may see it")
        } else {
            format!("or set {token} if it is private")
        };
        return Failure::refused(format!("no {} {id} was found on {hub}: check the id, {rest}", kinds.join(" or ")));
    }
    said(error, at, settings, Doing::Reading)
}

/// The destination as it was found.
pub struct There {
    /// The repo and its branch.
    pub at: RepoAt,
    /// What its hub says of it; `None` when it is absent.
    pub info: Option<RepoInfo>,
    /// Its files; none when it is absent.
    pub listing: Listing,
    /// How it is spoken to.
    pub hub: Arc<dyn Destination>,
    account: Option<Account>,
    filter: Filter,
}

impl There {
    /// Where a found source goes.
    ///
    /// # Errors
    /// A bad branch name.
    pub fn place(route: &Route, settings: &Settings, found: RepoKind) -> Outcome<RepoAt> {
        route.destination_at(settings, route.kind_there.unwrap_or(found))
    }

    /// Looks at a destination that will be written: who we are there comes first.
    ///
    /// # Errors
    /// No token, a bad one, or one that may not write there.
    pub async fn to_write(at: RepoAt, filter: Filter, settings: &Settings) -> Outcome<Self> {
        if !has_token(settings, &at) {
            return Err(token_missing(at.hub, &at.endpoint));
        }
        let hub = open(&at, settings)?;
        let account = hub.account().await.map_err(|error| said(&error, &at, settings, Doing::Writing))?;
        may_write(&account, &at)?;
        Self::look(at, filter, settings, hub, Some(account)).await
    }

    /// Looks at a destination that is only read.
    ///
    /// # Errors
    /// The hub's.
    pub async fn to_read(at: RepoAt, filter: Filter, settings: &Settings) -> Outcome<Self> {
        let hub = open(&at, settings)?;
        Self::look(at, filter, settings, hub, None).await
    }

    async fn look(at: RepoAt, filter: Filter, settings: &Settings, hub: Arc<dyn Destination>, account: Option<Account>) -> Outcome<Self> {
        let info = hub.describe().await.map_err(|error| said(&error, &at, settings, Doing::Writing))?;
        let mut there = Self { at, info, listing: Listing::default(), hub, account, filter };
        if there.info.is_some() {
            there.listing = there.list(settings).await?;
        }
        Ok(there)
    }

    /// Lists what the run is about, anew.
    ///
    /// # Errors
    /// The hub's.
    pub async fn list(&self, settings: &Settings) -> Outcome<Listing> {
        let mut listing = self.hub.list().await.map_err(|error| said(&error, &self.at, settings, Doing::Writing))?;
        self.filter.apply(&mut listing);
        Ok(listing)
    }

    /// Whether the owner is the account itself or an organisation that it is known to be in.
    pub fn is_ours(&self) -> bool {
        self.account.as_ref().is_some_and(|account| owns(account, self.at.id.owner()))
    }
}

impl Route {
    /// The files that the run is about.
    pub fn filter(&self) -> Filter {
        self.filter.clone()
    }
}

fn open(at: &RepoAt, settings: &Settings) -> Outcome<Arc<dyn Destination>> {
    open_destination(&settings.side(at), HttpOptions::default()).map_err(|error| said(&error, at, settings, Doing::Writing))
}

fn owns(account: &Account, owner: &str) -> bool {
    account.name.eq_ignore_ascii_case(owner) || account.organisations.iter().any(|name| name.eq_ignore_ascii_case(owner))
}

/// Refuses what is known to be impossible. A hub that tells no organisations decides when the repo is created.
fn may_write(account: &Account, at: &RepoAt) -> Outcome<()> {
    let (token, name, hub) = (token_name(at.hub), &account.name, at.hub);
    if account.can_write == Some(false) {
        let page = token_page(hub, &at.endpoint);
        return Err(Failure::refused(format!("{token} of {name} may only read: get one that may write at {page}")));
    }
    if !account.organisations.is_empty() && !owns(account, at.id.owner()) {
        let own = format!("{name}/{}", at.id.name());
        return Err(Failure::refused(format!("{token} of {name} may not write to {} on {hub}: use --dest {own}", at.id)));
    }
    Ok(())
}

/// A hub's error in words.
pub fn said(error: &Error, at: &RepoAt, settings: &Settings, doing: Doing) -> Failure {
    explain(error, at, has_token(settings, at), doing)
}

fn has_token(settings: &Settings, at: &RepoAt) -> bool {
    settings.access(at.hub).token.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_dir::tests::at;

    fn account(name: &str, organisations: &[&str], can_write: Option<bool>) -> Account {
        Account { name: name.to_owned(), organisations: organisations.iter().map(|name| (*name).to_owned()).collect(), can_write }
    }

    #[test]
    fn a_namespace_of_someone_else_is_refused_where_it_can_be_known() {
        let to = at("modelscope", "Acme/x");
        assert!(may_write(&account("acme", &[], None), &to).is_ok());
        assert!(may_write(&account("bob", &["acme"], Some(true)), &to).is_ok());
        assert!(may_write(&account("bob", &[], None), &to).is_ok(), "the hub decides");
        let line = may_write(&account("bob", &["other"], None), &to).unwrap_err().to_string();
        assert_eq!(line, "MODELSCOPE_TOKEN of bob may not write to Acme/x on ModelScope: use --dest bob/x");
        assert!(may_write(&account("acme", &[], Some(false)), &to).unwrap_err().to_string().contains("may only read"));
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
