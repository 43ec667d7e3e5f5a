//! The hub's own addresses. Where the user has set another endpoint (a mirror site, a proxy, a port-forward), answers go on naming
//! the hub's public address: the endpoint stands for it, so what they name is asked at the endpoint, and only there.

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, LOCATION};

use super::header_text::address;
use super::origin::Origin;
use crate::error::Result;

/// Where a hub is asked, and the public addresses that this stands for.
pub(crate) struct Endpoint {
    base: Url,
    origin: Origin,
    public: Vec<Origin>,
}

impl Endpoint {
    /// The endpoint at `base`, of a hub that names itself by these public origins.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] for an endpoint that is no http(s) address.
    pub(crate) fn new(base: &Url, public: &[&str]) -> Result<Self> {
        let origin = Origin::of(base)?;
        let public: Vec<Origin> = public
            .iter()
            .filter_map(|text| Origin::of(&text.parse().ok()?).ok())
            .collect();
        let is_public = public.contains(&origin);
        Ok(Self {
            base: base.clone(),
            origin,
            public: if is_public { Vec::new() } else { public },
        })
    }

    /// Its origin.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// An address that the hub named, as it is asked: at the endpoint where it is the hub's own. So is one of the endpoint's host
    /// that lost its encryption, as servers behind a TLS proxy name it. Any other is left as it is.
    pub(crate) fn own(&self, url: Url) -> Url {
        match Origin::of(&url) {
            Ok(origin) if self.public.contains(&origin) => self.at(self.base.path(), &url),
            Ok(origin) if origin.is_plain_form_of(&self.origin) => self.at("", &url),
            _ => url,
        }
    }

    fn at(&self, prefix: &str, url: &Url) -> Url {
        let mut own = self.base.clone();
        own.set_path(&format!("{}{}", prefix.trim_end_matches('/'), url.path()));
        own.set_query(url.query());
        own
    }

    /// The headers of an answer from `from`, a redirect in them leading to where the hub is asked.
    pub(crate) fn own_location(&self, from: &Url, headers: &HeaderMap) -> HeaderMap {
        let mut headers = headers.clone();
        let named = headers
            .get(LOCATION)
            .and_then(|value| from.join(&address(value)).ok());
        let own = named.and_then(|named| HeaderValue::from_str(self.own(named).as_str()).ok());
        if let Some(own) = own {
            headers.insert(LOCATION, own);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: [&str; 2] = ["https://hub.example", "https://www.hub.example"];

    fn own(endpoint: &str, named: &str) -> String {
        Endpoint::new(&endpoint.parse().unwrap(), &PUBLIC)
            .unwrap()
            .own(named.parse().unwrap())
            .to_string()
    }

    #[test]
    fn what_the_hub_names_itself_by_is_asked_at_the_endpoint() {
        for (endpoint, asked) in [
            (
                "http://127.0.0.1:8080",
                "http://127.0.0.1:8080/api/x%2Fy?cursor=a%3D",
            ),
            (
                "https://mirror.example/hf/",
                "https://mirror.example/hf/api/x%2Fy?cursor=a%3D",
            ),
        ] {
            assert_eq!(
                own(endpoint, "https://hub.example/api/x%2Fy?cursor=a%3D"),
                asked
            );
            assert_eq!(
                own(
                    endpoint,
                    "https://www.hub.example:443/api/x%2Fy?cursor=a%3D"
                ),
                asked
            );
        }
    }

    #[test]
    fn other_addresses_stay_as_they_are() {
        for named in [
            "https://cdn.hub.example/x",
            "https://hub.example.evil/x",
            "http://hub.example/x",
            "https://hub.example:8443/x",
        ] {
            assert_eq!(own("https://mirror.example", named), named);
        }
        assert_eq!(
            own("https://hub.example", "https://www.hub.example/x"),
            "https://www.hub.example/x",
            "the hub itself"
        );
    }

    #[test]
    fn a_host_behind_a_tls_proxy_keeps_its_encryption() {
        assert_eq!(
            own("https://mirror.example/hf", "http://mirror.example/hf/x?y"),
            "https://mirror.example/hf/x?y"
        );
        assert_eq!(
            own(
                "https://mirror.example:8443",
                "http://mirror.example:8443/x"
            ),
            "https://mirror.example:8443/x"
        );
        assert_eq!(
            own("https://mirror.example", "http://mirror.example:81/x"),
            "http://mirror.example:81/x"
        );
        assert_eq!(
            own("http://mirror.example", "https://mirror.example/x"),
            "https://mirror.example/x"
        );
    }

    #[test]
    fn a_redirect_to_the_public_address_leads_to_the_endpoint() {
        let endpoint = Endpoint::new(&"http://127.0.0.1:8080".parse().unwrap(), &PUBLIC).unwrap();
        let leads = |location: &str| {
            let headers = [(LOCATION, location.parse().unwrap())]
                .into_iter()
                .collect();
            let own =
                endpoint.own_location(&"http://127.0.0.1:8080/a/b".parse().unwrap(), &headers);
            own[LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(
            leads("https://hub.example/c?d"),
            "http://127.0.0.1:8080/c?d"
        );
        assert_eq!(leads("/c?d"), "http://127.0.0.1:8080/c?d");
        assert_eq!(leads("https://cdn.example/c"), "https://cdn.example/c");
        assert!(
            endpoint
                .own_location(
                    &"http://127.0.0.1:8080/".parse().unwrap(),
                    &HeaderMap::new()
                )
                .is_empty()
        );
    }
}
