//! Who may read a copy, and whether that is more than may read its source. The lists of the owners tell it at no request. What they don't
//! tell, and what they tell of a copy that shows more, is asked of the repos themselves.

use hf2ms_hub::{Error, Gate, Kind, OwnedRepo, RepoAt, RepoInfo, Visibility, open_destination};

use crate::inventory::inspect::{FoundCopy, Inspector};
use crate::inventory::repos::InventoryEntry;
use crate::inventory::row::InventoryRow;
use crate::inventory::unseen::{InspectionResult, Unseen};

/// Whether some may not read the repo, as its owner's list tells.
fn is_restricted(owned: &OwnedRepo) -> bool {
    let is_hidden = owned
        .visibility
        .is_some_and(|who| who != Visibility::Public);
    is_hidden || matches!(owned.gate, Gate::Gated(_))
}

impl Inspector<'_> {
    /// The row with who may read the copy. The list of some hubs knows public and private repos alone, so that nothing is called exposed by
    /// a list.
    pub(super) async fn look_at_readers(
        &self,
        entry: &InventoryEntry,
        row: InventoryRow,
        copy: &FoundCopy,
    ) -> InspectionResult<InventoryRow> {
        let is_told = row.copy_visibility.is_some() && row.copy_shows_more.is_none();
        if !copy.exists || is_told || !is_restricted(&entry.owned) {
            return Ok(row);
        }
        let asked = match copy.info {
            None => copy.hub.find().await,
            Some(_) => Ok(copy.info.clone()),
        };
        let asked =
            asked.map_err(|error| Unseen::of_copy(&error, &entry.destination, self.settings))?;
        let Some(ours) = asked else {
            return Ok(row);
        };
        let row = row.read_as_told(&ours, None);
        if row.copy_shows_more.is_none() {
            return Ok(row);
        }
        let source = match self.find_source(&entry.source).await {
            // Its files are listed by Git all the same, and the list of its owner has told who may see it.
            Err(lock) if lock.kind() == Kind::Locked => None,
            found => {
                found.map_err(|error| Unseen::of_source(&error, &entry.source, self.settings))?
            }
        };
        Ok(row.read_as_told(&ours, source.as_ref()))
    }

    async fn find_source(&self, at: &RepoAt) -> Result<Option<RepoInfo>, Error> {
        let side = self.settings.source(at)?;
        open_destination(&side, self.settings.http())?.find().await
    }
}
