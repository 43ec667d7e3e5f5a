//! Commits: what they take, how much of it, how soon, and how they refuse.

use std::time::Instant;

use hf2ms_hub::http::RawResponse;
use serde_json::Value;

use super::{
    POLICY, commit, commit_to, data, deleted, file, files_of, is_commit, is_success, lfs_file,
    listing,
};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{Tried, seen};
use crate::probe::scratch::{NOTES, Scratch, ScratchBlob};
use crate::probe::wire::brief;

/// Messages of a commit that may be sent again later.
const LATER: [&str; 4] = [
    POLICY,
    "commit lock busy",
    "branch changed",
    "could not update refs",
];
/// Fields of a commit's answer that may hold its id.
const IDS: [&str; 7] = ["CommitId", "commit_id", "Sha", "sha", "Id", "id", "oid"];

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "ms-commit-id",
        says: "A commit's answer names the commit",
        look: |s| Box::pin(id(s)),
    },
    Assumption {
        id: "ms-commit-pace",
        says: "A commit right after another is taken, or refused for now in known words",
        look: |s| Box::pin(pace(s)),
    },
    Assumption {
        id: "ms-commit-300",
        says: "A commit takes 300 files",
        look: |s| Box::pin(three_hundred(s)),
    },
    Assumption {
        id: "ms-commit-2001",
        says: "More than 2,000 actions are refused: 422, with the limit",
        look: |s| Box::pin(too_many(s)),
    },
    Assumption {
        id: "ms-commit-8mib",
        says: "A commit takes a body of 8 MiB",
        look: |s| Box::pin(eight_mib(s)),
    },
    Assumption {
        id: "ms-commit-delete",
        says: "A commit takes a file away",
        look: |s| Box::pin(delete(s)),
    },
    Assumption {
        id: "ms-commit-delete-absent",
        says: "Taking away what is not there is refused: 400, by policy",
        look: |s| Box::pin(delete_absent(s)),
    },
    Assumption {
        id: "ms-commit-git-path",
        says: "A path below .git is refused: 400, by policy",
        look: |s| Box::pin(git_path(s)),
    },
    Assumption {
        id: "ms-commit-absent-blob",
        says: "A commit takes a blob that is not there: nothing checks it",
        look: |s| Box::pin(absent_blob(s)),
    },
];

async fn id(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.committed)?;
    let told = data(answer);
    let named = IDS
        .iter()
        .find(|name| told[**name].as_str().is_some_and(is_commit));
    let fields: Vec<&str> = told
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    seen(
        is_success(answer) && named.is_some(),
        format!("{}, fields: {}", brief(answer), fields.join(", ")),
    )
}

async fn pace(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let one = commit(scratch, "master", &[file("pace.txt", b"1")]).await?;
    let other = scratch
        .send_commit_at_once(commit_to(scratch, "master", &[file("pace.txt", b"2")]))
        .await?;
    let known = |answer: &RawResponse| {
        is_success(answer) || LATER.iter().any(|words| brief(answer).contains(words))
    };
    seen(
        is_success(&one) && known(&other),
        format!("{}, then {}", brief(&one), brief(&other)),
    )
}

async fn three_hundred(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let files: Vec<Value> = (0..300)
        .map(|number| {
            file(
                &format!("many/{number:04}.txt"),
                number.to_string().as_bytes(),
            )
        })
        .collect();
    timed(scratch, &files).await
}

async fn eight_mib(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    // A third more in base64.
    timed(scratch, &[file("large/text.txt", &vec![b'x'; 6 << 20])]).await
}

async fn timed(scratch: &Scratch, files: &[Value]) -> Tried {
    let ask = commit_to(scratch, "master", files);
    let begun = Instant::now();
    let answer = scratch.send_commit(ask).await?;
    seen(
        is_success(&answer),
        format!(
            "{} after {:.1} s, pause included",
            brief(&answer),
            begun.elapsed().as_secs_f64()
        ),
    )
}

async fn too_many(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let files: Vec<Value> = (0..2001)
        .map(|number| file(&format!("never/{number:04}.txt"), b"x"))
        .collect();
    let answer = commit(scratch, "master", &files).await?;
    seen(
        answer.status == 422 && brief(&answer).contains("2000"),
        brief(&answer),
    )
}

async fn delete(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let made = commit(scratch, "master", &[file("to-go.txt", b"soon gone")]).await?;
    let answer = commit(scratch, "master", &[deleted("to-go.txt")]).await?;
    let after = scratch.get(listing(scratch, "master")).await?;
    let gone = !files_of(&after)
        .iter()
        .any(|file| file["Path"] == "to-go.txt");
    seen(
        is_success(&answer) && gone,
        format!(
            "made {}, taken away {}, gone: {gone}",
            brief(&made),
            brief(&answer)
        ),
    )
}

async fn delete_absent(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = commit(scratch, "master", &[deleted("absent.txt")]).await?;
    refused_by_policy(&answer)
}

async fn git_path(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = commit(
        scratch,
        "master",
        &[file(".git/config", b"x"), file(NOTES, &scratch.notes())],
    )
    .await?;
    refused_by_policy(&answer)
}

fn refused_by_policy(answer: &RawResponse) -> Tried {
    seen(
        answer.status == 400 && brief(answer).contains(POLICY),
        brief(answer),
    )
}

async fn absent_blob(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let blob = ScratchBlob::fresh(1000);
    let answer = commit(
        scratch,
        "master",
        &[lfs_file("absent.safetensors", &blob.oid(), blob.size())],
    )
    .await?;
    seen(is_success(&answer), brief(&answer))
}
