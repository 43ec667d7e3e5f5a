//! One HTTP client for all hubs. Its layers, outermost first:
//!
//! [`Http::send`] retries ([`retry`]) what may pass, each attempt follows redirects by hand
//! ([`redirect`]), each hop waits at the host's gate ([`gate`]), is sent with credentials only where
//! they belong ([`origin`]), and is watched for stalls ([`watch`]). Answers that mean an error become one
//! ([`crate::Error`]), read by the hub's own [`Dialect`].

mod address;
pub(crate) mod agent;
mod answer;
mod ask;
mod body;
mod client;
pub mod clock;
mod credentials;
mod endpoint;
mod gate;
mod network;
mod origin;
mod redirect;
mod request;
pub mod retry;
mod storage;
#[cfg(test)]
pub(crate) mod testing;
mod tls;
mod watch;

pub use answer::{Answer, Dialect, PlainDialect};
pub(crate) use ask::Told;
pub use body::exactly;
pub use client::{Http, HttpOptions, fetch_once, reach};
pub use credentials::Credentials;
pub use origin::Origin;
pub use request::{Body, Request, Response};
