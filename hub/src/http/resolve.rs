//! Resolves names. A public hub must not point at an address of this machine or of a private network: neither by a literal
//! address, nor by a name that resolves to one.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType};
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::proxy::Proxies;
use crate::error::Kind;

/// How long a host that a proxy asks for is looked up here. A network that leaves names to its proxy may have no resolver at all.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);
/// Hosts that are remembered as public. A hub has a handful.
const MOST_ADMITTED: usize = 1_000;

/// Why a name has no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupFailure {
    /// There is no such name.
    Absent,
    /// The resolver had no answer this time.
    Temporary,
}

/// How a name becomes addresses; injected in tests.
pub(crate) type AddressLookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<Vec<SocketAddr>, LookupFailure>> + Send + Sync>;

/// The system's resolver.
pub(crate) fn system_lookup() -> AddressLookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || look_up(&name)).await;
            found.unwrap_or(Err(LookupFailure::Temporary))
        })
    })
}

fn look_up(name: &str) -> Result<Vec<SocketAddr>, LookupFailure> {
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let found = dns_lookup::getaddrinfo(Some(name), None, Some(hints));
    let found = found.map_err(|error| match error.kind() {
        LookupErrorKind::Again | LookupErrorKind::Memory | LookupErrorKind::System => {
            LookupFailure::Temporary
        }
        _ => LookupFailure::Absent,
    })?;
    Ok(found.flatten().map(|info| info.sockaddr).collect())
}

/// A name without an address that may be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NameError {
    /// The name has no address.
    #[error("the name {0} does not resolve")]
    Unknown(String),
    /// The resolver failed in passing.
    #[error("the name {0} can't be resolved for now: the resolver has no answer")]
    Unanswered(String),
    /// A public hub pointed at a private address.
    #[error("the name {0} resolves to a private address, which a public hub must not point at")]
    Private(String),
    /// A proxy would resolve the name, and nobody here knows to what.
    #[error(
        "the name {0} does not resolve here, and it is none of the hub's own: a proxy is not asked for what may be a private address"
    )]
    OnlyByProxy(String),
}

impl NameError {
    /// What it means. A resolver that has no answer may have one later.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Unknown(_) => Kind::Unreachable,
            Self::Unanswered(_) => Kind::Transient,
            Self::Private(_) | Self::OnlyByProxy(_) => Kind::Refused,
        }
    }

    fn of(failure: LookupFailure, name: String) -> Self {
        match failure {
            LookupFailure::Absent => Self::Unknown(name),
            LookupFailure::Temporary => Self::Unanswered(name),
        }
    }
}

/// Resolves names; once the hub's own name turned out to be public, private addresses are left out. The user's proxy may be anywhere.
pub(crate) struct Resolver {
    hub: String,
    proxies: Proxies,
    /// Domains of the hub's storage.
    storage: &'static [&'static str],
    hub_is_private: Arc<AtomicBool>,
    /// Hosts for which a proxy may be asked.
    admitted: Mutex<HashSet<String>>,
    lookup: AddressLookup,
}

impl Resolver {
    pub(crate) fn new(
        hub: &str,
        plainly_private: bool,
        proxies: Proxies,
        storage: &'static [&'static str],
        lookup: AddressLookup,
    ) -> Self {
        Self {
            hub: hub.to_owned(),
            proxies,
            storage,
            hub_is_private: Arc::new(AtomicBool::new(plainly_private)),
            admitted: Mutex::default(),
            lookup,
        }
    }

    /// Whether a proxy may be asked for this host, which it resolves itself: the addresses are looked at here before. Where the name
    /// does not resolve here, only the hub's own domain and its storage are known to be public.
    ///
    /// # Errors
    /// [`NameError`] for a host that is private, or may be.
    pub(crate) async fn admit(&self, host: &str) -> Result<(), NameError> {
        if host == self.hub || self.is_admitted(host) || self.is_hub_private().await {
            return Ok(());
        }
        match (self.looked_up(host).await, self.is_of_hub(host)) {
            (Ok(found), _) if found.iter().any(|address| is_private(address.ip())) => {
                return Err(NameError::Private(host.to_owned()));
            }
            (Ok(_), _) | (Err(_), true) => {}
            (Err(LookupFailure::Absent), false) => {
                return Err(NameError::OnlyByProxy(host.to_owned()));
            }
            (Err(failure), false) => return Err(NameError::of(failure, host.to_owned())),
        }
        let mut admitted = self.admitted();
        if admitted.len() < MOST_ADMITTED {
            admitted.insert(host.to_owned());
        }
        Ok(())
    }

    fn admitted(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_admitted(&self, host: &str) -> bool {
        self.admitted().contains(host)
    }

    /// Whether the hub itself has private addresses only, as far as can be found out here.
    async fn is_hub_private(&self) -> bool {
        if !self.hub_is_private.load(Ordering::Relaxed)
            && self
                .looked_up(&self.hub)
                .await
                .is_ok_and(|found| all_private(&found))
        {
            self.hub_is_private.store(true, Ordering::Relaxed);
        }
        self.hub_is_private.load(Ordering::Relaxed)
    }

    async fn looked_up(&self, host: &str) -> Result<Vec<SocketAddr>, LookupFailure> {
        let found = tokio::time::timeout(LOOKUP_PATIENCE, (self.lookup)(host.to_owned())).await;
        let found = found.unwrap_or(Err(LookupFailure::Temporary))?;
        if found.is_empty() {
            Err(LookupFailure::Absent)
        } else {
            Ok(found)
        }
    }

    /// Whether a host is the hub's, or below it, or below a domain of its storage.
    fn is_of_hub(&self, host: &str) -> bool {
        let mut domains = std::iter::once(self.hub.as_str()).chain(self.storage.iter().copied());
        domains.any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    }
}

fn all_private(found: &[SocketAddr]) -> bool {
    found.iter().all(|address| is_private(address.ip()))
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let found = (self.lookup)(name.clone());
        let (is_hub, is_proxy) = (name == self.hub, self.proxies.is_at(&name));
        let hub_is_private = self.hub_is_private.clone();
        Box::pin(async move {
            let found = match found.await {
                Ok(found) if found.is_empty() => return Err(NameError::Unknown(name).into()),
                Ok(found) => found,
                Err(failure) => return Err(NameError::of(failure, name).into()),
            };
            if is_hub && all_private(&found) {
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
                    "hub.example" | "storage.example" => &["93.184.216.34"],
                    "hub.corp" => &["10.0.0.5"],
                    "mixed.example" => &["127.0.0.1", "93.184.216.35"],
                    "metadata.example" | "cdn.split.example" => &["169.254.169.254"],
                    "proxy.corp" => &["10.0.0.1"],
                    "busy.example" | "cdn.busy.example" => return Err(LookupFailure::Temporary),
                    _ => return Err(LookupFailure::Absent),
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
        let storage = &["split.example", "cdn.busy.example"];
        Resolver::new(hub, plainly_private, proxies, storage, lookup)
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

    #[tokio::test]
    async fn a_resolver_without_an_answer_may_have_one_later_and_an_unknown_name_has_none() {
        for (name, kind) in [
            ("busy.example", Kind::Transient),
            ("nowhere.invalid", Kind::Unreachable),
        ] {
            let found = resolver("hub.example", false).resolve(name.parse().unwrap());
            let error = found.await.err().unwrap();
            let error = error.downcast_ref::<NameError>().unwrap();
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    async fn admitted(hub: &str, host: &str) -> Result<(), Kind> {
        let resolver = resolver(hub, false);
        let first = resolver.admit(host).await.map_err(|error| error.kind());
        let again = resolver.admit(host).await.map_err(|error| error.kind());
        assert_eq!(first, again);
        first
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_no_private_host_of_a_public_hub() {
        for hub in ["hub.example", "unknown.example", "busy.example"] {
            for (host, admits) in [
                (hub, Ok(())),
                ("storage.example", Ok(())),
                ("metadata.example", Err(Kind::Refused)),
                ("mixed.example", Err(Kind::Refused)),
                ("cdn.split.example", Err(Kind::Refused)),
            ] {
                assert_eq!(admitted(hub, host).await, admits, "{hub} {host}");
            }
        }
        assert_eq!(admitted("hub.corp", "metadata.example").await, Ok(()));
    }

    #[tokio::test]
    async fn a_host_that_does_not_resolve_here_is_left_to_a_proxy_where_it_is_the_hubs_own() {
        for (host, admits) in [
            ("cdn.unknown.example", Ok(())),
            ("new.split.example", Ok(())),
            ("cdn.busy.example", Ok(())),
            ("evilunknown.example", Err(Kind::Refused)),
            ("notsplit.example", Err(Kind::Refused)),
            ("elsewhere.example", Err(Kind::Refused)),
            ("busy.example", Err(Kind::Transient)),
        ] {
            assert_eq!(admitted("unknown.example", host).await, admits, "{host}");
        }
    }

    #[test]
    fn the_systems_resolver_tells_an_unknown_name_from_a_known_one() {
        assert!(all_private(&look_up("localhost").unwrap()));
        assert_eq!(look_up("a\0b"), Err(LookupFailure::Absent));
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
