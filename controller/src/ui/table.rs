//! Tables for people: rows of words in columns, numbers to the right.

/// What stands in the columns of numbers at the head.
const NUMBERS: [&str; 2] = ["files", "bytes"];

/// Lines of aligned columns; the first row is the head, the last column is as long as it wants.
pub fn columns(rows: &[Vec<String>]) -> String {
    let head = rows.first().map(Vec::as_slice).unwrap_or_default();
    let is_number: Vec<bool> = head
        .iter()
        .map(|name| NUMBERS.contains(&name.as_str()))
        .collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let cell = |(cell, (width, is_number)): (&String, (&usize, &bool))| match is_number {
        true => format!("{cell:>width$}"),
        false => format!("{cell:<width$}"),
    };
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row
            .iter()
            .zip(widths.iter().zip(&is_number))
            .map(cell)
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A number, or a dash where there is none.
pub fn number(number: Option<String>) -> String {
    number.unwrap_or_else(|| "-".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [
            row(["repo", "files", "reason"]),
            row(["org/größe", "7", ""]),
            row(["org/b", "-", "no such repo"]),
        ];
        assert_eq!(
            columns(&rows),
            "repo       files  reason\norg/größe      7\norg/b          -  no such repo"
        );
    }
}
