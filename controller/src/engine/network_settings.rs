//! The network settings of this machine that workers elsewhere get: the proxies that they can reach, and the certificate
//! authorities that the user names.

use std::net::IpAddr;

use hf2ms_hub::Url;
use hf2ms_hub::http::{AUTHORITIES, is_private, named_authorities};
use hf2ms_worker::settings::PROXIES;

use crate::settings::GetVariable;

/// Where workers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// In containers that share this machine's network.
    ThisNetwork,
    /// In containers with networks of their own, on this machine or near it.
    Container,
    /// In the cloud.
    Cloud,
}

/// The network settings of workers at one location.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Variables by name. The login of a proxy may be in them.
    pub variables: Vec<(&'static str, String)>,
    /// Which proxies they go without, and why.
    pub left_out: Option<String>,
}

impl NetworkSettings {
    /// The settings that workers at `location` can use, of the variables of `get` and the authorities of this process.
    pub async fn of(get: GetVariable<'_>, location: Location) -> Self {
        let (mut variables, mut out_of_reach) = (Vec::new(), Vec::new());
        for (name, value) in PROXIES
            .into_iter()
            .filter_map(|name| Some((name, get(name)?)))
        {
            match address(&value).filter(|_| !name.eq_ignore_ascii_case("NO_PROXY")) {
                Some((host, shown)) if is_out_of_reach(&host, location).await => {
                    out_of_reach.push((name, shown))
                }
                _ => variables.push((name, value)),
            }
        }
        variables.extend(named_authorities().map(|pem| (AUTHORITIES, pem)));
        let left_out = out_of_reach.first().map(|(_, shown)| {
            let names: Vec<&str> = out_of_reach.iter().map(|(name, _)| *name).collect();
            left_out(&names.join(", "), shown, location)
        });
        Self {
            variables,
            left_out,
        }
    }

    /// Names of the variables that are about proxies.
    pub fn proxies(&self) -> impl Iterator<Item = &'static str> {
        self.variables
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| *name != AUTHORITIES)
    }

    /// The certificate authorities, in PEM.
    pub fn authorities(&self) -> Option<&str> {
        self.variables
            .iter()
            .find(|(name, _)| *name == AUTHORITIES)
            .map(|(_, pem)| pem.as_str())
    }
}

fn left_out(names: &str, shown: &str, location: Location) -> String {
    match location {
        Location::Cloud => format!(
            "containers in the cloud go without {names}: {shown} is in a private network, which they can't reach"
        ),
        _ => format!(
            "containers go without {names}: {shown} is this machine's own address, which they can't reach; name the proxy by an address \
             that they can, or with --on docker give --network host"
        ),
    }
}

/// A proxy's host, and its address as it may be shown.
fn address(proxy: &str) -> Option<(String, String)> {
    let proxy = proxy.trim();
    let url: Url = if proxy.contains("://") {
        proxy.parse().ok()?
    } else {
        format!("http://{proxy}").parse().ok()?
    };
    let host = url.host_str()?.to_ascii_lowercase();
    let shown = url
        .port()
        .map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    Some((host, shown))
}

async fn is_out_of_reach(host: &str, location: Location) -> bool {
    let ip: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let is_own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    match location {
        Location::ThisNetwork => false,
        Location::Container => {
            ip.map_or(host == "localhost" || host.ends_with(".localhost"), is_own)
        }
        Location::Cloud => match ip {
            Some(ip) => is_private(ip),
            None => !host.contains('.') || is_name_of_private(host).await,
        },
    }
}

/// Whether a name resolves, and to private addresses alone.
async fn is_name_of_private(host: &str) -> bool {
    let found: Vec<IpAddr> = tokio::net::lookup_host((host, 0))
        .await
        .into_iter()
        .flatten()
        .map(|found| found.ip())
        .collect();
    !found.is_empty() && found.into_iter().all(is_private)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(variables: &[(&str, &str)], location: Location) -> (Vec<&'static str>, String) {
        let get = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let found = NetworkSettings::of(&get, location).await;
        (
            found.proxies().collect(),
            found.left_out.unwrap_or_default(),
        )
    }

    #[tokio::test]
    async fn a_proxy_that_workers_cant_reach_is_left_out_and_said_without_its_password() {
        use Location::{Cloud, Container, ThisNetwork};
        for (proxy, locations) in [
            ("http://me:canary@localhost:3128", [true, false, false]),
            ("127.0.0.1:3128", [true, false, false]),
            ("socks5://[::1]:1080", [true, false, false]),
            ("http://me:canary@10.0.0.1:3128", [true, true, false]),
            ("squid:3128", [true, true, false]),
            ("http://8.8.8.8:3128", [true, true, true]),
            ("", [true, true, true]),
        ] {
            for (location, passes) in [ThisNetwork, Container, Cloud].into_iter().zip(locations) {
                let (names, line) = of(
                    &[("HTTPS_PROXY", proxy), ("NO_PROXY", "localhost")],
                    location,
                )
                .await;
                assert_eq!(
                    names,
                    if passes {
                        vec!["HTTPS_PROXY", "NO_PROXY"]
                    } else {
                        vec!["NO_PROXY"]
                    },
                    "{proxy} {location:?}"
                );
                assert_eq!(line.contains("go without HTTPS_PROXY: "), !passes, "{line}");
                assert!(!line.contains("canary"), "{line}");
            }
        }
        let (_, line) = of(
            &[
                ("HTTP_PROXY", "localhost:1"),
                ("https_proxy", "localhost:1"),
            ],
            Container,
        )
        .await;
        assert!(
            line.contains("without HTTP_PROXY, https_proxy: localhost:1 is"),
            "{line}"
        );
    }
}
