//! Where servers have sent bodies that were streamed. Such a body is gone when the redirect comes, so its owner sends a fresh one,
//! which goes to the new address at once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::Url;

use super::redirect::MOST_HOPS;
use crate::error::{Error, Kind, Result};

/// Addresses kept. Each has some hundred bytes.
const MOST_KEPT: usize = 1_000;

/// The redirects of streamed bodies, by address, and by origin where nothing else changed: a signature differs each time.
#[derive(Default)]
pub(super) struct Moved(Mutex<HashMap<Url, Url>>);

impl Moved {
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

    /// `url`, or where earlier answers lead from there.
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

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn followed(moves: &[(&str, &str)], from: &str) -> Result<Url> {
        let moved = Moved::default();
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
