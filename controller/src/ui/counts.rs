//! The counts of a summary: how many of its rows have each status.

use std::collections::BTreeMap;

/// The statuses of the rows of a summary.
pub trait Status: Copy + PartialEq + 'static {
    /// All of them, in the order in which counts are shown.
    const ALL: &'static [Self];

    /// The word for the user.
    fn name(self) -> &'static str;

    /// The key of its count in JSON.
    fn key(self) -> &'static str {
        self.name()
    }

    /// The word for the user behind a count.
    fn name_of(self, _count: usize) -> &'static str {
        self.name()
    }
}

/// How many rows have each status.
#[derive(Debug, Clone)]
pub struct Counts<S>(Vec<(S, usize)>);

impl<S: Status> Counts<S> {
    /// The counts of these statuses.
    pub fn of(rows: impl Iterator<Item = S> + Clone) -> Self {
        let count = |status: &S| (*status, rows.clone().filter(|row| row == status).count());
        Self(S::ALL.iter().map(count).collect())
    }

    /// How many rows have this status.
    pub fn get(&self, status: S) -> usize {
        let mut counts = self.0.iter();
        counts
            .find(|(one, _)| *one == status)
            .map_or(0, |(_, count)| *count)
    }

    /// Every status with its count.
    pub fn by_name(&self) -> BTreeMap<&'static str, usize> {
        self.0
            .iter()
            .map(|(status, count)| (status.key(), *count))
            .collect()
    }

    /// `2 failed, 1 planned`: the statuses that some row has.
    pub fn readable(&self) -> String {
        let some = self.0.iter().filter(|(_, count)| *count > 0);
        let words: Vec<String> = some
            .map(|(status, count)| format!("{count} {}", status.name_of(*count)))
            .collect();
        words.join(", ")
    }
}
