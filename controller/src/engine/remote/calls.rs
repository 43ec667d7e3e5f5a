//! The calls of a run in the cloud, and how they are cancelled.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::engine::modal::bridge::BridgeError;
use crate::engine::modal::{CancelMode, Modal, explain};
use crate::runs::JournalEntry;
use crate::ui::errors::CliResult;

/// Requests to Modal at a time.
pub const AT_ONCE: usize = 16;

/// The ids of the calls of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubmittedCalls {
    /// The call of each chunk.
    pub chunks: BTreeMap<u32, String>,
    /// The call that ends the run.
    pub last: Option<String>,
}

impl SubmittedCalls {
    /// The calls that a journal names; of two for one chunk the later one counts.
    pub fn of(journal: &[JournalEntry]) -> Self {
        let mut calls = Self::default();
        for entry in journal {
            match entry {
                JournalEntry::Call {
                    chunk: Some(chunk),
                    call,
                } => drop(calls.chunks.insert(*chunk, call.clone())),
                JournalEntry::Call { chunk: None, call } => calls.last = Some(call.clone()),
                _ => (),
            }
        }
        calls
    }

    /// All of them, the last one first: once cancelled, it waits for no chunk.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.last.iter().chain(self.chunks.values())
    }
}

/// Cancels every call; a call that has ended counts as cancelled.
///
/// # Errors
/// Modal refuses or can't be reached.
pub async fn cancel(modal: &Modal, calls: &SubmittedCalls) -> CliResult<()> {
    let (mut graceful, mut children) = (Ok(()), Vec::new());
    if let Some(last) = &calls.last {
        // It cancels the calls that it made itself; those of an earlier attempt only Modal knows of.
        graceful = modal.cancel(last, CancelMode::Graceful).await;
        children = modal.children(last).await.unwrap_or_default();
    }
    let children: Vec<String> = children.into_iter().map(|child| child.call).collect();
    let others = cancel_all(modal, children.iter().chain(calls.chunks.values())).await;
    graceful.and(others).map_err(|error| explain(&error))
}

async fn cancel_all(
    modal: &Modal,
    calls: impl IntoIterator<Item = &String>,
) -> Result<(), BridgeError> {
    let cancelled = stream::iter(calls)
        .map(|call| modal.cancel(call, CancelMode::Immediate))
        .buffered(AT_ONCE);
    cancelled.collect::<Vec<_>>().await.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_those_of_the_journal_and_the_later_of_two_counts() {
        let call = |chunk, call: &str| JournalEntry::Call {
            chunk,
            call: call.to_owned(),
        };
        let journal = [
            call(Some(0), "fc-a"),
            call(Some(1), "fc-b"),
            call(None, "fc-f"),
            call(Some(1), "fc-c"),
            call(None, "fc-g"),
        ];
        let calls = SubmittedCalls::of(&journal);
        assert_eq!(calls.all().collect::<Vec<_>>(), ["fc-g", "fc-a", "fc-c"]);
    }
}
