//! Uploads in parts at Hugging Face's storage, between their begin and their completion.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::content::StoredFile;
use crate::digest::Digest;
use crate::repo::Repo;
use crate::sync::Guarded;

/// Uploads in parts that have begun.
#[derive(Default)]
pub struct Multiparts {
    /// By their ids.
    pub begun: Mutex<HashMap<String, Multipart>>,
    next: AtomicU64,
}

/// One upload in parts.
pub struct Multipart {
    /// The repo that gets the blob.
    pub repo: Arc<Repo>,
    /// Of the whole blob.
    pub digest: Digest,
    /// Bytes of the whole blob.
    pub size: u64,
    /// Bytes of each part but the last.
    pub part_size: u64,
    /// Where its bytes go; nowhere when they are only counted.
    pub file: Option<Arc<StoredFile>>,
    /// ETags of the parts that have come, by their numbers.
    pub etags: HashMap<u64, String>,
}

/// Where a part goes.
pub struct Part {
    /// Into this file; nowhere when it is only counted.
    pub file: Option<Arc<StoredFile>>,
    /// From here.
    pub offset: u64,
    /// So many bytes.
    pub len: u64,
}

impl Multiparts {
    /// Keeps an upload, and returns its id.
    pub fn begin(&self, upload: Multipart) -> String {
        let id = format!("u{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.begun.guarded().insert(id.clone(), upload);
        id
    }

    /// Where part `number` of an upload goes.
    pub fn part(&self, id: &str, number: u64) -> Option<Part> {
        let begun = self.begun.guarded();
        let upload = begun.get(id)?;
        let offset = number.checked_sub(1)?.checked_mul(upload.part_size)?;
        let len = upload.part_size.min(upload.size.checked_sub(offset)?);
        Some(Part {
            file: upload.file.clone(),
            offset,
            len,
        })
    }

    /// Notes that a part has come.
    pub fn done(&self, id: &str, number: &str, etag: &str) {
        if let (Some(upload), Ok(number)) = (self.begun.guarded().get_mut(id), number.parse()) {
            upload.etags.insert(number, etag.to_owned());
        }
    }
}
