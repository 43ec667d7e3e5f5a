//! Branches and tags, by the API and by Git.

use serde_json::{Value, json};

use super::{api, commit, data, file, git_repo, head, is_success};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{NotTried, Tried, not_tried, seen};
use crate::probe::git::{self, AGENT, packet};
use crate::probe::scratch::Scratch;
use crate::probe::wire::{Ask, brief, cut};

/// No commit.
const NONE: &str = "0000000000000000000000000000000000000000";
/// A pack of no objects, and its SHA-1.
const EMPTY_PACK: &[u8] = b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e";
const LFS_TYPE: &str = "application/vnd.git-lfs+json";
/// The message for a commit to a revision that is no branch (reported there).
const NO_BRANCH: &str = "when you are on a branch";

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "ms-git-agent",
        says: "Git is closed to an agent that does not begin with git/: 421",
        look: |s| Box::pin(agent(s)),
    },
    Assumption {
        id: "ms-git",
        says: "Git takes the token as a password, and gives shallow packs",
        look: |s| Box::pin(advertised(s)),
    },
    Assumption {
        id: "ms-git-commit",
        says: "Git gives a commit by its id",
        look: |s| Box::pin(pack(s)),
    },
    Assumption {
        id: "ms-git-lfs",
        says: "Below Git's address is an LFS server that tells where a blob is",
        look: |s| Box::pin(lfs(s)),
    },
    Assumption {
        id: "ms-git-write",
        says: "Git tells the token that it may push",
        look: |s| Box::pin(writable(s)),
    },
    Assumption {
        id: "ms-git-branch",
        says: "A branch is made by a push without objects",
        look: |s| Box::pin(branch(s)),
    },
    Assumption {
        id: "ms-git-branch-delete",
        says: "A branch is deleted by a push",
        look: |s| Box::pin(branch_deleted(s)),
    },
    Assumption {
        id: "ms-tag",
        says: "A tag is made at a commit's id",
        look: |s| Box::pin(tag(s)),
    },
    Assumption {
        id: "ms-revisions",
        says: "revisions names branches and tags",
        look: |s| Box::pin(revisions(s)),
    },
    Assumption {
        id: "ms-commit-no-branch",
        says: "A commit to a branch that is not there is refused in known words",
        look: |s| Box::pin(no_branch(s)),
    },
    Assumption {
        id: "ms-commit-tag",
        says: "A commit to a tag is refused in known words",
        look: |s| Box::pin(to_a_tag(s)),
    },
];

async fn agent(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = git::refs(
        scratch,
        &git_repo(scratch),
        "git-upload-pack",
        "hf2ms-probe",
    )
    .await?;
    seen(answer.status == 421, brief(&answer))
}

async fn advertised(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    git::advertised(scratch, &git_repo(scratch)).await
}

async fn pack(scratch: &Scratch) -> Tried {
    git::pack_of(scratch, &git_repo(scratch), &head(scratch).await?).await
}

async fn writable(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    git::writable(scratch, &git_repo(scratch)).await
}

async fn lfs(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let object = json!({"oid": scratch.blob.oid(), "size": scratch.blob.size()});
    let asked = json!({"operation": "download", "transfers": ["basic"], "hash_algo": "sha256", "objects": [object]});
    let ask = Ask::post(
        format!("{}/info/lfs/objects/batch", git_repo(scratch)),
        &asked,
    )
    .by_git();
    let answer = scratch
        .send(
            ask.header("content-type", LFS_TYPE)
                .header("accept", LFS_TYPE)
                .header("user-agent", "git-lfs/3.5.1 (hf2ms)"),
        )
        .await?;
    let told = data(&answer);
    let href = told["objects"][0]["actions"]["download"]["href"].as_str();
    seen(
        href.is_some(),
        format!(
            "{}, at {}",
            brief(&answer),
            href.map_or("-", super::blobs::host)
        ),
    )
}

/// Pushes a ref from one commit to another, without objects; what Git reports.
async fn push(scratch: &Scratch, name: &str, (old, new): (&str, &str)) -> Result<String, NotTried> {
    let command = format!("{old} {new} refs/heads/{name}\0report-status agent=git/hf2ms");
    let mut body = format!("{}0000", packet(&command)).into_bytes();
    if new != NONE {
        body.extend_from_slice(EMPTY_PACK);
    }
    let ask = Ask::new("POST", format!("{}/git-receive-pack", git_repo(scratch)))
        .by_git()
        .header("user-agent", AGENT)
        .body(body);
    let answer = scratch
        .send(ask.header("content-type", "application/x-git-receive-pack-request"))
        .await?;
    let report: String = String::from_utf8_lossy(&answer.body)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    Ok(if answer.status == 200 {
        format!("200: {}", cut(&report))
    } else {
        brief(&answer)
    })
}

fn is_pushed(report: &str, name: &str) -> bool {
    report.contains("unpack ok")
        && report.contains(&format!("ok refs/heads/{name}"))
        && !report.contains(&format!("ng refs/heads/{name}"))
}

async fn branch(scratch: &Scratch) -> Tried {
    let report = push(scratch, "probe-branch", (NONE, &head(scratch).await?)).await?;
    seen(is_pushed(&report, "probe-branch"), report)
}

async fn branch_deleted(scratch: &Scratch) -> Tried {
    let at = head(scratch).await?;
    let made = push(scratch, "probe-to-go", (NONE, &at)).await?;
    if !is_pushed(&made, "probe-to-go") {
        return not_tried(format!("no branch could be made ({made})"));
    }
    let report = push(scratch, "probe-to-go", (&at, NONE)).await?;
    seen(is_pushed(&report, "probe-to-go"), report)
}

/// Makes a tag at the head.
async fn tagged(scratch: &Scratch, name: &str) -> Result<hf2ms_hub::http::RawResponse, NotTried> {
    let at = head(scratch).await?;
    scratch
        .send(Ask::post(
            api(scratch, "/repo/tag"),
            &json!({"TagName": name, "Ref": at}),
        ))
        .await
}

async fn tag(scratch: &Scratch) -> Tried {
    let answer = tagged(scratch, "probe-tag").await?;
    seen(is_success(&answer), brief(&answer))
}

async fn revisions(scratch: &Scratch) -> Tried {
    let made = tagged(scratch, "probe-listed").await?;
    let answer = scratch.get(api(scratch, "/revisions")).await?;
    let map = data(&answer)["RevisionMap"].clone();
    let has = |of: &Value, name: &str| {
        of.as_array()
            .into_iter()
            .flatten()
            .any(|entry| entry["Revision"] == name)
    };
    let (master, tag) = (
        has(&map["Branches"], "master"),
        has(&map["Tags"], "probe-listed"),
    );
    seen(
        master && (tag || !is_success(&made)),
        format!("{}, master: {master}, a new tag: {tag}", brief(&answer)),
    )
}

async fn no_branch(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = commit(scratch, "absent", &[file("never.txt", b"never")]).await?;
    seen(
        !is_success(&answer) && brief(&answer).contains(NO_BRANCH),
        brief(&answer),
    )
}

async fn to_a_tag(scratch: &Scratch) -> Tried {
    let made = tagged(scratch, "probe-no-branch").await?;
    if !is_success(&made) {
        return not_tried(format!("no tag could be made ({})", brief(&made)));
    }
    let answer = commit(scratch, "probe-no-branch", &[file("never.txt", b"never")]).await?;
    seen(
        !is_success(&answer) && brief(&answer).contains(NO_BRANCH),
        brief(&answer),
    )
}
