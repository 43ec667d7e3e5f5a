//! What hubs in memory say of themselves.

use async_trait::async_trait;
use hf2ms_hub::{
    Account, Cards, Committer, FileCount, Gate, GateMode, Gates, RepoInfo, Result, Visibility,
};

use super::FakeDestination;

pub(super) fn account() -> Account {
    Account {
        can_write: Some(true),
        ..Account::named("alice")
    }
}

/// An open repo whose hub tells no commits.
pub(super) fn info(visibility: Visibility) -> RepoInfo {
    RepoInfo {
        commit: None,
        visibility,
        gate: Gate::Open,
        renamed: None,
        files: FileCount::Untold,
    }
}

#[async_trait]
impl Gates for FakeDestination {
    async fn create_gated(&self, visibility: Visibility, mode: GateMode) -> Result<()> {
        self.create(visibility).await?;
        *self.gate.lock().unwrap() = (!self.ignores_gates).then_some(mode);
        Ok(())
    }
}

#[async_trait]
impl Cards for FakeDestination {
    async fn refusal_of(&self, card: &str) -> Result<Option<String>> {
        Ok(self
            .bad_card
            .filter(|bad| card.contains(bad))
            .map(|bad| format!("no {bad} here")))
    }
}
