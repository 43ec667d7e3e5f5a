//! The JSON of the LFS batch API, as far as it is read here. Facts: Git LFS `batch.md`; huggingface_hub 2.4.0, `lfs.py`, for
//! uploads in parts. Unknown fields are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is posted to `{lfs}/objects/batch`.
#[derive(Debug, Serialize)]
pub(super) struct BatchQuestion<'a> {
    pub(super) operation: &'static str,
    pub(super) transfers: &'a [&'static str],
    pub(super) hash_algo: &'static str,
    pub(super) objects: Vec<Wanted>,
    /// The ref that the objects belong to: some servers permit by it (git-lfs 3.7.0, `tq/api.go`, names it for both operations).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#ref: Option<Ref<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Ref<'a> {
    pub(super) name: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Wanted {
    pub(super) oid: String,
    pub(super) size: u64,
}

/// The batch's answer.
#[derive(Debug, Deserialize)]
pub(super) struct BatchAnswer {
    pub(super) transfer: Option<String>,
    pub(super) hash_algo: Option<String>,
    pub(super) objects: Vec<Object>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub(super) oid: String,
    pub(super) size: Option<i64>,
    /// Whether the addresses carry their own permission, so that no login goes there.
    #[serde(default)]
    pub(super) authenticated: Option<bool>,
    pub(super) actions: Option<Actions>,
    pub(super) error: Option<ObjectError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Actions {
    pub(super) download: Option<Action>,
    pub(super) upload: Option<Action>,
    pub(super) verify: Option<Action>,
}

/// Where an object is, and until when: in seconds from now, or as a date.
#[derive(Debug, Deserialize)]
pub(super) struct Action {
    pub(super) href: String,
    pub(super) header: Option<BTreeMap<String, String>>,
    pub(super) expires_in: Option<i64>,
    pub(super) expires_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ObjectError {
    pub(super) code: Option<i64>,
    pub(super) message: Option<String>,
}

/// What is posted to the address of an upload in parts once all are there.
#[derive(Debug, Serialize)]
pub(super) struct Completion<'a> {
    pub(super) oid: String,
    pub(super) parts: Vec<Part<'a>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    pub(super) part_number: usize,
    pub(super) etag: &'a str,
}
