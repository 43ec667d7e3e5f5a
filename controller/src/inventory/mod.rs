//! What owners have, and how their copies stand: a row a repo. Nothing is written to either hub.
//!
//! [`repos`] finds the repos, [`inspect`] looks at one, as far as [`depth`] says, [`contents`] has a worker read what listings can't compare. `exposure` is about who may read a copy. `unseen` is why one can't be looked at. [`saved`] keeps what was
//! found, [`row`] is the result of a repo, [`summary`] adds up all, and [`output`] prints them.

pub mod contents;
pub mod depth;
mod exposure;
pub mod inspect;
pub mod output;
pub mod repos;
pub mod row;
pub mod saved;
pub mod summary;
mod unseen;

use std::cell::Cell;

use futures_util::{StreamExt, stream};

use hf2ms_worker::protocol::Exit;

use self::inspect::Inspector;
use self::repos::InventoryEntry;
use self::row::InventoryRow;
use self::summary::InventoryRepoEvent;
use crate::stop::Stop;
use crate::ui::counts::Status;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::log::Level;
use crate::ui::nouns::grouped;
use crate::ui::screen::Screen;

/// Repos that are looked at a time: their listings are in memory, and hubs count requests.
const AT_ONCE: usize = 8;

/// Looks at all repos, and returns a row for each in their order. Programs are told of those that `is_shown`.
///
/// # Errors
/// What no other repo would be spared, such as a refused token: what was found until then is kept. A stop was asked for.
pub async fn run(
    entries: &[InventoryEntry],
    inspector: &Inspector<'_>,
    is_shown: impl Fn(&InventoryRow) -> bool,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Vec<InventoryRow>> {
    // Rows come in order: one that is kept may stand behind the one that failed.
    let kept = Cell::new(0);
    let kept = &kept;
    let look = |entry| async move {
        let row = stop.unless(inspector.row(entry)).await?;
        kept.set(kept.get() + usize::from(row.reason.is_none()));
        Ok(row)
    };
    let mut rows = Vec::with_capacity(entries.len());
    let mut found = stream::iter(entries).map(look).buffered(AT_ONCE);
    while let Some(row) = found.next().await {
        let mut row = row.map_err(|failure| after(&failure, kept.get(), entries.len()))?;
        row.reason = row.reason.map(|reason| screen.shown(&reason));
        let of_repo = screen.of_repo(row.name());
        of_repo.detail(
            Level::Info,
            format!("{} {}", row.state.name(), row.detail()),
        );
        if is_shown(&row) {
            of_repo.json(&InventoryRepoEvent { row: &row });
        }
        rows.push(row);
        if screen.has_bars() {
            screen.bars().looked_at(rows.len(), entries.len());
        }
    }
    screen.bars().clear();
    Ok(rows)
}

/// The error that ended an inventory, with how many rows are kept.
fn after(failure: &CliError, kept: usize, all: usize) -> CliError {
    let (kept, all) = (grouped(kept as u64), grouped(all as u64));
    if failure.exit() == Exit::Interrupted {
        return CliError::new(
            Exit::Interrupted,
            format!("stopped: {kept} of {all} repos are kept; run the same command again to go on"),
        );
    }
    CliError::new(
        failure.exit(),
        format!("{failure} ({kept} of {all} repos are kept: run the same command again to go on)"),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use hf2ms_hub::OwnedRepo;

    use super::*;
    use crate::runs::tests::at;

    /// A repo of Hugging Face whose copy has the same id.
    pub(crate) fn entry(id: &str) -> InventoryEntry {
        InventoryEntry {
            source: at("huggingface", id),
            owned: OwnedRepo::named(id.parse().unwrap()),
            destination: at("modelscope", id),
            listed: None,
        }
    }

    #[test]
    fn an_error_in_the_middle_says_how_far_the_inventory_was() {
        let failure = CliError::refused("the token was refused: get a new one");
        let line = after(&failure, 12, 1_000).to_string();
        assert_eq!(
            line,
            "the token was refused: get a new one (12 of 1,000 repos are kept: run the same command again to go on)"
        );
        let stopped = after(&CliError::interrupted(), 12, 1_000);
        assert_eq!(
            stopped.to_string(),
            "stopped: 12 of 1,000 repos are kept; run the same command again to go on"
        );
    }
}
