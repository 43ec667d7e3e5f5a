//! The addresses of blobs, kept until they expire.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap};

use crate::http::{Origin, Request, is_signed, user_agent};
use crate::{Blob, Sha256};

/// An address has 1 to 2 KiB: 10 MiB at most are kept. What is dropped is asked for again.
const MOST_KEPT: usize = 5000;

/// Where a blob can be read.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    /// The server says that it carries its own permission.
    pub(super) authenticated: bool,
    pub(super) fresh_until: Instant,
}

impl Address {
    /// A GET of the whole blob. An address that carries its permission is sent no other.
    pub(super) fn request(&self) -> Request {
        let request = Request::get(self.url.clone())
            .headers(user_agent::git_lfs())
            .headers(self.headers.clone());
        if self.is_signed() {
            request.signed()
        } else {
            request
        }
    }

    /// Whether it permits by itself, rather than by the hub's token.
    fn is_signed(&self) -> bool {
        self.authenticated || is_signed(&self.url) || self.headers.contains_key(AUTHORIZATION)
    }

    /// Whether a refusal speaks of this address, and not of the hub's token.
    pub(super) fn is_apart_from(&self, hub: &Origin) -> bool {
        self.is_signed() || Origin::of(&self.url).is_ok_and(|origin| !hub.trusts(&origin))
    }
}

/// The addresses that were located.
#[derive(Default)]
pub(super) struct Addresses {
    known: Mutex<HashMap<Sha256, Address>>,
    /// Held while asking: eight streams of one file ask once.
    asking: tokio::sync::Mutex<()>,
}

impl Addresses {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Sha256, Address>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else asks the hub for addresses.
    pub(super) async fn alone(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.asking.lock().await
    }

    /// An address that may still be used.
    pub(super) fn fresh(&self, sha256: Sha256, now: Instant) -> Option<Address> {
        self.known()
            .get(&sha256)
            .filter(|address| address.fresh_until > now)
            .cloned()
    }

    /// Those without a fresh address, each once.
    pub(super) fn unknown(&self, blobs: &[Blob], now: Instant) -> Vec<Blob> {
        let known = self.known();
        let mut seen = HashSet::new();
        let is_unknown = |blob: &Blob| {
            known
                .get(&blob.sha256)
                .is_none_or(|address| address.fresh_until <= now)
        };
        blobs
            .iter()
            .filter(|blob| is_unknown(blob) && seen.insert(blob.sha256))
            .copied()
            .collect()
    }

    /// Keeps an address; when there are too many, the half that expires first goes.
    pub(super) fn keep(&self, sha256: Sha256, address: Address) {
        let mut known = self.known();
        if known.len() >= MOST_KEPT {
            let mut ends: Vec<(Instant, Sha256)> = known
                .iter()
                .map(|(sha256, address)| (address.fresh_until, *sha256))
                .collect();
            ends.select_nth_unstable(MOST_KEPT / 2);
            for (_, oldest) in &ends[..MOST_KEPT / 2] {
                known.remove(oldest);
            }
        }
        known.insert(sha256, address);
    }

    /// Forgets an address that was refused, unless it was renewed meanwhile.
    pub(super) fn forget(&self, sha256: Sha256, refused: &Address) {
        let mut known = self.known();
        if known
            .get(&sha256)
            .is_some_and(|address| address.url == refused.url)
        {
            known.remove(&sha256);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn blob(number: usize) -> Blob {
        Blob {
            sha256: Sha256::of(&number.to_le_bytes()),
            size: 1,
        }
    }

    fn until(fresh_until: Instant, url: &str) -> Address {
        Address {
            url: url.parse().unwrap(),
            headers: HeaderMap::new(),
            authenticated: false,
            fresh_until,
        }
    }

    #[test]
    fn an_address_is_known_until_it_expires() {
        let (addresses, now) = (Addresses::default(), Instant::now());
        let later = now + Duration::from_secs(10);
        addresses.keep(blob(1).sha256, until(later, "https://s/1"));
        assert!(addresses.fresh(blob(1).sha256, now).is_some());
        assert!(addresses.fresh(blob(1).sha256, later).is_none());
        assert_eq!(
            addresses.unknown(&[blob(1), blob(2), blob(2)], now),
            [blob(2)]
        );
        assert_eq!(addresses.unknown(&[blob(1)], later), [blob(1)]);
    }

    #[test]
    fn a_renewed_address_outlives_the_refusal_of_the_old_one() {
        let (addresses, now) = (Addresses::default(), Instant::now());
        let later = now + Duration::from_secs(10);
        addresses.keep(blob(1).sha256, until(later, "https://s/new"));
        addresses.forget(blob(1).sha256, &until(later, "https://s/old"));
        assert!(addresses.fresh(blob(1).sha256, now).is_some());
        addresses.forget(blob(1).sha256, &until(later, "https://s/new"));
        assert!(addresses.fresh(blob(1).sha256, now).is_none());
    }

    #[test]
    fn a_million_blobs_do_not_fill_the_memory() {
        let (addresses, now) = (Addresses::default(), Instant::now());
        for number in 0..2 * MOST_KEPT {
            addresses.keep(
                blob(number).sha256,
                until(now + Duration::from_secs(number as u64 + 1), "https://s/x"),
            );
        }
        assert!(addresses.known().len() <= MOST_KEPT);
        assert!(
            addresses
                .fresh(blob(2 * MOST_KEPT - 1).sha256, now)
                .is_some(),
            "the newest stay"
        );
    }

    #[test]
    fn what_carries_its_permission_is_apart_from_the_token() {
        let hub = Origin::of(&"https://hub/".parse().unwrap()).unwrap();
        let apart = |url: &str| until(Instant::now(), url).is_apart_from(&hub);
        assert!(
            apart("https://cdn/x")
                && apart("https://hub/x?signature=1")
                && !apart("https://hub/x")
                && !apart("https://hub/x?size=1")
        );
        assert!(
            Address {
                authenticated: true,
                ..until(Instant::now(), "https://hub/x")
            }
            .is_apart_from(&hub)
        );
    }
}
