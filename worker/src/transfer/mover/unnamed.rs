//! Files of which the source lists Git's id only: their SHA-256, by which a blob is stored, is learned by reading them.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hf2ms_hub::{Blob, Error, File, Result, Sha256};

use super::{Mover, Wanted};
use crate::protocol::How;
use crate::transfer::budget::Reserved;
use crate::transfer::gate::StreamSlot;

/// Small files of one group that are read at a time, as far as there are so many streams.
const SMALL_READS: usize = 8;

impl<'a> Mover<'a> {
    /// Reads files that fit into memory, learns their SHA-256, and puts those that the destination lacks.
    pub(super) async fn transfer_small(
        &self,
        files: &[&'a File],
        memory: &Reserved,
        slot: &mut StreamSlot,
    ) {
        let read = stream::iter(files).map(|file| async move {
            let content = match self.halted() {
                Ok(()) => self.context.reader().whole(file, memory).await,
                Err(error) => Err(error),
            };
            (*file, content)
        });
        let at_once = SMALL_READS.min(self.gate.streams()).max(1);
        let mut contents = Vec::new();
        for (file, content) in read.buffer_unordered(at_once).collect::<Vec<_>>().await {
            match content {
                Ok(content) => contents.push((
                    file,
                    Blob {
                        sha256: Sha256::of(&content),
                        size: file.size,
                    },
                    content,
                )),
                Err(error) => self.fail(file, error),
            }
        }
        let blobs: Vec<_> = contents
            .iter()
            .map(|(file, blob, _)| (*file, *blob))
            .collect();
        match self.checked(async || self.ask_store(&blobs).await).await {
            Ok(missing) => {
                let wanted = self.verdicts(missing);
                self.put_small(contents, &wanted, slot).await;
            }
            Err(error) => {
                self.fail_all(contents.into_iter().map(|(file, ..)| file), &error);
            }
        }
    }

    async fn put_small(
        &self,
        contents: Vec<(&'a File, Blob, Bytes)>,
        wanted: &Wanted,
        slot: &mut StreamSlot,
    ) {
        for (file, blob, content) in contents {
            let result = match wanted.get(&blob.sha256) {
                None => Ok((blob.sha256, How::Reused)),
                Some(Err((kind, reason))) => Err(Error::new(*kind, reason)),
                Some(Ok(())) => {
                    let body = || stream::once(std::future::ready(Ok(content.clone()))).boxed();
                    let put = self.retry_upload(slot, || {
                        let attempt = self.context.events.upload_attempt(blob.size);
                        let body = self.context.bandwidth.slow(body());
                        async move {
                            let body = attempt.count(body).into();
                            self.upload(blob, body, &attempt).await
                        }
                    });
                    put.await.map(|()| (blob.sha256, How::Streamed))
                }
            };
            self.record(file, result);
        }
    }

    /// Reads a large file once to learn its SHA-256, and again to send it.
    pub(super) async fn transfer_large(
        &self,
        file: &File,
        memory: &Reserved,
        slot: &mut StreamSlot,
    ) -> Result<(Sha256, How)> {
        self.halted()?;
        let sha256 = self.context.reader().digests(file, memory).await?.sha256;
        let blob = Blob {
            sha256,
            size: file.size,
        };
        let check = self.checked(async || self.context.store.missing(&[blob]).await);
        let missing = check.await?;
        match missing.refused.into_iter().next() {
            Some((_, error)) if self.verdict(&error).is_err() => return Err(error),
            None if missing.wanted.is_empty() => return Ok((sha256, How::Reused)),
            _ => {}
        }
        self.put_within(file, blob, memory, slot).await?;
        Ok((sha256, How::Streamed))
    }
}
