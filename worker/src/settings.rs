//! What the environment says: tokens, endpoints, and how patient to be. Read once, at the edge.

use std::time::Duration;

use hf2ms_hub::http::{AUTHORITIES, HttpOptions};
use hf2ms_hub::profile::{Profile, Variables};
use hf2ms_hub::{Hub, Redactor, RepoAt, Side, Token};
use percent_encoding::percent_decode_str;

/// Variables that name proxies, and what is reached without them.
pub const PROXIES: [&str; 8] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];
/// All that is said of the network by variables.
pub const NETWORK: [&str; 9] = {
    let [a, b, c, d, e, f, g, h] = PROXIES;
    [a, b, c, d, e, f, g, h, AUTHORITIES]
};
/// A shorter password of a proxy is not taken out of texts: too much else would go with it.
const SHORTEST_PASSWORD: usize = 4;

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

/// A hub that is a source by one access and a destination by another: another site, or another account.
#[derive(Clone)]
struct HubAccess {
    from: Access,
    to: Option<Access>,
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
    pub fn source(&self, at: &RepoAt) -> Side {
        Side {
            at: at.clone(),
            token: self.access(at.hub).token.clone(),
        }
    }

    /// A repo that is written, with its hub's token.
    pub fn destination(&self, at: &RepoAt) -> Side {
        Side {
            at: at.clone(),
            token: self.access_to(at.hub).token.clone(),
        }
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

    /// How patient to be with the hubs.
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

    /// Takes the secrets out of what is printed.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets())
    }

    /// `text` without any of the tokens.
    pub fn redact(&self, text: &str) -> String {
        self.redactor().clean(text)
    }
}

impl HubAccess {
    /// Reads the variables that `profile` names.
    fn of(profile: &Profile, get: GetVariable<'_>) -> Result<Self, BadSetting> {
        let names = &profile.variables;
        let Some(public) = profile.endpoint else {
            return Ok(Self {
                from: git_host(get, names.token_name(), names.endpoint)?,
                to: Some(git_host(get, names.destination_token, names.endpoint)?),
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

/// A Git host's login; its address is the repo's.
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
        endpoint: String::new(),
        token,
        endpoint_name,
        token_name: name,
    })
}

/// The password in a proxy's address, as it is written and as it is sent.
fn passwords(proxy: &str) -> Vec<Token> {
    let login = proxy.rsplit_once('@').map_or("", |(login, _)| login);
    let login = login.split_once("://").map_or(login, |(_, login)| login);
    let Some((user, password)) = login
        .split_once(':')
        .filter(|(_, password)| password.len() >= SHORTEST_PASSWORD)
    else {
        return Vec::new();
    };
    let sent = percent_decode_str(password).decode_utf8_lossy();
    [password, &sent]
        .into_iter()
        .filter_map(|password| Token::login(user, password).ok())
        .collect()
}

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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, BadSetting> {
        let pairs: HashMap<_, _> = pairs.iter().copied().collect();
        Settings::read(&|name| pairs.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_public_hubs_are_the_default() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            settings.access(Hub::HuggingFace).endpoint,
            "https://huggingface.co"
        );
        assert_eq!(
            settings.access(Hub::ModelScope).endpoint,
            "https://modelscope.cn"
        );
        assert!(settings.access(Hub::ModelScope).token.is_none());
    }

    #[test]
    fn endpoints_and_domains_are_taken_and_the_endpoint_wins() {
        let ms = |pairs| {
            read(pairs)
                .unwrap()
                .access(Hub::ModelScope)
                .endpoint
                .clone()
        };
        assert_eq!(
            ms(&[("MODELSCOPE_DOMAIN", "modelscope.ai")]),
            "https://modelscope.ai"
        );
        assert_eq!(
            ms(&[
                ("MODELSCOPE_DOMAIN", "x"),
                ("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9/")
            ]),
            "http://127.0.0.1:9"
        );
        for bad in [
            "huggingface.co",
            "ftp://x",
            "https://",
            "https://user:pw@host",
            "https://a b",
        ] {
            assert!(read(&[("HF_ENDPOINT", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_names_of_the_modelscope_token_work_and_ours_wins() {
        let token = |pairs| {
            read(pairs)
                .unwrap()
                .access(Hub::ModelScope)
                .token
                .clone()
                .map(|token| token.expose().to_owned())
        };
        assert_eq!(
            token(&[("MODELSCOPE_API_TOKEN", "b")]).as_deref(),
            Some("b")
        );
        assert_eq!(
            token(&[("MODELSCOPE_API_TOKEN", "b"), ("MODELSCOPE_TOKEN", "a")]).as_deref(),
            Some("a")
        );
        assert_eq!(token(&[("MODELSCOPE_TOKEN", "")]), None);
    }

    #[test]
    fn a_token_that_would_split_a_header_is_refused_without_being_shown() {
        for bad in ["hf_se\r\ncret", "hf_se\0cret", "hf_se\ncret"] {
            let failure = read(&[("HF_TOKEN", bad)]).err().unwrap();
            assert!(
                failure.to_string().starts_with("HF_TOKEN can't be used")
                    && !failure.to_string().contains("cret")
            );
        }
    }

    #[test]
    fn patience_is_a_number_of_seconds() {
        assert_eq!(
            read(&[("HF2MS_STALL", "0.5")]).unwrap().http().stall,
            Duration::from_millis(500)
        );
        for bad in ["soon", "-1", "0", "1e99", "NaN"] {
            assert!(
                read(&[("HF2MS_STALL", bad)])
                    .err()
                    .unwrap()
                    .to_string()
                    .contains("expected a number of seconds"),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_token_goes_to_no_other_site_than_its_own() {
        let settings = read(&[
            ("MODELSCOPE_TOKEN", "ms-one"),
            ("MODELSCOPE_DESTINATION_ENDPOINT", "https://modelscope.ai"),
        ])
        .unwrap();
        let to = settings.access_to(Hub::ModelScope);
        assert_eq!(
            (to.endpoint.as_str(), to.token.is_none(), to.token_name),
            (
                "https://modelscope.ai",
                true,
                "MODELSCOPE_DESTINATION_TOKEN"
            )
        );
        assert_eq!(
            settings.access(Hub::ModelScope).endpoint,
            "https://modelscope.cn"
        );
        let settings = read(&[("HF_TOKEN", "hf_one"), ("HF_DESTINATION_TOKEN", "hf_two")]).unwrap();
        let exposed =
            |access: &Access| access.token.as_ref().map(|token| token.expose().to_owned());
        assert_eq!(
            exposed(settings.access(Hub::HuggingFace)).as_deref(),
            Some("hf_one")
        );
        assert_eq!(
            exposed(settings.access_to(Hub::HuggingFace)).as_deref(),
            Some("hf_two")
        );
        assert_eq!(
            settings.access_to(Hub::HuggingFace).endpoint,
            "https://huggingface.co"
        );
        assert_eq!(settings.redact("hf_one hf_two").matches("hf_").count(), 0);
    }

    #[test]
    fn each_git_host_has_its_own_login_and_neither_is_shown() {
        let settings = read(&[
            ("HF2MS_SOURCE_LOGIN", "me:one secret"),
            ("HF2MS_TARGET_LOGIN", "you:other:secret"),
        ])
        .unwrap();
        let user = |access: &Access| {
            access
                .token
                .as_ref()
                .and_then(|token| token.user().map(str::to_owned))
        };
        assert_eq!(user(settings.access(Hub::Git)).as_deref(), Some("me"));
        assert_eq!(user(settings.access_to(Hub::Git)).as_deref(), Some("you"));
        assert_eq!(
            settings.redact("me: one secret, you: other:secret"),
            "me: ***, you: ***"
        );
        let passed_on: Vec<_> = settings
            .token_variables()
            .into_iter()
            .filter_map(|(name, token)| token.map(|_| name))
            .collect();
        assert_eq!(passed_on, ["HF2MS_SOURCE_LOGIN", "HF2MS_TARGET_LOGIN"]);
        let bad = read(&[("HF2MS_TARGET_LOGIN", "secret")])
            .err()
            .unwrap()
            .to_string();
        assert!(
            bad.starts_with("HF2MS_TARGET_LOGIN can't be used") && !bad.contains("secret"),
            "{bad}"
        );
        assert!(read(&[]).unwrap().access_to(Hub::Git).token.is_none());
    }

    #[test]
    fn the_password_of_a_proxy_is_not_shown() {
        let settings = read(&[
            ("https_proxy", "http://me:p%40ss@w0rd@proxy:3128"),
            ("ALL_PROXY", "u:x@h:1"),
            ("HTTP_PROXY", "h:3128"),
        ])
        .unwrap();
        assert_eq!(
            settings.redact("u:x@h:1, me:p%40ss@w0rd@proxy, p@ss@w0rd, h:3128"),
            "u:x@h:1, me:***@proxy, ***, h:3128"
        );
    }

    #[test]
    fn a_destination_that_is_not_set_apart_is_reached_like_the_source() {
        let settings = read(&[("HF_TOKEN", "hf_one"), ("HF_ENDPOINT", "http://h:1")]).unwrap();
        let to = settings.access_to(Hub::HuggingFace);
        assert_eq!(
            (to.endpoint.as_str(), to.token.is_some(), to.token_name),
            ("http://h:1", true, "HF_TOKEN")
        );
    }
}
