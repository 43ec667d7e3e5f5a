//! Reading: listings, small files, large ones in storage.

use hf2ms_hub::GitSha1;
use hf2ms_hub::http::RawResponse;
use serde_json::json;

use super::{api, batch, head, page};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{NotTried, Tried, not_tried, seen};
use crate::probe::scratch::{NOTES, Scratch, WEIGHTS};
use crate::probe::wire::{Ask, brief, cut, header, json as read};

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "hf-tree",
        says: "A listing has each file's path, size and digest",
        look: |s| Box::pin(tree(s)),
    },
    Assumption {
        id: "hf-tree-pages",
        says: "A page's Link header leads to the next, at the same origin",
        look: |s| Box::pin(pages(s)),
    },
    Assumption {
        id: "hf-tree-limit",
        says: "More than 1,000 entries a page are refused: 400",
        look: |s| Box::pin(limit(s)),
    },
    Assumption {
        id: "hf-paths-info",
        says: "paths-info leaves out what is not there",
        look: |s| Box::pin(paths_info(s)),
    },
    Assumption {
        id: "hf-absent-file",
        says: "An absent file is answered 404 EntryNotFound",
        look: |s| Box::pin(absent_file(s)),
    },
    Assumption {
        id: "hf-absent-revision",
        says: "An absent revision is answered 404 RevisionNotFound",
        look: |s| Box::pin(absent_revision(s)),
    },
    Assumption {
        id: "hf-read-by-commit",
        says: "A file is read by a commit's id",
        look: |s| Box::pin(by_commit(s)),
    },
    Assumption {
        id: "hf-small-file",
        says: "A small file comes from the hub itself, its ETag is Git's id",
        look: |s| Box::pin(small_file(s)),
    },
    Assumption {
        id: "hf-small-range",
        says: "A range of a small file is answered 206, exactly",
        look: |s| Box::pin(small_range(s)),
    },
    Assumption {
        id: "hf-large-file",
        says: "A large file is redirected to storage, with size and SHA-256",
        look: |s| Box::pin(large_file(s)),
    },
    Assumption {
        id: "hf-storage-range",
        says: "Storage answers a range 206, exactly, without a token",
        look: |s| Box::pin(storage_range(s)),
    },
    Assumption {
        id: "hf-lfs-download",
        says: "The LFS batch tells where a blob is read, and that serves it",
        look: |s| Box::pin(download(s)),
    },
];

async fn tree(scratch: &Scratch) -> Tried {
    let answer = scratch
        .get(api(
            scratch,
            &format!("/tree/{}?recursive=true", head(scratch)?),
        ))
        .await?;
    let told = read(&answer);
    let entry = |path: &str| {
        told.as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["path"] == path)
            .cloned()
            .unwrap_or_default()
    };
    let (notes, weights) = (entry(NOTES), entry(WEIGHTS));
    let small = notes["size"] == scratch.notes().len()
        && notes["oid"] == GitSha1::of(&scratch.notes()).to_string();
    let large = weights["lfs"]["oid"] == scratch.blob.oid()
        && weights["lfs"]["size"] == scratch.blob.size();
    let xet = if weights["xetHash"].is_string() {
        "with"
    } else {
        "without"
    };
    seen(
        answer.status == 200 && small && large,
        format!(
            "{}; small: {small}, large: {large}, {xet} xetHash",
            brief(&answer)
        ),
    )
}

async fn pages(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .get(api(scratch, "/tree/main?recursive=true&limit=1"))
        .await?;
    let link = header(&answer, "link").to_owned();
    let next = link
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map(|(next, _)| next.to_owned());
    let Some(next) = next.filter(|_| link.contains("rel=\"next\"")) else {
        return seen(false, format!("{}, Link {}", answer.status, cut(&link)));
    };
    let own = scratch.wire.is_own(&next);
    let second = if own {
        scratch.get(next).await?.status
    } else {
        0
    };
    let one_each = read(&answer).as_array().is_some_and(|page| page.len() == 1);
    seen(
        own && one_each && second == 200,
        format!(
            "{}, at the same origin: {own}, the second page {second}",
            answer.status
        ),
    )
}

async fn limit(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(api(scratch, "/tree/main?limit=1001")).await?;
    seen(answer.status == 400, brief(&answer))
}

async fn paths_info(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .send(Ask::post(
            api(scratch, "/paths-info/main"),
            &json!({"paths": [NOTES, "absent.txt"]}),
        ))
        .await?;
    let told = read(&answer);
    let paths: Vec<_> = told
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| entry["path"].clone())
        .collect();
    seen(
        answer.status == 200 && paths == [NOTES],
        format!("{}, {} entries", brief(&answer), paths.len()),
    )
}

async fn absent_file(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .get(page(scratch, "/resolve/main/absent.txt"))
        .await?;
    seen(
        answer.status == 404 && answer.header("x-error-code") == Some("EntryNotFound"),
        brief(&answer),
    )
}

async fn absent_revision(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(api(scratch, "/revision/absent")).await?;
    seen(
        answer.status == 404 && answer.header("x-error-code") == Some("RevisionNotFound"),
        brief(&answer),
    )
}

async fn by_commit(scratch: &Scratch) -> Tried {
    let commit = head(scratch)?;
    let (answer, _) = followed(
        scratch,
        Ask::get(page(scratch, &format!("/resolve/{commit}/{NOTES}"))),
    )
    .await?;
    seen(
        answer.status == 200 && answer.body == scratch.notes(),
        format!("{}, {} bytes", brief_of_file(&answer), answer.body.len()),
    )
}

async fn small_file(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let (answer, hops) = followed(
        scratch,
        Ask::get(page(scratch, &format!("/resolve/main/{NOTES}"))),
    )
    .await?;
    let etag = header(&answer, "etag").contains(&GitSha1::of(&scratch.notes()).to_string());
    let good = answer.status == 200 && etag && answer.body == scratch.notes();
    seen(
        good,
        format!(
            "{} after {hops} redirects, Git's id as ETag: {etag}",
            brief_of_file(&answer)
        ),
    )
}

async fn small_range(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let (answer, _) = followed(
        scratch,
        Ask::get(page(scratch, &format!("/resolve/main/{NOTES}"))).range(10, 29),
    )
    .await?;
    exactly(&answer, 206, &scratch.notes())
}

async fn large_file(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch
        .get(page(scratch, &format!("/resolve/main/{WEIGHTS}")))
        .await?;
    let Some(location) = answer.header("location") else {
        return seen(false, brief_of_file(&answer));
    };
    let size = answer.header("x-linked-size") == Some(&scratch.blob.size().to_string());
    let digest = header(&answer, "x-linked-etag").contains(&scratch.blob.oid());
    let away = !scratch.wire.is_own(location);
    seen(
        answer.status == 302 && size && digest && away,
        format!(
            "{} to {}; size: {size}, SHA-256: {digest}",
            answer.status,
            host(location)
        ),
    )
}

async fn storage_range(scratch: &Scratch) -> Tried {
    let location = redirected(scratch).await?;
    let answer = scratch
        .send(Ask::get(location).anonymous().range(10, 29))
        .await?;
    exactly(&answer, 206, &scratch.blob.bytes)
}

async fn download(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = batch(
        scratch,
        "download",
        &[(scratch.blob.oid(), scratch.blob.size())],
        false,
    )
    .await?;
    let action = read(&answer)["objects"][0]["actions"]["download"].clone();
    let Some(href) = action["href"].as_str() else {
        return seen(false, brief(&answer));
    };
    let file = scratch.send(Ask::get(href).anonymous()).await?;
    let life = action
        .get("expires_in")
        .or(action.get("expires_at"))
        .map_or("not told".to_owned(), ToString::to_string);
    seen(
        file.body == scratch.blob.bytes,
        format!(
            "{}, then {} from {}; its life: {life}",
            answer.status,
            file.status,
            host(href)
        ),
    )
}

/// Where the large file is in storage.
async fn redirected(scratch: &Scratch) -> Result<String, NotTried> {
    scratch.ready()?;
    let answer = scratch
        .get(page(scratch, &format!("/resolve/main/{WEIGHTS}")))
        .await?;
    match answer.header("location") {
        Some(location) => Ok(location.to_owned()),
        None => not_tried(format!(
            "resolve does not redirect ({})",
            brief_of_file(&answer)
        )),
    }
}

/// The answer after redirects within the hub, and how many there were.
async fn followed(scratch: &Scratch, ask: Ask) -> Result<(RawResponse, usize), NotTried> {
    let mut answer = scratch.send(ask.clone()).await?;
    let mut hops = 0;
    while let Some(location) = answer
        .header("location")
        .filter(|to| hops < 3 && scratch.wire.is_own(to))
    {
        answer = scratch.send(ask.clone().to(location)).await?;
        hops += 1;
    }
    Ok((answer, hops))
}

/// Whether an answer is exactly bytes 10 to 29 of `whole`, and says so.
fn exactly(answer: &RawResponse, status: u16, whole: &[u8]) -> Tried {
    let told = header(answer, "content-range");
    let good = answer.status == status
        && told == format!("bytes 10-29/{}", whole.len())
        && answer.body == whole[10..30];
    seen(
        good,
        format!(
            "{}, Content-Range {told}, {} bytes",
            brief_of_file(answer),
            answer.body.len()
        ),
    )
}

/// The status of a response that may be a file, and the message of an error.
fn brief_of_file(answer: &RawResponse) -> String {
    if answer.status < 400 {
        answer.status.to_string()
    } else {
        brief(answer)
    }
}

/// The host of an address.
pub fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}
