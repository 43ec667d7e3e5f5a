//! The JSON of Xet's storage and of the hub's part in it. Facts: the Xet protocol specification ("API"); xet-client 1.8.0, `cas_types`;
//! huggingface_hub 2.4.0, `utils/_xet.py`.

use std::collections::HashMap;

use serde::Deserialize;

/// `GET /api/T/{id}/xet-{read|write}-token/{rev}`; `exp` is in seconds since 1970.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Grant {
    pub(super) cas_url: String,
    pub(super) access_token: String,
    pub(super) exp: u64,
}

/// `GET /v1/reconstructions/{file hash}`: the terms that make the bytes asked for, and where the xorbs' parts are.
#[derive(Deserialize)]
pub(super) struct Reconstruction {
    /// Bytes of the first term that come before those asked for.
    pub(super) offset_into_first_range: u64,
    pub(super) terms: Vec<Term>,
    /// By the xorb's hash.
    pub(super) fetch_info: HashMap<String, Vec<Part>>,
}

/// A row of a xorb's chunks.
#[derive(Deserialize)]
pub(super) struct Term {
    pub(super) hash: String,
    /// Of the chunks, together.
    pub(super) unpacked_length: u64,
    pub(super) range: Rows,
}

/// A part of a xorb that can be asked for. The last of `url_range` is still in it.
#[derive(Deserialize)]
pub(super) struct Part {
    pub(super) range: Rows,
    pub(super) url: String,
    pub(super) url_range: Inclusive,
}

/// Chunks from `start` up to `end`.
#[derive(Deserialize, Clone, Copy)]
pub(super) struct Rows {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Bytes from `start` to `end`, that one too.
#[derive(Deserialize, Clone, Copy)]
pub(super) struct Inclusive {
    pub(super) start: u64,
    pub(super) end: u64,
}
