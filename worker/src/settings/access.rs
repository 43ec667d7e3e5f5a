//! The access to one hub: its address and its token, for reading and for writing.

use hf2ms_hub::profile::{Profile, Variables};
use hf2ms_hub::{Error, Kind, RepoAt, Token};

use super::{BadSetting, GetVariable, set};

/// How one hub is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its address, without a trailing slash.
    pub endpoint: String,
    /// Its token, if one is set.
    pub token: Option<Token>,
    /// The variable that holds the address.
    pub endpoint_name: &'static str,
    /// The variable that holds the token.
    pub token_name: &'static str,
}

impl Access {
    /// The token for a repo.
    ///
    /// # Errors
    /// [`Kind::Usage`] if there is a token, and the repo is not at the endpoint that it is for.
    pub fn token_for(&self, at: &RepoAt) -> Result<Option<Token>, Error> {
        let rest = at.endpoint.strip_prefix(&self.endpoint);
        let is_here = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match &self.token {
            Some(_) if !is_here || self.endpoint.is_empty() => Err(Error::new(
                Kind::Usage,
                format!(
                    "{} is not the endpoint that {} is for: set {} to it if the token may go there",
                    at.endpoint, self.token_name, self.endpoint_name
                ),
            )),
            token => Ok(token.clone()),
        }
    }
}

/// A hub that is a source by one access and a destination by another: another site, or another account.
#[derive(Clone)]
pub(super) struct HubAccess {
    pub(super) from: Access,
    pub(super) to: Option<Access>,
}

impl HubAccess {
    /// Reads the variables that `profile` names.
    pub(super) fn of(profile: &Profile, get: GetVariable<'_>) -> Result<Self, BadSetting> {
        let names = &profile.variables;
        let Some(public) = profile.endpoint else {
            return Ok(Self {
                from: git_host(get, names.token_name(), names.endpoint)?,
                to: Some(git_host(
                    get,
                    names.destination_token,
                    names.destination_endpoint,
                )?),
            });
        };
        let domain = || names.domain.and_then(|name| Some((name, set(get, name)?)));
        let from = Access {
            endpoint: set(get, names.endpoint)
                .map(|value| address(names.endpoint, value))
                .or_else(|| domain().map(|(name, host)| address(name, with_scheme(host))))
                .unwrap_or_else(|| Ok(public.to_owned()))?,
            token: token(get, names.token)?,
            endpoint_name: names.endpoint,
            token_name: names.token_name(),
        };
        Self::apart(from, get, names)
    }

    /// The variables of the destination, whose defaults are the source's; but a token goes to no other site than its own.
    fn apart(from: Access, get: GetVariable<'_>, names: &Variables) -> Result<Self, BadSetting> {
        let own = token(get, &[names.destination_token])?;
        let endpoint = set(get, names.destination_endpoint)
            .map(|value| address(names.destination_endpoint, value))
            .transpose()?
            .unwrap_or_else(|| from.endpoint.clone());
        let elsewhere = endpoint != from.endpoint;
        if own.is_none() && !elsewhere {
            return Ok(Self { from, to: None });
        }
        let endpoint_name = if elsewhere {
            names.destination_endpoint
        } else {
            from.endpoint_name
        };
        Ok(Self {
            from,
            to: Some(Access {
                endpoint,
                token: own,
                endpoint_name,
                token_name: names.destination_token,
            }),
        })
    }
}

/// The address of a host that may be given without a scheme.
fn with_scheme(host: String) -> String {
    if host.contains("://") {
        host
    } else {
        format!("https://{host}")
    }
}

/// A Git host's login, and the origin that gets it: a repo's address is longer.
fn git_host(
    get: GetVariable<'_>,
    name: &'static str,
    endpoint_name: &'static str,
) -> Result<Access, BadSetting> {
    let login = get(name)
        .filter(|login| !login.is_empty())
        .map(|login| Token::parse_login(&login))
        .transpose();
    let token = login
        .map_err(|bad| BadSetting(format!("{name} can't be used: {bad}; it is user:password")))?;
    Ok(Access {
        endpoint: set(get, endpoint_name)
            .map(|value| address(endpoint_name, value))
            .transpose()?
            .unwrap_or_default(),
        token,
        endpoint_name,
        token_name: name,
    })
}

fn address(name: &str, value: String) -> Result<String, BadSetting> {
    let rest = value
        .strip_prefix("https://")
        .or_else(|| value.strip_prefix("http://"))
        .unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty()
        || host.contains('@')
        || value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '?')
    {
        return Err(BadSetting(format!(
            "{name} is not an address: expected https://host, without a user or a query"
        )));
    }
    Ok(value.trim_end_matches('/').to_owned())
}

fn token(get: GetVariable<'_>, names: &[&str]) -> Result<Option<Token>, BadSetting> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, set(get, name)?))) else {
        return Ok(None);
    };
    Token::parse(&value)
        .map(Some)
        .map_err(|bad| BadSetting(format!("{name} can't be used: {bad}; copy it again")))
}
