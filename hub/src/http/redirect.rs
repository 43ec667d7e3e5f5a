//! Redirects, followed by hand: a bounded number, never from https to http, never losing sight of
//! the origin (the client forwards custom headers and a referrer if left to itself).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

use super::header_text::address;
use super::origin::Origin;
use crate::error::{Error, Kind, Result};

/// More hops than this are a loop.
pub(crate) const MOST_HOPS: usize = 10;

/// The address that a response redirects to; `None` when the response is no redirect.
///
/// # Errors
/// [`Kind::Refused`] for a redirect without a usable address or to plain http. It is also the error for a request that changes something,
/// where the new origin is none that the asked one trusts. To a trusted origin the request is repeated with its method and body: hubs redirect from a
/// repo's old name, and from http to https.
pub(crate) fn target(
    method: &Method,
    from: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Url>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |why: &str| {
        Error::new(Kind::Refused, format!("the server redirects {why}"))
            .with_status(status.as_u16())
    };
    let location = headers
        .get(LOCATION)
        .map(address)
        .ok_or_else(|| refused("but names no address"))?;
    let next = from
        .join(&location)
        .map_err(|_| refused("to something that is no address"))?;
    let (here, there) = (Origin::of(from)?, Origin::of(&next)?);
    let repeats = status != StatusCode::SEE_OTHER && here.trusts(&there);
    if !matches!(*method, Method::GET | Method::HEAD) && !repeats {
        return Err(refused(&format!(
            "a request that changes something to {there}"
        )));
    }
    if here.is_downgraded_by(&there) {
        return Err(refused("from https to http"));
    }
    Ok(Some(next))
}

/// Redirects that are kept. Each has some hundred bytes.
const MOST_KEPT: usize = 1_000;

/// The redirects of streamed bodies: such a body is gone when the redirect comes, so the next try sends a fresh one to the new
/// address at once. Kept by address, and by origin where nothing else changed: a signature differs each time.
#[derive(Default)]
pub(super) struct RedirectCache(Mutex<HashMap<Url, Url>>);

impl RedirectCache {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<Url, Url>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps where `from` has led.
    pub(super) fn keep(&self, from: &Url, to: &Url) {
        let only_origin = from.path() == to.path() && from.query() == to.query();
        let (from, to) = if only_origin {
            (root(from), root(to))
        } else {
            (from.clone(), to.clone())
        };
        let mut all = self.all();
        if all.len() < MOST_KEPT {
            all.insert(from, to);
        }
    }

    /// `url`, or the address that earlier redirects lead to from there.
    ///
    /// # Errors
    /// [`Kind::Refused`] when they lead in a circle.
    pub(super) fn follow(&self, mut url: Url) -> Result<Url> {
        let all = self.all();
        for _ in 0..=MOST_HOPS {
            url = match (all.get(&url), all.get(&root(&url))) {
                (Some(next), _) => next.clone(),
                (None, Some(origin)) => at(origin, &url),
                (None, None) => return Ok(url),
            };
        }
        Err(Error::new(
            Kind::Refused,
            format!("more than {MOST_HOPS} redirects"),
        ))
    }
}

/// The origin alone.
fn root(url: &Url) -> Url {
    let mut root = url.clone();
    root.set_path("");
    root.set_query(None);
    root.set_fragment(None);
    root
}

/// The path and query of `url` at `origin`.
fn at(origin: &Url, url: &Url) -> Url {
    let mut moved = origin.clone();
    moved.set_path(url.path());
    moved.set_query(url.query());
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn follow(method: Method, from: &str, location: Option<&str>) -> Result<Option<Url>> {
        let headers = location
            .map(|l| (LOCATION, l.parse().unwrap()))
            .into_iter()
            .collect();
        target(&method, &from.parse().unwrap(), StatusCode::FOUND, &headers)
    }

    #[test]
    fn relative_and_absolute_addresses_are_followed() {
        let next = |location| {
            follow(Method::GET, "https://hub/a/b", Some(location))
                .unwrap()
                .unwrap()
                .to_string()
        };
        assert_eq!(next("/c?d"), "https://hub/c?d");
        assert_eq!(next("https://cdn/x"), "https://cdn/x");
    }

    #[test]
    fn unsafe_ones_are_refused() {
        for location in [
            Some("http://hub/plain"),
            Some("file:///etc/passwd"),
            Some("https://u:p@hub/"),
            None,
        ] {
            assert_eq!(
                follow(Method::GET, "https://hub/", location)
                    .unwrap_err()
                    .kind(),
                Kind::Refused
            );
        }
        assert_eq!(
            follow(Method::PUT, "https://hub/", Some("https://cdn/b"))
                .unwrap_err()
                .kind(),
            Kind::Refused
        );
    }

    #[test]
    fn what_changes_something_is_repeated_within_the_hub_only() {
        let send = |status: u16, location: &str| {
            let headers = [(LOCATION, location.parse().unwrap())]
                .into_iter()
                .collect();
            target(
                &Method::PUT,
                &"http://hub/old".parse().unwrap(),
                StatusCode::from_u16(status).unwrap(),
                &headers,
            )
        };
        for status in [301, 302, 307, 308] {
            assert_eq!(
                send(status, "/new").unwrap().unwrap().as_str(),
                "http://hub/new",
                "{status}"
            );
            assert_eq!(
                send(status, "https://hub/old").unwrap().unwrap().as_str(),
                "https://hub/old",
                "{status}"
            );
            assert_eq!(
                send(status, "https://cdn/new").unwrap_err().kind(),
                Kind::Refused,
                "{status}"
            );
        }
        assert_eq!(
            send(303, "/new").unwrap_err().kind(),
            Kind::Refused,
            "that would be a GET"
        );
    }

    #[test]
    fn a_location_is_bytes() {
        let next = |location: &[u8]| {
            let headers = [(LOCATION, HeaderValue::from_bytes(location).unwrap())]
                .into_iter()
                .collect();
            target(
                &Method::GET,
                &"https://hub/a".parse().unwrap(),
                StatusCode::FOUND,
                &headers,
            )
            .unwrap()
            .unwrap()
            .to_string()
        };
        assert_eq!(
            next("/\u{fc}?n=\u{fc}".as_bytes()),
            "https://hub/%C3%BC?n=%C3%BC"
        );
        assert_eq!(next(b"/\xfc"), "https://hub/%FC");
    }

    #[test]
    fn an_answer_that_is_no_redirect_is_left_alone() {
        assert!(
            target(
                &Method::GET,
                &"http://h/".parse().unwrap(),
                StatusCode::NOT_MODIFIED,
                &HeaderMap::new()
            )
            .unwrap()
            .is_none()
        );
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn followed(moves: &[(&str, &str)], from: &str) -> Result<Url> {
        let moved = RedirectCache::default();
        moves
            .iter()
            .for_each(|(from, to)| moved.keep(&url(from), &url(to)));
        moved.follow(url(from))
    }

    #[test]
    fn another_origin_holds_for_all_its_addresses_and_another_path_for_itself() {
        let upgrade = [("http://hub/a%2Fb?sig=1", "https://hub/a%2Fb?sig=1")];
        assert_eq!(
            followed(&upgrade, "http://hub/c%2Fd?sig=2").unwrap(),
            url("https://hub/c%2Fd?sig=2")
        );
        let renamed = [("http://hub/old/x", "http://hub/new/x"), upgrade[0]];
        assert_eq!(
            followed(&renamed, "http://hub/old/x").unwrap(),
            url("https://hub/new/x")
        );
        assert_eq!(
            followed(&renamed[..1], "http://hub/old/y").unwrap(),
            url("http://hub/old/y")
        );
    }

    #[test]
    fn a_circle_is_an_error() {
        let circle = [("http://a/x", "http://b/x"), ("http://b/x", "http://a/x")];
        assert_eq!(
            followed(&circle, "http://a/y").unwrap_err().kind(),
            Kind::Refused
        );
        assert_eq!(
            followed(&[("http://a/", "http://a/")], "http://a/")
                .unwrap_err()
                .kind(),
            Kind::Refused,
            "to itself"
        );
    }
}
