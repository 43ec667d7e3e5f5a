//! From both listings to the plan of a copy: compared, the way to read small files chosen, cut into chunks, the card mended.

use hf2ms_hub::{Destination, Listing, Result};

use super::card;
use super::source::PinnedSource;
use crate::plan::{CardPolicy, DigestCache, Plan, PlanRequest};
use crate::protocol::{Chunking, Transport};
use crate::settings::Settings;

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

/// How a plan is made.
pub struct PlanPolicy<'a> {
    /// What is done about a card that the destination refuses.
    pub card: CardPolicy,
    /// When Git is used.
    pub git: GitUse,
    /// How work of so many bytes in blobs is cut.
    pub chunking: &'a (dyn Fn(u64) -> Chunking + Sync),
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
    let is_faster = policy.git == GitUse::WhenFaster && plan.prefers_git(source.git_files);
    if source.transport == Transport::Git || is_faster {
        plan.read_by_git(source.git_files);
    }
    plan.rechunk((policy.chunking)(plan.summary().blob_bytes));
    plan.card = policy.card;
    card::mend(&mut plan, &source.reader(settings), destination).await?;
    Ok(plan)
}
