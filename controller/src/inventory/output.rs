//! The rows of an inventory as people and programs take them: a table, Markdown, CSV, JSON, and the list that `batch` takes.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::path::Path;

use clap::ValueEnum;
use hf2ms_hub::Visibility;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::inventory::row::InventoryRow;
use crate::inventory::summary::InventoryTotals;
use crate::runs::write_aside;
use crate::ui::counts::Status;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{size, when};
use crate::ui::table::{Column, Table, number};

/// The form of the result on standard output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for a person
    #[default]
    Table,
    /// One JSON document with all rows and the totals
    Json,
    /// Comma-separated values, a line a repo, with all columns
    Csv,
    /// A table in Markdown
    Md,
}

/// The order of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// By kind and id
    #[default]
    Name,
    /// The largest first
    Bytes,
    /// As the states stand in --help, and by id
    State,
    /// The newest change first
    Changed,
    /// The most files first
    Files,
}

impl SortKey {
    /// Sorts the rows; those that are alike are sorted by name.
    pub fn sort(self, rows: &mut [InventoryRow]) {
        rows.sort_by(|a, b| (a.kind, &a.source).cmp(&(b.kind, &b.source)));
        match self {
            Self::Name => (),
            Self::Bytes => rows.sort_by_key(|row| Reverse(row.bytes)),
            Self::State => rows.sort_by_key(|row| row.state),
            Self::Changed => rows.sort_by_key(|row| Reverse(row.last_modified)),
            Self::Files => rows.sort_by_key(|row| Reverse(row.files)),
        }
    }
}

/// The columns of the table and of Markdown. A column that nothing is told for is left out.
const COLUMNS: [Column; 13] = [
    Column::Text("repo"),
    Column::Text("copy"),
    Column::Number("files"),
    Column::Number("bytes"),
    Column::Number("large"),
    Column::Text("visible to"),
    Column::Text("gate"),
    Column::Text("changed"),
    Column::Number("branches"),
    Column::Number("tags"),
    Column::Number("likes"),
    Column::Number("downloads"),
    Column::Text("detail"),
];

fn cells(row: &InventoryRow) -> Vec<String> {
    let changed = row.last_modified.map(when);
    vec![
        row.name().to_owned(),
        row.state.name().to_owned(),
        number(row.files),
        number(row.bytes.map(size)),
        number(row.large_bytes.map(size)),
        number(row.visibility),
        row.gate.map_or_else(String::new, word),
        number(changed.map(|changed| changed.chars().take(10).collect::<String>())),
        number(row.branches),
        number(row.tags),
        number(row.likes),
        number(row.downloads),
        row.detail(),
    ]
}

/// The word of JSON for a value of an enum.
fn word(value: impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// The titles and the rows, without columns that are empty in every row.
fn columns(rows: &[InventoryRow]) -> (Vec<Column>, Vec<Vec<String>>) {
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let is_told = |at: &usize| {
        let is_some = |row: &Vec<String>| !matches!(row[*at].as_str(), "" | "-");
        *at < 2 || cells.iter().any(is_some)
    };
    let shown: Vec<usize> = (0..COLUMNS.len()).filter(is_told).collect();
    let pick = |row: &Vec<String>| shown.iter().map(|at| row[*at].clone()).collect();
    (
        shown.iter().map(|at| COLUMNS[*at]).collect(),
        cells.iter().map(pick).collect(),
    )
}

/// The table for a person, and the line of totals.
pub fn table(rows: &[InventoryRow], totals: &str) -> String {
    let (columns, cells) = columns(rows);
    format!("{}\n{totals}", Table::new(columns, cells).fitted())
}

/// The same table in Markdown.
pub fn markdown(rows: &[InventoryRow], totals: &str) -> String {
    let (columns, cells) = columns(rows);
    let line = |cells: &mut dyn Iterator<Item = String>| {
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = line(&mut columns.iter().map(|column| column.title().to_owned()));
    text += &line(&mut columns.iter().map(|column| match column {
        Column::Text(_) => "---".to_owned(),
        Column::Number(_) => "---:".to_owned(),
    }));
    for row in cells {
        text += &line(&mut row.into_iter().map(|cell| cell.replace('|', "\\|")));
    }
    format!("{text}\n{totals}")
}

/// The titles of CSV, in the order of [`values`].
const TITLES: [&str; 28] = [
    "kind",
    "source",
    "destination",
    "state",
    "evidence",
    "files",
    "bytes",
    "large_files",
    "large_bytes",
    "inline_bytes",
    "visibility",
    "gate",
    "last_modified",
    "branches",
    "tags",
    "likes",
    "downloads",
    "present",
    "by_size",
    "missing",
    "different",
    "refused",
    "extra",
    "bytes_to_copy",
    "reason",
    "copy_visibility",
    "copy_gate",
    "copy_shows_more",
];

fn values(row: &InventoryRow) -> [String; 28] {
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let who = |may: Option<Visibility>| may.map_or_else(String::new, |who| who.to_string());
    [
        row.kind.to_string(),
        row.source.clone(),
        row.destination.clone(),
        row.state.name().to_owned(),
        word(row.evidence),
        count(row.files),
        count(row.bytes),
        count(row.large_files),
        count(row.large_bytes),
        count(row.inline_bytes()),
        who(row.visibility),
        row.gate.map_or_else(String::new, word),
        row.last_modified.map_or_else(String::new, moment),
        count(row.branches),
        count(row.tags),
        count(row.likes),
        count(row.downloads),
        count(row.present),
        count(row.by_size),
        count(row.missing),
        count(row.different),
        count(row.refused),
        count(row.extra),
        count(row.bytes_to_copy),
        row.reason.clone().unwrap_or_default(),
        who(row.copy_visibility),
        row.copy_gate.map_or_else(String::new, word),
        row.copy_shows_more.clone().unwrap_or_default(),
    ]
}

/// `2026-11-20T09:40:00Z`.
fn moment(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok();
    let moment = moment.and_then(|seconds| Timestamp::from_second(seconds).ok());
    moment.map_or_else(String::new, |moment| moment.to_string())
}

/// All columns as comma-separated values (RFC 4180).
pub fn csv(rows: &[InventoryRow]) -> String {
    let lines = rows
        .iter()
        .map(|row| values(row).map(|value| quoted(&value)).join(","));
    let lines: Vec<String> = [TITLES.join(",")].into_iter().chain(lines).collect();
    lines.join("\n")
}

fn quoted(value: &str) -> String {
    // A spreadsheet takes what begins so for a formula.
    let is_formula = value.starts_with(['=', '+', '-', '@']);
    match is_formula || value.contains([',', '"', '\n', '\r']) {
        true => {
            let safe = if is_formula { "'" } else { "" };
            format!("\"{safe}{}\"", value.replace('"', "\"\""))
        }
        false => value.to_owned(),
    }
}

/// All rows and the totals.
#[derive(Serialize, JsonSchema)]
pub struct InventoryDocument<'a> {
    /// A row for each repo.
    pub repos: &'a [InventoryRow],
    /// The sums.
    pub totals: &'a InventoryTotals,
}

/// The list that `batch --file` takes: a source and a destination a line, and how the copy stands.
pub fn list(rows: &[InventoryRow]) -> String {
    let mut text = String::from("# source destination # state of the copy\n");
    for row in rows {
        let detail = row.detail();
        let colon = if detail.is_empty() { "" } else { ": " };
        let state = row.state.name();
        let comment = format!("{state}{colon}{detail}").replace(['\n', '\r'], " ");
        // To write into a text does not fail.
        let _ = writeln!(text, "{} {}  # {comment}", row.source, row.destination);
    }
    text
}

/// Refuses a file that no list could be written to.
///
/// # Errors
/// It is a folder or standard output, or its folder is not there.
pub fn check_file(path: &Path) -> CliResult<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let is_file = !path.is_dir() && path.as_os_str() != "-";
    match is_file && folder.is_none_or(Path::is_dir) {
        true => Ok(()),
        false => Err(CliError::usage(format!(
            "--write {}: no file can be written there; give the path of a file in a folder that exists",
            path.display()
        ))),
    }
}

/// Writes that list.
///
/// # Errors
/// The disk's.
pub fn write_list(path: &Path, rows: &[InventoryRow]) -> CliResult<()> {
    let text = list(rows);
    write_aside(path, |file| {
        std::io::Write::write_all(file, text.as_bytes())
    })
    .map_err(|error| CliError::file(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::row::CopyState;
    use crate::inventory::tests::entry;

    fn row(id: &str, bytes: u64) -> InventoryRow {
        InventoryRow {
            state: CopyState::Partial,
            files: Some(3),
            bytes: Some(bytes),
            present: Some(1),
            missing: Some(2),
            bytes_to_copy: Some(bytes / 2),
            last_modified: Some(1_795_167_600),
            ..InventoryRow::of(&entry(id))
        }
    }

    #[test]
    fn a_column_without_a_value_is_left_out() {
        let expected = "\
repo   copy     files  bytes  changed     detail
org/a  partial      3    8 B  2026-11-20  1 of 3 files; 4 B to copy
end";
        assert_eq!(table(&[row("org/a", 8)], "end"), expected);
    }

    #[test]
    fn markdown_has_the_same_columns() {
        let text = markdown(&[row("org/a", 8)], "end");
        let expected = "\
| repo | copy | files | bytes | changed | detail |
| --- | --- | ---: | ---: | --- | --- |
| org/a | partial | 3 | 8 B | 2026-11-20 | 1 of 3 files; 4 B to copy |

end";
        assert_eq!(text, expected);
    }

    #[test]
    fn rows_are_sorted_by_name_or_the_largest_first() {
        let ids = |key: SortKey| {
            let mut rows = [row("org/b", 8), row("org/a", 1), row("org/c", 9)];
            key.sort(&mut rows);
            rows.map(|row| row.name().to_owned())
        };
        assert_eq!(ids(SortKey::Name), ["org/a", "org/b", "org/c"]);
        assert_eq!(ids(SortKey::Bytes), ["org/c", "org/b", "org/a"]);
        assert_eq!(ids(SortKey::State), ids(SortKey::Name));
    }

    #[test]
    fn csv_quotes_what_has_commas_and_what_a_spreadsheet_would_run() {
        let quotes = ["a", "a,b", "a\"b", "=1+1"].map(quoted);
        assert_eq!(quotes, ["a", "\"a,b\"", "\"a\"\"b\"", "\"'=1+1\""]);
        let text = csv(&[row("org/a", 8)]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(
            (lines[0].len(), lines[1].len()),
            (TITLES.len(), TITLES.len())
        );
        assert_eq!(lines[1][1], "hf:models/org/a");
    }

    #[test]
    fn a_list_names_source_destination_and_state() {
        let expected = "\
# source destination # state of the copy
hf:models/org/a ms:models/org/a  # partial: 1 of 3 files; 4 B to copy
";
        assert_eq!(list(&[row("org/a", 8)]), expected);
    }
}
