//! One HTTP client for all hubs. Its layers, outermost first:
//!
//! [`Http::send`] retries ([`retry`]) what may pass, each attempt follows redirects by hand
//! ([`redirect`]), each hop waits at the host's gate ([`gate`]), is sent with credentials only where
//! they belong ([`origin`]), through the user's proxy if there is one ([`proxy`]), and is watched for stalls ([`watch`]). What a
//! server packed unasked is unpacked ([`encoding`]). Answers that mean an error become one
//! ([`crate::Error`]), read by the hub's own [`Dialect`].

mod address;
pub(crate) mod agent;
mod answer;
mod ask;
mod body;
mod client;
pub mod clock;
mod credentials;
pub(crate) mod encoding;
mod endpoint;
mod gate;
mod moved;
mod network;
mod origin;
mod proxy;
mod raw;
mod redirect;
mod request;
pub mod retry;
mod storage;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod watch;

pub use address::is_private;
pub use answer::{Answer, Dialect, PlainDialect};
pub(crate) use ask::Told;
pub use body::{ByteStream, exactly};
pub use client::{Http, HttpOptions, fetch_once, reach};
pub use credentials::Credentials;
pub use origin::Origin;
pub(crate) use origin::is_signed;
pub use raw::{RawRequest, RawResponse};
pub use request::{Body, Request, Response};
pub(crate) use text::address as address_of;
pub use tls::{AUTHORITIES, named_authorities};
