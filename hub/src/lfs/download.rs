//! Opening a blob's bytes at its located address in storage.

use std::ops::Range;

use super::addresses::Address;
use super::{Lfs, batch};
use crate::http::Response;
use crate::stream::range::{part, restarted};
use crate::{Blob, Error, File, Kind, Result};

/// Asks for `range` of the blob that `file` is.
pub(super) async fn open(
    lfs: &Lfs,
    file: &File,
    blob: Blob,
    range: &Range<u64>,
) -> Result<Response> {
    let address = batch::address(lfs, blob)
        .await
        .map_err(|error| lfs.noted(error))?;
    let answer = lfs.http.send(part(address.request(), file, range)).await;
    answer.map_err(|error| understood(restarted(error, range), lfs, blob, &address))
}

/// What a refusal of storage means: mostly that the address was too old.
fn understood(error: Error, lfs: &Lfs, blob: Blob, address: &Address) -> Error {
    let is_refusal =
        error.kind() == Kind::Expired || matches!(error.status(), Some(401 | 403 | 410));
    if !is_refusal || !address.is_apart_from(lfs.http.origin()) {
        return error;
    }
    lfs.addresses.forget(blob.sha256, address);
    error.with_kind(Kind::Expired)
}
