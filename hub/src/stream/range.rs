//! Reads part of a file over HTTP, and checks that the response holds the bytes that were asked for.

use std::ops::Range;

use futures_util::StreamExt;

use crate::http::{Request, Response};
use crate::{ByteStream, Error, File, Kind, Result};

/// Whether the range needs a request; an empty one does not.
///
/// # Errors
/// [`Kind::Invalid`] for a range outside the file.
pub(crate) fn is_worth_asking(file: &File, range: &Range<u64>) -> Result<bool> {
    if range.start > range.end || range.end > file.size {
        let message = format!(
            "the bytes {}..{} were asked of {}, which has {}",
            range.start, range.end, file.path, file.size
        );
        return Err(Error::new(Kind::Invalid, message));
    }
    Ok(!range.is_empty())
}

/// A stream of no bytes.
pub(crate) fn nothing() -> ByteStream {
    futures_util::stream::empty().boxed()
}

/// `request` for this range; the whole file is asked for without one.
pub(crate) fn part(request: Request, file: &File, range: &Range<u64>) -> Request {
    if is_whole(file, range) {
        request
    } else {
        request.range(range)
    }
}

fn is_whole(file: &File, range: &Range<u64>) -> bool {
    *range == (0..file.size)
}

/// 416 to a range inside the file is the server's mistake, which another try may avoid.
pub(crate) fn restarted(error: Error, range: &Range<u64>) -> Error {
    match error.status() {
        Some(416) => Error::new(
            Kind::Transient,
            format!(
                "the server says that the bytes from {} do not exist",
                range.start
            ),
        )
        .with_status(416),
        _ => error,
    }
}

/// The body, once the response holds the range. Its `Content-Range` decides, rather than its status: ModelScope
/// gives a part of a small file under 200 (recorded at the real hub), and other servers give the whole under 206. Every other
/// contradiction is refused.
///
/// # Errors
/// [`Kind::RangeIgnored`] for the whole file in place of a part; [`Kind::Refused`] for anything else that was not asked for.
pub(crate) fn checked(response: Response, file: &File, range: &Range<u64>) -> Result<ByteStream> {
    let told = response
        .header("content-range")
        .map(|told| told.trim().to_ascii_lowercase());
    let told_range = |range: &Range<u64>| {
        told.as_deref()
            .is_some_and(|told| is_range(told, range, file.size))
    };
    match (response.status().as_u16(), told.is_some()) {
        (200 | 206, true) if told_range(range) => response.exactly(range.end - range.start),
        (200 | 206, false) if is_whole(file, range) => response.exactly(file.size),
        (200, has_range) if !has_range || told_range(&(0..file.size)) => Err(Error::new(
            Kind::RangeIgnored,
            "the server sent the whole file instead of a part",
        )),
        (200 | 206, _) => {
            let (told, first, last) = (
                crate::path::escape(told.as_deref().unwrap_or("nothing")),
                range.start,
                range.end.saturating_sub(1),
            );
            let message = format!(
                "the server answered the range '{told}' to 'bytes {first}-{last}/{}'",
                file.size
            );
            Err(Error::new(Kind::Refused, message))
        }
        (status, _) => Err(Error::new(
            Kind::Refused,
            format!("the server answered {status} instead of the bytes asked for"),
        )),
    }
}

/// Whether a `Content-Range` says `bytes first-last/total`, each as asked and as listed. A server need not know the total.
fn is_range(told: &str, range: &Range<u64>, size: u64) -> bool {
    let bytes = format!("bytes {}-{}/", range.start, range.end.saturating_sub(1));
    told.strip_prefix(&bytes)
        .is_some_and(|total| total == "*" || total == size.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use reqwest::StatusCode;
    use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue};

    use super::*;
    use crate::http::encoding::Encoding;
    use crate::{Digest, Sha256};

    /// What is made of an answer to this range of a file of `size` bytes.
    fn answered(
        status: u16,
        told: Option<HeaderValue>,
        range: &Range<u64>,
        size: u64,
    ) -> Result<()> {
        let headers: HeaderMap = told.map(|told| (CONTENT_RANGE, told)).into_iter().collect();
        let response = Response {
            status: StatusCode::from_u16(status).unwrap(),
            encoding: Encoding::of(&headers),
            headers,
            url: "https://hub.example/x".parse().unwrap(),
            request: String::new(),
            body: nothing(),
        };
        let file = File {
            path: "x".parse().unwrap(),
            size,
            digest: Digest::Sha256(Sha256::of(b"")),
        };
        checked(response, &file, range).map(drop)
    }

    fn ranges() -> impl Strategy<Value = (Range<u64>, u64)> {
        let ends = prop_oneof![0..20_u64, any::<u64>()];
        (ends.clone(), ends.clone(), ends).prop_map(|(a, b, c)| {
            let mut ends = [a, b, c];
            ends.sort_unstable();
            (ends[0]..ends[1], ends[2])
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_content_range_is_the_one_asked_for_or_refused((range, size) in ranges(), bytes in vec(any::<u8>(), 0..40),
                                                           near in "(bytes|BYTES| |-|/|\\*|[0-9]{1,20}){0,8}", status in 200..600_u16) {
            for told in [HeaderValue::from_bytes(&bytes), near.parse()].into_iter().flatten() {
                let text = String::from_utf8_lossy(told.as_bytes()).trim().to_lowercase();
                let is_asked = is_range(&text, &range, size);
                let answer = answered(status, Some(told), &range, size);
                prop_assert!(answer.is_err() || is_asked);
            }
            let _ = answered(status, None, &range, size);
        }

        #[test]
        fn the_range_that_was_asked_for_is_taken((range, size) in ranges(), has_total in any::<bool>(), status in prop_oneof![Just(200), Just(206)]) {
            prop_assume!(!range.is_empty());
            let total = if has_total { size.to_string() } else { "*".to_owned() };
            let told = format!("bytes {}-{}/{total}", range.start, range.end - 1);
            prop_assert!(answered(status, told.parse().ok(), &range, size).is_ok());
            let other = format!("bytes {}-{}/{total}", range.start, range.end);
            prop_assert!(answered(status, other.parse().ok(), &range, size).is_err());
        }
    }
}
