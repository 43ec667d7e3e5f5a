//! Responses that mean an error, and how each hub says so.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::SystemTime;

use super::header_text::text;
use super::quota_header::QuotaLeft;
use crate::error::{Error, Kind};
use crate::redact::Redactor;

/// A response with an error's status, its body read up to a cap.
pub struct ErrorResponse<'a> {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body's beginning, 64 KiB at most.
    pub body: Bytes,
}

/// Reads the errors of one kind of server.
pub trait ErrorDecoder: Send + Sync {
    /// The meaning and the message of an error; `None` where the response says no more than its status.
    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)>;

    /// The public origins that this hub names itself by, wherever it is asked.
    fn public_origins(&self) -> &'static [&'static str] {
        &[]
    }

    /// The paths that the hub names as the reason, as it wrote them.
    fn named_paths(&self, _answer: &ErrorResponse<'_>) -> Vec<String> {
        Vec::new()
    }
}

impl ErrorResponse<'_> {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(text)
    }

    /// What the status alone means.
    pub fn kind(&self) -> Kind {
        kind_of(self.status)
    }

    /// The error that this response means.
    pub(crate) fn into_error(
        self,
        decoder: &dyn ErrorDecoder,
        now: SystemTime,
        redactor: &Redactor,
    ) -> Error {
        let said = decoder.decode(&self);
        let (kind, message) = said.unwrap_or_else(|| (kind_of(self.status), String::new()));
        let wait = matches!(kind, Kind::RateLimited | Kind::Transient)
            .then(|| self.wait(now))
            .flatten();
        let asks = wait
            .map(|wait| format!(", and asks to wait {} s", wait.as_secs()))
            .unwrap_or_default();
        let error = Error::new(kind, self.words(&message, redactor) + &asks)
            .naming(decoder.named_paths(&self));
        error
            .with_status(self.status.as_u16())
            .with_retry_after(wait)
    }

    fn words(&self, message: &str, redactor: &Redactor) -> String {
        let status = self.status.as_u16();
        let said = if message.is_empty() {
            self.first_line()
        } else {
            message.to_owned()
        };
        let said = redactor.quote(&said);
        match (said.is_empty(), self.status.canonical_reason()) {
            (true, Some(reason)) => format!("the server answered {status} {reason}"),
            (true, None) => format!("the server answered {status}"),
            (false, _) => format!("{said} ({status})"),
        }
    }

    fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let is_markup = text.trim_start().starts_with(['<', '{', '[']);
        if is_markup {
            String::new()
        } else {
            text.lines().next().unwrap_or_default().to_owned()
        }
    }

    /// The wait that the server asks for: the `RateLimit` header when nothing remains, else `Retry-After`. One of no time is none.
    fn wait(&self, now: SystemTime) -> Option<Duration> {
        self.rate_limit_reset()
            .or_else(|| self.retry_after(now))
            .filter(|wait| !wait.is_zero())
    }

    /// `RateLimit: "api";r=0;t=55` asks for t + 1 seconds when r is 0 (huggingface_hub 2.4.0, `_http.py`). Of several buckets the
    /// one that takes longest counts.
    fn rate_limit_reset(&self) -> Option<Duration> {
        let told = QuotaLeft::of(self.headers)?;
        (told.remaining == 0).then_some(told.resets_in)
    }

    /// Whether a wait holds for all requests to this host. One that comes while the quota has requests left is about this action
    /// alone: whoami and commits have limits of their own (recorded).
    pub(super) fn is_of_host(&self) -> bool {
        QuotaLeft::of(self.headers).is_none_or(|told| told.remaining == 0)
    }

    fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let value = self.header(RETRY_AFTER.as_str())?;
        let value = value.trim();
        let date = || {
            httpdate::parse_http_date(value)
                .ok()
                .map(|date| date.duration_since(now).unwrap_or_default())
        };
        value.parse().map(Duration::from_secs).ok().or_else(date)
    }
}

fn kind_of(status: StatusCode) -> Kind {
    match status.as_u16() {
        401 => Kind::Unauthorized,
        403 => Kind::Denied,
        404 | 410 => Kind::NotFound,
        409 | 412 => Kind::Conflict,
        429 => Kind::RateLimited,
        408 | 425 | 500..=599 if status.as_u16() != 501 && status.as_u16() != 507 => {
            Kind::Transient
        }
        _ => Kind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::super::storage_error::PlainErrorDecoder;
    use super::*;

    fn error(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Error {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let answer = ErrorResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            body: Bytes::from(body),
        };
        answer.into_error(
            &PlainErrorDecoder,
            SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777),
            &Redactor::default(),
        )
    }

    #[test]
    fn statuses_that_may_pass_are_transient_and_others_are_not() {
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(error(status, &[], "").kind(), Kind::Transient, "{status}");
        }
        for status in [400, 403, 404, 410, 413, 422, 501, 507] {
            assert!(!error(status, &[], "").is_transient(), "{status}");
        }
    }

    #[test]
    fn both_header_forms_of_a_429_are_honoured() {
        let wait = |headers: &[_]| {
            error(429, headers, "")
                .retry_after()
                .map(|wait| wait.as_secs())
        };
        assert_eq!(wait(&[("ratelimit", r#""api";r=0;t=55"#)]), Some(56));
        assert_eq!(
            wait(&[("ratelimit", r#""api";r=3;t=55"#), ("retry-after", "7")]),
            Some(7),
            "the commit quota: r is not 0"
        );
        assert_eq!(
            wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT")]),
            Some(3)
        );
        assert_eq!(
            wait(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]),
            None,
            "a date that has passed"
        );
        assert_eq!(wait(&[("retry-after", "0")]), None);
        assert_eq!(
            wait(&[(
                "ratelimit",
                r#""api";r=0;t=9, "pages";r=0;t=55, "resolvers";r=2;t=99"#
            )]),
            Some(56)
        );
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn bodies_become_one_clean_line() {
        assert_eq!(
            error(400, &[], "bad\u{1b}[2J thing\nmore").to_string(),
            "bad\\u{1b}[2J thing (400)"
        );
        assert_eq!(
            error(502, &[], "<html>").to_string(),
            "the server answered 502 Bad Gateway"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_headers_ask_for_some_wait_or_none(limit in any_header(), after in any_header(), body in vec(any::<u8>(), 0..200)) {
            let headers = [("ratelimit", limit), ("retry-after", after)];
            let headers = headers.map(|(name, value)| (name.parse().unwrap(), value));
            let headers = headers.into_iter().collect();
            let answer = ErrorResponse {
                status: StatusCode::TOO_MANY_REQUESTS,
                headers: &headers,
                body: body.into(),
            };
            let error = answer.into_error(&PlainErrorDecoder, SystemTime::UNIX_EPOCH, &Redactor::default());
            prop_assert!(error.retry_after().is_none_or(|wait| !wait.is_zero()));
            prop_assert!(error.to_string().chars().all(|c| !c.is_control()));
        }

        #[test]
        fn the_longest_wait_of_empty_buckets_is_read(buckets in vec((0..3_u64, 0..100_000_u64), 1..6)) {
            let shown = buckets.iter().map(|(left, seconds)| format!("\"b\";r={left};t={seconds}"));
            let value: HeaderValue = shown.collect::<Vec<_>>().join(", ").parse().unwrap();
            let headers = [("ratelimit".parse().unwrap(), value)].into_iter().collect();
            let answer = ErrorResponse {
                status: StatusCode::TOO_MANY_REQUESTS,
                headers: &headers,
                body: Bytes::new(),
            };
            let longest = buckets.iter().filter(|(left, _)| *left == 0).map(|(_, seconds)| seconds + 1).max();
            prop_assert_eq!(answer.wait(SystemTime::UNIX_EPOCH), longest.map(Duration::from_secs));
        }
    }

    fn any_header() -> impl Strategy<Value = HeaderValue> {
        let odd = vec(any::<u8>(), 0..60)
            .prop_filter_map("no header", |bytes| HeaderValue::from_bytes(&bytes).ok());
        let near = "([a-z]=|r=|t=|;|,| |\"|[0-9]{1,21}|-|Sun, 06 Nov 1994|08:49:37 GMT){0,12}";
        prop_oneof![odd, near.prop_map(|text| text.parse().unwrap())]
    }
}
