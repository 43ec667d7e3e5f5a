//! One commit: lines of JSON. Sent once: when its answer is lost, whoever asked looks whether it was made. Facts:
//! huggingface_hub 2.4.0, `_commit_api.py` (`_prepare_commit_payload`, `_fetch_upload_modes`).

use std::collections::HashSet;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use futures_util::{StreamExt, stream};

use super::HuggingFaceRepo;
use super::errors::BINARIES;
use super::wire::{Candidate, Candidates, Committed, Line, Modes};
use crate::http::Request;
use crate::{Action, Blob, Body, Commit, Content, Error, Kind, RepoPath, Result, Revision, Sha256};

/// Files a question (`PREUPLOAD_BATCH_SIZE`, the server's limit).
const FILES_A_CALL: usize = 256;
/// How much of a file the hub wants to see before it says where it belongs (`UploadInfo.sample`).
const SAMPLE: usize = 512;
const LONGEST_ANSWER: u64 = 16 << 20;
/// The hub gives up on a commit after a minute; the answer may take longer on its way.
const PATIENCE: Duration = Duration::from_secs(120);
const NDJSON: &str = "application/x-ndjson";
/// How often the hub may name files that are to be in LFS though it first wanted them inline.
const BINARY_ROUNDS: u32 = 3;

/// Writes the commit. What came inline and the hub wants in LFS is stored there first, and what it refuses for being binary then.
///
/// # Errors
/// [`Kind::Conflict`] when the branch does not stand at the parent; [`Kind::Full`] when the account or the repo is full;
/// [`Kind::BlobMissing`] for blobs that are not stored; what the hub complains of.
pub(super) async fn write(repo: &HuggingFaceRepo, commit: &Commit) -> Result<Option<String>> {
    let mut large = into_lfs(repo, commit).await?;
    for _ in 0..BINARY_ROUNDS {
        let error = match send(repo, commit, &large).await {
            Err(error) if error.message().contains(BINARIES) => error,
            answer => return answer,
        };
        let inline = commit.actions.iter().filter_map(inline_of);
        let binary: Vec<_> = inline
            .filter(|(path, _)| error.names(path) && !large.contains(path))
            .collect();
        if binary.is_empty() {
            return Err(error);
        }
        store(repo, &binary.iter().collect::<Vec<_>>()).await?;
        large.extend(binary.iter().map(|(path, _)| *path));
    }
    send(repo, commit, &large).await
}

async fn send(
    repo: &HuggingFaceRepo,
    commit: &Commit,
    large: &HashSet<&RepoPath>,
) -> Result<Option<String>> {
    let body = lines(commit, large)?;
    let url = repo.api(&format!("/commit/{}", repo.revision()))?;
    let request = Request::post(url)
        .body(NDJSON, body)
        .once()
        .patience(PATIENCE);
    let answer = repo
        .http
        .send(request)
        .await
        .map_err(super::quota::of_action)?
        .json_within::<Committed>(LONGEST_ANSWER)
        .await?;
    Ok(answer
        .commit_oid
        .filter(|commit| commit.parse::<Revision>().is_ok()))
}

fn lines(commit: &Commit, large: &HashSet<&RepoPath>) -> Result<Bytes> {
    let (summary, description) = commit
        .message
        .split_once('\n')
        .unwrap_or((&commit.message, ""));
    let parent_commit = commit.parent.as_ref().map(Revision::as_str);
    let header = Line::Header {
        summary,
        description: description.trim_start(),
        parent_commit,
    };
    let mut lines = Vec::new();
    for line in
        std::iter::once(header).chain(commit.actions.iter().map(|action| line(action, large)))
    {
        serde_json::to_writer(&mut lines, &line)
            .map_err(|error| Error::new(Kind::Invalid, error.to_string()))?;
        lines.push(b'\n');
    }
    Ok(lines.into())
}

fn line<'a>(action: &'a Action, large: &HashSet<&RepoPath>) -> Line<'a> {
    let in_lfs = |path: &'a RepoPath, blob: Blob| Line::LfsFile {
        path: path.as_str(),
        algo: "sha256",
        oid: blob.sha256.to_string(),
        size: blob.size,
    };
    match action {
        Action::Put {
            path,
            content: Content::Stored(blob),
            ..
        } => in_lfs(path, *blob),
        Action::Put {
            path,
            content: Content::Inline(bytes),
            ..
        } if large.contains(path) => in_lfs(path, blob_of(bytes)),
        Action::Put {
            path,
            content: Content::Inline(bytes),
            ..
        } => Line::File {
            path: path.as_str(),
            content: BASE64_STANDARD.encode(bytes),
            encoding: "base64",
        },
        Action::Delete { path } => Line::DeletedFile {
            path: path.as_str(),
        },
    }
}

fn blob_of(bytes: &Bytes) -> Blob {
    Blob {
        sha256: Sha256::of(bytes),
        size: bytes.len() as u64,
    }
}

/// The files among the inline ones that the hub wants in LFS, their contents stored there now: it decides by
/// .gitattributes and by content, which nobody knew when the change was planned.
async fn into_lfs<'a>(repo: &HuggingFaceRepo, commit: &'a Commit) -> Result<HashSet<&'a RepoPath>> {
    let inline: Vec<(&RepoPath, &Bytes)> = commit.actions.iter().filter_map(inline_of).collect();
    let mut large = HashSet::new();
    for files in inline.chunks(FILES_A_CALL) {
        let wanted = wanted_in_lfs(repo, files).await?;
        let files: Vec<_> = files
            .iter()
            .filter(|(path, _)| wanted.contains(path.as_str()))
            .collect();
        store(repo, &files).await?;
        large.extend(files.iter().map(|(path, _)| *path));
    }
    Ok(large)
}

/// Empty files are never in LFS: storage takes none.
fn inline_of(action: &Action) -> Option<(&RepoPath, &Bytes)> {
    match action {
        Action::Put {
            path,
            content: Content::Inline(bytes),
            ..
        } if !bytes.is_empty() => Some((path, bytes)),
        _ => None,
    }
}

/// `POST /api/T/{id}/preupload/{rev}`: the paths of those that belong in LFS.
async fn wanted_in_lfs(
    repo: &HuggingFaceRepo,
    files: &[(&RepoPath, &Bytes)],
) -> Result<HashSet<String>> {
    let candidates = files.iter().map(|(path, bytes)| Candidate {
        path: path.as_str(),
        size: bytes.len() as u64,
        sample: BASE64_STANDARD.encode(&bytes[..bytes.len().min(SAMPLE)]),
    });
    let candidates = Candidates {
        files: candidates.collect(),
    };
    let request =
        Request::post(repo.api(&format!("/preupload/{}", repo.revision()))?).json(&candidates)?;
    let told = repo
        .ask::<Modes>(LONGEST_ANSWER, || request.clone())
        .await?
        .value;
    Ok(told
        .files
        .into_iter()
        .filter(|mode| mode.upload_mode == "lfs")
        .map(|mode| mode.path)
        .collect())
}

async fn store(repo: &HuggingFaceRepo, files: &[&(&RepoPath, &Bytes)]) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let blobs: Vec<Blob> = files.iter().map(|(_, bytes)| blob_of(bytes)).collect();
    let missing = repo.lfs.missing(&blobs).await?;
    if let Some((_, error)) = missing.refused.into_iter().next() {
        return Err(error);
    }
    for blob in missing.wanted {
        let Some((_, bytes)) = files
            .iter()
            .zip(&blobs)
            .find(|(_, other)| **other == blob)
            .map(|(file, _)| **file)
        else {
            continue;
        };
        let whole = stream::once(std::future::ready(Ok(bytes.clone()))).boxed();
        let again = bytes.clone();
        let part = move |range: std::ops::Range<u64>| {
            let part = slice(&again, range);
            stream::once(std::future::ready(Ok(part))).boxed()
        };
        repo.lfs
            .put(blob, Body::from(whole).reopened_by(part))
            .await?;
    }
    Ok(())
}

fn slice(bytes: &Bytes, range: std::ops::Range<u64>) -> Bytes {
    let at = |offset: u64| {
        usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    bytes.slice(at(range.start)..at(range.end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::repo;
    use super::*;
    use crate::http::testing::{Reply, Seen, Server};

    fn change(paths: &[&str]) -> Commit {
        let put = |path: &&str| Action::Put {
            path: path.parse().unwrap(),
            exists: false,
            content: Content::Inline(Bytes::copy_from_slice(path.as_bytes())),
        };
        Commit {
            message: "m".to_owned(),
            actions: paths.iter().map(put).collect(),
            parent: None,
        }
    }

    /// A hub that calls every file regular and refuses `binary` outside LFS, all named at once.
    async fn refusing(binary: &'static [&'static str]) -> Server {
        Server::answering(move |seen: &Seen| {
            let body = String::from_utf8_lossy(&seen.body).into_owned();
            if seen.path().contains("/preupload/") {
                return Reply::json(&json!({"files": []}));
            }
            if seen.path().ends_with("/objects/batch") {
                return Reply::json(&json!({"objects": seen.json()["objects"]}));
            }
            let outside =
                |path: &&&str| body.contains(&format!(r#""key":"file","value":{{"path":"{path}""#));
            let named: String = binary
                .iter()
                .filter(outside)
                .map(|path| format!("\n  - {path}"))
                .collect();
            if named.is_empty() {
                return Reply::json(&json!({"commitOid": "ab".repeat(20)}));
            }
            let error = format!(
                "Your push was rejected because it contains binary files.\nOffending files:{named}"
            );
            Reply::new(400, &[], json!({"error": error}).to_string())
        })
        .await
    }

    #[tokio::test]
    async fn files_that_are_refused_for_being_binary_go_to_lfs_and_the_commit_is_repeated() {
        let server = refusing(&["a.ply", "b c.ply"]).await;
        assert!(
            write(&repo(&server), &change(&["a.ply", "b c.ply", "c.txt"]))
                .await
                .unwrap()
                .is_some()
        );
        let commits: Vec<_> = server
            .seen()
            .into_iter()
            .filter(|seen| seen.path().contains("/commit/"))
            .collect();
        let last = String::from_utf8_lossy(&commits[1].body).into_owned();
        assert_eq!(
            (
                commits.len(),
                last.matches("lfsFile").count(),
                last.matches(r#""key":"file""#).count()
            ),
            (2, 2, 1),
            "{last}"
        );
    }

    #[tokio::test]
    async fn a_refusal_that_names_nothing_of_the_commit_is_passed_on() {
        let names_another = |_: &Seen| {
            Reply::new(400, &[], json!({"error": "it contains binary files. Offending files: - other.ply", "files": []}).to_string())
        };
        let server = Server::answering(names_another).await;
        let error = send(&repo(&server), &change(&["a.ply"]), &HashSet::new())
            .await
            .unwrap_err();
        assert!(
            error.kind() == Kind::Invalid && error.message().contains(BINARIES),
            "{error}"
        );
    }
}
