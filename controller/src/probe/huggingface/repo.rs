//! Accounts, and the repo as a whole: made, seen, described, deleted.

use serde_json::json;

use super::{api, wanted};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{Removed, Tried, not_tried, seen};
use crate::probe::scratch::{CARD, NOTES, Scratch, WEIGHTS};
use crate::probe::wire::{Ask, brief, header, json as read};

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "hf-whoami",
        says: "whoami-v2 tells the account, and whether the token may write",
        look: |s| Box::pin(whoami(s)),
    },
    Assumption {
        id: "hf-create",
        says: "A private repo is made in one request",
        look: |s| Box::pin(created(s)),
    },
    Assumption {
        id: "hf-visible",
        says: "A new repo is there at once, and private",
        look: |s| Box::pin(visible(s)),
    },
    Assumption {
        id: "hf-create-again",
        says: "Making a repo that exists is answered 409",
        look: |s| Box::pin(again(s)),
    },
    Assumption {
        id: "hf-first-files",
        says: "A new repo holds .gitattributes and nothing else",
        look: |s| Box::pin(first_files(s)),
    },
    Assumption {
        id: "hf-stranger",
        says: "Without a token a private repo is answered 401",
        look: |s| Box::pin(stranger(s)),
    },
    Assumption {
        id: "hf-absent-repo",
        says: "An absent repo is answered 404 RepoNotFound",
        look: |s| Box::pin(absent(s)),
    },
    Assumption {
        id: "hf-wrong-token",
        says: "A wrong token is answered 401",
        look: |s| Box::pin(wrong_token(s)),
    },
    Assumption {
        id: "hf-rate-limit",
        says: "Answers tell what is left of the rate limit",
        look: |s| Box::pin(rate_limit(s)),
    },
    Assumption {
        id: "hf-siblings",
        says: "A repo's description names all its files",
        look: |s| Box::pin(siblings(s)),
    },
    Assumption {
        id: "hf-card-refused",
        says: "validate-yaml refuses a license of no list: 400",
        look: |s| Box::pin(card_refused(s)),
    },
    Assumption {
        id: "hf-card-other",
        says: "validate-yaml takes `license: other` with a name of ours",
        look: |s| Box::pin(card_other(s)),
    },
];

/// The end: the repo goes.
pub const LAST: &[Assumption] = &[Assumption {
    id: "hf-delete",
    says: "A repo is deleted in one request, and gone at once",
    look: |s| Box::pin(async { remove(s).await.tried }),
}];

async fn whoami(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.account)?;
    let role = read(answer)["auth"]["accessToken"]["role"]
        .as_str()
        .map(str::to_owned);
    let known = role
        .as_deref()
        .is_some_and(|role| ["read", "write", "fineGrained"].contains(&role));
    seen(
        answer.status == 200 && known && !scratch.owner.is_empty(),
        format!("{}, role {}", brief(answer), role.unwrap_or("-".into())),
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
    seen(
        answer.status == 200 && read(answer)["url"].is_string(),
        brief(answer),
    )
}

async fn visible(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.about)?;
    seen(
        answer.status == 200 && read(answer)["private"] == true,
        format!("{}, private: {}", brief(answer), read(answer)["private"]),
    )
}

async fn again(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch
        .send(Ask::post("/api/repos/create", &wanted(scratch)))
        .await?;
    seen(answer.status == 409, brief(&answer))
}

async fn first_files(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.first_files)?;
    let paths: Vec<String> = read(answer)
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["path"].as_str().map(str::to_owned))
        .collect();
    seen(
        answer.status == 200 && paths == [".gitattributes"],
        format!("{}: {}", brief(answer), paths.join(", ")),
    )
}

async fn stranger(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch.send(Ask::get(api(scratch, "")).anonymous()).await?;
    seen(answer.status == 401, brief(&answer))
}

async fn absent(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch.get(format!("{}-absent", api(scratch, ""))).await?;
    seen(
        answer.status == 404 && answer.header("x-error-code") == Some("RepoNotFound"),
        brief(&answer),
    )
}

async fn wrong_token(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.about)?;
    let answer = scratch
        .send(
            Ask::get(api(scratch, ""))
                .anonymous()
                .header("authorization", "Bearer hf_hf2msProbeNoToken"),
        )
        .await?;
    seen(answer.status == 401, brief(&answer))
}

async fn rate_limit(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.about)?;
    let (told, policy) = (
        header(answer, "ratelimit"),
        header(answer, "ratelimit-policy"),
    );
    seen(
        told.contains(";r=") && told.contains(";t="),
        format!("{told}; {policy}"),
    )
}

async fn siblings(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(api(scratch, "/revision/main")).await?;
    let told = read(&answer);
    let names: Vec<&str> = told["siblings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| file["rfilename"].as_str())
        .collect();
    let complete = [".gitattributes", CARD, NOTES, WEIGHTS]
        .iter()
        .all(|path| names.contains(path));
    seen(
        answer.status == 200 && complete && told["sha"].is_string(),
        format!("{}, {} siblings", brief(&answer), names.len()),
    )
}

async fn card_refused(scratch: &Scratch) -> Tried {
    let answer = validated(scratch, "---\nlicense: Apache License 2.0\n---\n").await?;
    seen(answer.status == 400, brief(&answer))
}

async fn card_other(scratch: &Scratch) -> Tried {
    let card =
        "---\nlicense: other\nlicense_name: apache-license-2.0\nlicense_link: LICENSE\n---\n";
    let answer = validated(scratch, card).await?;
    seen(answer.status == 200, brief(&answer))
}

async fn validated(
    scratch: &Scratch,
    card: &str,
) -> Result<hf2ms_hub::http::RawResponse, crate::probe::finding::NotTried> {
    scratch.need(&scratch.base.account)?;
    scratch
        .send(Ask::post(
            "/api/validate-yaml",
            &json!({"content": card, "repoType": scratch.kind}),
        ))
        .await
}

/// Deletes the repo and asks whether it is gone, also after an earlier request failed.
pub async fn remove(scratch: &Scratch) -> Removed {
    let base = &scratch.base;
    let is_refused = base
        .created
        .as_ref()
        .is_some_and(|answer| answer.status >= 400);
    if !base.begun || is_refused {
        return Removed::nothing(base.why.clone());
    }
    let deletion = Ask::new("DELETE", "/api/repos/delete").json(&wanted(scratch));
    let answered = scratch.wire.send_anyway(deletion).await;
    let after = scratch.wire.send_anyway(Ask::get(api(scratch, ""))).await;
    let is_gone = after.as_ref().is_ok_and(|after| after.status == 404);
    let tried = answered.and_then(|answer| {
        let after = after?;
        seen(
            answer.status == 200 && is_gone,
            format!("{}; afterwards {}", brief(&answer), brief(&after)),
        )
    });
    Removed { tried, is_gone }
}
