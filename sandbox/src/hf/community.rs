//! What people say of a repo: discussions and pull requests, page by page (huggingface_hub 2.4.0, `get_repo_discussions`).

use serde_json::{Value, json};

use super::access;
use crate::answer::{Answer, Refusal, json as json_answer};
use crate::call::Call;
use crate::clock;
use crate::repo::{Repo, Thread};

/// Entries of a page. The client goes by `count` and `start` alone.
const A_PAGE: usize = 50;
/// Who begins all of them.
const AUTHOR: &str = "carol";

/// `GET /api/T/{id}/discussions`, newest first; `count` is of all pages.
pub fn discussions(repo: &Repo, call: &Call) -> Answer {
    let kind = choice(call, "type", ["discussion", "pull_request"])?;
    let status = choice(call, "status", ["open", "closed"])?;
    let state = repo.state();
    let numbered = state.threads.iter().enumerate().rev();
    let wanted = numbered.filter(|(_, thread)| {
        kind.is_none_or(|kind| thread.is_pull_request == (kind == "pull_request"))
            && status.is_none_or(|status| thread.is_open == (status == "open"))
            && call.param("author").is_none_or(|author| author == AUTHOR)
    });
    let wanted: Vec<_> = wanted.collect();
    let start = call.number("p").unwrap_or(0) * A_PAGE;
    let page = wanted.iter().skip(start).take(A_PAGE);
    let page: Vec<Value> = page
        .map(|(index, thread)| entry(repo, index + 1, thread))
        .collect();
    Ok(json_answer(
        200,
        &json!({"discussions": page, "count": wanted.len(), "start": start}),
    ))
}

/// What a parameter chooses; nothing for `all` and where it is absent.
fn choice<'a>(call: &'a Call, name: &str, known: [&str; 2]) -> Result<Option<&'a str>, Refusal> {
    match call.param(name) {
        None | Some("all") => Ok(None),
        Some(word) if known.contains(&word) => Ok(Some(word)),
        Some(_) => Err(access::bad_request(&format!(
            "\u{2716} Invalid option\n  \u{2192} at {name}"
        ))),
    }
}

fn entry(repo: &Repo, number: usize, thread: &Thread) -> Value {
    let (word, closed) = match thread.is_pull_request {
        true => ("Pull request", "merged"),
        false => ("Discussion", "closed"),
    };
    json!({
        "num": number,
        "title": format!("{word} {number}"),
        "author": {"name": AUTHOR, "type": "user"},
        "createdAt": clock::iso(thread.date),
        "status": if thread.is_open { "open" } else { closed },
        "isPullRequest": thread.is_pull_request,
        "repo": {"name": repo.id, "type": repo.kind},
        "pinned": false,
    })
}
