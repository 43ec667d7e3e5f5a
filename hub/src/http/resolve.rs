//! Resolves names. A public hub must not point at an address of this machine or of a private network: neither by a literal
//! address, nor by a name that resolves to one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::proxy::Proxies;

/// How a name becomes addresses; injected in tests.
pub(crate) type AddressLookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The system's resolver.
pub(crate) fn system_lookup() -> AddressLookup {
    Arc::new(|name| {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
    })
}

/// A name without an address that may be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// The name has no address.
    #[error("the name {0} does not resolve")]
    Unknown(String),
    /// A public hub pointed at a private address.
    #[error("the name {0} resolves to a private address, which a public hub must not point at")]
    Private(String),
}

/// Resolves names; once the hub's own name turned out to be public, private addresses are left out. The user's proxy may be anywhere.
pub(crate) struct Resolver {
    hub: String,
    proxies: Proxies,
    hub_is_private: Arc<AtomicBool>,
    lookup: AddressLookup,
}

impl Resolver {
    pub(crate) fn new(
        hub: &str,
        plainly_private: bool,
        proxies: Proxies,
        lookup: AddressLookup,
    ) -> Self {
        Self {
            hub: hub.to_owned(),
            proxies,
            hub_is_private: Arc::new(AtomicBool::new(plainly_private)),
            lookup,
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let found = (self.lookup)(name.clone());
        let (is_hub, is_proxy) = (name == self.hub, self.proxies.is_at(&name));
        let hub_is_private = self.hub_is_private.clone();
        Box::pin(async move {
            let found = found.await.unwrap_or_default();
            if found.is_empty() {
                return Err(NameError::Unknown(name).into());
            }
            if is_hub && found.iter().all(|address| is_private(address.ip())) {
                hub_is_private.store(true, Ordering::Relaxed);
            }
            if is_hub || is_proxy || hub_is_private.load(Ordering::Relaxed) {
                return Ok(Box::new(found.into_iter()) as Addrs);
            }
            let public: Vec<_> = found
                .into_iter()
                .filter(|address| !is_private(address.ip()))
                .collect();
            if public.is_empty() {
                return Err(NameError::Private(name).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether a web address names this machine by its loopback: what is sent there leaves it for no network.
pub fn is_loopback(address: &str) -> bool {
    let Ok(url) = address.parse::<reqwest::Url>() else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Whether an address is loopback, private, link-local (cloud metadata lives there) or otherwise not
/// one of the public internet.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    v4.is_loopback()
        || v4.is_private()
        || v4.is_link_local()
        || v4.is_unspecified()
        || v4.is_broadcast()
        || v4.is_multicast()
        || a == 0
        || (a == 100 && (64..128).contains(&b)) // shared by carriers; Alibaba's metadata is at 100.100.100.200
        || (a, b, c) == (192, 0, 0) // for protocols; Oracle's metadata is at 192.0.0.192
        || (a == 198 && (18..20).contains(&b)) // benchmarking
        || a >= 240
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    let embedded = v6
        .to_ipv4_mapped()
        .or_else(|| nat64(v6))
        .or_else(|| six_to_four(v6));
    let [a, b, c, ..] = v6.segments();
    v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
        || a & 0xffc0 == 0xfec0 // site-local, as it once was
        || v6.segments()[..6] == [0; 6] // IPv4-compatible, as it once was
        || [a, b, c] == [0x64, 0xff9b, 1] // NAT64 of a network's own (RFC 8215)
        || embedded.is_some_and(is_private_v4)
}

fn nat64(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = v6.segments();
    let [h1, h2] = high.to_be_bytes();
    let [l1, l2] = low.to_be_bytes();
    ([a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0]).then(|| Ipv4Addr::new(h1, h2, l1, l2))
}

fn six_to_four(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x20, 0x02, a, b, c, d, ..] = v6.octets() else {
        return None;
    };
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(hub: &str, plainly_private: bool) -> Resolver {
        let lookup: AddressLookup = Arc::new(|name| {
            Box::pin(async move {
                let ip: &[&str] = match name.as_str() {
                    "hub.example" => &["93.184.216.34"],
                    "hub.corp" => &["10.0.0.5"],
                    "mixed.example" => &["127.0.0.1", "93.184.216.35"],
                    "metadata.example" => &["169.254.169.254"],
                    "proxy.corp" => &["10.0.0.1"],
                    _ => &[],
                };
                Ok(ip
                    .iter()
                    .map(|ip| SocketAddr::new(ip.parse().unwrap(), 0))
                    .collect())
            })
        });
        let proxies =
            Proxies::of(|name| (name == "HTTPS_PROXY").then(|| "http://proxy.corp:3128".into()))
                .unwrap();
        Resolver::new(hub, plainly_private, proxies, lookup)
    }

    async fn resolve(resolver: &Resolver, name: &str) -> Result<Vec<String>, String> {
        let found = resolver.resolve(name.parse().unwrap()).await;
        found
            .map(|all| all.map(|a| a.ip().to_string()).collect())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_public_hub_cannot_point_at_a_private_address() {
        let public = resolver("hub.example", false);
        assert!(resolve(&public, "hub.example").await.is_ok());
        assert!(
            resolve(&public, "metadata.example")
                .await
                .unwrap_err()
                .contains("private address")
        );
        assert_eq!(
            resolve(&public, "mixed.example").await.unwrap(),
            ["93.184.216.35"]
        );
        assert_eq!(
            resolve(&public, "proxy.corp").await.unwrap(),
            ["10.0.0.1"],
            "the user's own choice"
        );
        assert!(
            resolve(&public, "metadata.example").await.is_err(),
            "and nobody else's"
        );
    }

    #[tokio::test]
    async fn a_hub_inside_a_private_network_may() {
        let corporate = resolver("hub.corp", false);
        resolve(&corporate, "hub.corp").await.unwrap();
        assert_eq!(
            resolve(&corporate, "metadata.example").await.unwrap(),
            ["169.254.169.254"]
        );
        assert!(
            resolve(&resolver("127.0.0.1", true), "metadata.example")
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn an_unknown_name_is_named() {
        assert_eq!(
            resolve(&resolver("hub.example", false), "nowhere.invalid")
                .await
                .unwrap_err(),
            "the name nowhere.invalid does not resolve"
        );
    }

    #[test]
    fn private_addresses_are_known_in_every_spelling() {
        for private in [
            "127.0.0.1",
            "10.1.1.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::808:808",
            "::7f00:1",
            "fec0::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "192.0.0.192",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "93.184.216.34",
            "8.8.8.8",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
