//! Accounts, and the repo as a whole: made, seen, and not deleted by any token.

use hf2ms_hub::http::RawResponse;

use super::{api, code, creation, data, files_of, is_success};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{Removed, Tried, not_tried, seen};
use crate::probe::scratch::Scratch;
use crate::probe::wire::{Ask, brief, cut};

/// Codes of a repo that exists already, one a site and a kind.
const EXISTS: [u64; 3] = [10_020_101_001, 10_010_101_001, 10_010_202_004];
const ABSENT: u64 = 10_010_205_001;
const PRIVATE: u64 = 10_010_200_001;

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "ms-me",
        says: "users/me tells the account",
        look: |s| Box::pin(me(s)),
    },
    Assumption {
        id: "ms-create",
        says: "A private repo with the licence `Other` is made in one request",
        look: |s| Box::pin(created(s)),
    },
    Assumption {
        id: "ms-visible",
        says: "A new repo is there at once, and private",
        look: |s| Box::pin(visible(s)),
    },
    Assumption {
        id: "ms-create-again",
        says: "Making a repo that exists is refused by a known code",
        look: |s| Box::pin(again(s)),
    },
    Assumption {
        id: "ms-first-files",
        says: "A new repo holds files of the hub's own on the branch master",
        look: |s| Box::pin(first_files(s)),
    },
    Assumption {
        id: "ms-stranger",
        says: "Without a token a private repo is answered 404 with code 10010200001",
        look: |s| Box::pin(stranger(s)),
    },
    Assumption {
        id: "ms-absent-repo",
        says: "An absent repo is answered 404 with code 10010205001",
        look: |s| Box::pin(absent(s)),
    },
    Assumption {
        id: "ms-wrong-token",
        says: "A wrong token is refused as one: 401, or code 10010103009",
        look: |s| Box::pin(wrong_token(s)),
    },
];

/// The assumption that no token may delete the repo.
pub const LAST: &[Assumption] = &[Assumption {
    id: "ms-delete",
    says: "A token deletes no repo; its words name the web page",
    look: |s| Box::pin(async { remove(s).await.tried }),
}];

async fn me(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.account)?;
    seen(
        answer.status == 200 && !scratch.owner.is_empty(),
        brief(answer),
    )
}

async fn created(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.created)?;
    if matches!(answer.status, 401 | 403) {
        return not_tried(format!(
            "{} may only read ({})",
            scratch.token_name,
            brief(answer)
        ));
    }
    seen(is_success(answer), brief(answer))
}

async fn visible(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.about)?;
    let visibility = data(answer)["Visibility"].clone();
    seen(
        is_success(answer) && visibility == 1,
        format!("{}, Visibility {visibility}", brief(answer)),
    )
}

async fn again(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch.send(creation(scratch)).await?;
    seen(
        !is_success(&answer) && EXISTS.contains(&code(&answer)),
        brief(&answer),
    )
}

async fn first_files(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.first_files)?;
    let paths: Vec<String> = files_of(answer)
        .iter()
        .filter_map(|file| Some(file["Path"].as_str()?.to_owned()))
        .collect();
    seen(
        is_success(answer) && paths.iter().any(|path| path == "README.md"),
        format!("{}: {}", brief(answer), cut(&paths.join(", "))),
    )
}

async fn stranger(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch.send(Ask::get(api(scratch, "")).anonymous()).await?;
    seen(
        answer.status == 404 && code(&answer) == PRIVATE,
        brief(&answer),
    )
}

async fn absent(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch.get(format!("{}-absent", api(scratch, ""))).await?;
    seen(
        answer.status == 404 && code(&answer) == ABSENT,
        brief(&answer),
    )
}

async fn wrong_token(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let wrong = "ms-00000000-0000-0000-0000-000000000000";
    let ask = Ask::get("/openapi/v1/users/me")
        .anonymous()
        .header("authorization", format!("Bearer {wrong}"));
    let answer = scratch
        .send(ask.header("cookie", format!("m_session_id={wrong}")))
        .await?;
    seen(
        answer.status == 401 || code(&answer) == 10_010_103_009,
        brief(&answer),
    )
}

/// Asks for the deletion of the repo, also after an earlier request failed.
pub async fn remove(scratch: &Scratch) -> Removed {
    let base = &scratch.base;
    let is_refused = base
        .created
        .as_ref()
        .is_some_and(|answer| !is_success(answer));
    if !base.begun || is_refused {
        return Removed::nothing(base.why.clone());
    }
    let answered = scratch
        .wire
        .send_anyway(Ask::new("DELETE", api(scratch, "")))
        .await;
    let after = scratch.wire.send_anyway(Ask::get(api(scratch, ""))).await;
    let is_gone = after.is_ok_and(|after| code(&after) == ABSENT);
    let refused = |answer: &RawResponse| !is_success(answer) && brief(answer).contains("deletion");
    Removed {
        tried: answered.and_then(|answer| seen(refused(&answer), brief(&answer))),
        is_gone,
    }
}
