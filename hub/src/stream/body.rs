//! The body of an upload: a blob's bytes in order, and what opens a part of them again.

use std::ops::Range;
use std::sync::Arc;

use crate::file::Blob;
use crate::http::ByteStream;
use crate::stream::verify::{VerifyStream, verified};

/// Opens a part of a blob again. Its bytes are not checked yet.
pub(crate) type Reopen = Arc<dyn Fn(Range<u64>) -> ByteStream + Send + Sync>;

/// What [`crate::BlobStore::put`] sends. Its bytes come out only through the digest check.
pub struct Body {
    stream: ByteStream,
    reopen: Option<Reopen>,
}

impl Body {
    /// The same body, of which a part that broke can be opened again; without this a broken part ends the upload.
    pub fn reopened_by(
        mut self,
        reopen: impl Fn(Range<u64>) -> ByteStream + Send + Sync + 'static,
    ) -> Self {
        self.reopen = Some(Arc::new(reopen));
        self
    }

    /// The whole body, in order. The stream fails with [`crate::Kind::Corrupt`] before its last bytes when it is not `blob`.
    pub fn verified(self, blob: Blob) -> ByteStream {
        verified(self.stream, blob)
    }

    /// The same, cut into parts of `size` bytes, and what opens one again.
    pub(crate) fn in_parts(self, blob: Blob, size: u64) -> (VerifyStream, Option<Reopen>) {
        (
            VerifyStream::new(self.stream, blob).cut_every(size),
            self.reopen,
        )
    }
}

impl From<ByteStream> for Body {
    fn from(stream: ByteStream) -> Self {
        Self {
            stream,
            reopen: None,
        }
    }
}
