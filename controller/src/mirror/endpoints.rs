//! The source and the target of a mirror, from the command line: addresses of Git repos, or ids on the hubs. Credentials are taken out
//! of an address first, and each login goes to the origin of its own side only.

use hf2ms_hub::profile::Profile;
use hf2ms_hub::{Hub, RepoAt, RepoId, RepoKind, Token, Url, git};
use hf2ms_worker::repo_ref::{DestinationRef, HubSites, RepoRef};
use percent_encoding::percent_decode_str;

use crate::settings::{Environment, Settings};
use crate::ui::errors::{CliError, CliResult};

/// One side of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorSide {
    /// The repo that is read.
    Source,
    /// The repo that is written.
    Target,
}

impl MirrorSide {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// The variables of its user name and its password, and the one by which a worker gets both.
    pub fn variables(self) -> [&'static str; 3] {
        match self {
            Self::Source => ["SOURCE_USERNAME", "SOURCE_TOKEN", "HF2MS_SOURCE_LOGIN"],
            Self::Target => ["TARGET_USERNAME", "TARGET_TOKEN", "HF2MS_TARGET_LOGIN"],
        }
    }
}

impl MirrorSide {
    /// The variable by which a worker gets the origin that the login is for.
    pub fn origin_variable(self) -> &'static str {
        match self {
            Self::Source => "HF2MS_SOURCE_ENDPOINT",
            Self::Target => "HF2MS_TARGET_ENDPOINT",
        }
    }
}

/// A Git repo and its login.
#[derive(Debug, Clone)]
pub struct GitEndpoint {
    /// The repo: its endpoint is its whole address, without credentials.
    pub at: RepoAt,
    /// The login, if there is one.
    pub login: Option<Token>,
    /// The variable that the password came from, or could have come from.
    pub token_name: &'static str,
    /// What the repo is, where it is one of a hub and its name tells.
    kind: Option<RepoKind>,
}

impl GitEndpoint {
    /// The scheme, the host and the port of its address.
    pub fn origin(&self) -> String {
        let mut slashes = self.at.endpoint.match_indices('/').skip(2);
        let end = slashes.next().map_or(self.at.endpoint.len(), |(at, _)| at);
        self.at.endpoint[..end].to_owned()
    }
}

/// A hub's repo: what an address of Git is made of.
struct HubRepo {
    hub: Hub,
    kind: Option<RepoKind>,
    id: RepoId,
}

/// Parses the source: an address, `hf:org/name`, `ms:org/name`, `org/name`.
///
/// # Errors
/// Neither; or a login that can't be sent.
pub fn parse_source(text: &str, environment: &Environment) -> CliResult<GitEndpoint> {
    parse(text, MirrorSide::Source, environment, |text, settings| {
        let RepoRef { hub, kind, id, .. } = RepoRef::parse(text, HubSites::read(settings))?;
        let hub = hub.unwrap_or(Hub::USUAL_SOURCE);
        Ok(HubRepo { hub, kind, id })
    })
}

/// Parses the target: an address, `hf:org/name`, `ms:org/name`, and without what is as at the source: `hf:org/`, `hf:`.
///
/// # Errors
/// As [`parse_source`]; it names no hub and no host, since any Git host may be meant.
pub fn parse_target(
    text: &str,
    source: &GitEndpoint,
    environment: &Environment,
) -> CliResult<GitEndpoint> {
    parse(text, MirrorSide::Target, environment, |text, settings| {
        let named = DestinationRef::parse(text, settings);
        let begins = text.split_once(':').map(|(start, _)| start);
        let has_prefix = begins.is_some_and(|start| Hub::by_prefix(start).is_some());
        let named = match named {
            Err(bad) if has_prefix || text.contains("://") => return Err(bad.into()),
            named => named.unwrap_or_default(),
        };
        let Some(hub) = named.hub else {
            return Err(no_hub(text));
        };
        let id = named.id(&source.at.id)?;
        Ok(HubRepo {
            hub,
            kind: named.kind.or(source.kind),
            id: id.unwrap_or_else(|| source.at.id.clone()),
        })
    })
}

/// What to write instead of a target that could be anywhere.
fn no_hub(text: &str) -> CliError {
    let shown = hf2ms_hub::path::escape(text);
    let prefixed = Hub::with_api().map(|hub| format!("{}:org/name", hub.profile().prefix));
    CliError::usage(format!(
        "the target '{shown}' names no hub and no host: write {}, or https://host/path/repo.git",
        prefixed.collect::<Vec<_>>().join(", ")
    ))
}

fn parse(
    text: &str,
    side: MirrorSide,
    environment: &Environment,
    repo_of_hub: impl FnOnce(&str, &Settings) -> CliResult<HubRepo>,
) -> CliResult<GitEndpoint> {
    let (text, inside) = without_credentials(text.trim(), side)?;
    let settings = environment.settings(&[])?;
    let sites = match side {
        MirrorSide::Source => HubSites::read(&settings),
        MirrorSide::Target => HubSites::written(&settings),
    };
    let host = text
        .split_once("://")
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    if text.contains("://") && sites.hub_at(host).is_none() {
        let at = repo_at(&text, side)?;
        let [_, token_name, _] = side.variables();
        return Ok(GitEndpoint {
            at,
            login: login(inside, side, None, environment)?,
            token_name,
            kind: None,
        });
    }
    if text.starts_with(['/', '.', '~']) || (!text.contains("://") && text.contains('@')) {
        return Err(no_address(&text, side));
    }
    let repo = repo_of_hub(&text, &settings)?;
    let access = match side {
        MirrorSide::Source => settings.access(repo.hub),
        MirrorSide::Target => settings.access_to(repo.hub),
    };
    let at = repo_at(&git_address(&access.endpoint, &repo), side)?;
    let own = HubLogin {
        profile: repo.hub.profile(),
        token: access.token.as_ref().map(|token| token.expose().to_owned()),
    };
    Ok(GitEndpoint {
        at,
        login: login(inside, side, Some(own), environment)?,
        token_name: access.token_name,
        kind: repo.kind,
    })
}

/// Settings in which each side has its login and the origin that gets it, and workers are given both.
///
/// # Errors
/// A token that can't be sent, or an endpoint that is no address.
pub fn settings_of(
    source: &GitEndpoint,
    target: &GitEndpoint,
    environment: &Environment,
) -> CliResult<Settings> {
    let of = |side: MirrorSide, endpoint: &GitEndpoint| {
        endpoint
            .login
            .as_ref()
            .map(|login| (side.variables()[2], login.expose().to_owned()))
    };
    let logins = [
        of(MirrorSide::Source, source),
        of(MirrorSide::Target, target),
    ];
    let origins = [
        (MirrorSide::Source.origin_variable(), source.origin()),
        (MirrorSide::Target.origin_variable(), target.origin()),
    ];
    let all: Vec<_> = logins.into_iter().flatten().chain(origins).collect();
    let settings = environment.settings(&all)?;
    Ok(settings.of_job(source.at.hub, target.at.hub))
}

/// What a hub is logged in to by: its own token, if that is set.
struct HubLogin {
    profile: &'static Profile,
    token: Option<String>,
}

/// The credentials in an address.
struct AddressCredentials {
    user: String,
    password: Option<String>,
}

/// The address without its credentials, and those.
fn without_credentials(
    text: &str,
    side: MirrorSide,
) -> CliResult<(String, Option<AddressCredentials>)> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok((text.to_owned(), None));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let Some((credentials, host)) = authority.rsplit_once('@') else {
        return Ok((text.to_owned(), None));
    };
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(|text| text.into_owned())
    };
    let bad = |_| {
        CliError::usage(format!(
            "the {}'s address holds credentials that are not UTF-8: escape them as %XX",
            side.name()
        ))
    };
    let (user, password) = credentials
        .split_once(':')
        .map_or((credentials, None), |(user, password)| {
            (user, Some(password))
        });
    let password = password.map(decoded).transpose().map_err(bad)?;
    Ok((
        format!("{scheme}://{host}/{path}"),
        Some(AddressCredentials {
            user: decoded(user).map_err(bad)?,
            password,
        }),
    ))
}

fn repo_at(address: &str, side: MirrorSide) -> CliResult<RepoAt> {
    let bad = || no_address(address, side);
    let url: Url = address.parse().map_err(|_| bad())?;
    let parts: Vec<&str> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    if !matches!(url.scheme(), "http" | "https")
        || parts.is_empty()
        || url.host_str().is_none()
        || url.query().is_some()
    {
        return Err(bad());
    }
    let endpoint = url
        .as_str()
        .split('#')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/')
        .to_owned();
    Ok(git::repo_at(endpoint, id(&parts).ok_or_else(bad)?))
}

fn no_address(address: &str, side: MirrorSide) -> CliError {
    let shown = hf2ms_hub::path::escape(address);
    CliError::usage(format!(
        "the {} '{shown}' is no address of a Git repo: expected https://host/path/repo.git",
        side.name()
    ))
}

/// The last two parts of the path, for people; signs that an id can't have become dots.
fn id(parts: &[&str]) -> Option<RepoId> {
    let plain = |part: &str| {
        let part = part.strip_suffix(".git").unwrap_or(part);
        let kept: String = part
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '_' {
                    c
                } else {
                    '-'
                }
            })
            .collect();
        let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
        words.join("-").chars().take(96).collect::<String>()
    };
    let exact = |part: &str| part.strip_suffix(".git").unwrap_or(part).to_owned();
    let (name, owner) = (
        parts.last()?,
        parts.len().checked_sub(2).map_or("repos", |at| parts[at]),
    );
    let sane = || format!("{}/{}", plain(owner), plain(name)).parse().ok();
    format!("{}/{}", exact(owner), exact(name))
        .parse()
        .ok()
        .or_else(sane)
        .or_else(|| "git/repo".parse().ok())
}

/// Where Git finds a hub's repo (huggingface_hub 2.4.0, `repository.py`; modelscope-hub 0.5.1, `_repository.py`).
fn git_address(endpoint: &str, repo: &HubRepo) -> String {
    let profile = repo.hub.profile();
    let folders = profile.folders.as_ref();
    let kind = repo.kind.unwrap_or(RepoKind::Model);
    let folder = folders.map_or("", |folders| kind.folder(folders));
    let slash = if folder.is_empty() { "" } else { "/" };
    let suffix = profile.git_suffix;
    format!("{endpoint}/{folder}{slash}{}{suffix}", repo.id)
}

/// The login of a side: from the address, else the hub's own token; at any other host, from the variables of the side. A hub gets
/// nothing that is meant for another host.
fn login(
    inside: Option<AddressCredentials>,
    side: MirrorSide,
    hub: Option<HubLogin>,
    environment: &Environment,
) -> CliResult<Option<Token>> {
    let [user_name, token_name, _] = side.variables();
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let (user, usual, password) = match hub {
        Some(HubLogin { profile, token }) => (
            profile.variables.user.and_then(set),
            profile.git_user,
            token,
        ),
        None => (set(user_name), "oauth2", set(token_name)),
    };
    let (own_user, own_password) = inside.map_or((None, None), |inside| {
        (
            Some(inside.user).filter(|user| !user.is_empty()),
            inside.password,
        )
    });
    let user = own_user.or(user).unwrap_or_else(|| usual.to_owned());
    let Some(password) = own_password.or(password) else {
        return Ok(None);
    };
    let bad = |bad| {
        CliError::usage(format!(
            "the {}'s credentials can't be used: {bad}; copy {token_name} again",
            side.name()
        ))
    };
    Token::login(&user, &password).map(Some).map_err(bad)
}

#[cfg(test)]
mod tests;
