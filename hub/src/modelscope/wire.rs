//! The shapes of bodies on the wire, and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lfs::Wanted;

/// One entry of a file tree (modelscope-hub 0.5.1, `_legacy_api.py`, `_entry_path`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    #[serde(alias = "path")]
    pub path: String,
    /// `blob` (also when absent) or `tree`.
    #[serde(default, alias = "type")]
    pub r#type: Option<String>,
    /// Of a folder it may be anything.
    #[serde(default, alias = "size")]
    pub size: Option<i64>,
    #[serde(default, alias = "sha256")]
    pub sha256: Option<String>,
    #[serde(default, rename = "IsLFS", alias = "is_lfs")]
    pub is_lfs: Option<bool>,
    /// When the last commit that touched it was made, in seconds since 1970 (recorded of models).
    #[serde(default, alias = "committed_date")]
    pub committed_date: Option<i64>,
}

impl Entry {
    pub(super) fn is_folder(&self) -> bool {
        self.r#type.as_deref() == Some("tree")
    }
}

/// What a dataset keeps beside its repo (`oss/tree`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Stored {
    pub key: String,
    pub size: u64,
    pub url: String,
}

/// A blob check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub operation: &'static str,
    pub objects: Vec<Wanted>,
}

/// The answer to a check: LFS's batch answer.
#[derive(Debug, Deserialize)]
pub(super) struct Checked {
    #[serde(default)]
    pub transfer: Option<String>,
    #[serde(default)]
    pub hash_algo: Option<String>,
    #[serde(default)]
    pub objects: Option<Vec<Object>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Object {
    pub oid: String,
    #[serde(default)]
    pub size: Option<u64>,
    #[serde(default)]
    pub actions: Option<Actions>,
    #[serde(default)]
    pub error: Option<ObjectError>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Actions {
    #[serde(default)]
    pub upload: Option<Upload>,
}

/// Where a blob is to be put. The client reads `href` alone; LFS has `header` beside it.
#[derive(Debug, Deserialize)]
pub(super) struct Upload {
    #[serde(default)]
    pub href: Option<String>,
    #[serde(default)]
    pub header: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ObjectError {
    #[serde(default)]
    pub code: Option<u16>,
    #[serde(default)]
    pub message: Option<String>,
}

/// A commit (`_legacy_api.py`, `create_commit`).
#[derive(Debug, Serialize)]
pub(super) struct Commit<'a> {
    pub commit_message: &'a str,
    pub actions: Vec<Action<'a>>,
}

/// One change. Every field is always there, empty where it means nothing (`_upload.py`, `_build_operation`
/// and `_build_delete_operations`).
#[derive(Debug, Serialize)]
pub(super) struct Action<'a> {
    pub action: &'static str,
    pub path: &'a str,
    pub r#type: &'static str,
    pub size: u64,
    pub sha256: String,
    pub content: String,
    pub encoding: &'static str,
}
