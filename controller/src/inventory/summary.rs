//! The totals of an inventory, and what it would take to finish the copies: bytes, hours, dollars, and room at the destination.

use std::collections::BTreeMap;

use hf2ms_hub::{Hub, OwnedRepo, Visibility};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::workers::EngineKind;
use crate::estimate::rates::Rates;
use crate::estimate::totals::{MoveAmount, MoveEstimate};
use crate::inventory::repos::InventoryEntry;
use crate::inventory::row::{CopyState, InventoryRow, RowFilter};
use crate::runs::Runs;
use crate::settings::account::private_bytes;
use crate::ui::counts::Counts;
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::{dollars, duration, size};
use crate::ui::table::labelled;

/// A repo of an inventory was looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "inventory_repo")]
pub struct InventoryRepoEvent<'a> {
    /// The repo and its copy.
    #[serde(flatten)]
    pub row: &'a InventoryRow,
}

/// The end of an inventory.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "inventory")]
pub struct InventoryEvent<'a> {
    #[serde(flatten)]
    totals: &'a InventoryTotals,
    /// The exit code.
    exit: u8,
}

/// The sums over all repos, and what it would take to finish.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct InventoryTotals {
    /// The number of repos.
    pub repos: u64,
    /// Entries of the owners' lists that can't be copied, and owners that were not found: they have no row.
    pub left_out: u64,
    /// The number of repos in each state.
    pub counts: BTreeMap<&'static str, usize>,
    /// Copies that show more than their sources.
    pub exposed: u64,
    /// Files of all sources.
    pub files: u64,
    /// The bytes of all files of all sources.
    pub bytes: u64,
    /// Bytes of files in object storage (LFS), where they are told apart.
    pub large_bytes: u64,
    /// Files that are missing or differ.
    pub files_to_copy: u64,
    /// The bytes of files that are missing or differ.
    pub bytes_to_copy: u64,
    /// What it would take to copy them.
    pub to_finish: Vec<FinishEstimate>,
    /// The room for private repos at the destination, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_storage: Option<PrivateStorage>,
}

/// What the copy of all that is missing would take on one engine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FinishEstimate {
    /// The engine.
    pub on: EngineKind,
    /// Workers at a time.
    pub containers: u64,
    /// Seconds.
    pub seconds: f64,
    /// Dollars, by Modal's price list; 0 elsewhere.
    pub dollars: f64,
    /// The rates of the estimate, in words.
    pub rates: String,
}

/// The room for private repos at the destination.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PrivateStorage {
    /// The destination's hub.
    pub hub: Hub,
    /// Bytes that the private repos of the destinations' owners have there now.
    pub used: u64,
    /// Bytes that copies of private and gated sources would add.
    pub to_add: u64,
    /// Bytes that are left afterwards, by plan; less than nothing where they don't fit. Which plan the account has is not known.
    pub left: BTreeMap<&'static str, i64>,
}

/// What the totals are made of.
pub struct SummaryInput<'a> {
    /// All repos.
    pub rows: &'a [InventoryRow],
    /// Their sources and destinations.
    pub entries: &'a [InventoryEntry],
    /// What the owners of the destinations have.
    pub at_destination: &'a [OwnedRepo],
    /// The hub of the destinations, where all are on one.
    pub to: Option<Hub>,
    /// Entries and owners that have no row.
    pub left_out: usize,
    /// Earlier runs, whose rates count.
    pub runs: &'a Runs,
}

impl InventoryTotals {
    /// Adds up all rows.
    pub fn of(input: &SummaryInput<'_>) -> Self {
        let rows = input.rows;
        let sum = |of: fn(&InventoryRow) -> Option<u64>| rows.iter().filter_map(of).sum();
        let files_to_copy = rows.iter().map(to_copy).sum();
        let amount = MoveAmount {
            files: files_to_copy,
            bytes: sum(|row| row.bytes_to_copy),
            largest: rows
                .iter()
                .filter_map(|row| row.largest_to_copy)
                .max()
                .unwrap_or(0),
        };
        Self {
            repos: rows.len() as u64,
            left_out: input.left_out as u64,
            counts: counts(rows).by_name(),
            exposed: exposed(rows),
            files: sum(|row| row.files),
            bytes: sum(|row| row.bytes),
            large_bytes: sum(|row| row.large_bytes),
            files_to_copy,
            bytes_to_copy: amount.bytes,
            to_finish: to_finish(amount, input),
            private_storage: PrivateStorage::of(input),
        }
    }

    /// For a program.
    pub fn event(&self, exit: u8) -> InventoryEvent<'_> {
        InventoryEvent { totals: self, exit }
    }

    /// The line below the table.
    pub fn line(&self, rows: &[InventoryRow]) -> String {
        let left = match self.files_to_copy {
            0 => String::new(),
            files => format!(
                "; {} of {} to copy",
                size(self.bytes_to_copy),
                counted(files, "file")
            ),
        };
        let left_out = match self.left_out {
            0 => String::new(),
            count => format!("; {} left out", grouped(count)),
        };
        if rows.is_empty() {
            return format!("no repo to look at{left_out}");
        }
        let exposed = match self.exposed {
            0 => String::new(),
            count => format!("{} EXPOSED; ", grouped(count)),
        };
        format!(
            "{}: {exposed}{}; {}, {}{left}{left_out}",
            counted(self.repos, "repo"),
            counts(rows).readable(),
            counted(self.files, "file"),
            size(self.bytes)
        )
    }

    /// The totals for a person, a line for each.
    pub fn readable(&self, rows: &[InventoryRow]) -> String {
        let (files, bytes) = (grouped(self.files), size(self.bytes));
        let mut lines = vec![
            labelled("repos", grouped(self.repos)),
            labelled("copies", counts(rows).readable()),
            labelled("files", format!("{files}, {bytes}")),
            labelled(
                "to copy",
                format!(
                    "{}, {}",
                    counted(self.files_to_copy, "file"),
                    size(self.bytes_to_copy)
                ),
            ),
        ];
        if self.exposed > 0 {
            let count = grouped(self.exposed);
            let text = format!("{count} (copies that show more than their sources)");
            lines.push(labelled("EXPOSED", text));
        }
        lines.extend(self.to_finish.iter().map(FinishEstimate::readable));
        lines.extend(self.private_storage.iter().map(PrivateStorage::readable));
        lines.join("\n")
    }
}

fn counts(rows: &[InventoryRow]) -> Counts<CopyState> {
    Counts::of(rows.iter().map(|row| row.state))
}

/// The number of copies that show more than their sources.
fn exposed(rows: &[InventoryRow]) -> u64 {
    let exposed = |row: &&InventoryRow| RowFilter::Exposed.is_met_by(row);
    rows.iter().filter(exposed).count() as u64
}

/// The number of files that a copy lacks or has otherwise.
fn to_copy(row: &InventoryRow) -> u64 {
    row.missing.unwrap_or(0) + row.different.unwrap_or(0)
}

/// The estimates on this machine and on Modal: nothing where nothing is left.
fn to_finish(amount: MoveAmount, input: &SummaryInput<'_>) -> Vec<FinishEstimate> {
    let Some(first) = input.entries.first().filter(|_| amount.files > 0) else {
        return Vec::new();
    };
    let estimate = |on| {
        let rates = Rates::of(input.runs, on, &first.source, &first.destination);
        let MoveEstimate {
            containers,
            seconds,
            dollars,
        } = amount.estimate(on, &rates);
        FinishEstimate {
            on,
            containers: containers as u64,
            seconds,
            dollars,
            rates: rates.describe(on),
        }
    };
    [EngineKind::Local, EngineKind::Modal].map(estimate).into()
}

impl FinishEstimate {
    fn readable(&self) -> String {
        let workers = match self.on {
            EngineKind::Local => counted(self.containers, "worker"),
            EngineKind::Docker | EngineKind::Modal => counted(self.containers, "container"),
        };
        let price = match self.dollars {
            amount if amount > 0.0 => format!(", about {} $", dollars(amount)),
            _ => String::new(),
        };
        let text = format!(
            "about {}{price} with {workers}; {}",
            duration(self.seconds),
            self.rates
        );
        labelled(&format!("on {}", self.on.name()), text)
    }
}

impl PrivateStorage {
    /// `None` where the destination's hub publishes no limit, or does not tell what is used.
    fn of(input: &SummaryInput<'_>) -> Option<Self> {
        let hub = input.to?;
        let plans = hub.profile().private_storage;
        let used = private_bytes(input.at_destination).filter(|_| !plans.is_empty())?;
        let is_private =
            |row: &&InventoryRow| row.visibility != Some(Visibility::Public) || row.gate.is_some();
        let rows = input.rows.iter().filter(is_private);
        let to_add = rows.filter_map(|row| row.bytes_to_copy).sum();
        let left = |of: u64| i128::from(of) - i128::from(used) - i128::from(to_add);
        let left = |of| i64::try_from(left(of)).unwrap_or(i64::MIN);
        Some(Self {
            hub,
            used,
            to_add,
            left: plans.iter().map(|(plan, of)| (*plan, left(*of))).collect(),
        })
    }

    fn readable(&self) -> String {
        let plans = self.hub.profile().private_storage.iter();
        let left = plans.filter_map(|(plan, _)| self.left.get_key_value(plan));
        let left = left.map(|(plan, left)| match left {
            0.. => format!("{} left with the plan {plan}", size(left.unsigned_abs())),
            _ => format!("{} too much for the plan {plan}", size(left.unsigned_abs())),
        });
        let text = format!(
            "{} of private repos on {}, {} would be added: {}",
            size(self.used),
            self.hub,
            size(self.to_add),
            left.collect::<Vec<_>>().join(", ")
        );
        labelled("storage", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::tests::entry;

    fn row(id: &str, state: CopyState, bytes_to_copy: u64) -> InventoryRow {
        InventoryRow {
            state,
            files: Some(10),
            bytes: Some(1_000),
            missing: Some(u64::from(bytes_to_copy > 0)),
            bytes_to_copy: Some(bytes_to_copy),
            largest_to_copy: Some(bytes_to_copy),
            visibility: Some(Visibility::Private),
            ..InventoryRow::of(&entry(id))
        }
    }

    fn totals(rows: &[InventoryRow], to: &str, used: Option<u64>) -> InventoryTotals {
        let state = tempfile::tempdir().unwrap();
        let entries = [entry("org/a")];
        let owned = OwnedRepo {
            visibility: Some(Visibility::Private),
            used_storage: used,
            ..entries[0].owned.clone()
        };
        InventoryTotals::of(&SummaryInput {
            rows,
            entries: &entries,
            at_destination: &[owned],
            left_out: 0,
            to: Hub::by_prefix(to),
            runs: &Runs::new(state.path()),
        })
    }

    #[test]
    fn totals_count_states_bytes_and_what_is_left() {
        let rows = [
            row("org/a", CopyState::Equal, 0),
            row("org/b", CopyState::Partial, 125_000_000),
        ];
        let totals = totals(&rows, "ms", None);
        assert_eq!(
            totals.line(&rows),
            "2 repos: 1 partial, 1 equal; 20 files, 2 kB; 125 MB of 1 file to copy"
        );
        let on: Vec<EngineKind> = totals.to_finish.iter().map(|one| one.on).collect();
        assert_eq!(on, [EngineKind::Local, EngineKind::Modal]);
        assert_eq!(totals.private_storage, None, "ModelScope publishes none");
    }

    #[test]
    fn where_nothing_is_left_nothing_is_estimated() {
        let rows = [row("org/a", CopyState::Equal, 0)];
        assert!(totals(&rows, "ms", None).to_finish.is_empty());
    }

    #[test]
    fn the_room_of_each_plan_is_told_where_the_hub_tells_what_is_used() {
        let rows = [row("org/a", CopyState::None, 50_000_000_000)];
        let found = totals(&rows, "hf", Some(60_000_000_000)).private_storage;
        let found = found.unwrap();
        assert_eq!(found.left["free"], -10_000_000_000);
        assert!(
            found
                .readable()
                .contains("10 GB too much for the plan free")
        );
        assert_eq!(totals(&rows, "hf", None).private_storage, None);
    }
}
