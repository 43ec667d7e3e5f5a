//! Storing blobs: the check, the PUT, and what a broken one leaves.

use serde_json::Value;

use super::{check, data, is_success, upload_of};
use crate::probe::assumption::Assumption;
use crate::probe::finding::{Tried, not_tried, seen};
use crate::probe::scratch::{Scratch, ScratchBlob};
use crate::probe::wire::{Ask, brief};

pub const LINES: &[Assumption] = &[
    Assumption {
        id: "ms-blob-check",
        says: "The blob check names an address for a blob that is lacking",
        look: |s| Box::pin(checked(s)),
    },
    Assumption {
        id: "ms-blob-put",
        says: "The PUT of a blob is answered by a good envelope",
        look: |s| Box::pin(put(s)),
    },
    Assumption {
        id: "ms-blob-token",
        says: "The PUT of a blob wants the token",
        look: |s| Box::pin(without_token(s)),
    },
    Assumption {
        id: "ms-blob-stored",
        says: "The blob check does not mention a blob that is stored",
        look: |s| Box::pin(stored(s)),
    },
    Assumption {
        id: "ms-blob-size",
        says: "The blob check goes by digest and size",
        look: |s| Box::pin(other_size(s)),
    },
    Assumption {
        id: "ms-blob-broken",
        says: "A PUT that broke off begins again at offset 0",
        look: |s| Box::pin(broken(s)),
    },
];

async fn checked(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.checked)?;
    let upload = upload_of(answer);
    let to = upload["href"].as_str().map_or("-", host);
    let more: Vec<&str> = upload
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    seen(
        is_success(answer) && upload["href"].is_string(),
        format!("{}, to {to}; fields: {}", brief(answer), more.join(", ")),
    )
}

async fn put(scratch: &Scratch) -> Tried {
    let answer = scratch.need(&scratch.base.stored)?;
    let is_envelope = !data(answer).is_null() && !answer.body.is_empty();
    seen(
        is_success(answer) && is_envelope,
        format!("{}, an envelope: {is_envelope}", brief(answer)),
    )
}

async fn without_token(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let blob = ScratchBlob::fresh(1000);
    let Some(href) = address_of(scratch, &blob).await? else {
        return not_tried("no address for a new blob");
    };
    let answer = scratch
        .send(Ask::put(href, blob.bytes.clone()).anonymous())
        .await?;
    seen(!is_success(&answer) && answer.status < 500, brief(&answer))
}

async fn address_of(
    scratch: &Scratch,
    blob: &ScratchBlob,
) -> Result<Option<String>, crate::probe::finding::NotTried> {
    Ok(
        upload_of(&check(scratch, &[(blob.oid(), blob.size())]).await?)["href"]
            .as_str()
            .map(str::to_owned),
    )
}

async fn stored(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = check(scratch, &[(scratch.blob.oid(), scratch.blob.size())]).await?;
    let silent = data(&answer)["objects"]
        .as_array()
        .is_none_or(Vec::is_empty);
    seen(
        is_success(&answer) && silent,
        format!("{}, mentioned: {}", brief(&answer), !silent),
    )
}

async fn other_size(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let answer = check(scratch, &[(scratch.blob.oid(), scratch.blob.size() + 1)]).await?;
    let wanted = upload_of(&answer)["href"].is_string();
    seen(
        is_success(&answer) && wanted,
        format!("{}, wanted: {wanted}", brief(&answer)),
    )
}

async fn broken(scratch: &Scratch) -> Tried {
    scratch.ready()?;
    let blob = ScratchBlob::fresh(256 << 10);
    let Some(href) = address_of(scratch, &blob).await? else {
        return not_tried("no address for a new blob");
    };
    scratch
        .wire
        .put_broken_off(
            Ask::put(href, blob.bytes[..128 << 10].to_vec()),
            blob.size(),
        )
        .await?;
    let answer = check(scratch, &[(blob.oid(), blob.size())]).await?;
    let upload = upload_of(&answer);
    let from_start = upload["offset"].as_u64().unwrap_or(0) == 0;
    let told = |name: &str| upload.get(name).map_or("-".to_owned(), Value::to_string);
    seen(
        upload["href"].is_string() && from_start,
        format!(
            "{}, offset {}, {}",
            brief(&answer),
            told("offset"),
            told("upload_header")
        ),
    )
}

/// The host of an address.
pub fn host(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}
