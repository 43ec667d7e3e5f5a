//! Repos as people name them: `org/name`, `hf:org/name`, `ms:org/name`, or the web address of a repo. Where a hub is reached comes
//! from the settings, never from an address: a token goes to no host that a link names.

mod destination;

use hf2ms_hub::{Hub, RepoId, RepoKind, Revision};

pub use self::destination::DestinationRef;
use crate::settings::{Access, Settings};

/// A text that names no repo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRepoRef(String);

impl BadRepoRef {
    /// The line that says what was expected.
    pub(crate) fn new(line: impl Into<String>) -> Self {
        Self(line.into())
    }
}

type Result<T> = std::result::Result<T, BadRepoRef>;

/// Where the hubs of one side are reached.
#[derive(Clone, Copy)]
pub struct HubSites<'a> {
    settings: &'a Settings,
    side: SiteSide,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum SiteSide {
    Read,
    Written,
}

impl<'a> HubSites<'a> {
    /// Those of sources.
    pub fn read(settings: &'a Settings) -> Self {
        let side = SiteSide::Read;
        Self { settings, side }
    }

    /// Those of destinations.
    pub fn written(settings: &'a Settings) -> Self {
        let side = SiteSide::Written;
        Self { settings, side }
    }

    fn access(self, hub: Hub) -> &'a Access {
        match self.side {
            SiteSide::Read => self.settings.access(hub),
            SiteSide::Written => self.settings.access_to(hub),
        }
    }

    /// The hub whose site, or whose public site, has this host.
    pub fn hub_at(self, host: &str) -> Option<Hub> {
        let host = host.to_lowercase();
        let own = Hub::with_api().find(|hub| {
            let address = self.access(*hub).endpoint.split_once("://");
            address.is_some_and(|(_, rest)| rest.split('/').next() == Some(host.as_str()))
        });
        let bare = host.strip_prefix("www.").unwrap_or(&host);
        own.or_else(|| Hub::by_host(bare))
    }

    /// Refuses an address of another site than the one that the settings name. Elsewhere any site of a hub stands for that one.
    ///
    /// # Errors
    /// Both sites.
    pub fn check_is_asked(self, text: &str) -> Result<()> {
        let text = text.trim();
        if split_prefix(text).is_some() {
            return Ok(());
        }
        let Some(Address { hub, host, .. }) = Address::split(text, self)? else {
            return Ok(());
        };
        let (profile, endpoint) = (hub.profile(), &self.access(hub).endpoint);
        let used = endpoint.split_once("://").map_or("", |(_, rest)| rest);
        let [named, used] = [host.as_str(), used.trim_end_matches('/')].map(|host| {
            let host = host.to_lowercase();
            host.strip_prefix("www.")
                .map_or(host.clone(), str::to_owned)
        });
        let is_public = |host: &String| profile.hosts.contains(&host.as_str());
        let is_alias = is_public(&named) && is_public(&used);
        match named == used || (is_alias && !profile.abilities.separate_sites) {
            true => Ok(()),
            false => Err(BadRepoRef::new(format!(
                "the address is on {named}, and {hub} is asked at {endpoint}: set {} to the site that is meant, or name the repo without an address",
                self.access(hub).endpoint_name
            ))),
        }
    }

    /// Where a hub has several sites, an address on one site does not stand for a repo on another.
    fn check_same(self, hub: Hub, host: &str) -> Result<()> {
        let (profile, access) = (hub.profile(), self.access(hub));
        let site = |text: &str| {
            let mut sites = profile.hosts.iter();
            sites.find(|site| text.to_lowercase().ends_with(*site))
        };
        if !profile.abilities.separate_sites {
            return Ok(());
        }
        let names = &profile.variables;
        let (done, endpoint_name, token_name) = match self.side {
            SiteSide::Read => ("read", names.endpoint, names.token_name()),
            SiteSide::Written => (
                "written",
                names.destination_endpoint,
                names.destination_token,
            ),
        };
        let endpoint = &access.endpoint;
        match (site(host), site(endpoint)) {
            (Some(named), Some(used)) if named != used => Err(BadRepoRef::new(format!(
                "the address is on {named}, and {hub} is {done} at {endpoint}: set {endpoint_name}=https://{named} and its {token_name}"
            ))),
            _ => Ok(()),
        }
    }
}

/// A repo as the command line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoRef {
    /// Its hub, where the text tells.
    pub hub: Option<Hub>,
    /// Its kind, where the text tells.
    pub kind: Option<RepoKind>,
    /// Its id.
    pub id: RepoId,
    /// The revision, where an address names one.
    pub revision: Option<Revision>,
}

impl RepoRef {
    /// Reads the name of a repo on one side.
    ///
    /// # Errors
    /// One line that says what was expected.
    pub fn parse(text: &str, sites: HubSites<'_>) -> Result<Self> {
        let text = text.trim();
        if let Some((hub, rest)) = split_prefix(text) {
            return Self::from_path(Some(hub), None, rest);
        }
        match Address::split(text, sites)? {
            Some(Address { hub, path, .. }) => Self::from_path(Some(hub), kind_in(hub, ""), &path),
            None => Self::from_path(None, None, text),
        }
    }

    /// Reads `[folder/]owner/name[/tree/REVISION]`; without a folder the kind is `plain`.
    fn from_path(hub: Option<Hub>, plain: Option<RepoKind>, path: &str) -> Result<Self> {
        let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let kind = Some(parts[0])
            .filter(|_| parts.len() > 2)
            .and_then(kind_of_folder);
        if kind.is_some() {
            parts.remove(0);
        }
        let id = parts.iter().take(2).copied().collect::<Vec<_>>().join("/");
        let id = id
            .strip_suffix(".git")
            .unwrap_or(&id)
            .parse()
            .map_err(|bad| BadRepoRef::new(format!("{bad}")))?;
        let revision = revision(parts.get(2..).unwrap_or_default())?;
        Ok(Self {
            hub,
            kind: kind.or(plain),
            id,
            revision,
        })
    }
}

/// The hub whose prefix a text begins with, and the rest.
fn split_prefix(text: &str) -> Option<(Hub, &str)> {
    let (prefix, rest) = text.split_once(':')?;
    Some((Hub::by_prefix(prefix)?, rest))
}

/// The kind of repo that this folder stands for, on any hub; the plural of a kind's name is understood everywhere.
fn kind_of_folder(folder: &str) -> Option<RepoKind> {
    let by_name = |kind: &RepoKind| folder.strip_suffix('s') == Some(&kind.to_string());
    let kinds = RepoKind::ALL.into_iter();
    kinds
        .clone()
        .find(by_name)
        .or_else(|| Hub::with_api().find_map(|hub| kind_in(hub, folder)))
        .filter(|_| !folder.is_empty())
}

/// The kind of repo that this folder stands for in the addresses of `hub`.
fn kind_in(hub: Hub, folder: &str) -> Option<RepoKind> {
    let folders = hub.profile().folders.as_ref()?;
    RepoKind::ALL
        .into_iter()
        .find(|kind| kind.folder(folders) == folder)
}

/// What follows the id in an address: a page of the repo, or a revision.
fn revision(rest: &[&str]) -> Result<Option<Revision>> {
    match rest {
        [] | [""] | ["summary" | "files" | "discussions" | "tree"] => Ok(None),
        ["tree" | "commit", revision] => decode(revision)
            .parse()
            .map(Some)
            .map_err(|bad| BadRepoRef::new(format!("the address: {bad}"))),
        ["tree" | "blob" | "resolve", _, inside @ ..] if !inside.is_empty() => {
            let inside = hf2ms_hub::path::escape(&inside.join("/"));
            Err(BadRepoRef::new(format!(
                "the address names {inside} inside the repo: give the repo's own; where only that is to be copied, --include '{inside}*' says it"
            )))
        }
        _ => Err(BadRepoRef::new(
            "this is more than a repo: expected owner/name or the address of a repo's page",
        )),
    }
}

fn decode(text: &str) -> String {
    text.replace("%2F", "/").replace("%2f", "/")
}

/// The parts of a web address that matter.
struct Address {
    hub: Hub,
    host: String,
    path: String,
}

impl Address {
    /// `None` when the text is no address at all.
    fn split(text: &str, sites: HubSites<'_>) -> Result<Option<Self>> {
        let (scheme, rest) = text
            .split_once("://")
            .map_or((None, text), |(scheme, rest)| {
                (Some(scheme.to_lowercase()), rest)
            });
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        match (scheme.as_deref(), sites.hub_at(host)) {
            (_, _) if host.contains('@') => Err(BadRepoRef::new(
                "the address holds a user or a token: remove it and use the environment",
            )),
            (None | Some("http" | "https"), Some(hub)) => {
                sites.check_same(hub, host)?;
                Ok(Some(Self {
                    hub,
                    host: host.to_owned(),
                    path: path.to_owned(),
                }))
            }
            (None, None) => Ok(None),
            (Some(_), _) => Err(unknown_host(host)),
        }
    }
}

fn unknown_host(host: &str) -> BadRepoRef {
    let hosts = Hub::with_api().flat_map(|hub| hub.profile().hosts.first());
    let variables = Hub::with_api().map(|hub| hub.profile().variables.endpoint);
    BadRepoRef::new(format!(
        "{} is no hub that is known: expected {}, or the host of {}",
        hf2ms_hub::path::escape(host),
        hosts.copied().collect::<Vec<_>>().join(", "),
        variables.collect::<Vec<_>>().join(" or ")
    ))
}

/// Which way: from the hub that the source names to the one that the destination names; each is the other's default.
pub fn direction(source: Option<Hub>, to: Option<Hub>) -> (Hub, Hub) {
    match (source, to) {
        (Some(from), to) => (from, to.unwrap_or(from.counterpart())),
        (None, to) => {
            let to = to.unwrap_or(Hub::USUAL_DESTINATION);
            (to.counterpart(), to)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = (Option<Hub>, Option<RepoKind>, String, Option<String>);

    fn parse(text: &str) -> Result<Parts> {
        let endpoint =
            |name: &str| (name == "HF_ENDPOINT").then(|| "http://127.0.0.1:8100".to_owned());
        let settings = Settings::read(&endpoint).unwrap();
        let reference = RepoRef::parse(text, HubSites::read(&settings))?;
        Ok((
            reference.hub,
            reference.kind,
            reference.id.to_string(),
            reference.revision.map(|revision| revision.to_string()),
        ))
    }

    #[test]
    fn every_spelling_names_the_same_repo() {
        let (hf, ms) = (Some(Hub::HuggingFace), Some(Hub::ModelScope));
        for (text, hub, kind) in [
            ("org/name", None, None),
            ("datasets/org/name", None, Some(RepoKind::Dataset)),
            ("hf:org/name", hf, None),
            ("huggingface:org/name", hf, None),
            ("ms:org/name", ms, None),
            ("modelscope:datasets/org/name", ms, Some(RepoKind::Dataset)),
            ("https://huggingface.co/org/name", hf, Some(RepoKind::Model)),
            (
                "https://huggingface.co/datasets/org/name/",
                hf,
                Some(RepoKind::Dataset),
            ),
            (
                "https://huggingface.co/spaces/org/name?x=1#y",
                hf,
                Some(RepoKind::Space),
            ),
            ("hf.co/org/name", hf, Some(RepoKind::Model)),
            (
                "HTTPS://HuggingFace.co/org/name.git",
                hf,
                Some(RepoKind::Model),
            ),
            (
                "http://127.0.0.1:8100/datasets/org/name",
                hf,
                Some(RepoKind::Dataset),
            ),
            (
                "https://www.modelscope.cn/models/org/name/summary",
                ms,
                Some(RepoKind::Model),
            ),
            (
                "https://modelscope.cn/studios/org/name",
                ms,
                Some(RepoKind::Space),
            ),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                (hub, kind, "org/name".to_owned(), None),
                "{text}"
            );
        }
    }

    #[test]
    fn an_address_may_name_a_revision() {
        let revision = |text| parse(text).unwrap().3.unwrap();
        assert_eq!(
            revision("https://huggingface.co/org/name/tree/v1.0"),
            "v1.0"
        );
        assert_eq!(
            revision("https://huggingface.co/datasets/org/name/tree/refs%2Fpr%2F1"),
            "refs/pr/1"
        );
    }

    #[test]
    fn what_is_no_repo_is_refused_in_one_line() {
        for (text, words) in [
            ("", "not a repo id"),
            ("name", "not a repo id"),
            ("org/name/extra", "more than a repo"),
            ("hf:", "not a repo id"),
            ("https://example.com/org/name", "no hub that is known"),
            (
                "https://user:hf_secret@huggingface.co/org/name",
                "remove it",
            ),
            (
                "https://huggingface.co/org/name/tree/main/sub/dir",
                "--include 'sub/dir*'",
            ),
            ("org/../x", "not a repo id"),
            (
                "https://modelscope.ai/models/org/name",
                "set MODELSCOPE_ENDPOINT=https://modelscope.ai",
            ),
        ] {
            let line = parse(text).unwrap_err().to_string();
            assert!(
                line.contains(words) && !line.contains("hf_secret") && !line.contains('\n'),
                "{text}: {line}"
            );
        }
    }

    #[test]
    fn a_prefix_implies_the_direction() {
        let (hf, ms) = (Hub::HuggingFace, Hub::ModelScope);
        assert_eq!(direction(None, None), (hf, ms));
        assert_eq!(direction(Some(ms), None), (ms, hf));
        assert_eq!(direction(None, Some(hf)), (ms, hf));
        assert_eq!(direction(Some(hf), Some(ms)), (hf, ms));
        assert_eq!(direction(Some(ms), Some(ms)), (ms, ms));
    }
}
