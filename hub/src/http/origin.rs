//! Origins, and which of them may see a hub's credentials.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::resolve;
use crate::error::{Error, Kind, Result};

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an http or https address.
    ///
    /// # Errors
    /// [`Kind::Refused`] for any other scheme, for no host, and for credentials inside the address.
    pub fn of(url: &Url) -> Result<Self> {
        let refused = |why: &str| {
            Err(Error::new(
                Kind::Refused,
                format!("{why} in the address {}", show(url)),
            ))
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refused("a scheme other than http and https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("credentials");
        }
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => Ok(Self {
                scheme: url.scheme().to_owned(),
                host: host.trim_end_matches('.').to_owned(),
                port,
            }),
            _ => refused("no host"),
        }
    }

    /// The host's name or literal address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The literal IP address, when the host is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// Whether the host is by its very name one of this machine or of a private network.
    pub(crate) fn is_plainly_private(&self) -> bool {
        self.ip().map_or(
            self.host == "localhost" || self.host.ends_with(".localhost"),
            resolve::is_private,
        )
    }

    /// Whether a hub's credentials for `self` may be sent to `other`: the same origin, its upgrade to https, or over https a
    /// host below the same hub domain (ModelScope's blobs go to such a host; modelscope-hub 0.5.1,
    /// `upload_blob`, sends the token there).
    pub(crate) fn trusts(&self, other: &Self) -> bool {
        const SHARED: [&str; 2] = ["modelscope.cn", "modelscope.ai"];
        let below = |host: &str, domain: &str| {
            host == domain
                || host
                    .strip_suffix(domain)
                    .is_some_and(|rest| rest.ends_with('.'))
        };
        self == other
            || self.is_upgraded_by(other)
            || (self.scheme == "https"
                && other.scheme == "https"
                && self.port == other.port
                && SHARED
                    .iter()
                    .any(|domain| below(&self.host, domain) && below(&other.host, domain)))
    }

    /// Whether `other` is the same host with encryption, each at its scheme's own port. Another port is another server.
    pub(crate) fn is_upgraded_by(&self, other: &Self) -> bool {
        let at_own_ports = (
            self.scheme.as_str(),
            self.port,
            other.scheme.as_str(),
            other.port,
        ) == ("http", 80, "https", 443);
        at_own_ports && self.host == other.host
    }

    /// Whether it is the host of `other` without the encryption that `other` has: at the same port, or at HTTP's own.
    pub(crate) fn is_plain_form_of(&self, other: &Self) -> bool {
        other.is_downgraded_by(self)
            && self.host == other.host
            && [80, other.port].contains(&self.port)
    }

    /// Whether going from here to `other` gives up encryption.
    pub(crate) fn is_downgraded_by(&self, other: &Self) -> bool {
        self.scheme == "https" && other.scheme == "http"
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// An address fit for people: no credentials, no query (signatures live there), no control characters.
pub(crate) fn show(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    crate::path::escape(shown.as_str())
}

/// Whether an address carries its own permission: its query has the signature of object storage or of a CDN.
pub(crate) fn is_signed(url: &Url) -> bool {
    const SIGNATURES: [&str; 8] = [
        "auth_key",
        "q-signature",
        "sig",
        "signature",
        "x-amz-signature",
        "x-goog-signature",
        "x-oss-signature",
        "x-tos-signature",
    ];
    url.query_pairs().any(|(name, value)| {
        !value.is_empty()
            && SIGNATURES
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn another_port_host_or_scheme_is_another_origin() {
        let hub = origin("https://huggingface.co/x");
        assert!(hub.trusts(&origin("https://huggingface.co:443/y?z")));
        for other in [
            "http://huggingface.co",
            "https://huggingface.co:8443",
            "https://cdn-lfs.huggingface.co",
            "https://evil.co",
        ] {
            assert!(!hub.trusts(&origin(other)), "{other}");
        }
    }

    #[test]
    fn modelscopes_own_hosts_are_one_hub_but_lookalikes_are_not() {
        let hub = origin("https://modelscope.cn");
        assert!(
            hub.trusts(&origin("https://www.modelscope.cn"))
                && hub.trusts(&origin("https://lfs.modelscope.cn/x"))
        );
        for other in [
            "https://evilmodelscope.cn",
            "https://modelscope.cn.evil.com",
            "http://lfs.modelscope.cn",
            "https://modelscope.ai",
        ] {
            assert!(!hub.trusts(&origin(other)), "{other}");
        }
    }

    #[test]
    fn encryption_may_be_added_at_the_same_host_and_no_other_port_is_it() {
        let hub = origin("http://git.corp/x");
        assert!(hub.trusts(&origin("https://git.corp/y")));
        for other in [
            "https://git.corp:8443",
            "http://git.corp:443",
            "https://other.corp",
        ] {
            assert!(!hub.trusts(&origin(other)), "{other}");
        }
        assert!(!origin("http://git.corp:8080").trusts(&origin("https://git.corp")));
    }

    #[test]
    fn a_signature_is_found_by_its_name_in_the_query() {
        for signed in [
            "X-Amz-Signature=1",
            "a=b&Expires=1&Signature=x~",
            "filename=a&auth_key=1-0-0-f",
            "sv=2020&sig=a%2Fb",
        ] {
            assert!(
                is_signed(&format!("https://h/x?{signed}").parse().unwrap()),
                "{signed}"
            );
        }
        for unsigned in [
            "",
            "?sig=",
            "?design=1",
            "?Revision=master&FilePath=sig",
            "sig=1",
        ] {
            assert!(
                !is_signed(&format!("https://h/{unsigned}").parse().unwrap()),
                "{unsigned}"
            );
        }
    }

    #[test]
    fn odd_addresses_are_refused_and_shown_without_secrets() {
        for bad in [
            "ftp://x/y",
            "file:///etc/passwd",
            "https://user:secret@host/",
        ] {
            let error = Origin::of(&bad.parse().unwrap()).unwrap_err();
            assert!(!error.to_string().contains("secret"));
        }
        assert_eq!(
            show(&"https://h/a?X-Amz-Signature=s#f".parse().unwrap()),
            "https://h/a"
        );
    }
}
