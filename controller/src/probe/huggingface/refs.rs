//! Branches and tags, by the API and by Git.

use serde_json::json;

use super::{api, commit, deleted, file, head, page};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{Tried, not_tried, seen};
use crate::probe::git;
use crate::probe::scratch::{CARD, NOTES, Scratch, WEIGHTS};
use crate::probe::wire::{Ask, brief, json as read};

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "hf-branch",
        says: "A branch is made at a commit, and takes a commit at once",
        look: |s| Box::pin(branch(s)),
    },
    Assumption {
        id: "hf-empty-list",
        says: "A branch without files is listed as an empty page",
        look: |s| Box::pin(empty(s)),
    },
    Assumption {
        id: "hf-branch-delete",
        says: "A branch is deleted in one request",
        look: |s| Box::pin(delete(s)),
    },
    Assumption {
        id: "hf-tag",
        says: "A tag is made at a commit's id, and listed with it",
        look: |s| Box::pin(tag(s)),
    },
    Assumption {
        id: "hf-refs",
        says: "refs names each branch with its commit",
        look: |s| Box::pin(refs(s)),
    },
    Assumption {
        id: "hf-git",
        says: "Git advertises refs and gives shallow packs",
        look: |s| Box::pin(advertised(s)),
    },
    Assumption {
        id: "hf-git-commit",
        says: "Git gives a commit by its id",
        look: |s| Box::pin(pack(s)),
    },
    Assumption {
        id: "hf-git-write",
        says: "Git tells a writer's token that it may push",
        look: |s| Box::pin(writable(s)),
    },
];

async fn branch(scratch: &Scratch) -> Tried {
    let made = make(scratch, "probe-branch").await?;
    let committed = commit(
        scratch,
        "probe-branch",
        None,
        &[file("branch.txt", b"on a branch")],
    )
    .await?;
    seen(
        made.status == 200 && committed.status == 200,
        format!("made {}, committed to {}", brief(&made), brief(&committed)),
    )
}

async fn make(
    scratch: &Scratch,
    name: &str,
) -> Result<hf2ms_hub::http::RawResponse, crate::probe::finding::NotTried> {
    let at = head(scratch)?;
    scratch
        .send(Ask::post(
            api(scratch, &format!("/branch/{name}")),
            &json!({"startingPoint": at}),
        ))
        .await
}

async fn empty(scratch: &Scratch) -> Tried {
    let made = make(scratch, "probe-empty").await?;
    if made.status != 200 {
        return not_tried(format!("no branch could be made ({})", brief(&made)));
    }
    let emptied = commit(
        scratch,
        "probe-empty",
        None,
        &[".gitattributes", CARD, NOTES, WEIGHTS].map(deleted),
    )
    .await?;
    if emptied.status != 200 {
        return not_tried(format!(
            "the branch could not be emptied ({})",
            brief(&emptied)
        ));
    }
    let answer = scratch
        .get(api(scratch, "/tree/probe-empty?recursive=true"))
        .await?;
    seen(
        answer.status == 200 && read(&answer) == json!([]),
        brief(&answer),
    )
}

async fn delete(scratch: &Scratch) -> Tried {
    let made = make(scratch, "probe-to-go").await?;
    if made.status != 200 {
        return not_tried(format!("no branch could be made ({})", brief(&made)));
    }
    let answer = scratch
        .send(Ask::new("DELETE", api(scratch, "/branch/probe-to-go")))
        .await?;
    seen(answer.status == 200, brief(&answer))
}

async fn tag(scratch: &Scratch) -> Tried {
    let at = head(scratch)?;
    let answer = scratch
        .send(Ask::post(
            api(scratch, &format!("/tag/{at}")),
            &json!({"tag": "probe-tag"}),
        ))
        .await?;
    let told = read(&scratch.get(api(scratch, "/refs")).await?);
    let found = told["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|tag| tag["name"] == "probe-tag")
        .cloned()
        .unwrap_or_default();
    let listed = found["targetCommit"] == at;
    seen(
        answer.status == 200 && listed,
        format!("{}, listed with its commit: {listed}", brief(&answer)),
    )
}

async fn refs(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(api(scratch, "/refs")).await?;
    let told = read(&answer);
    let main = told["branches"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|branch| branch["name"] == "main")
        .cloned()
        .unwrap_or_default();
    seen(
        answer.status == 200 && main["targetCommit"].is_string(),
        format!(
            "{}, main at a commit: {}",
            brief(&answer),
            main["targetCommit"].is_string()
        ),
    )
}

async fn advertised(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    git::advertised(scratch, &page(scratch, ".git")).await
}

async fn pack(scratch: &Scratch) -> Tried {
    git::pack_of(scratch, &page(scratch, ".git"), &head(scratch)?).await
}

async fn writable(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    git::writable(scratch, &page(scratch, ".git")).await
}
