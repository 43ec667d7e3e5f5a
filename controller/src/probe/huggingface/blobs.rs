//! Storing blobs: where they go, in one piece or in parts, and what a broken upload leaves.

use hf2ms_hub::http::RawResponse;
use serde_json::Value;

use super::files::host;
use super::{api, upload_batch};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{Tried, not_tried, seen};
use crate::probe::scratch::{Scratch, ScratchBlob};
use crate::probe::wire::{Ask, brief, json as read};

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "hf-lfs-upload",
        says: "The LFS batch tells where a small blob goes, and where to verify it",
        look: |s| Box::pin(upload(s)),
    },
    Assumption {
        id: "hf-lfs-put",
        says: "Storage takes a blob in one PUT, without a token",
        look: |s| Box::pin(put(s)),
    },
    Assumption {
        id: "hf-lfs-verify",
        says: "A stored blob passes the verification",
        look: |s| Box::pin(verify(s)),
    },
    Assumption {
        id: "hf-lfs-life",
        says: "An upload's address lives 900 seconds or more",
        look: |s| Box::pin(life(s)),
    },
    Assumption {
        id: "hf-lfs-stored",
        says: "A stored blob gets no address",
        look: |s| Box::pin(stored(s)),
    },
    Assumption {
        id: "hf-lfs-broken",
        says: "A PUT that broke off leaves nothing: the blob is still wanted",
        look: |s| Box::pin(broken(s)),
    },
    Assumption {
        id: "hf-lfs-parts",
        says: "Large blobs go in parts, each of an address of its own",
        look: |s| Box::pin(parts(s)),
    },
    Assumption {
        id: "hf-git-lfs",
        says: "The LFS batch gives parts to a login of Git, too",
        look: |s| Box::pin(parts_by_git(s)),
    },
    Assumption {
        id: "hf-xet-token",
        says: "xet-write-token names Xet's storage and a token with its end",
        look: |s| Box::pin(xet(s)),
    },
];

/// Sizes in MiB from which the hub may offer an upload in parts.
const SIZES: [u64; 5] = [5, 33, 100, 1024, 6 << 10];

async fn upload(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.checked)?;
    let actions = &read(answer)["objects"][0]["actions"];
    let (href, verify) = (
        actions["upload"]["href"].as_str(),
        actions["verify"]["href"].is_string(),
    );
    let to = href.map_or("-", host);
    seen(
        answer.status == 200 && href.is_some() && verify,
        format!("{}, to {to}, to be verified: {verify}", brief(answer)),
    )
}

async fn put(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.stored)?;
    seen(answer.status == 200, brief(answer))
}

async fn verify(scratch: &Scratch) -> Tried {
    scratch.need(&scratch.base.stored)?;
    match &scratch.base.verified {
        Some(answer) => seen(answer.status == 200, brief(answer)),
        None => seen(false, "the batch names no address to verify at"),
    }
}

async fn life(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.checked)?;
    let action = &read(answer)["objects"][0]["actions"]["upload"];
    let signed = action["href"]
        .as_str()
        .and_then(|href| number_after(href, "X-Amz-Expires="));
    let told = action["expires_in"].as_u64();
    match signed.or(told) {
        Some(life) => seen(life >= 900, format!("{life} s")),
        None => not_tried("neither the address nor the batch tells a life"),
    }
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

async fn stored(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = upload_batch(scratch, &[(scratch.blob.oid(), scratch.blob.size())], false).await?;
    let has_none = read(&answer)["objects"][0]["actions"]["upload"].is_null();
    seen(
        answer.status == 200 && has_none,
        format!("{}, an address: {}", brief(&answer), !has_none),
    )
}

async fn broken(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let blob = ScratchBlob::fresh(256 << 10);
    let object = [(blob.oid(), blob.size())];
    let before = read(&upload_batch(scratch, &object, false).await?);
    let Some(href) = before["objects"][0]["actions"]["upload"]["href"].as_str() else {
        return not_tried("no address for a new blob");
    };
    scratch
        .wire
        .put_broken_off(
            Ask::put(href, blob.bytes[..128 << 10].to_vec()).anonymous(),
            blob.size(),
        )
        .await?;
    let after = upload_batch(scratch, &object, false).await?;
    let wanted = read(&after)["objects"][0]["actions"]["upload"]["href"].is_string();
    seen(wanted, format!("still wanted: {wanted}"))
}

async fn parts(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    in_parts(&upload_batch(scratch, &large(), false).await?)
}

async fn parts_by_git(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    in_parts(&upload_batch(scratch, &large(), true).await?)
}

/// Blobs that are only spoken of.
fn large() -> Vec<(String, u64)> {
    SIZES
        .iter()
        .map(|size| (ScratchBlob::fresh(32).oid(), size << 20))
        .collect()
}

/// Whether the largest comes in parts that make it up, and from which size on.
fn in_parts(answer: &RawResponse) -> Tried {
    let told = read(answer);
    let objects: Vec<&Value> = told["objects"].as_array().into_iter().flatten().collect();
    let part = |object: &Value| {
        object["actions"]["upload"]["header"]["chunk_size"]
            .as_str()
            .and_then(|size| size.parse::<u64>().ok())
    };
    let first = objects
        .iter()
        .find_map(|object| Some((object["size"].as_u64()?, part(object)?)));
    let Some((size, part_size)) = first else {
        return seen(false, format!("{}, no parts up to 6 GiB", brief(answer)));
    };
    let last = objects.last().and_then(|object| {
        Some((
            object["size"].as_u64()?,
            part(object)?,
            &object["actions"]["upload"]["header"],
        ))
    });
    let complete = last.is_some_and(|(size, part, addresses)| {
        let numbered = addresses.as_object().map_or(0, |all| {
            all.keys()
                .filter(|key| key.bytes().all(|digit| digit.is_ascii_digit()))
                .count()
        });
        numbered as u64 == size.div_ceil(part.max(1))
    });
    seen(
        complete,
        format!(
            "from {} MiB or less on, parts of {} MiB; complete: {complete}",
            size >> 20,
            part_size >> 20
        ),
    )
}

async fn xet(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = scratch.get(api(scratch, "/xet-write-token/main")).await?;
    let told = read(&answer);
    let has = |name: &str, header: &str| !told[name].is_null() || answer.header(header).is_some();
    let good = has("casUrl", "x-xet-cas-url")
        && has("accessToken", "x-xet-access-token")
        && has("exp", "x-xet-token-expiration");
    if answer.status == 404 {
        return not_tried(format!("the hub has no Xet ({})", brief(&answer)));
    }
    seen(
        answer.status == 200 && good,
        format!(
            "{}, storage at {}",
            brief(&answer),
            told["casUrl"].as_str().map_or("-", host)
        ),
    )
}
