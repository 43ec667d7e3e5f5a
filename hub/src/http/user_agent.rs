//! `User-Agent`: ModelScope's edge answers Git's addresses only to agents that begin with `git/` (421 to others, as recorded at the
//! real hub), and some proxies and firewalls sort Git's traffic by it. Requests to the hubs' own APIs say `hf2ms/..`.

use reqwest::header::{HeaderMap, HeaderValue, USER_AGENT};

/// The agent of requests that ask the hubs' own APIs.
pub(super) const API: &str = concat!("hf2ms/", env!("CARGO_PKG_VERSION"));

/// The header of requests in Git's protocol.
pub(crate) fn git() -> HeaderMap {
    HeaderMap::from_iter([(
        USER_AGENT,
        HeaderValue::from_static(concat!(
            "git/2.47.0 (hf2ms/",
            env!("CARGO_PKG_VERSION"),
            ")"
        )),
    )])
}

/// The header of requests to LFS servers: batches, transfers and verifications.
pub(crate) fn git_lfs() -> HeaderMap {
    HeaderMap::from_iter([(
        USER_AGENT,
        HeaderValue::from_static(concat!(
            "git-lfs/3.7.0 (hf2ms/",
            env!("CARGO_PKG_VERSION"),
            ")"
        )),
    )])
}
