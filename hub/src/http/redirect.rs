//! Redirects, followed by hand: a bounded number, never from https to http, never losing sight of
//! the origin (the client forwards custom headers and a referrer if left to itself).

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Method, StatusCode, Url};

use super::origin::Origin;
use crate::error::{Error, Kind, Result};

/// More hops than this are a loop.
pub(crate) const MOST_HOPS: usize = 10;

/// Where an answer sends us; `None` when it is no redirect.
///
/// # Errors
/// [`Kind::Refused`] for a redirect without a usable address, to plain http, or of a request with a body.
pub(crate) fn target(method: &Method, from: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |why: &str| Error::new(Kind::Refused, format!("the server redirects {why}")).with_status(status.as_u16());
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(refused("a request that changes something"));
    }
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(|| refused("but names no address"))?;
    let next = from.join(location).map_err(|_| refused("to something that is no address"))?;
    if Origin::of(from)?.is_downgraded_by(&Origin::of(&next)?) {
        return Err(refused("from https to http"));
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(method: Method, from: &str, location: Option<&str>) -> Result<Option<Url>> {
        let headers = location.map(|l| (LOCATION, l.parse().unwrap())).into_iter().collect();
        target(&method, &from.parse().unwrap(), StatusCode::FOUND, &headers)
    }

    #[test]
    fn relative_and_absolute_addresses_are_followed() {
        let next = |location| follow(Method::GET, "https://hub/a/b", Some(location)).unwrap().unwrap().to_string();
        assert_eq!(next("/c?d"), "https://hub/c?d");
        assert_eq!(next("https://cdn/x"), "https://cdn/x");
    }

    #[test]
    fn unsafe_ones_are_refused() {
        for location in [Some("http://hub/plain"), Some("file:///etc/passwd"), Some("https://u:p@hub/"), None] {
            assert_eq!(follow(Method::GET, "https://hub/", location).unwrap_err().kind(), Kind::Refused);
        }
        assert_eq!(follow(Method::PUT, "https://hub/", Some("/b")).unwrap_err().kind(), Kind::Refused);
    }

    #[test]
    fn an_answer_that_is_no_redirect_is_left_alone() {
        assert!(target(&Method::GET, &"http://h/".parse().unwrap(), StatusCode::NOT_MODIFIED, &HeaderMap::new()).unwrap().is_none());
    }
}
