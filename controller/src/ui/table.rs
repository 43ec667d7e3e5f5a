//! Aligned output: tables, and lines of a name and a value.

use std::collections::HashMap;
use std::fmt;

use console::{Term, measure_text_width};

/// A reason of fewer bytes is repeated: it is no longer than the reference to another row.
const SHORT: usize = 20;

/// A row that takes more lines than this at a terminal is no row any more.
const MOST_LINES: usize = 2;

/// A column of a table, by its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Text, aligned to the left.
    Text(&'static str),
    /// Numbers, aligned to the right.
    Number(&'static str),
}

/// Rows of cells below the titles of their columns. A column is as wide as its widest cell.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these columns and rows; each row has a cell for each column.
    pub fn new(
        columns: impl Into<Vec<Column>>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        Self {
            columns: columns.into(),
            rows: rows.into_iter().collect(),
        }
    }

    /// The same table without the column of this title.
    pub fn without(mut self, title: &str) -> Self {
        if let Some(at) = self.columns.iter().position(|one| one.title() == title) {
            self.columns.remove(at);
            self.rows.iter_mut().for_each(|row| drop(row.remove(at)));
        }
        self
    }

    /// The text for the terminal that stdout is, or for the pipe: where a row would take more than two lines, each of its cells has one.
    pub fn fitted(&self) -> String {
        let stdout = Term::stdout();
        let columns = stdout.is_term().then(|| stdout.size_checked()).flatten();
        self.within(columns.map(|(_, columns)| usize::from(columns)))
    }

    fn within(&self, columns: Option<usize>) -> String {
        let table = self.to_string();
        let widest = table.lines().map(measure_text_width).max();
        match columns {
            Some(columns) if widest > Some(columns * MOST_LINES) => self.listed(),
            _ => table,
        }
    }

    /// A line for each cell that is not empty, with its title, and an empty line between rows.
    fn listed(&self) -> String {
        let titles = self.columns.iter().map(|column| column.title());
        let width = titles.clone().map(str::len).max().unwrap_or_default();
        let row = |cells: &Vec<String>| {
            let cells = titles.clone().zip(cells);
            let lines: Vec<String> = cells
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(title, cell)| format!("{title:<width$}  {cell}"))
                .collect();
            lines.join("\n")
        };
        let rows: Vec<String> = self.rows.iter().map(row).collect();
        rows.join("\n\n")
    }

    fn width(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        let title = self.columns[at].title().len();
        cells
            .map(|cell| cell.chars().count())
            .fold(title, usize::max)
    }
}

impl Column {
    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Text(title) | Self::Number(title) => title,
        }
    }

    fn aligned(self, cell: &str, width: usize) -> String {
        match self {
            Self::Text(_) => format!("{cell:<width$}"),
            Self::Number(_) => format!("{cell:>width$}"),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| self.width(at)).collect();
        let line = |cells: &[String]| {
            let columns = self.columns.iter().zip(&widths).zip(cells);
            let cells: Vec<String> = columns
                .map(|((column, width), cell)| column.aligned(cell, *width))
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        let titles: Vec<String> = self
            .columns
            .iter()
            .map(|one| one.title().to_owned())
            .collect();
        let rows = self.rows.iter().map(|row| line(row));
        let lines: Vec<String> = [line(&titles)].into_iter().chain(rows).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The cell of a number that may be unknown: a dash stands for that.
pub fn number(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// A line with a name and its value, as in `  files       7`.
pub fn labelled(name: &str, value: impl fmt::Display) -> String {
    format!("  {name:<11} {value}")
}

/// Has a reason, which is the last cell of a row, said once: later rows of the same reason name the first one.
pub fn say_reasons_once(rows: &mut [Vec<String>]) {
    let mut first: HashMap<String, String> = HashMap::new();
    for row in rows {
        let [name, .., reason] = row.as_mut_slice() else {
            continue;
        };
        let bare = reason.strip_prefix("not tried: ").unwrap_or(reason);
        match first.get(bare) {
            _ if bare.len() < SHORT => (),
            Some(first) => *reason = format!("as {first}"),
            None => drop(first.insert(bare.to_owned(), name.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        Table::new(
            [
                Column::Text("repo"),
                Column::Number("files"),
                Column::Text("reason"),
            ],
            [
                row(["org/größe", "7", ""]),
                row(["org/b", "-", "no such repo"]),
            ],
        )
    }

    #[test]
    fn text_stands_to_the_left_and_numbers_to_the_right() {
        assert_eq!(
            table().to_string(),
            "repo       files  reason\norg/größe      7\norg/b          -  no such repo"
        );
    }

    #[test]
    fn a_terminal_that_is_much_too_narrow_gets_a_line_a_cell() {
        let table = table();
        for columns in [None, Some(200), Some(15)] {
            assert_eq!(table.within(columns), table.to_string(), "{columns:?}");
        }
        assert_eq!(
            table.within(Some(14)),
            "repo    org/größe\nfiles   7\n\nrepo    org/b\nfiles   -\nreason  no such repo"
        );
    }

    #[test]
    fn a_column_can_be_left_out() {
        assert_eq!(
            table().without("files").to_string(),
            "repo       reason\norg/größe\norg/b      no such repo"
        );
    }
}
