//! A blob's bytes on their way to a destination: once in order, and any part again.

use std::ops::Range;
use std::sync::Arc;

use crate::source::ByteStream;

/// Opens a part of a blob once more. What it yields is not checked yet.
pub(crate) type Reopen = Arc<dyn Fn(Range<u64>) -> ByteStream + Send + Sync>;

/// What [`crate::Destination::put`] sends.
pub struct Body {
    stream: ByteStream,
    reopen: Option<Reopen>,
}

impl Body {
    /// The same body, of which a part that broke can be opened again; without this a broken part ends the upload.
    pub fn reopened_by(mut self, reopen: impl Fn(Range<u64>) -> ByteStream + Send + Sync + 'static) -> Self {
        self.reopen = Some(Arc::new(reopen));
        self
    }

    /// The whole, in order.
    pub fn into_stream(self) -> ByteStream {
        self.stream
    }

    pub(crate) fn split(self) -> (ByteStream, Option<Reopen>) {
        (self.stream, self.reopen)
    }
}

impl From<ByteStream> for Body {
    fn from(stream: ByteStream) -> Self {
        Self { stream, reopen: None }
    }
}
