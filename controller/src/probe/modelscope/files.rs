//! Reading: listings, commits, small files, large ones in storage.

use hf2ms_hub::http::RawResponse;
use hf2ms_hub::{RepoKind, Sha256};

use super::{api, code, data, file_at, files_of, head, is_commit, is_success, listing};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{NotTried, Tried, not_tried, seen};
use crate::probe::scratch::{NOTES, Scratch, WEIGHTS};
use crate::probe::wire::{Ask, brief, header, json as read};

const NO_TREE: u64 = 10_990_101_004;
const NO_CONTENT: u64 = 10_990_101_007;

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "ms-listing",
        says: "A listing has each file's path, size and SHA-256, in folders too",
        look: |s| Box::pin(listed(s)),
    },
    Assumption {
        id: "ms-listing-commit",
        says: "A listing tells eight digits of its commit, and no more",
        look: |s| Box::pin(listing_commit(s)),
    },
    Assumption {
        id: "ms-pages",
        says: "A dataset's pages hold 200 files, and the number of all",
        look: |s| Box::pin(pages(s)),
    },
    Assumption {
        id: "ms-commits",
        says: "`commits?Ref=` tells a branch's commit",
        look: |s| Box::pin(commits(s)),
    },
    Assumption {
        id: "ms-commits-absent",
        says: "`commits?Ref=` of no branch is answered with no commit",
        look: |s| Box::pin(no_commits(s)),
    },
    Assumption {
        id: "ms-absent-revision",
        says: "A listing of no revision has no files, or code 10990101004",
        look: |s| Box::pin(absent_revision(s)),
    },
    Assumption {
        id: "ms-list-by-commit",
        says: "Files are listed by a commit's id",
        look: |s| Box::pin(list_by_commit(s)),
    },
    Assumption {
        id: "ms-read-by-commit",
        says: "A file is read by a commit's id",
        look: |s| Box::pin(read_by_commit(s)),
    },
    Assumption {
        id: "ms-small-file",
        says: "A small file comes from the hub itself, whole",
        look: |s| Box::pin(small_file(s)),
    },
    Assumption {
        id: "ms-small-range",
        says: "A range of a small file is answered 200 with its Content-Range",
        look: |s| Box::pin(small_range(s)),
    },
    Assumption {
        id: "ms-absent-file",
        says: "An absent file is answered with code 10990101007",
        look: |s| Box::pin(absent_file(s)),
    },
    Assumption {
        id: "ms-large-file",
        says: "A large file is redirected to storage at another host",
        look: |s| Box::pin(large_file(s)),
    },
    Assumption {
        id: "ms-storage-range",
        says: "Storage answers a range 206, exactly, without a token",
        look: |s| Box::pin(storage_range(s)),
    },
];

async fn listed(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(listing(scratch, "master")).await?;
    let files = files_of(&answer);
    let has = |path: &str, size: u64, sha256: &str| {
        files
            .iter()
            .any(|file| file["Path"] == path && file["Size"] == size && file["Sha256"] == sha256)
    };
    let small = has(
        NOTES,
        scratch.notes().len() as u64,
        &Sha256::of(&scratch.notes()).to_string(),
    );
    let large = has(WEIGHTS, scratch.blob.size(), &scratch.blob.oid());
    seen(
        small && large,
        format!(
            "{}, {} entries; small: {small}, large: {large}",
            brief(&answer),
            files.len()
        ),
    )
}

async fn listing_commit(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(listing(scratch, "master")).await?;
    let latest = data(&answer)["LatestCommitter"].clone();
    if latest.is_null() {
        return not_tried("this listing names no commit at all");
    }
    let short = latest["ShortId"].as_str().unwrap_or("-");
    seen(
        latest["Id"] == "" && short.len() == 8,
        format!("Id {}, ShortId {short}", latest["Id"]),
    )
}

async fn pages(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    if scratch.kind != RepoKind::Dataset {
        return not_tried("a model's listing has no pages: try --repo-type dataset");
    }
    let answer = scratch
        .get(listing(scratch, "master").replace("PageSize=3000", "PageSize=2"))
        .await?;
    let (files, total) = (
        files_of(&answer).len(),
        read(&answer)["Data"]["TotalCount"].as_u64(),
    );
    seen(
        files == 2 && total.is_some_and(|total| total > 2),
        format!(
            "{files} files of {}",
            total.map_or("-".to_owned(), |n| n.to_string())
        ),
    )
}

async fn commits(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .get(api(scratch, "/commits?Ref=master&PageNumber=1&PageSize=1"))
        .await?;
    let id = data(&answer)["Commit"][0]["Id"]
        .as_str()
        .is_some_and(is_commit);
    seen(
        is_success(&answer) && id,
        format!("{}, a commit's id: {id}", brief(&answer)),
    )
}

async fn no_commits(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .get(api(scratch, "/commits?Ref=absent&PageNumber=1&PageSize=1"))
        .await?;
    let told = data(&answer);
    let none = told.get("Commit").is_some_and(|commits| commits.is_null());
    seen(
        is_success(&answer) && none,
        format!("{}, Commit null: {none}", brief(&answer)),
    )
}

async fn absent_revision(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(listing(scratch, "absent")).await?;
    let none = is_success(&answer)
        && data(&answer)
            .get("Files")
            .is_some_and(|files| files.is_null());
    seen(
        none || code(&answer) == NO_TREE,
        format!("{}, Files null: {none}", brief(&answer)),
    )
}

async fn list_by_commit(scratch: &Scratch) -> Tried {
    let answer = scratch.get(listing(scratch, &head(scratch).await?)).await?;
    let found = files_of(&answer).iter().any(|file| file["Path"] == WEIGHTS);
    seen(found, format!("{}, the files: {found}", brief(&answer)))
}

async fn read_by_commit(scratch: &Scratch) -> Tried {
    let answer = scratch
        .get(file_at(scratch, &head(scratch).await?, NOTES))
        .await?;
    seen(
        answer.status == 200 && answer.body == scratch.notes(),
        in_short(&answer),
    )
}

async fn small_file(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(file_at(scratch, "master", NOTES)).await?;
    seen(
        answer.status == 200 && answer.body == scratch.notes(),
        in_short(&answer),
    )
}

async fn small_range(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .send(Ask::get(file_at(scratch, "master", NOTES)).range(10, 29))
        .await?;
    exactly(&answer, 200, &scratch.notes())
}

async fn absent_file(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .get(file_at(scratch, "master", "absent.txt"))
        .await?;
    seen(code(&answer) == NO_CONTENT, brief(&answer))
}

async fn large_file(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(file_at(scratch, "master", WEIGHTS)).await?;
    let Some(location) = answer.header("location") else {
        return seen(false, in_short(&answer));
    };
    let away = !scratch.wire.is_own(location);
    seen(
        answer.status == 302 && away,
        format!("{} to {}", answer.status, super::blobs::host(location)),
    )
}

async fn storage_range(scratch: &Scratch) -> Tried {
    let location = redirected(scratch).await?;
    let answer = scratch
        .send(Ask::get(location).anonymous().range(10, 29))
        .await?;
    exactly(&answer, 206, &scratch.blob.bytes)
}

/// Where the large file is in storage.
async fn redirected(scratch: &Scratch) -> Result<String, NotTried> {
    scratch.ready()?;
    let answer = scratch.get(file_at(scratch, "master", WEIGHTS)).await?;
    match answer.header("location") {
        Some(location) => Ok(location.to_owned()),
        None => not_tried(format!(
            "the large file is not redirected ({})",
            in_short(&answer)
        )),
    }
}

/// Whether an answer is exactly bytes 10 to 29 of `whole`, and says so.
fn exactly(answer: &RawResponse, status: u16, whole: &[u8]) -> Tried {
    let told = header(answer, "content-range");
    let good = answer.status == status
        && told == format!("bytes 10-29/{}", whole.len())
        && answer.body == whole[10..30];
    seen(good, format!("{}, Content-Range {told}", in_short(answer)))
}

/// The status and length of a response, and the message of an error.
fn in_short(answer: &RawResponse) -> String {
    let words = if read(answer).is_object() {
        brief(answer)
    } else {
        answer.status.to_string()
    };
    format!("{words}, {} bytes", answer.body.len())
}
