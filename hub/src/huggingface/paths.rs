//! What the hub knows of some paths of a repo at its revision. Facts: huggingface_hub 2.4.0, `hf_api.py` (`get_paths_info`), and
//! `_commit_api.py` (`FETCH_LFS_BATCH_SIZE`).

use super::HuggingFaceRepo;
use super::wire::{Entry, Paths};
use crate::Result;
use crate::http::Request;

/// The most paths of a request.
pub(super) const PATHS_A_CALL: usize = 500;
/// A full answer has some 250 KiB, and more where paths are long.
const LONGEST_ANSWER: u64 = 8 << 20;

/// The entries at these paths, at most [`PATHS_A_CALL`]. What is not there is left out.
pub(super) async fn info(repo: &HuggingFaceRepo, paths: &[&str]) -> Result<Vec<Entry>> {
    let url = repo.api(&format!("/paths-info/{}", repo.revision()))?;
    let request = Request::post(url).json(&Paths { paths })?;
    let answer = repo.ask(LONGEST_ANSWER, || request.clone()).await?;
    Ok(answer.value)
}
