//! `verify`: lists the destination and compares every file by SHA-256. Where the source gives only Git's digest,
//! the file is read and hashed: no file is believed by its size.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt, stream};
use hf2ms_hub::{Blob, Digest, Error, File, Kind, Listing, Refused, RepoPath, Result, Sha256};

use crate::events::total;
use crate::protocol::{Event, Exit, Verification, VerifyJob};
use crate::work::Work;

/// Small files read at a time.
const READERS: usize = 32;
/// A listing may lag behind the commit: what looks wrong is looked at again this often.
const LOOKS: u32 = 3;

/// Compares the job's files and says what was found.
pub async fn verify(work: &Work, job: &VerifyJob) -> Exit {
    work.events.start("verify", &job.run, 0, job.files.len() as u64, total(&job.files));
    match compare(work, &job.files).await {
        Ok(found) => {
            let exit = exit_of(&found);
            work.events.say(&Event::Verified(found));
            exit
        }
        Err(error) => {
            work.events.gave_up(&error);
            Exit::of(error.kind())
        }
    }
}

/// The exit code that a verification calls for.
pub fn exit_of(found: &Verification) -> Exit {
    match (found.different.is_empty(), found.is_good()) {
        (_, true) => Exit::Done,
        (false, _) => Exit::Integrity,
        (true, false) => Exit::Incomplete,
    }
}

/// Compares `files` with what the destination lists.
///
/// # Errors
/// What listing the destination fails with.
pub async fn compare(work: &Work, files: &[File]) -> Result<Verification> {
    let expected = expected(work, files).await;
    let mut pauses = work.http.retry.pauses();
    let mut looks = 1;
    loop {
        let found = look(work, &expected).await;
        let Some(doubt) = doubt(&found) else { return found };
        let Some(pause) = pauses.next().filter(|_| looks < LOOKS) else { return found };
        work.pause(&doubt, pause).await;
        looks += 1;
    }
}

async fn look(work: &Work, expected: &[Expected<'_>]) -> Result<Verification> {
    // A hub that does not tell is listed by whoever asks again.
    let head = work.destination.head().await.ok().flatten();
    let listing = work.destination.list().await?;
    Ok(Verification { head, ..judge(expected, &listing) })
}

/// Why another look may show something else: the listing lags, or the hub says 403, as ModelScope does now and then to
/// one who may read (whoever verifies has just been there).
fn doubt(found: &Result<Verification>) -> Option<Error> {
    match found {
        Ok(found) => {
            let wrong = found.missing.len() + found.different.len();
            let doubt = || Error::new(Kind::Transient, format!("the destination does not list {wrong} files as expected yet"));
            (wrong > 0).then(doubt)
        }
        Err(error) if error.kind() == Kind::Denied => Some(Error::new(Kind::Transient, error.to_string())),
        Err(_) => None,
    }
}

/// A file and its blob, or why its SHA-256 could not be learned.
type Expected<'a> = (&'a File, Result<Blob>);

async fn expected<'a>(work: &Work, files: &'a [File]) -> Vec<Expected<'a>> {
    let of = |file: &'a File| async move { (file, learn(work, file).await.map(|sha256| Blob { sha256, size: file.size })) };
    stream::iter(files).map(of).buffered(READERS).collect().await
}

async fn learn(work: &Work, file: &File) -> Result<Sha256> {
    match file.digest {
        Digest::Sha256(sha256) => Ok(sha256),
        Digest::GitSha1(_) => Ok(Sha256::of(&work.reader().whole(file).await?)),
    }
}

fn judge(expected: &[Expected<'_>], listing: &Listing) -> Verification {
    let there: HashMap<&RepoPath, &File> = listing.files.iter().map(|listed| (&listed.file.path, &listed.file)).collect();
    let mut found = Verification { checked: expected.len() as u64, ..Verification::default() };
    for (file, blob) in expected {
        let path = &file.path;
        match (blob, there.get(path)) {
            (Err(error), _) => found.unread.push(Refused { path: path.to_string(), reason: error.to_string() }),
            (Ok(_), None) => found.missing.push(path.clone()),
            (Ok(blob), Some(there)) if there.size == blob.size && there.digest == Digest::Sha256(blob.sha256) => found.equal += 1,
            (Ok(_), Some(_)) => found.different.push(path.clone()),
        }
    }
    let wanted: HashSet<_> = expected.iter().map(|(file, _)| &file.path).collect();
    found.extra = there.into_keys().filter(|path| !wanted.contains(path)).cloned().collect();
    found.extra.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use hf2ms_hub::Listed;

    fn file(path: &str, content: &str) -> File {
        File { path: path.parse().unwrap(), size: content.len() as u64, digest: Digest::Sha256(Sha256::of(content.as_bytes())) }
    }

    fn judged(wanted: &[File], there: &[File]) -> Verification {
        let expected: Vec<Expected<'_>> =
            wanted.iter().map(|file| (file, Ok(Blob { sha256: file.digest.sha256().unwrap(), size: file.size }))).collect();
        let files = there.iter().map(|file| Listed { file: file.clone(), lfs: false }).collect();
        judge(&expected, &Listing { files, refused: Vec::new() })
    }

    #[test]
    fn equal_files_are_good_and_extra_ones_do_no_harm() {
        let found = judged(&[file("a", "1"), file("b", "2")], &[file("b", "2"), file("a", "1"), file(".gitattributes", "x")]);
        assert!(found.is_good() && found.equal == 2 && found.extra.len() == 1);
        assert_eq!(exit_of(&found), Exit::Done);
    }

    #[test]
    fn a_missing_file_is_incomplete_and_a_different_one_is_an_integrity_error() {
        let missing = judged(&[file("a", "1"), file("b", "2")], &[file("a", "1")]);
        assert_eq!((missing.missing.len(), exit_of(&missing)), (1, Exit::Incomplete));
        let different = judged(&[file("a", "1")], &[file("a", "X")]);
        assert_eq!((different.different.len(), exit_of(&different)), (1, Exit::Integrity));
        assert!(!different.is_good());
    }
}
