//! The proxies that the user's variables name. Each value is used, or refused with its variable's name: a proxy that is silently left
//! out would send everything another way than the user wants.

use std::ffi::OsString;
use std::net::IpAddr;

use reqwest::{ClientBuilder, NoProxy, Proxy, Url};

use crate::error::{Error, Kind, Result};
use crate::path::escape;
use crate::platform::System;

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A proxy and the variable that names it.
#[derive(Debug, Clone)]
struct Named {
    variable: &'static str,
    url: Url,
}

/// The proxies for either scheme. Without any, the system's own settings hold (macOS, Windows).
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Named>,
    https: Option<Named>,
    /// What is reached without them, as [`NoProxy`] takes it.
    exceptions: String,
}

impl Proxies {
    /// Those of this process's environment.
    ///
    /// # Errors
    /// [`Kind::Usage`] for a variable that holds nothing usable. Its value, which may hold a password, is not said.
    pub(crate) fn from_env() -> Result<Self> {
        Self::of(|name| std::env::var_os(name))
    }

    /// Those that `variable` gives.
    ///
    /// # Errors
    /// As [`Proxies::from_env`].
    pub(crate) fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let first = |names: [&'static str; 2]| {
            names
                .into_iter()
                .find_map(|name| Some((name, variable(name)?)))
        };
        let named = |names| first(names).map_or(Ok(None), |(name, value)| proxy(name, value));
        let or_for_all = |own: Option<Named>| {
            if own.is_some() {
                Ok(own)
            } else {
                named(["ALL_PROXY", "all_proxy"])
            }
        };
        let http = or_for_all(named(["HTTP_PROXY", "http_proxy"])?)?;
        let https = or_for_all(named(["HTTPS_PROXY", "https_proxy"])?)?;
        let exceptions = match first(["NO_PROXY", "no_proxy"]) {
            Some((name, value)) if http.is_some() || https.is_some() => exceptions(name, value)?,
            _ => String::new(),
        };
        Ok(Self {
            http,
            https,
            exceptions,
        })
    }

    /// `builder` with these proxies.
    ///
    /// # Errors
    /// [`Kind::Usage`] for one that the client does not take.
    pub(crate) fn apply(&self, mut builder: ClientBuilder) -> Result<ClientBuilder> {
        for (named, of_scheme) in [
            (&self.http, Proxy::http::<Url> as fn(_) -> _),
            (&self.https, Proxy::https::<Url>),
        ] {
            if let Some(Named { variable, url }) = named {
                let proxy = of_scheme(url.clone()).map_err(|_| unusable(variable))?;
                builder = builder.proxy(proxy.no_proxy(NoProxy::from_string(&self.exceptions)));
            }
        }
        Ok(builder)
    }

    /// Whether a proxy has this host name.
    pub(crate) fn is_at(&self, host: &str) -> bool {
        self.all().any(|named| {
            named
                .url
                .host_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(host))
        })
    }

    /// Whether requests to this address may go by a proxy, which resolves the name itself. The system's own settings (macOS, Windows)
    /// can't be seen here.
    pub(crate) fn may_carry(&self, url: &Url) -> bool {
        let named = self.of_scheme(url.scheme()).is_some();
        named || (System::THIS.has_proxy_settings() && self.all().next().is_none())
    }

    fn of_scheme(&self, scheme: &str) -> Option<&Named> {
        let named = if scheme == "https" {
            &self.https
        } else {
            &self.http
        };
        named.as_ref()
    }

    /// What someone who can't reach an address of this scheme should know, without the proxy's password.
    pub(crate) fn hint(&self, scheme: &str) -> String {
        let named = self.of_scheme(scheme);
        let hint = |named: &Named| format!("; {} names the proxy {}", named.variable, named.at());
        named.map(hint).unwrap_or_default()
    }

    /// The error of a request to an address of this scheme, where the proxy answered that it wants a login, or another one (407).
    pub(crate) fn login_refused(&self, scheme: &str) -> Error {
        let line = match self.of_scheme(scheme) {
            Some(named) if named.has_login() => format!(
                "the proxy {} refuses the login in {}: correct USER:PASSWORD@ before its host, with special characters as %XX",
                named.at(),
                named.variable
            ),
            Some(named) => format!(
                "the proxy {} in {} wants a login: put USER:PASSWORD@ before its host, with special characters as %XX",
                named.at(),
                named.variable
            ),
            None => "the proxy of this system wants a login: set HTTPS_PROXY, with USER:PASSWORD@ before its host".to_owned(),
        };
        Error::new(Kind::Usage, line)
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        self.http.iter().chain(&self.https)
    }
}

impl Named {
    /// Its host and port, for the user.
    fn at(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}"));
        escape(&format!(
            "{}{}",
            self.url.host_str().unwrap_or_default(),
            port.unwrap_or_default()
        ))
    }

    fn has_login(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }
}

/// A variable's proxy; none where it is empty.
fn proxy(variable: &'static str, value: OsString) -> Result<Option<Named>> {
    let value = value.into_string().map_err(|_| unusable(variable))?;
    let value = value.trim();
    if value.is_empty() {
        return Ok(None);
    }
    // Desktops write socks:// and mean version 5.
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let scheme = if scheme.eq_ignore_ascii_case("socks") {
        "socks5"
    } else {
        scheme
    };
    let url: Url = format!("{scheme}://{rest}")
        .parse()
        .map_err(|_| unusable(variable))?;
    let is_bare =
        matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    if is_bare && has_host && SCHEMES.contains(&url.scheme()) {
        Ok(Some(Named { variable, url }))
    } else {
        Err(unusable(variable))
    }
}

fn unusable(variable: &str) -> Error {
    let line = format!(
        "{variable} names no proxy that can be used: give it as http://HOST:PORT, https:// or socks5://, with USER:PASSWORD@ before the host if \
         it wants a login, and special characters of these as %XX"
    );
    Error::new(Kind::Usage, line)
}

/// The entries of `NO_PROXY` as the client takes them: names, domains, addresses, networks and `*`.
fn exceptions(variable: &str, value: OsString) -> Result<String> {
    let value = value.to_string_lossy();
    let words = value
        .split(|letter: char| letter == ',' || letter.is_whitespace())
        .filter(|word| !word.is_empty());
    let entries = words.map(|word| {
        exception(word).ok_or_else(|| {
            let line = format!("{variable} holds '{}': give host names, domains, addresses or networks, without ports", escape(word));
            Error::new(Kind::Usage, line)
        })
    });
    Ok(entries.collect::<Result<Vec<_>>>()?.join(","))
}

fn exception(word: &str) -> Option<String> {
    let word = word.trim_start_matches('[').trim_end_matches(']');
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let is_network = word
        .split_once('/')
        .is_some_and(|(address, bits)| is_address(address) && bits.parse::<u8>().is_ok());
    if word == "*" || is_address(word) || is_network {
        return Some(word.to_owned());
    }
    let name = word
        .strip_prefix('*')
        .filter(|rest| rest.starts_with('.'))
        .unwrap_or(word);
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if is_name {
        Some(name.to_owned())
    } else {
        of_octets(word)
    }
}

/// `192.168.*` as a network.
fn of_octets(word: &str) -> Option<String> {
    let octets: Vec<&str> = word.split('.').take_while(|octet| *octet != "*").collect();
    let is_open = word.split('.').skip(octets.len()).all(|octet| octet == "*");
    let all_numbers = octets.iter().all(|octet| octet.parse::<u8>().is_ok());
    let fits = (1..=3).contains(&octets.len()) && is_open && all_numbers;
    fits.then(|| {
        format!(
            "{}{}/{}",
            octets.join("."),
            ".0".repeat(4 - octets.len()),
            8 * octets.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Proxies> {
        Proxies::of(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).into())
        })
    }

    fn urls(variables: &[(&str, &str)]) -> [String; 2] {
        let Proxies { http, https, .. } = of(variables).unwrap();
        [http, https].map(|named| {
            named
                .map(|named| format!("{} {}", named.variable, named.url))
                .unwrap_or_default()
        })
    }

    #[test]
    fn a_variable_of_its_own_comes_before_the_one_for_all() {
        assert_eq!(urls(&[]), ["", ""]);
        assert_eq!(
            urls(&[("ALL_PROXY", "socks5h://h:1"), ("http_proxy", "h:2")]),
            ["http_proxy http://h:2/", "ALL_PROXY socks5h://h:1"]
        );
        assert_eq!(
            urls(&[
                ("HTTPS_PROXY", " HTTP://u:p@h "),
                ("https_proxy", "junk://")
            ]),
            ["", "HTTPS_PROXY http://u:p@h/"]
        );
        assert_eq!(
            urls(&[("all_proxy", "socks://127.0.0.1:7891/")])[0],
            "all_proxy socks5://127.0.0.1:7891/"
        );
        assert_eq!(
            urls(&[
                ("HTTPS_PROXY", ""),
                ("https_proxy", "h:2"),
                ("HTTP_PROXY", "h"),
                ("ALL_PROXY", "\n")
            ]),
            ["HTTP_PROXY http://h/", ""]
        );
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_its_variable_and_without_its_password() {
        for bad in [
            "http://",
            "ftp://h:1",
            "://h",
            "http://u:secret#1@h:3128",
            "http://u:secret@h/pa?th",
            "h:port",
            "http://h:99999",
            "socks5://",
        ] {
            let error = of(&[("HTTPS_PROXY", bad)]).unwrap_err();
            assert!(
                error.kind() == Kind::Usage
                    && error.message().starts_with("HTTPS_PROXY ")
                    && !error.message().contains("secret"),
                "{bad}"
            );
        }
    }

    #[test]
    fn exceptions_are_taken_as_they_are_commonly_written() {
        let taken = |value: &str| {
            of(&[("ALL_PROXY", "h:1"), ("no_proxy", value)]).map(|proxies| proxies.exceptions)
        };
        assert_eq!(
            taken("localhost, 127.*,.corp *.lan 10.0.0.0/8,[::1],fd00::/8,192.168.*.*").unwrap(),
            "localhost,127.0.0.0/8,.corp,.lan,10.0.0.0/8,::1,fd00::/8,192.168.0.0/16"
        );
        assert_eq!(
            (taken("*").unwrap(), taken("").unwrap()),
            ("*".to_owned(), String::new())
        );
        for bad in ["<local>", "host:8080", "http://h", "1.*.2"] {
            assert!(
                taken(bad).unwrap_err().message().contains("no_proxy holds"),
                "{bad}"
            );
        }
        assert!(
            of(&[("NO_PROXY", "<local>")]).is_ok(),
            "there is no proxy to except anything from"
        );
    }

    #[test]
    fn what_is_said_of_a_proxy_holds_no_password() {
        let proxies = of(&[("HTTPS_PROXY", "http://u:secret@Proxy.corp:3128")]).unwrap();
        assert_eq!(
            (
                proxies.hint("https").as_str(),
                proxies.hint("http").as_str()
            ),
            ("; HTTPS_PROXY names the proxy proxy.corp:3128", "")
        );
        assert!(proxies.is_at("PROXY.corp") && !proxies.is_at("corp"));
        let refused = proxies.login_refused("https").message().to_owned();
        assert!(
            refused.contains("proxy.corp:3128 refuses the login in HTTPS_PROXY"),
            "{refused}"
        );
        assert!(!refused.contains("secret"), "{refused}");
        let without = of(&[("ALL_PROXY", "proxy.corp:3128")]).unwrap();
        let wanted = without.login_refused("http").message().to_owned();
        assert!(
            wanted.contains("proxy.corp:3128 in ALL_PROXY wants a login: put USER:PASSWORD@"),
            "{wanted}"
        );
    }
}
