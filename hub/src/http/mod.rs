//! One HTTP client for all hubs. Its layers, outermost first:
//!
//! [`Http::send`] tries again ([`retry`]) what may pass. Each try is an [`exchange`]: redirects are followed by hand
//! ([`redirect`]), the worker keeps to its share of the hub's quota ([`quota_share`]) and to the host's rate limit
//! ([`rate_limit`]), credentials go to the hub's own origin only ([`origin`]);
//! names resolve to no private address ([`resolve`]), the user's proxy is used if there is one ([`proxy`]), and a transfer
//! that stands still is given up ([`stall`]). Content that a server packed unasked is unpacked ([`encoding`]). A response that
//! means an error becomes a [`crate::Error`], read by the hub's own [`ErrorDecoder`].

mod body;
mod client;
mod credentials;
pub(crate) mod encoding;
mod endpoint;
mod error_response;
mod exchange;
mod header_text;
mod host_waits;
mod json;
mod network_error;
mod options;
mod origin;
mod proxy;
mod quota_header;
mod quota_share;
mod rate_limit;
mod raw;
mod redirect;
mod request;
mod resolve;
mod response;
pub mod retry;
mod stall;
mod storage_error;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod upload;
pub(crate) mod user_agent;

pub use body::{ByteStream, exactly};
pub use client::{Http, fetch_once, reach};
pub use credentials::Credentials;
pub use error_response::{ErrorDecoder, ErrorResponse};
pub(crate) use header_text::address as address_of;
pub use host_waits::{HostWaits, OnHostWait, WaitNews};
pub(crate) use json::JsonResponse;
pub use options::HttpOptions;
pub use origin::Origin;
pub(crate) use origin::is_signed;
pub use raw::{RawRequest, RawResponse};
pub use request::{Request, RequestBody};
pub use resolve::{is_loopback, is_private};
pub use response::Response;
pub use storage_error::PlainErrorDecoder;
pub(crate) use storage_error::expired_address;
pub use tls::{AUTHORITIES, named_authorities};
