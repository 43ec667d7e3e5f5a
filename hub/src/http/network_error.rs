//! The meaning of failures below HTTP: names, certificates, and connections that end.

use super::resolve::NameError;
use crate::error::{Error, Kind};

/// The error of a failure below HTTP; `hint` is added where no connection was made. A name that is
/// not there, or a certificate, does not get better by trying again; a resolver without an answer may have one then.
pub(super) fn network_error(error: reqwest::Error, request: &str, hint: &str) -> Error {
    let is_connected = !error.is_connect();
    let hint = if is_connected { "" } else { hint };
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut last = error.to_string();
    let (mut kind, mut stalled) = (Kind::Transient, false);
    while let Some(inner) = cause {
        kind = match inner.downcast_ref::<NameError>() {
            Some(name) => name.kind(),
            None if is_certificate_error(inner) => Kind::Unreachable,
            None => kind,
        };
        stalled |= is_timeout(inner);
        last = inner.to_string();
        cause = inner.source();
    }
    let error = Error::new(kind, crate::path::escape(&last) + hint)
        .of_request(request)
        .unconnected_if(!is_connected)
        .unanswered_if(is_connected && kind == Kind::Transient);
    if stalled {
        error.after_a_stall()
    } else {
        error
    }
}

/// The kernel gave up on a connection on which nothing was acknowledged for so long.
fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
}

/// Whether a proxy answered 407 to CONNECT. The client keeps the type of that error to itself.
pub(super) fn is_refused_login(error: &reqwest::Error) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source())
        .any(|error| error.to_string() == "tunnel error: proxy authorization required")
}

/// An I/O error is not the source of what it wraps, and may wrap another.
fn is_certificate_error(error: &(dyn std::error::Error + 'static)) -> bool {
    match error.downcast_ref::<std::io::Error>() {
        Some(io) => io
            .get_ref()
            .is_some_and(|inner| is_certificate_error(inner)),
        None => matches!(
            error.downcast_ref::<rustls::Error>(),
            Some(rustls::Error::InvalidCertificate(_))
        ),
    }
}
