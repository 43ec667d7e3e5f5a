//! What the environment says: the access to each hub, and how patient to be with it. Read once, when a command starts.

mod access;
mod proxies;

use std::time::Duration;

use hf2ms_hub::http::{HttpOptions, is_loopback};
use hf2ms_hub::{Error, Hub, Redactor, RepoAt, Side, Token};

pub use access::Access;
use access::HubAccess;
use proxies::passwords;
pub use proxies::{NETWORK, PROXIES};

/// A variable that can't be used. Its value is not shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSetting(String);

/// Variables by name.
pub type GetVariable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// How the hubs are reached, as a source and as a destination.
#[derive(Clone)]
pub struct Settings {
    /// By [`Hub::index`].
    hubs: Vec<HubAccess>,
    /// Passwords of proxies.
    proxies: Vec<Token>,
    http: HttpOptions,
}

impl Settings {
    /// Reads variables through `get`. `HF2MS_STALL`, `HF2MS_RETRY_BASE` and `HF2MS_LONGEST_WAIT` are seconds.
    ///
    /// # Errors
    /// A token that can't be sent, an endpoint that is no address, a span that is no number.
    pub fn read(get: GetVariable<'_>) -> Result<Self, BadSetting> {
        let hubs = Hub::ALL.iter().map(|hub| HubAccess::of(hub.profile(), get));
        Ok(Self {
            hubs: hubs.collect::<Result<_, _>>()?,
            proxies: PROXIES
                .iter()
                .filter_map(|name| get(name))
                .flat_map(|proxy| passwords(&proxy))
                .collect(),
            http: patience(get)?,
        })
    }

    fn hub_access(&self, hub: Hub) -> &HubAccess {
        &self.hubs[hub.index()]
    }

    /// How this hub is reached; as a source, where that makes a difference.
    pub fn access(&self, hub: Hub) -> &Access {
        &self.hub_access(hub).from
    }

    /// How this hub is reached as a destination.
    pub fn access_to(&self, hub: Hub) -> &Access {
        let access = self.hub_access(hub);
        access.to.as_ref().unwrap_or(&access.from)
    }

    /// A repo that is read, with its hub's token.
    ///
    /// # Errors
    /// As [`Access::token_for`]: a job may name any endpoint.
    pub fn source(&self, at: &RepoAt) -> Result<Side, Error> {
        Ok(Side {
            at: at.clone(),
            token: self.access(at.hub).token_for(at)?,
        })
    }

    /// A repo that is written, with its hub's token.
    ///
    /// # Errors
    /// As [`Access::token_for`]: a job may name any endpoint.
    pub fn destination(&self, at: &RepoAt) -> Result<Side, Error> {
        Ok(Side {
            at: at.clone(),
            token: self.access_to(at.hub).token_for(at)?,
        })
    }

    /// Every variable that holds an endpoint, with the endpoint if it is known: a worker elsewhere sends its tokens nowhere else.
    pub fn endpoint_variables(&self) -> Vec<(&'static str, String)> {
        let of = |hub: &Hub| {
            let HubAccess { from, to } = self.hub_access(*hub);
            let apart = hub.profile().variables.destination_endpoint;
            let to = to.as_ref().map(|to| (apart, to.endpoint.clone()));
            [Some((from.endpoint_name, from.endpoint.clone())), to]
        };
        let all = Hub::ALL.iter().flat_map(of).flatten();
        all.filter(|(_, endpoint)| !endpoint.is_empty()).collect()
    }

    /// Every variable that holds a token, with the token if it is set: what a worker elsewhere has to be given.
    pub fn token_variables(&self) -> Vec<(&'static str, Option<Token>)> {
        let of = |hub: &Hub| {
            let (access, to) = (
                self.hub_access(*hub),
                hub.profile().variables.destination_token,
            );
            let apart = access.to.as_ref().filter(|access| access.token_name == to);
            [
                (access.from.token_name, access.from.token.clone()),
                (to, apart.and_then(|access| access.token.clone())),
            ]
        };
        Hub::ALL.iter().flat_map(of).collect()
    }

    /// The same settings with the tokens of these hubs alone: what reads from the one and writes to the other needs no more.
    pub fn of_job(&self, source: Hub, destination: Hub) -> Self {
        self.with_tokens(|hub| [hub == source, hub == destination])
    }

    /// The same settings without any token.
    pub fn without_tokens(&self) -> Self {
        self.with_tokens(|_| [false, false])
    }

    /// The tokens of the hubs that `is_used` as a source, and as a destination.
    fn with_tokens(&self, is_used: impl Fn(Hub) -> [bool; 2]) -> Self {
        let mut kept = self.clone();
        for (hub, HubAccess { from, to }) in Hub::ALL.iter().zip(&mut kept.hubs) {
            let [reads, writes] = is_used(*hub);
            if !reads && (!writes || to.is_some()) {
                from.token = None;
            }
            if let Some(to) = to.as_mut().filter(|_| !writes) {
                to.token = None;
            }
        }
        kept
    }

    /// The endpoints that get a token over plain http although they are on no loopback, with the variable of the token.
    pub fn in_the_open(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let accesses = self
            .hubs
            .iter()
            .flat_map(|access| std::iter::once(&access.from).chain(&access.to));
        accesses
            .filter(|access| access.token.is_some() && is_in_the_open(&access.endpoint))
            .map(|access| (access.endpoint.as_str(), access.token_name))
    }

    /// Timeouts and retries of requests to hubs.
    pub fn http(&self) -> HttpOptions {
        self.http.clone()
    }

    /// The same settings with these HTTP options.
    pub fn with_http(self, http: HttpOptions) -> Self {
        Self { http, ..self }
    }

    /// Tokens, logins, and the passwords of proxies.
    pub fn secrets(&self) -> impl Iterator<Item = Token> {
        self.token_variables()
            .into_iter()
            .filter_map(|(_, token)| token)
            .chain(self.proxies.clone())
    }

    /// Variables whose tokens are so short that their text may stand in other words ([`Token::is_short`]).
    pub fn short_secrets(&self) -> impl Iterator<Item = &'static str> {
        let all = self.token_variables().into_iter();
        all.filter_map(|(name, token)| token.filter(Token::is_short).map(|_| name))
    }

    /// Takes the secrets out of what is printed.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets())
    }

    /// `text` without any of the tokens.
    pub fn redact(&self, text: &str) -> String {
        self.redactor().clean(text)
    }
}

/// Whether what is sent to an address can be read on its way.
pub fn is_in_the_open(address: &str) -> bool {
    address.starts_with("http://") && !is_loopback(address)
}

/// Timeouts and retries, as variables say.
fn patience(get: GetVariable<'_>) -> Result<HttpOptions, BadSetting> {
    let mut http = HttpOptions::default();
    let spans = [
        ("HF2MS_STALL", &mut http.stall),
        ("HF2MS_RETRY_BASE", &mut http.retry.base),
        ("HF2MS_LONGEST_WAIT", &mut http.retry.longest_wait),
    ];
    for (name, span) in spans {
        if let Some(text) = set(get, name) {
            *span = seconds(&text).ok_or_else(|| {
                BadSetting(format!("{name} is '{text}', expected a number of seconds"))
            })?;
        }
    }
    Ok(http)
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse()
        .ok()
        .filter(|seconds: &f64| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

fn set(get: GetVariable<'_>, name: &str) -> Option<String> {
    get(name)
        .map(|value| value.trim_matches(' ').to_owned())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
