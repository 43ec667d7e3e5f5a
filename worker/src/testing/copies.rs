//! A hub in memory that copies blobs by itself.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hf2ms_hub::{CopiedBlobs, Error, File, Kind, Result, ServerSideCopy};

use super::{FakeDestination, FakeSource};

/// Copies from the source to the destination.
pub(crate) struct FakeServerSideCopy {
    pub(crate) source: Arc<FakeSource>,
    pub(crate) destination: Arc<FakeDestination>,
    /// The files of each call.
    pub(crate) calls: Mutex<Vec<Vec<String>>>,
    /// A file that it does not copy.
    pub(crate) refuses: Option<&'static str>,
    /// It copies nothing.
    pub(crate) is_closed: bool,
}

#[async_trait]
impl ServerSideCopy for FakeServerSideCopy {
    fn files_a_call(&self) -> usize {
        100
    }

    async fn copy(&self, files: &[&File]) -> Result<CopiedBlobs> {
        let names = files.iter().map(|file| file.path.to_string());
        self.calls.lock().unwrap().push(names.collect());
        if self.is_closed {
            return Err(Error::new(Kind::NotFound, "no such repo"));
        }
        let (refused, copied): (Vec<&File>, Vec<_>) = files
            .iter()
            .partition(|file| Some(file.path.as_str()) == self.refuses);
        let mut blobs = self.destination.blobs.lock().unwrap();
        let copied = copied.into_iter().map(|file| {
            let sha256 = file.digest.sha256().unwrap();
            blobs.insert(sha256, self.source.contents[&file.path].clone());
            sha256
        });
        let copied: HashSet<_> = copied.collect();
        let refused = refused
            .iter()
            .map(|_| "another region".to_owned())
            .collect();
        Ok(CopiedBlobs { copied, refused })
    }
}
