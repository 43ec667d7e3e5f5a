//! Blobs that Hugging Face copies from one of its repos to another. Facts: huggingface_hub 2.4.0, `hf_api.py`
//! (`_duplicate_lfs_files`), and `_commit_api.py` (`CommitOperationCopy`): the source is asked, both have to be in one storage region,
//! and what is not copied is told by file.

use serde::Deserialize;
use serde_json::{Value, json};

use super::access;
use crate::accounts::Caller;
use crate::answer::{Answer, json as json_answer};
use crate::call::Call;
use crate::digest::Digest;
use crate::repo::{Kind, Repo};
use crate::world::World;

/// Files a request may name (`DUPLICATE_LFS_BATCH_SIZE`).
const MOST_FILES: usize = 500;

#[derive(Deserialize)]
struct Duplication {
    target: Target,
    files: Vec<Wanted>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "type")]
    kind: Kind,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    xet_hash: String,
    sha256: String,
}

/// `POST /api/T/{source}/lfs-files/duplicate`. The caller has to be let into the source, and to write to the target.
pub async fn duplicate(world: &World, mut call: Call, caller: Caller, source: &Repo) -> Answer {
    access::through_gate(source, caller)?;
    let asked: Duplication = call
        .json()
        .await
        .map_err(|error| access::bad_request(&error))?;
    let target = access::repo(world, caller, (asked.target.kind, &asked.target.name))?;
    access::repo_writer(&target, caller)?;
    access::not_locked(&target)?;
    if asked.files.len() > MOST_FILES {
        return Err(access::bad_request("Too many files: at most 500"));
    }
    let mut failed = Vec::new();
    for wanted in &asked.files {
        match of_source(world, source, &target, wanted) {
            Ok(digest) => {
                target.state().stored.insert(digest);
            }
            Err(error) => failed.push(json!({"sha256": wanted.sha256, "error": error})),
        }
    }
    Ok(json_answer(200, &json!({"failed": Value::from(failed)})))
}

/// The blob of the source, or why it can't be copied. The words are ours: nobody recorded any.
fn of_source(
    world: &World,
    source: &Repo,
    target: &Repo,
    wanted: &Wanted,
) -> Result<Digest, &'static str> {
    let regions = [source, target].map(|repo| repo.state().region.clone());
    if regions[0] != regions[1] {
        return Err("source and target are in different storage regions");
    }
    let digest = Digest::parse(&wanted.sha256).ok_or("invalid sha256")?;
    if !source.state().stored.contains(&digest) {
        return Err("no such file in the source");
    }
    if world.xet.hash(&digest).as_ref() != Some(&wanted.xet_hash) {
        return Err("no such file in Xet's storage");
    }
    let stored = world.hf.store.get(&digest).ok_or("the file is lost")?;
    match world.settings().hf_duplicates_up_to {
        Some(most) if stored.len() > most => Err("the file is too large"),
        _ => Ok(digest),
    }
}
