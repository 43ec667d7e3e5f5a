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
    use futures_util::stream;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
    use reqwest::{StatusCode, Url};

    use super::*;
    use crate::http::encoding::Encoding;
    use crate::{Digest, Sha256};

    const PART: Range<u64> = 2..5;
    const WHOLE: Range<u64> = 0..10;

    fn response(status: u16, told: Option<HeaderValue>, body: &'static str) -> Response {
        let headers: HeaderMap = told.map(|told| (CONTENT_RANGE, told)).into_iter().collect();
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            encoding: Encoding::of(&headers),
            headers,
            url: url(),
            request: "GET http://h/a".to_owned(),
            body: stream::iter([Ok(body.into())]).boxed(),
        }
    }

    fn file() -> File {
        File {
            path: "a".parse().unwrap(),
            size: 10,
            digest: Digest::Sha256(Sha256::of(b"0123456789")),
        }
    }

    fn url() -> Url {
        "http://h/a".parse().unwrap()
    }

    /// What is read of an answer with this status, `Content-Range` and body, when `range` was asked for.
    async fn read(
        status: u16,
        told: Option<&'static str>,
        body: &'static str,
        range: Range<u64>,
    ) -> Result<String> {
        let told = told.map(HeaderValue::from_static);
        let response = response(status, told, body);
        let mut stream = checked(response, &file(), &range)?;
        let mut read = String::new();
        while let Some(frame) = stream.next().await {
            read.push_str(std::str::from_utf8(&frame?).unwrap());
        }
        Ok(read)
    }

    #[tokio::test]
    async fn the_bytes_asked_for_pass_under_either_status() {
        for (status, told, range, body) in [
            (206, Some("bytes 2-4/10"), PART, "234"),
            (200, Some("bytes 2-4/10"), PART, "234"),
            (206, Some(" Bytes 2-4/*"), PART, "234"),
            (206, Some("bytes 0-9/10"), WHOLE, "0123456789"),
            (200, None, WHOLE, "0123456789"),
            (206, None, WHOLE, "0123456789"),
        ] {
            let read = read(status, told, body, range).await.unwrap();
            assert_eq!(read, body, "{status} {told:?}");
        }
        let short = read(206, Some("bytes 2-4/10"), "23", PART).await;
        assert_eq!(short.unwrap_err().kind(), Kind::Transient);
    }

    #[tokio::test]
    async fn the_whole_in_place_of_a_part_is_said_to_be_that() {
        for told in [None, Some("bytes 0-9/10")] {
            let error = read(200, told, "0123456789", PART).await.unwrap_err();
            assert_eq!(error.kind(), Kind::RangeIgnored, "{told:?}");
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for (status, told, range) in [
            (206, None, PART),
            (206, Some("bytes 0-9/10"), PART),
            (206, Some("bytes 2-5/10"), PART),
            (206, Some("bytes 1-4/10"), PART),
            (206, Some("bytes 2-4/11"), PART),
            (200, Some("bytes 3-5/10"), PART),
            (206, Some("bytes 0-8/10"), WHOLE),
            (204, Some("bytes 2-4/10"), PART),
            (204, None, WHOLE),
        ] {
            let error = read(status, told, "234", range).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Refused, "{status} {told:?}");
        }
        let error = read(206, Some("bytes 3-5/10"), "345", PART)
            .await
            .unwrap_err();
        let message = "the server answered the range 'bytes 3-5/10' to 'bytes 2-4/10'";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn a_range_within_the_file_is_asked_for_unless_it_is_empty() {
        let asked = |start, end| is_worth_asking(&file(), &Range { start, end });
        for (start, end, worth) in [(0, 10, true), (9, 10, true), (3, 3, false), (10, 10, false)] {
            assert_eq!(asked(start, end).unwrap(), worth, "{start}..{end}");
        }
        for (start, end) in [(4, 3), (0, 11), (11, 11)] {
            assert_eq!(
                asked(start, end).unwrap_err().kind(),
                Kind::Invalid,
                "{start}..{end}"
            );
        }
    }

    #[test]
    fn only_a_part_is_asked_for_with_a_range() {
        let header = |range| {
            let request = part(Request::get(url()), &file(), &range);
            let value = request.headers.get(RANGE)?;
            Some(value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(WHOLE), None);
        assert_eq!(header(PART).as_deref(), Some("bytes=2-4"));
        assert_eq!(header(0..9).as_deref(), Some("bytes=0-8"));
    }

    #[test]
    fn bytes_that_do_not_exist_may_exist_at_the_next_try() {
        let error = |status| restarted(Error::new(Kind::Invalid, "no").with_status(status), &PART);
        let restarted = error(416);
        assert_eq!(
            (restarted.kind(), restarted.status()),
            (Kind::Transient, Some(416))
        );
        assert_eq!(
            (error(400).kind(), error(400).status()),
            (Kind::Invalid, Some(400))
        );
    }

    /// What is made of an answer to this range of a file of `size` bytes.
    fn answered(
        status: u16,
        told: Option<HeaderValue>,
        range: &Range<u64>,
        size: u64,
    ) -> Result<()> {
        let file = File {
            path: "x".parse().unwrap(),
            size,
            digest: Digest::Sha256(Sha256::of(b"")),
        };
        checked(response(status, told, ""), &file, range).map(drop)
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
