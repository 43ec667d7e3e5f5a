//! Hugging Face's listings: of a repo's files and of an owner's repos, page by page.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::access;
use super::read::summary;
use crate::accounts::Caller;
use crate::answer::{Answer, Refusal, json as json_answer, with};
use crate::call::{Call, pairs};
use crate::clock;
use crate::digest::Oid;
use crate::repo::{Commit, Kind, Repo};
use crate::tree::{Mode, Node};
use crate::world::World;

/// `GET /api/T/{id}/tree/{rev}[/{path}]`.
pub fn tree(world: &World, call: &Call, repo: &Repo, revision: &str, path: &str) -> Answer {
    let commit = access::revision(repo, revision)?;
    let dir = commit
        .tree
        .dir(path)
        .ok_or_else(|| access::entry_not_found(&commit, path))?;
    let (skip, expand) = (cursor(call)?, call.flag("expand"));
    let (usual, most) = if expand {
        (50, 100)
    } else {
        (world.settings().hf_page, 1000)
    };
    let size = call.number("limit").unwrap_or(usual);
    if !(1..=most).contains(&size) {
        return Err(access::bad_request(
            "Invalid limit for index tree pagination",
        ));
    }
    let mut page = dir.page(path, call.flag("recursive"), skip, size + 1);
    let more = page.len() > size;
    page.truncate(size);
    let entries = page
        .iter()
        .map(|(path, node)| entry(world, path, node, repo, expand))
        .collect();
    let response = with(
        json_answer(200, &entries),
        "x-repo-commit",
        &commit.id.to_string(),
    );
    Ok(if more {
        with(response, "link", &next(world, call, skip + size))
    } else {
        response
    })
}

/// Commits of a page, unless it is asked for otherwise.
const COMMITS_A_PAGE: usize = 50;

/// `GET /api/T/{id}/commits/{rev}`, newest first. Pages are numbered from 0, and `X-Total-Count` is of all.
pub fn commits(world: &World, call: &Call, repo: &Repo, revision: &str) -> Answer {
    let head = access::revision(repo, revision)?;
    let size = call.number("limit").unwrap_or(COMMITS_A_PAGE);
    if !(1..=1000).contains(&size) {
        return Err(access::bad_request("Invalid limit for commits"));
    }
    let state = repo.state();
    let parent = |commit: &Arc<Commit>| state.resolve(&commit.parent?.to_string());
    let all: Vec<Arc<Commit>> = std::iter::successors(Some(head), parent).collect();
    let page = call.number("p").unwrap_or(0);
    let told = all.iter().skip(page * size).take(size);
    let is_formatted = call.query.iter().any(|(_, value)| value == "formatted");
    let told = told.map(|commit| about_commit(repo, commit, is_formatted));
    let response = json_answer(200, &told.collect());
    let response = with(response, "x-total-count", &all.len().to_string());
    if (page + 1) * size >= all.len() {
        return Ok(response);
    }
    let (base, path) = (world.named(call.origin), &call.path);
    let link = format!("<{base}{path}?limit={size}&p={}>; rel=\"next\"", page + 1);
    Ok(with(response, "link", &link))
}

fn about_commit(repo: &Repo, commit: &Commit, is_formatted: bool) -> Value {
    let (title, message) = commit
        .message
        .split_once('\n')
        .unwrap_or((&commit.message, ""));
    let message = message.trim();
    let mut about = json!({"id": commit.id, "title": title, "message": message, "authors": [{"user": repo.owner()}], "date": clock::iso(commit.date)});
    if is_formatted {
        about["formatted"] = json!({"title": title, "message": message});
    }
    about
}

/// The offset a cursor stands for.
fn cursor(call: &Call) -> Result<usize, Refusal> {
    let Some(text) = call.param("cursor") else {
        return Ok(0);
    };
    let read = || {
        String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?)
            .ok()?
            .strip_prefix("at ")?
            .parse()
            .ok()
    };
    read().ok_or_else(|| access::bad_request("Invalid cursor"))
}

/// A Link header to the page that begins at `offset`.
fn next(world: &World, call: &Call, offset: usize) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let kept = call.query.iter().filter(|(key, _)| key != "cursor");
    let mut query: Vec<String> = kept
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    query.push(format!(
        "cursor={}",
        URL_SAFE_NO_PAD.encode(format!("at {offset}"))
    ));
    format!(
        "<{}{}?{}>; rel=\"next\"",
        world.named(call.origin),
        call.path,
        query.join("&")
    )
}

/// One entry of a tree.
fn entry(world: &World, path: &str, node: &Node, repo: &Repo, expand: bool) -> Value {
    let (mut entry, commit) = match node {
        Node::Dir(dir) => (
            json!({"type": "directory", "oid": dir.oid(), "size": 0, "path": path}),
            None,
        ),
        Node::File(file) => {
            // What is neither a file nor a directory, a submodule, is of an unknown type here.
            let kind = if file.mode == Mode::Submodule {
                "unknown"
            } else {
                "file"
            };
            let mut entry = json!({"type": kind, "oid": file.oid, "size": file.size, "path": path});
            if file.lfs {
                let pointer = file.digest.pointer(file.size).len();
                entry["lfs"] =
                    json!({"oid": file.digest, "size": file.size, "pointerSize": pointer});
                if let Some(hash) = world.xet.hash(&file.digest) {
                    entry["xetHash"] = hash.into();
                }
            }
            (entry, Some(file.commit.id()))
        }
    };
    if expand {
        entry["lastCommit"] = commit.map_or(Value::Null, |id| last_commit(repo, id));
    }
    entry
}

fn last_commit(repo: &Repo, id: Oid) -> Value {
    let about = |commit: &Commit| json!({"id": id, "title": commit.message.lines().next().unwrap_or_default(), "date": clock::iso(commit.date)});
    repo.commit(&id.to_string())
        .map_or(Value::Null, |commit| about(&commit))
}

/// `POST /api/T/{id}/paths-info/{rev}`, in JSON or as a form.
pub async fn paths_info(world: &World, mut call: Call, repo: &Repo, revision: &str) -> Answer {
    let commit = access::revision(repo, revision)?;
    let body = call
        .bytes()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let (paths, expand) = asked_paths(&call, &body)
        .ok_or_else(|| access::bad_request("\u{2716} Invalid input\n  \u{2192} at paths"))?;
    if paths.len() > 500 {
        return Err(access::bad_request("Too many paths: at most 500"));
    }
    let found = paths.iter().filter_map(|path| {
        let path = path.trim_matches('/');
        commit
            .tree
            .get(path)
            .map(|node| entry(world, path, node, repo, expand))
    });
    Ok(json_answer(200, &found.collect()))
}

fn asked_paths(call: &Call, body: &[u8]) -> Option<(Vec<String>, bool)> {
    if call
        .header("content-type")
        .is_some_and(|mime| mime.starts_with("application/json"))
    {
        let value: Value = serde_json::from_slice(body).ok()?;
        let paths = match &value["paths"] {
            Value::String(path) => vec![path.clone()],
            paths => serde_json::from_value(paths.clone()).ok()?,
        };
        return Some((paths, value["expand"] == true));
    }
    let form = pairs(std::str::from_utf8(body).ok()?);
    let expand = form
        .iter()
        .any(|(key, value)| key == "expand" && value.eq_ignore_ascii_case("true"));
    Some((
        form.into_iter()
            .filter(|(key, _)| key == "paths")
            .map(|(_, path)| path)
            .collect(),
        expand,
    ))
}

/// Properties that `expand` of an owner's listing may name for every kind (`hf_api.py`, `Expand..Property_T`).
const OF_ALL: [&str; 11] = [
    "author",
    "cardData",
    "createdAt",
    "disabled",
    "lastModified",
    "likes",
    "private",
    "resourceGroup",
    "sha",
    "siblings",
    "usedStorage",
];
/// Those of models and datasets, those of spaces, and those of all that this hub does not tell.
const OF_FILES: [&str; 3] = ["downloads", "downloadsAllTime", "gated"];
const OF_SPACES: [&str; 4] = ["runtime", "sdk", "subdomain", "models"];
const OF_ANY: [&str; 2] = ["tags", "trendingScore"];

/// What each repo of a listing is to say: all that is usual, or only what `expand` names.
fn expanded(call: &Call, kind: Kind) -> Result<Vec<&str>, Refusal> {
    let named = |(key, _): &&(String, String)| matches!(key.as_str(), "expand" | "expand[]");
    let asked: Vec<&str> = call
        .query
        .iter()
        .filter(named)
        .map(|(_, value)| value.as_str())
        .collect();
    let own: &[&str] = match kind {
        Kind::Space => &OF_SPACES,
        Kind::Model | Kind::Dataset => &OF_FILES,
    };
    let known = |name: &&str| [&OF_ALL[..], &OF_ANY, own].concat().contains(name);
    match asked.iter().find(|name| !known(name)) {
        None => Ok(asked),
        Some(name) => Err(access::bad_request(&format!(
            "\u{2716} Invalid option: {name}\n  \u{2192} at expand"
        ))),
    }
}

/// A repo with its id and these properties only.
fn only(mut about: Value, repo: &Repo, commit: Option<&Commit>, asked: &[&str]) -> Value {
    if asked.contains(&"usedStorage") {
        let files = commit.map_or_else(Vec::new, |commit| commit.tree.files());
        about["usedStorage"] = files.iter().map(|(_, file)| file.size).sum::<u64>().into();
    }
    if let Some(about) = about.as_object_mut() {
        about.retain(|key, _| key == "_id" || key == "id" || asked.contains(&key.as_str()));
        about.insert("id".to_owned(), repo.id.clone().into());
    }
    about
}

/// `GET /api/T`, the repos the caller may see.
pub fn repos(world: &World, call: &Call, caller: Caller, kind: Kind) -> Answer {
    let asked = expanded(call, kind)?;
    let (author, search) = (
        call.param("author"),
        call.param("search").map(str::to_lowercase),
    );
    let skip = cursor(call)?;
    let size = call.number("limit").unwrap_or(1000).clamp(1, 1000);
    let mine = |owner: &str| {
        caller
            .account()
            .is_some_and(|account| account.may_read(owner))
    };
    let wanted = |repo: &Repo| {
        repo.kind == kind
            && author.is_none_or(|author| repo.owner() == author)
            && search
                .as_ref()
                .is_none_or(|text| repo.id.to_lowercase().contains(text))
            && (repo.state().is_public() || mine(repo.owner()))
    };
    let mut page: Vec<_> = world
        .hf
        .repos()
        .into_iter()
        .filter(|repo| wanted(repo))
        .skip(skip)
        .take(size + 1)
        .collect();
    let more = page.len() > size;
    page.truncate(size);
    let about = page.iter().map(|repo| {
        let commit = repo.commit("main");
        let about = summary(repo, &repo.state(), commit.as_ref());
        match asked.is_empty() {
            true => about,
            false => only(about, repo, commit.as_deref(), &asked),
        }
    });
    let response = json_answer(200, &about.collect());
    Ok(if more {
        with(response, "link", &next(world, call, skip + size))
    } else {
        response
    })
}
