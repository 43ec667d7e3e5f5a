//! Blobs that the hub copies from one of its repos to another. Facts: huggingface_hub 2.4.0, `hf_api.py` (`_duplicate_lfs_files`) and
//! `_commit_api.py` (`CommitOperationCopy`, `DUPLICATE_LFS_BATCH_SIZE`): the source is asked, by whoever may write to the target.
//! Both have to be in one storage region, and a file without a Xet hash can't be copied.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use super::wire::{
    DuplicatedFile, Duplication, DuplicationAnswer, DuplicationTarget, Entry, NotDuplicated,
};
use super::{HuggingFaceRepo, paths};
use crate::http::{HttpOptions, Request};
use crate::{CopiedBlobs, File, RepoAt, Result, ServerSideCopy, Sha256, Side};

const LONGEST_ANSWER: u64 = 4 << 20;

/// The blobs of one repo for another one.
pub(crate) struct BlobDuplication {
    /// The source, as the token of the target sees it. Its client is its own: a source that may not be read says nothing about the
    /// token where it writes.
    source: HuggingFaceRepo,
    target: RepoAt,
}

impl BlobDuplication {
    /// Opens it; sends nothing yet.
    ///
    /// # Errors
    /// As [`HuggingFaceRepo::open`].
    pub(crate) fn open(from: &RepoAt, to: &Side, options: HttpOptions) -> Result<Self> {
        let source = Side {
            at: from.clone(),
            token: to.token.clone(),
        };
        Ok(Self {
            source: HuggingFaceRepo::open(&source, options)?,
            target: to.at.clone(),
        })
    }

    /// The files among these that the hub has in Xet's storage, and only as they are listed here.
    async fn known<'a>(&self, files: &[&'a File]) -> Result<HashMap<Sha256, DuplicatedFile<'a>>> {
        let asked: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        let entries = paths::info(&self.source, &asked).await?;
        let by_path: HashMap<_, _> = entries
            .into_iter()
            .map(|entry| (entry.path.clone(), entry))
            .collect();
        let known = files.iter().filter_map(|file| {
            let entry = by_path.get(file.path.as_str())?;
            Some((file.digest.sha256()?, named(file, entry)?))
        });
        Ok(known.collect())
    }

    async fn ask(&self, files: Vec<DuplicatedFile<'_>>) -> Result<Vec<NotDuplicated>> {
        let url = self.source.api("/lfs-files/duplicate")?;
        let request = Request::post(url).json(&Duplication {
            target: DuplicationTarget {
                kind: self.target.kind,
                name: &self.target.id,
            },
            files,
        })?;
        let answer = self
            .source
            .ask::<DuplicationAnswer>(LONGEST_ANSWER, || request.clone());
        Ok(answer.await?.value.failed.unwrap_or_default())
    }
}

/// The file as the hub names it; `None` for one that is another by now, or that is not in Xet's storage.
fn named<'a>(file: &'a File, entry: &Entry) -> Option<DuplicatedFile<'a>> {
    let lfs = entry.lfs.as_ref()?;
    let sha256 = file.digest.sha256()?;
    let is_same = lfs.oid.parse() == Ok(sha256) && u64::try_from(lfs.size) == Ok(file.size);
    is_same.then_some(DuplicatedFile {
        xet_hash: entry.xet_hash.clone()?,
        sha256: sha256.to_string(),
        filename: file.path.as_str(),
    })
}

/// What was asked for, less what has failed. A failure of nothing that was asked for may be of anything.
fn without(mut copied: HashSet<Sha256>, failed: Vec<NotDuplicated>) -> CopiedBlobs {
    let asked = copied.len();
    let names: HashSet<Sha256> = failed
        .iter()
        .filter_map(|failed| failed.sha256.parse().ok())
        .collect();
    copied.retain(|sha256| !names.contains(sha256));
    if asked - copied.len() < failed.len() {
        copied.clear();
    }
    let refused = failed.into_iter().filter_map(|failed| failed.error);
    CopiedBlobs {
        refused: refused.collect(),
        copied,
    }
}

#[async_trait]
impl ServerSideCopy for BlobDuplication {
    fn files_a_call(&self) -> usize {
        paths::PATHS_A_CALL
    }

    async fn copy(&self, files: &[&File]) -> Result<CopiedBlobs> {
        let known = self.known(files).await?;
        if known.is_empty() {
            return Ok(CopiedBlobs::default());
        }
        let copied = known.keys().copied().collect();
        let failed = self.ask(known.into_values().collect()).await?;
        Ok(without(copied, failed))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{COMMIT, side};
    use super::*;
    use crate::clock::tests::ManualClock;
    use crate::http::testing::{Reply, Server, quick};
    use crate::{Digest, Kind};

    const XET: &str = "aa0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd";

    fn file(path: &str) -> File {
        File {
            path: path.parse().unwrap(),
            size: 3,
            digest: Digest::Sha256(Sha256::of(path.as_bytes())),
        }
    }

    fn listed(path: &str) -> Value {
        let oid = Sha256::of(path.as_bytes()).to_string();
        json!({"type": "file", "path": path, "size": 3, "oid": "x", "xetHash": XET, "lfs": {"oid": oid, "size": 3, "pointerSize": 130}})
    }

    fn duplication(server: &Server) -> BlobDuplication {
        let (mut to, from) = (
            side(&server.endpoint(), "main"),
            side(&server.endpoint(), COMMIT),
        );
        to.at.id = "acme/copy".parse().unwrap();
        BlobDuplication::open(&from.at, &to, quick(&ManualClock::new())).unwrap()
    }

    async fn copied(replies: Vec<Reply>, files: &[File]) -> (Result<CopiedBlobs>, Server) {
        let server = Server::scripted(replies).await;
        let files: Vec<_> = files.iter().collect();
        (duplication(&server).copy(&files).await, server)
    }

    #[tokio::test]
    async fn the_source_is_asked_once_for_all_and_names_the_target() {
        let info = Reply::json(&json!([listed("a.bin"), listed("b.bin")]));
        let refused = Sha256::of(b"b.bin");
        let failed =
            json!({"failed": [{"sha256": refused.to_string(), "error": "another region"}]});
        let files = [file("a.bin"), file("b.bin")];
        let (copied, server) = copied(vec![info, Reply::json(&failed)], &files).await;
        let copied = copied.unwrap();
        assert_eq!(copied.copied, HashSet::from([Sha256::of(b"a.bin")]));
        assert_eq!(copied.refused, ["another region"]);
        let seen = server.seen();
        assert_eq!(
            server.lines(),
            [
                format!("POST /api/datasets/org/name/paths-info/{COMMIT}"),
                "POST /api/datasets/org/name/lfs-files/duplicate".to_owned()
            ]
        );
        assert_eq!(seen[0].json(), json!({"paths": ["a.bin", "b.bin"]}));
        let asked = seen[1].json();
        assert_eq!(
            asked["target"],
            json!({"type": "dataset", "name": "acme/copy"})
        );
        let sha256 = Sha256::of(b"a.bin").to_string();
        let first = json!({"xetHash": XET, "sha256": sha256, "filename": "a.bin"});
        assert!(
            asked["files"].as_array().unwrap().contains(&first),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn what_the_hub_lists_otherwise_or_without_a_xet_hash_is_not_asked_for() {
        let (mut changed, mut plain, mut longer) = (
            listed("changed.bin"),
            listed("plain.bin"),
            listed("longer.bin"),
        );
        changed["lfs"]["oid"] = Sha256::of(b"other").to_string().into();
        plain["xetHash"] = Value::Null;
        longer["lfs"]["size"] = 4.into();
        let info = Reply::json(&json!([changed, plain, longer]));
        let files = ["changed.bin", "plain.bin", "longer.bin", "absent.bin"].map(file);
        let (copied, server) = copied(vec![info], &files).await;
        assert!(copied.unwrap().copied.is_empty());
        assert_eq!(server.lines().len(), 1, "nothing is left to ask for");
    }

    #[tokio::test]
    async fn a_failure_of_nothing_that_was_asked_for_is_a_failure_of_all() {
        let info = Reply::json(&json!([listed("a.bin")]));
        let failed = Reply::json(&json!({"failed": [{"sha256": "all", "error": "no"}]}));
        let (copied, _) = copied(vec![info, failed], &[file("a.bin")]).await;
        assert!(copied.unwrap().copied.is_empty());
    }

    #[tokio::test]
    async fn a_source_that_the_token_may_not_see_is_an_error() {
        let absent = Reply::new(404, &[("X-Error-Code", "RepoNotFound")], "");
        let (copied, _) = copied(vec![absent], &[file("a.bin")]).await;
        assert_eq!(copied.unwrap_err().kind(), Kind::NotFound);
    }
}
