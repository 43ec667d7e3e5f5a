//! Counts with their noun, as people read them.

/// More names than this are counted.
pub const FEW: usize = 3;

/// `1 file`, `3,120 files`.
pub fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// `3,120`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `a, b and c`, or the first of many: `a, b, c and 3,117 more`.
pub fn few<T: AsRef<str>>(names: &[T]) -> String {
    few_of(names, names.len())
}

/// The same, of `total` names of which these are the first.
pub fn few_of<T: AsRef<str>>(names: &[T], total: usize) -> String {
    let first: Vec<&str> = names.iter().take(FEW).map(AsRef::as_ref).collect();
    match total.saturating_sub(FEW) as u64 {
        0 => match first.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => first.concat(),
        },
        rest => format!("{} and {} more", first.join(", "), grouped(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas_and_plurals() {
        let written = [0, 1, 999, 3120, 1_000_000].map(|count| counted(count, "file"));
        assert_eq!(
            written,
            [
                "0 files",
                "1 file",
                "999 files",
                "3,120 files",
                "1,000,000 files"
            ]
        );
    }

    #[test]
    fn few_names_are_all_said_and_many_are_counted() {
        let written = |count: usize| few(&["a", "b", "c", "d", "e"][..count]);
        assert_eq!(
            [1, 2, 3, 5].map(written),
            ["a", "a and b", "a, b and c", "a, b, c and 2 more"]
        );
    }
}
