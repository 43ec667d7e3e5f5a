//! The source and the target of a mirror, from the command line: addresses of Git repos, or ids on the hubs. Credentials are taken out
//! of an address first, and each login goes to the origin of its own side only.

use hf2ms_hub::profile::Profile;
use hf2ms_hub::{Hub, RepoAt, RepoId, RepoKind, Token, Url, git};
use percent_encoding::percent_decode_str;

use crate::args::source::{RepoRef, hub_at};
use crate::settings::Environment;
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
}

impl GitEndpoint {
    /// The scheme, the host and the port of its address.
    pub fn origin(&self) -> String {
        let mut slashes = self.at.endpoint.match_indices('/').skip(2);
        let end = slashes.next().map_or(self.at.endpoint.len(), |(at, _)| at);
        self.at.endpoint[..end].to_owned()
    }
}

/// Parses one side: an address, `hf:org/name`, `ms:org/name`, `org/name`.
///
/// # Errors
/// Neither; or a login that can't be sent.
pub fn parse_endpoint(
    text: &str,
    side: MirrorSide,
    environment: &Environment,
) -> CliResult<GitEndpoint> {
    let (text, inside) = without_credentials(text.trim(), side)?;
    let settings = environment.settings(&[])?;
    let host = text
        .split_once("://")
        .map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let hub = hub_at(host, &settings);
    if text.contains("://") && hub.is_none() {
        let at = repo_at(&text, side)?;
        let [_, token_name, _] = side.variables();
        return Ok(GitEndpoint {
            at,
            login: login(inside, side, None, environment)?,
            token_name,
        });
    }
    if text.starts_with(['/', '.', '~']) || (!text.contains("://") && text.contains('@')) {
        return Err(no_address(&text, side));
    }
    let reference = RepoRef::parse(&text, &settings)?;
    let hub = reference.hub.unwrap_or(Hub::USUAL_SOURCE);
    let access = if side == MirrorSide::Source {
        settings.access(hub)
    } else {
        settings.access_to(hub)
    };
    let at = repo_at(&git_address(hub, &access.endpoint, &reference), side)?;
    let own = HubLogin {
        profile: hub.profile(),
        token: access.token.as_ref().map(|token| token.expose().to_owned()),
    };
    Ok(GitEndpoint {
        at,
        login: login(inside, side, Some(own), environment)?,
        token_name: access.token_name,
    })
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
fn git_address(hub: Hub, endpoint: &str, reference: &RepoRef) -> String {
    let profile = hub.profile();
    let folders = profile.folders.as_ref();
    let kind = reference.kind.unwrap_or(RepoKind::Model);
    let folder = folders.map_or("", |folders| kind.folder(folders));
    let slash = if folder.is_empty() { "" } else { "/" };
    let suffix = profile.git_suffix;
    format!("{endpoint}/{folder}{slash}{}{suffix}", reference.id)
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
            "the {}'s credentials can't be used: {bad} (see {token_name})",
            side.name()
        ))
    };
    Token::login(&user, &password).map(Some).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, side: MirrorSide, set: &[(&str, &str)]) -> CliResult<GitEndpoint> {
        let set = set
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        parse_endpoint(text, side, &Environment::of(set))
    }

    fn login_of(text: &str, side: MirrorSide, set: &[(&str, &str)]) -> Option<String> {
        read(text, side, set)
            .unwrap()
            .login
            .map(|login| login.expose().to_owned())
    }

    #[test]
    fn addresses_are_taken_whole_and_ids_are_their_last_two_parts() {
        let endpoint = read(
            "https://git.example/a/deep/path/Intern-S1.git",
            MirrorSide::Target,
            &[],
        )
        .unwrap();
        assert_eq!(
            (endpoint.at.endpoint.as_str(), endpoint.at.id.as_str()),
            (
                "https://git.example/a/deep/path/Intern-S1.git",
                "path/Intern-S1"
            )
        );
        assert!(endpoint.login.is_none());
        assert_eq!(
            read("https://git.example/~me/my--repo", MirrorSide::Target, &[])
                .unwrap()
                .at
                .id
                .as_str(),
            "me/my-repo"
        );
        assert_eq!(
            read("http://h/repo.git", MirrorSide::Target, &[])
                .unwrap()
                .at
                .id
                .as_str(),
            "repos/repo"
        );
    }

    #[test]
    fn hubs_are_named_as_elsewhere() {
        let at = |text: &str| read(text, MirrorSide::Source, &[]).unwrap().at.endpoint;
        assert_eq!(at("org/name"), "https://huggingface.co/org/name");
        assert_eq!(
            at("https://huggingface.co/datasets/org/name/tree/main"),
            "https://huggingface.co/datasets/org/name"
        );
        assert_eq!(
            at("ms:org/name"),
            "https://modelscope.cn/models/org/name.git"
        );
        assert_eq!(
            at("ms:studios/org/app"),
            "https://modelscope.cn/studios/org/app.git"
        );
        assert_eq!(
            at("hf:spaces/org/app"),
            "https://huggingface.co/spaces/org/app"
        );
    }

    #[test]
    fn credentials_leave_the_address_whatever_signs_they_have() {
        let text = "https://o%40d%20%C3%BC:p%40ss%2Fw:rd%25@git.example/a/b.git";
        let endpoint = read(text, MirrorSide::Target, &[("TARGET_TOKEN", "other")]).unwrap();
        assert_eq!(endpoint.at.endpoint, "https://git.example/a/b.git");
        assert_eq!(endpoint.login.unwrap().expose(), "o@d ü:p@ss/w:rd%");
        assert_eq!(
            login_of(
                "https://me@h/a/b",
                MirrorSide::Target,
                &[("TARGET_TOKEN", "t")]
            )
            .as_deref(),
            Some("me:t")
        );
        assert!(read("https://a:b%0d%0aX@h/a/b", MirrorSide::Target, &[]).is_err());
    }

    #[test]
    fn each_side_has_its_own_login_and_a_hubs_token_goes_to_that_hub_only() {
        let set = [
            ("HF_TOKEN", "hf_x"),
            ("HF_USERNAME", "me"),
            ("TARGET_TOKEN", "t"),
            ("TARGET_USERNAME", "you"),
        ];
        assert_eq!(
            login_of("https://huggingface.co/a/b", MirrorSide::Source, &set).as_deref(),
            Some("me:hf_x")
        );
        assert_eq!(
            login_of("https://git.example/a/b", MirrorSide::Source, &set),
            None
        );
        assert_eq!(
            login_of("https://git.example/a/b", MirrorSide::Target, &set).as_deref(),
            Some("you:t")
        );
        assert_eq!(
            login_of("hf:a/b", MirrorSide::Target, &set[..2]).as_deref(),
            Some("me:hf_x")
        );
        assert_eq!(
            login_of(
                "ms:a/b",
                MirrorSide::Source,
                &[("MODELSCOPE_TOKEN", "ms-x")]
            )
            .as_deref(),
            Some("oauth2:ms-x")
        );
    }

    #[test]
    fn a_hub_gets_its_own_token_and_never_that_of_another_host() {
        let sides = [
            ("SOURCE_USERNAME", "me"),
            ("SOURCE_TOKEN", "s"),
            ("TARGET_USERNAME", "you"),
            ("TARGET_TOKEN", "t"),
        ];
        for (text, side, own) in [
            ("hf:a/b", MirrorSide::Source, ("HF_TOKEN", "hf_x")),
            (
                "https://huggingface.co/a/b",
                MirrorSide::Target,
                ("HF_TOKEN", "hf_x"),
            ),
            ("ms:a/b", MirrorSide::Source, ("MODELSCOPE_TOKEN", "ms-x")),
        ] {
            assert_eq!(login_of(text, side, &sides), None, "{text}");
            let login = login_of(text, side, &[&sides[..], &[own]].concat()).unwrap();
            assert!(login.ends_with(&format!(":{}", own.1)), "{text}: {login}");
            assert!(!login.starts_with("me") && !login.starts_with("you"));
        }
        assert_eq!(
            login_of("https://me@huggingface.co/a/b", MirrorSide::Source, &sides),
            None
        );
    }

    #[test]
    fn what_is_no_git_address_is_said_in_one_line_without_its_password() {
        for text in [
            "git@github.com:a/b.git",
            "ssh://git@h/a/b.git",
            "https://h",
            "file:///etc",
            "ftp://me:canary@h/a/b",
            "/home/me/repo",
            "https://h/a?x=1",
        ] {
            let line = read(text, MirrorSide::Target, &[]).unwrap_err().to_string();
            assert!(
                !line.contains("canary") && !line.contains('\n'),
                "{text}: {line}"
            );
        }
    }
}
