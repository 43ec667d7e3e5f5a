//! Redirects, followed by hand: a bounded number, never from https to http, never losing sight of
//! the origin (the client forwards custom headers and a referrer if left to itself).

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

use super::origin::Origin;
use super::text::address;
use crate::error::{Error, Kind, Result};

/// More hops than this are a loop.
pub(crate) const MOST_HOPS: usize = 10;

/// Where an answer sends us; `None` when it is no redirect.
///
/// # Errors
/// [`Kind::Refused`] for a redirect without a usable address, to plain http, or of a request that changes something to an origin
/// that the asked one does not trust. Within what it trusts the very request is repeated, its method and body kept: so hubs lead on
/// from a repo's old name, and from http to https.
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
}
