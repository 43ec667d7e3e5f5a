//! The blobs of a plan that the destination's storage holds already, as an interrupted run leaves them: invisible, and not sent again.
//! They are asked about before the estimate, so that it is about what is left.

use std::collections::HashSet;

use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_hub::{Blob, Destination, Result, Sha256};
use hf2ms_worker::plan::{Plan, Step};

use crate::args::workers::WorkerArgs;
use crate::estimate::Estimate;
use crate::estimate::rates::Rates;

/// Blobs that one request asks about.
const BATCH: usize = 256;
/// Requests at most: the largest blobs come first, and of the others nobody asks.
const REQUESTS: usize = 16;
/// Requests at a time.
const AT_ONCE: usize = 2;

/// What is known of a plan's blobs.
#[derive(Debug, Default)]
pub struct StoredBlobs {
    stored: HashSet<Sha256>,
    /// Whether some blobs were not asked about.
    is_partial: bool,
}

impl StoredBlobs {
    /// Asks a destination that exists about the blobs of plans for it, which share no blob. A failure tells nothing, and the copy meets
    /// it itself.
    pub async fn of(plans: &[&Plan], destination: &dyn Destination) -> Self {
        let existing = plans.iter().filter(|plan| plan.creation.exists);
        let mut blobs: Vec<Blob> = existing.flat_map(|plan| moving(plan)).collect();
        blobs.sort_by_key(|blob| std::cmp::Reverse(blob.size));
        let asked = &blobs[..blobs.len().min(BATCH * REQUESTS)];
        let groups = stream::iter(asked.chunks(BATCH)).map(|group| stored(group, destination));
        let found: Result<Vec<_>> = groups.buffered(AT_ONCE).try_collect().await;
        match found {
            Ok(found) => Self {
                stored: found.into_iter().flatten().collect(),
                is_partial: asked.len() < blobs.len(),
            },
            Err(error) => {
                tracing::debug!("which blobs are stored is not known: {error}");
                Self {
                    stored: HashSet::new(),
                    is_partial: !blobs.is_empty(),
                }
            }
        }
    }

    /// The contents that are known to be stored.
    pub fn sha256(&self) -> &HashSet<Sha256> {
        &self.stored
    }

    /// Blobs of a destination that is not asked: some of them may be stored.
    pub fn not_asked(plans: &[&Plan]) -> Self {
        let mut existing = plans.iter().filter(|plan| plan.creation.exists);
        Self {
            stored: HashSet::new(),
            is_partial: existing.any(|plan| !moving(plan).is_empty()),
        }
    }

    /// The estimate of what a plan has left to move.
    pub fn estimate_of_rest(
        &self,
        plan: &Plan,
        worker_args: &WorkerArgs,
        rates: Rates,
    ) -> Estimate {
        let estimate = if self.stored.is_empty() {
            Estimate::of(plan, worker_args, rates)
        } else {
            Estimate::of(&self.rest_of(plan), worker_args, rates)
        };
        let (stored, stored_bytes) = self.amount(plan);
        Estimate {
            stored,
            stored_bytes,
            up_to: self.is_partial || estimate.up_to,
            ..estimate
        }
    }

    /// How many blobs of the plan are stored, and their bytes.
    fn amount(&self, plan: &Plan) -> (u64, u64) {
        let stored = moving(plan).into_iter();
        let sizes: Vec<u64> = stored
            .filter(|blob| self.stored.contains(&blob.sha256))
            .map(|blob| blob.size)
            .collect();
        (sizes.len() as u64, sizes.iter().sum())
    }

    /// The plan of what is left to move: for its numbers alone, since a worker asks about each blob itself.
    fn rest_of(&self, plan: &Plan) -> Plan {
        let mut rest = plan.clone();
        for planned in &mut rest.files {
            let sha256 = planned.file.digest.sha256();
            if planned.step == Step::Stream && sha256.is_some_and(|it| self.stored.contains(&it)) {
                planned.step = Step::Duplicate;
            }
        }
        let (files, chunks) = (&rest.files, &mut rest.chunks);
        let moves = |index: &u32| files[*index as usize].step == Step::Stream;
        chunks.iter_mut().for_each(|chunk| chunk.retain(moves));
        chunks.retain(|chunk| !chunk.is_empty());
        rest
    }
}

/// The blobs that a plan moves and whose SHA-256 is known.
fn moving(plan: &Plan) -> Vec<Blob> {
    let moving = plan.files.iter().filter(|planned| planned.moves_here());
    moving
        .filter_map(|planned| {
            let (sha256, size) = (planned.file.digest.sha256()?, planned.file.size);
            Some(Blob { sha256, size })
        })
        .collect()
}

async fn stored(group: &[Blob], destination: &dyn Destination) -> Result<Vec<Sha256>> {
    let missing = destination.missing(group).await?;
    let wanted = missing.wanted.iter().map(|blob| blob.sha256);
    let refused = missing.refused.iter().map(|(sha256, _)| *sha256);
    let not_stored: HashSet<Sha256> = wanted.chain(refused).collect();
    let all = group.iter().map(|blob| blob.sha256);
    Ok(all.filter(|sha256| !not_stored.contains(sha256)).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use hf2ms_worker::plan::Plan;
    use hf2ms_worker::protocol::Chunking;

    use crate::runs::tests::at;

    /// A plan of blobs of these sizes.
    pub(crate) fn plan(sizes: &[u64]) -> Plan {
        let file = |(number, size): (usize, &u64)| hf2ms_hub::File {
            path: format!("{number}.bin").parse().unwrap(),
            size: *size,
            digest: hf2ms_hub::Digest::Sha256(hf2ms_hub::Sha256::of(&size.to_le_bytes())),
        };
        let files = sizes.iter().enumerate().map(file).collect();
        let (from, to) = (at("huggingface", "a/b"), at("modelscope", "a/b"));
        Plan::of_blobs(from, to, files, Chunking::Even { containers: 1 })
    }
}
