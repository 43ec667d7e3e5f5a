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
/// [`Kind::Refused`] for a redirect without a usable address, to plain http, or of a request with a body
/// (but 307 and 308 within an origin repeat the very request: a hub's way to say that a repo was renamed).
pub(crate) fn target(method: &Method, from: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Option<Url>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let refused = |why: &str| Error::new(Kind::Refused, format!("the server redirects {why}")).with_status(status.as_u16());
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(|| refused("but names no address"))?;
    let next = from.join(location).map_err(|_| refused("to something that is no address"))?;
    let (here, there) = (Origin::of(from)?, Origin::of(&next)?);
    let repeats = matches!(status.as_u16(), 307 | 308) && here == there;
    if !matches!(*method, Method::GET | Method::HEAD) && !repeats {
        return Err(refused("a request that changes something"));
    }
    if here.is_downgraded_by(&there) {
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
    fn a_renamed_repo_may_redirect_a_post_within_the_hub_only() {
        let post = |location: &str| {
            let headers = [(LOCATION, location.parse().unwrap())].into_iter().collect();
            target(&Method::POST, &"https://hub/old".parse().unwrap(), StatusCode::TEMPORARY_REDIRECT, &headers)
        };
        assert_eq!(post("/new").unwrap().unwrap().as_str(), "https://hub/new");
        assert_eq!(post("https://cdn/new").unwrap_err().kind(), Kind::Refused);
    }

    #[test]
    fn an_answer_that_is_no_redirect_is_left_alone() {
        assert!(target(&Method::GET, &"http://h/".parse().unwrap(), StatusCode::NOT_MODIFIED, &HeaderMap::new()).unwrap().is_none());
    }
}
