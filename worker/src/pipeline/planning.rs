//! From both listings to the plan of a copy: compared, the way to read small files chosen, cut into chunks, the card mended.

use std::collections::HashSet;

use futures_util::{StreamExt, stream};
use hf2ms_hub::{Blob, Destination, Listing, Result, Sha256};

use super::card;
use super::source::PinnedSource;
use crate::plan::{CardPolicy, DigestCache, Plan, PlanRequest};
use crate::protocol::{Chunking, Transport};
use crate::settings::Settings;

/// Blobs that one request asks about.
const BLOBS: usize = 256;
/// Requests at most: of more files nobody asks.
const REQUESTS: usize = 16;
/// Requests at a time.
const AT_ONCE: usize = 2;

/// When files outside LFS come by Git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitUse {
    /// Where the source's API is locked.
    WhenLocked,
    /// Also where a pack takes less time than a request for each file ([`Plan::prefers_git`]).
    WhenFaster,
}

/// What both sides hold, and what earlier runs learned of it.
pub struct Listings<'a> {
    /// The source's files, without those that filters leave out.
    pub source: Listing,
    /// The destination's files.
    pub destination: &'a Listing,
    /// SHA-256 digests of contents that one side lists by Git's id.
    pub digests: &'a DigestCache,
}

/// How far the destination's listing is believed about contents that it is said to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// What is listed is there: a run has read it since, or nothing is to be written.
    #[default]
    Listing,
    /// The blob check is asked for it. Of these files, as a report names them, an earlier run could not read the content: a worker is
    /// given them whatever the check says, and asks it itself.
    BlobCheck(HashSet<String>),
}

/// How a plan is made.
pub struct PlanPolicy<'a> {
    /// What is done about a card that the destination refuses.
    pub card: CardPolicy,
    /// When Git is used.
    pub git: GitUse,
    /// How blobs of these sizes are cut into chunks.
    pub chunking: &'a (dyn Fn(&[u64]) -> Chunking + Sync),
    /// Whether what the destination lists may be lost there.
    pub trust: &'a Trust,
}

/// The plan of a copy. Nothing is written anywhere.
///
/// # Errors
/// The destination can't be asked about the card.
pub async fn make_plan(
    request: PlanRequest,
    listings: Listings<'_>,
    policy: PlanPolicy<'_>,
    source: &PinnedSource,
    destination: &dyn Destination,
    settings: &Settings,
) -> Result<Plan> {
    let Listings {
        source: listing,
        destination: current,
        digests,
    } = listings;
    let placement = |path: &_, size| destination.placement(path, size);
    let mut plan = Plan::make(request, listing, current, placement, digests);
    if let Trust::BlobCheck(unread) = policy.trust {
        let lost = lost_contents(&plan, current, unread, destination).await;
        plan.move_again(&lost);
    }
    let is_faster = policy.git == GitUse::WhenFaster && plan.prefers_git(source.git_files);
    if source.transport == Transport::Git || is_faster {
        plan.read_by_git(source.git_files);
    }
    plan.rechunk((policy.chunking)(&plan.blob_sizes()));
    plan.card = policy.card;
    card::mend(&mut plan, &source.reader(settings), destination).await?;
    Ok(plan)
}

/// The contents that the destination lists and does not have, by its blob check, and those that could not be read. A request that fails
/// tells nothing.
async fn lost_contents(
    plan: &Plan,
    current: &Listing,
    unread: &HashSet<String>,
    destination: &dyn Destination,
) -> HashSet<Sha256> {
    let (mut lost, mut asked) = (HashSet::new(), Vec::new());
    let mut seen = HashSet::new();
    for (path, blob) in plan.standing_blobs(current) {
        if !unread.is_empty() && unread.contains(&path.to_string()) {
            lost.insert(blob.sha256);
        } else if seen.insert(blob.sha256) {
            asked.push(blob);
        }
    }
    asked.truncate(BLOBS * REQUESTS);
    let groups = stream::iter(asked.chunks(BLOBS)).map(|group: &[Blob]| destination.missing(group));
    let mut answers = groups.buffered(AT_ONCE);
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(missing) => lost.extend(missing.wanted.iter().map(|blob| blob.sha256)),
            Err(error) => tracing::debug!("whether listed blobs are stored is not known: {error}"),
        }
    }
    lost
}
