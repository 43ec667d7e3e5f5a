//! Opening part of a file over HTTP: the answer must be the one to the question.

use std::ops::Range;

use futures_util::StreamExt;

use crate::http::{Request, Response};
use crate::{ByteStream, Error, File, Kind, Result};

/// Whether there is something to ask for; an empty range needs no request.
///
/// # Errors
/// [`Kind::Invalid`] for a range outside the file.
pub(crate) fn is_worth_asking(file: &File, range: &Range<u64>) -> Result<bool> {
    if range.start > range.end || range.end > file.size {
        let message = format!("the bytes {}..{} were asked of {}, which has {}", range.start, range.end, file.path, file.size);
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
    if is_whole(file, range) { request } else { request.range(range) }
}

fn is_whole(file: &File, range: &Range<u64>) -> bool {
    *range == (0..file.size)
}

/// 416 to a range inside the file: the server is confused, not the range.
pub(crate) fn restarted(error: Error, range: &Range<u64>) -> Error {
    match error.status() {
        Some(416) => {
            Error::new(Kind::Transient, format!("the server says that the bytes from {} do not exist", range.start)).with_status(416)
        }
        _ => error,
    }
}

/// The body, once the answer is the one to the question.
pub(crate) fn checked(response: Response, file: &File, range: &Range<u64>) -> Result<ByteStream> {
    match (response.status().as_u16(), is_whole(file, range)) {
        (200, true) => response.exactly(range.end - range.start),
        (200, false) => Err(Error::new(Kind::RangeIgnored, "the server sent the whole file instead of a part")),
        (206, false) => {
            expect_range(response.header("content-range"), range, file.size)?;
            response.exactly(range.end - range.start)
        }
        (status, _) => Err(Error::new(Kind::Refused, format!("the server answered {status} instead of the bytes asked for"))),
    }
}

/// `bytes first-last/total`, each as asked and as listed.
fn expect_range(header: Option<&str>, range: &Range<u64>, size: u64) -> Result<()> {
    let expected = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    match header {
        Some(told) if told.trim().eq_ignore_ascii_case(&expected) => Ok(()),
        told => {
            let told = crate::path::escape(told.unwrap_or("nothing"));
            Err(Error::new(Kind::Refused, format!("the server answered the range '{told}' to '{expected}'")))
        }
    }
}
