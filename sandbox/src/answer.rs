//! Responses, and the shorthand to make them.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use serde_json::Value;

use crate::call::Call;
use crate::content::Content;

/// A response, or the response that says why not.
pub type Answer = Result<Response<Body>, Refusal>;

/// A response that ends a handler early.
pub struct Refusal(Box<Response<Body>>);

impl From<Response<Body>> for Refusal {
    fn from(response: Response<Body>) -> Self {
        Self(Box::new(response))
    }
}

/// The response, whichever way the handler came to it.
pub fn settle(answer: Answer) -> Response<Body> {
    answer.unwrap_or_else(|refusal| *refusal.0)
}

/// An empty response.
pub fn empty(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// A response with a body of some type.
pub fn typed(status: u16, mime: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = empty(status);
    *response.body_mut() = body.into();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(mime));
    response
}

/// A JSON response.
pub fn json(status: u16, value: &Value) -> Response<Body> {
    typed(status, "application/json; charset=utf-8", value.to_string())
}

/// Adds a header; a value that can't be one is left out.
pub fn with(mut response: Response<Body>, name: &'static str, value: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(value) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}

/// What can go wrong with the disk is nobody's fault but the sandbox's.
pub fn broken(error: &std::io::Error) -> Refusal {
    typed(500, "text/plain", format!("sandbox: {error}")).into()
}

/// The content, or the range of it that was asked for.
pub fn content(call: &Call, content: &Content) -> Answer {
    let len = content.len();
    let (status, start, end) = match call.header(header::RANGE).map(|text| range(text, len)) {
        None | Some(Range::Ignored) => (200, 0, len),
        Some(Range::Of(start, end)) => (206, start, end),
        Some(Range::Unsatisfiable) => {
            return Ok(with(empty(416), "content-range", &format!("bytes */{len}")));
        }
    };
    let mut response = typed(status, "application/octet-stream", Body::empty());
    if call.method != Method::HEAD {
        *response.body_mut() = Body::new(content.body(start, end).map_err(|error| broken(&error))?);
    }
    response = with(response, "content-length", &(end - start).to_string());
    response = with(response, "accept-ranges", "bytes");
    if status == 206 {
        response = with(
            response,
            "content-range",
            &format!("bytes {start}-{}/{len}", end - 1),
        );
    }
    Ok(response)
}

#[derive(Debug, PartialEq, Eq)]
enum Range {
    Of(u64, u64),
    Unsatisfiable,
    Ignored,
}

/// Reads a Range header with a single range; what is not one is ignored, as RFC 9110 has it.
fn range(text: &str, len: u64) -> Range {
    let Some((first, last)) = text
        .strip_prefix("bytes=")
        .and_then(|text| text.split_once('-'))
    else {
        return Range::Ignored;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if first >= len => Range::Unsatisfiable,
        (Ok(first), Ok(last)) if last >= first => Range::Of(first, len.min(last + 1)),
        (Ok(first), _) if last.is_empty() => Range::Of(first, len),
        (_, Ok(0)) if first.is_empty() => Range::Unsatisfiable,
        (_, Ok(last)) if first.is_empty() => Range::Of(len.saturating_sub(last), len),
        _ => Range::Ignored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ranges() {
        assert_eq!(range("bytes=0-", 10), Range::Of(0, 10));
        assert_eq!(range("bytes=2-4", 10), Range::Of(2, 5));
        assert_eq!(range("bytes=2-99", 10), Range::Of(2, 10));
        assert_eq!(range("bytes=-3", 10), Range::Of(7, 10));
        assert_eq!(range("bytes=10-", 10), Range::Unsatisfiable);
        assert_eq!(range("bytes=0-", 0), Range::Unsatisfiable);
        assert_eq!(range("bytes=0-1,4-5", 10), Range::Ignored);
        assert_eq!(range("items=0-1", 10), Range::Ignored);
    }
}
