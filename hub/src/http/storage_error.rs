//! What object storage says when it refuses: XML with a `Code` and a `Message`, as S3, Alibaba's, Google's and Azure's have it.

use super::error_response::{ErrorDecoder, ErrorResponse};
use crate::error::{Error, Kind};

/// Reads the errors of object storage; of any other server the status alone counts.
pub struct PlainErrorDecoder;

impl ErrorDecoder for PlainErrorDecoder {
    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
        decode(answer)
    }
}

/// Storage sees no token: what it refuses with 401 or 403 is the address, which has expired.
pub(crate) fn expired_address(error: Error) -> Error {
    match error.status() {
        Some(401 | 403) => error.with_kind(Kind::Expired),
        _ => error,
    }
}

/// The meaning and the words of a refusal; `None` where the body says nothing that the status does not.
///
/// A stalled upload gets 400 `RequestTimeout`, which passes when it is sent again (recorded behind Hugging Face). An old address
/// gets 400 `ExpiredToken` or 403 "Request has expired".
fn decode(answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
    let body = String::from_utf8_lossy(&answer.body);
    let code = element(&body, "Code");
    let words = code.map(|code| {
        [Some(code), element(&body, "Message")]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": ")
    });
    match (answer.status.as_u16(), code) {
        (400, Some("RequestTimeout")) => Some((Kind::Transient, words?)),
        (400 | 403, _) if body.contains("xpired") => Some((
            Kind::Expired,
            words.unwrap_or_else(|| "the signed address has expired".to_owned()),
        )),
        _ => Some((answer.kind(), words?)),
    }
}

/// The text of the first element of this name; none of it is markup.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.trim()).filter(|text| !text.is_empty() && !text.contains('<'))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use bytes::Bytes;
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::Redactor;

    fn error(status: u16, body: &'static str) -> Error {
        let answer = ErrorResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &HeaderMap::new(),
            body: Bytes::from(body),
        };
        answer.into_error(
            &PlainErrorDecoder,
            SystemTime::UNIX_EPOCH,
            &Redactor::default(),
        )
    }

    #[test]
    fn an_upload_that_stalled_is_sent_again_and_another_400_is_not() {
        let stalled = error(
            400,
            "<?xml version=\"1.0\"?>\n<Error><Code>RequestTimeout</Code><Message>Your socket connection</Message></Error>",
        );
        assert!(stalled.is_transient());
        assert_eq!(
            stalled.to_string(),
            "RequestTimeout: Your socket connection (400)"
        );
        assert_eq!(
            error(400, "<Error><Code>EntityTooSmall</Code></Error>").kind(),
            Kind::Invalid
        );
    }

    #[test]
    fn an_old_address_is_told_by_its_words() {
        let denied = error(
            403,
            "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>",
        );
        assert_eq!(
            (denied.kind(), denied.to_string().as_str()),
            (Kind::Expired, "AccessDenied: Request has expired (403)")
        );
        assert_eq!(
            error(400, "<Error><Code>ExpiredToken</Code></Error>").kind(),
            Kind::Expired
        );
        assert_eq!(
            error(403, "URL expired").to_string(),
            "the signed address has expired (403)"
        );
        assert_eq!(
            error(
                404,
                "<Error><Code>NoSuchKey</Code><Message>expired</Message></Error>"
            )
            .kind(),
            Kind::NotFound
        );
    }

    #[test]
    fn its_words_are_shown_short_and_escaped() {
        let said = error(
            403,
            "<Error><Code>SignatureDoesNotMatch</Code><Message>no\u{1b}[2J\nmore</Message><StringToSign>s</StringToSign></Error>",
        );
        assert_eq!(
            said.to_string(),
            "SignatureDoesNotMatch: no\\u{1b}[2J\\u{a}more (403)"
        );
        assert_eq!(
            error(403, "<html><Code><b>x</b></Code></html>").to_string(),
            "the server answered 403 Forbidden"
        );
        assert_eq!(
            error(403, "<Error><Code>A").to_string(),
            "the server answered 403 Forbidden"
        );
    }
}
