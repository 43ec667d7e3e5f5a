//! One repo of an inventory: the commits of both sides, what a run has proven of them, and else a listing of each side.

use std::sync::Arc;

use hf2ms_hub::{
    Destination, Error, Kind, Listing, RepoAt, RepoInfo, Revision, open_destination,
    open_ref_store, open_source,
};
use hf2ms_worker::pipeline::source::PinnedSource;
use hf2ms_worker::plan::ListingComparison;
use hf2ms_worker::protocol::Transport;

use crate::copy::proofs::Proofs;
use crate::copy::sync_state::ProvenCopy;
use crate::inventory::contents::ContentReader;
use crate::inventory::depth::{ContentUse, InspectionDepth, RefCount};
use crate::inventory::repos::InventoryEntry;
use crate::inventory::row::{CopyState, Evidence, InventoryRow};
use crate::inventory::saved::SavedRows;
use crate::inventory::unseen::{InspectionResult, Unseen, disabled_side};
use crate::settings::Settings;
use crate::ui::errors::CliResult;

/// Looks at one repo after the other.
pub struct Inspector<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// What runs have proven.
    pub proofs: Proofs,
    /// What earlier inventories have found.
    pub saved: SavedRows,
    /// How much is asked.
    pub depth: InspectionDepth,
    /// Who reads contents.
    pub contents: ContentReader<'a>,
}

/// The destination as it was found.
pub(super) struct FoundCopy {
    /// How it is spoken to.
    pub(super) hub: Arc<dyn Destination>,
    /// Whether it is there.
    pub(super) exists: bool,
    head: Option<Revision>,
    /// What its hub says of it, if it was looked up.
    pub(super) info: Option<RepoInfo>,
}

/// Whether it is worth a request to learn the commit of a side before it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadUse {
    /// It is: a run or an inventory knows something of a commit, and both sides may stand where they did.
    Asked,
    /// It is not: each side is listed in any case, and the listing tells what is kept.
    Listed,
}

/// The commits of both sides, as far as they are told.
struct Heads<'a> {
    source: Option<&'a Revision>,
    destination: Option<&'a Revision>,
}

impl Inspector<'_> {
    /// The row of a repo. What fails for this repo alone is in it.
    ///
    /// # Errors
    /// What every other repo would fail with, too: a refused token, a hub that can't be reached; the disk's.
    pub async fn row(&self, entry: &InventoryEntry) -> CliResult<InventoryRow> {
        match self.look(entry).await {
            Ok(row) => {
                if row.reason.is_none() && self.saved.of(entry) != Some(&row) {
                    self.saved.add(entry, &row)?;
                }
                Ok(row)
            }
            Err(Unseen::Disabled(failure)) => {
                Ok(InventoryRow::of(entry).ended(CopyState::Disabled, failure.to_string()))
            }
            Err(Unseen::Failed(failure)) if failure.ends_all() => Err(failure),
            Err(Unseen::Failed(failure)) => {
                Ok(InventoryRow::of(entry).ended(CopyState::Unreadable, failure.to_string()))
            }
            Err(Unseen::Vanished) => {
                let gone = "it was in its owner's list and is gone";
                Ok(InventoryRow::of(entry).ended(CopyState::Vanished, gone))
            }
        }
    }

    async fn look(&self, entry: &InventoryEntry) -> InspectionResult<InventoryRow> {
        let proven = self.proofs.between(&entry.source, &entry.destination);
        let earlier = self.saved.of(entry);
        let use_of_heads = match proven.is_empty() && earlier.is_none() {
            true => HeadUse::Listed,
            false => HeadUse::Asked,
        };
        let (source_head, copy) = futures_util::try_join!(
            self.source_head(entry, use_of_heads),
            self.find_copy(entry, use_of_heads)
        )?;
        let row = InventoryRow::of(entry);
        let mut row = self.look_at_readers(entry, row, &copy).await?;
        (row.source_head, row.destination_head) = (source_head, copy.head.clone());
        if self.depth.refs == RefCount::Counted {
            row = self.count_refs(entry, row).await?;
        }
        let heads = Heads {
            source: row.source_head.as_ref(),
            destination: row.destination_head.as_ref(),
        };
        if let Some(proof) = proven.iter().find(|proof| heads.are_of(proof)) {
            let (now, measured) = (row.source_head.as_ref(), earlier);
            let measured = measured.filter(|one| stands_at(now, one.source_head.as_ref()));
            let row = measured.map_or(row.clone(), |earlier| row.found_before(earlier));
            let row = row.proven(proof);
            return Ok(match disabled_side(entry, self.settings) {
                Some(failure) => row.ended(CopyState::Disabled, failure.to_string()),
                None => row,
            });
        }
        if let Some(failure) = disabled_side(entry, self.settings) {
            return Err(Unseen::Disabled(failure));
        }
        if let Some(earlier) = earlier.filter(|earlier| self.still_holds(earlier, &row, &copy)) {
            let row = row.found_before(earlier);
            return Ok(match copy.exists {
                true => Self::judged(row, &proven),
                false => row,
            });
        }
        self.compare(entry, row, &copy, &proven).await
    }

    /// Whether what an earlier inventory found is about both sides as they stand now, and deep enough.
    fn still_holds(&self, earlier: &InventoryRow, now: &InventoryRow, copy: &FoundCopy) -> bool {
        let is_deep = match self.depth.contents {
            ContentUse::Sizes => true,
            ContentUse::Read => earlier.by_size.unwrap_or(0) == 0,
        };
        let is_told = now.source_head.is_some() && now.destination_head.is_some() == copy.exists;
        let was_absent = earlier.state == CopyState::None;
        is_told
            && was_absent != copy.exists
            && is_deep
            && stands_at(now.source_head.as_ref(), earlier.source_head.as_ref())
            && stands_at(
                now.destination_head.as_ref(),
                earlier.destination_head.as_ref(),
            )
            // What a run has proven holds as long as that proof does.
            && !matches!(earlier.evidence, Evidence::Nothing | Evidence::Run)
    }

    /// The commit of the source's main branch; nothing is asked where its owner's list tells it, or where nothing is known of any commit.
    async fn source_head(
        &self,
        entry: &InventoryEntry,
        heads: HeadUse,
    ) -> InspectionResult<Option<Revision>> {
        if entry.owned.head.is_some() || heads == HeadUse::Listed {
            return Ok(entry.owned.head.clone());
        }
        let unseen = |error| Unseen::of_source(&error, &entry.source, self.settings);
        let side = self.settings.source(&entry.source).map_err(unseen)?;
        let source = open_source(&side, self.settings.http()).map_err(unseen)?;
        source.head().await.map_err(unseen)
    }

    /// Finds the destination by as few requests as possible. One that its owner's list names, or that an earlier inventory has seen, is asked
    /// for its commit at once; any other may be private, and is looked up first.
    async fn find_copy(
        &self,
        entry: &InventoryEntry,
        heads: HeadUse,
    ) -> InspectionResult<FoundCopy> {
        let at = &entry.destination;
        let failed = |error: Error| Unseen::of_copy(&error, at, self.settings);
        let side = self.settings.destination(at).map_err(failed)?;
        let hub = open_destination(&side, self.settings.http()).map_err(failed)?;
        let is_listed = entry.listed.is_some();
        let head = entry.listed.as_ref().and_then(|listed| listed.head.clone());
        if head.is_some() || (is_listed && heads == HeadUse::Listed) {
            return Ok(FoundCopy::at(hub, head));
        }
        let earlier = self.saved.of(entry);
        let was_there = earlier.is_some_and(|earlier| earlier.destination_head.is_some());
        let head = match was_there || is_listed {
            true => head_of(hub.as_ref()).await.map_err(failed)?,
            false => None,
        };
        if head.is_some() {
            return Ok(FoundCopy::at(hub, head));
        }
        let info = hub.find().await.map_err(failed)?;
        let exists = info.is_some();
        let head = match exists && heads == HeadUse::Asked && !was_there && !is_listed {
            true => head_of(hub.as_ref()).await.map_err(failed)?,
            false => None,
        };
        let found = FoundCopy::at(hub, head);
        Ok(FoundCopy {
            exists,
            info,
            ..found
        })
    }

    async fn count_refs(
        &self,
        entry: &InventoryEntry,
        row: InventoryRow,
    ) -> InspectionResult<InventoryRow> {
        let unseen = |error| Unseen::of_source(&error, &entry.source, self.settings);
        let side = self.settings.source(&entry.source).map_err(unseen)?;
        let refs = open_ref_store(&side, self.settings.http()).map_err(unseen)?;
        let refs = refs.refs().await.map_err(unseen)?.named();
        Ok(InventoryRow {
            branches: Some(refs.branches.len() as u64),
            tags: Some(refs.tags.len() as u64),
            ..row
        })
    }

    async fn compare(
        &self,
        entry: &InventoryEntry,
        row: InventoryRow,
        copy: &FoundCopy,
        proven: &[ProvenCopy],
    ) -> InspectionResult<InventoryRow> {
        let source_at = RepoAt {
            revision: row
                .source_head
                .clone()
                .unwrap_or_else(|| entry.source.revision.clone()),
            ..entry.source.clone()
        };
        let (source, destination) = futures_util::try_join!(
            self.list_source(&source_at),
            self.list_copy(entry, copy, row.destination_head.as_ref())
        )?;
        let known = self.proofs.digests(&entry.source, &entry.destination);
        let found = ListingComparison::of(&source, &destination, &known);
        let row = InventoryRow {
            source_head: row.source_head.or_else(|| commit_of(&source)),
            destination_head: row.destination_head.or_else(|| commit_of(&destination)),
            ..row
        };
        let (by_size, is_deep) = (found.by_size, self.depth.contents == ContentUse::Read);
        let row = row.compared(found);
        if !copy.exists {
            let state = CopyState::None;
            return Ok(InventoryRow { state, ..row });
        }
        let row = Self::judged(row, proven);
        if row.state.is_whole() {
            self.check_count(&source_at, &source).await?;
        }
        if !is_deep || by_size == 0 {
            return Ok(row);
        }
        let sides = (source_at, &entry.destination);
        let read = self.contents.compare(sides, source, &destination, &known);
        let read = read.await.map_err(Unseen::Failed)?;
        let row = Self::judged(row.read(&read), proven);
        Ok(match read.is_all_read() || !row.state.is_whole() {
            true => row,
            // What was to be read and could not be is not known to be equal.
            false => InventoryRow {
                state: CopyState::Unreadable,
                ..row
            },
        })
    }

    /// The row with its state, by its counts and by the last proof of both sides.
    fn judged(row: InventoryRow, proven: &[ProvenCopy]) -> InventoryRow {
        let heads = Heads {
            source: row.source_head.as_ref(),
            destination: row.destination_head.as_ref(),
        };
        let state = heads.state(&row, proven.first());
        InventoryRow { state, ..row }
    }

    async fn list_source(&self, at: &RepoAt) -> InspectionResult<Listing> {
        let unseen = |error| Unseen::of_source(&error, at, self.settings);
        let side = self.settings.source(at).map_err(unseen)?;
        let source = open_source(&side, self.settings.http()).map_err(unseen)?;
        match source.list().await {
            Err(lock) if lock.kind() == Kind::Locked => self.list_by_git(at).await.map_err(unseen),
            listed => listed.map_err(unseen),
        }
    }

    /// Refuses a listing that is shorter than the hub's count: a copy of less than the source would be called whole by it.
    async fn check_count(&self, at: &RepoAt, listing: &Listing) -> InspectionResult<()> {
        let unseen = |error| Unseen::of_source(&error, at, self.settings);
        let side = self.settings.source(at).map_err(unseen)?;
        let source = open_source(&side, self.settings.http()).map_err(unseen)?;
        match source.file_count().await {
            // Git has listed it then.
            Err(lock) if lock.kind() == Kind::Locked => Ok(()),
            counted => listing
                .check_count(counted.map_err(unseen)?)
                .map_err(unseen),
        }
    }

    /// The same where the hub's API is locked for the account, as a copy would read it.
    async fn list_by_git(&self, at: &RepoAt) -> hf2ms_hub::Result<Listing> {
        let main = RepoAt {
            revision: Revision::main_of(at.hub),
            ..at.clone()
        };
        let mut pinned = PinnedSource::find([main], Transport::Auto, self.settings).await?;
        pinned.list(self.settings).await
    }

    async fn list_copy(
        &self,
        entry: &InventoryEntry,
        copy: &FoundCopy,
        head: Option<&Revision>,
    ) -> InspectionResult<Listing> {
        if !copy.exists {
            return Ok(Listing::default());
        }
        let listed = copy.hub.list_branch_at(head).await;
        listed.map_err(|error| Unseen::of_copy(&error, &entry.destination, self.settings))
    }
}

impl FoundCopy {
    /// A copy that is there.
    fn at(hub: Arc<dyn Destination>, head: Option<Revision>) -> Self {
        let (exists, info) = (true, None);
        Self {
            hub,
            exists,
            head,
            info,
        }
    }
}

/// The commit that was listed, or its first digits.
fn commit_of(listing: &Listing) -> Option<Revision> {
    let prefix = listing.commit_prefix.as_deref();
    let prefix = prefix.and_then(|prefix| prefix.parse().ok());
    listing.commit.clone().or(prefix)
}

/// Whether a side stands at the commit that an inventory has kept, of which it may know the first digits only.
fn stands_at(now: Option<&Revision>, kept: Option<&Revision>) -> bool {
    match (now, kept) {
        (Some(now), Some(kept)) if !kept.is_commit() => now.as_str().starts_with(kept.as_str()),
        (now, kept) => now == kept,
    }
}

/// Where the branch of the destination stands; a repo that is gone stands nowhere.
async fn head_of(hub: &dyn Destination) -> hf2ms_hub::Result<Option<Revision>> {
    match hub.head().await {
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        head => head,
    }
}

impl Heads<'_> {
    /// Whether a proof is about both sides as they stand.
    fn are_of(&self, proof: &ProvenCopy) -> bool {
        self.source == Some(&proof.source) && self.destination == Some(&proof.destination)
    }

    /// The state of a copy that exists: `last` is the newest proof of it.
    fn state(&self, row: &InventoryRow, last: Option<&ProvenCopy>) -> CopyState {
        let some = |count: Option<u64>| count.unwrap_or(0) > 0;
        let is_whole = !some(row.missing) && !some(row.different) && !some(row.refused);
        let moved = last.map(|last| {
            let source = self.source != Some(&last.source);
            (source, self.destination != Some(&last.destination))
        });
        if is_whole {
            return match (some(row.by_size), moved) {
                (false, _) => CopyState::Equal,
                // What was proven keeps its digest: a file whose digest no run knows has come since.
                (true, Some((true, false))) => CopyState::Newer,
                (true, _) => CopyState::EqualBySize,
            };
        }
        match moved {
            Some((true, true)) => CopyState::Conflict,
            Some((true, false)) => CopyState::Newer,
            _ if some(row.different) => CopyState::Different,
            _ => CopyState::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::entry;

    fn commit(digit: char) -> Revision {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn state(
        (source, destination): (char, char),
        counts: ListingComparison,
        last: Option<(char, char)>,
    ) -> CopyState {
        let row = InventoryRow {
            source_head: Some(commit(source)),
            destination_head: Some(commit(destination)),
            ..InventoryRow::of(&entry("org/a")).compared(counts)
        };
        let proof = last.map(|(source, destination)| ProvenCopy {
            source: commit(source),
            destination: commit(destination),
            files: 1,
            bytes: 1,
            large: None,
        });
        Inspector::judged(row, proof.as_slice()).state
    }

    fn counts(missing: u64, different: u64, by_size: u64) -> ListingComparison {
        ListingComparison {
            files: 9,
            missing,
            different,
            by_size,
            ..ListingComparison::default()
        }
    }

    #[test]
    fn without_a_proof_the_counts_decide() {
        for (counts, expected) in [
            (counts(0, 0, 0), CopyState::Equal),
            (counts(0, 0, 2), CopyState::EqualBySize),
            (counts(1, 0, 2), CopyState::Partial),
            (counts(1, 1, 0), CopyState::Different),
        ] {
            assert_eq!(state(('a', 'b'), counts, None), expected);
        }
    }

    #[test]
    fn the_last_proof_says_which_side_has_changed_since() {
        for (heads, expected) in [
            (('c', 'b'), CopyState::Newer),
            (('c', 'd'), CopyState::Conflict),
            (('a', 'd'), CopyState::Different),
        ] {
            assert_eq!(state(heads, counts(0, 1, 0), Some(('a', 'b'))), expected);
        }
        let last = Some(('a', 'b'));
        for (heads, expected) in [
            (('c', 'b'), CopyState::Newer),
            (('a', 'b'), CopyState::EqualBySize),
            (('c', 'd'), CopyState::EqualBySize),
        ] {
            assert_eq!(state(heads, counts(0, 0, 1), last), expected);
        }
        let by_other_hands = state(('c', 'd'), counts(0, 0, 0), last);
        assert_eq!(
            by_other_hands,
            CopyState::Equal,
            "both have the same change"
        );
    }

    #[test]
    fn an_entry_that_cant_be_copied_is_not_called_equal() {
        let refused = ListingComparison {
            refused: 1,
            ..counts(0, 0, 0)
        };
        assert_eq!(state(('a', 'b'), refused, None), CopyState::Partial);
    }
}
