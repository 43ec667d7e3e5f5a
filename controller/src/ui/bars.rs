//! The bars of a terminal: a line for each repo that is being worked on, and one for all of them. They fit the terminal's width, and
//! nothing of them stays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use console::{Term, measure_text_width};

use crate::ui::snapshot::Snapshot;

/// More repos than this have no line of their own.
const MOST: usize = 8;
/// Columns at the right that stay free: a terminal writes `^C` behind the last line, and no line may wrap for it.
const FREE: usize = 4;
/// Between two drawings.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// All bars of a command.
#[derive(Debug, Default)]
pub struct Bars(Mutex<State>);

/// One run's place among the bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BarId(u64);

#[derive(Debug, Default)]
struct State {
    next: u64,
    runs: BTreeMap<BarId, (Option<String>, Snapshot)>,
    /// What runs that have ended have moved.
    ended: Snapshot,
    /// Repos that have ended, and all of them.
    repos: Option<(usize, usize)>,
    /// Repos that were looked at, and all of them, where nothing of them moves.
    looked_at: Option<(usize, usize)>,
    /// The lines that stand on the terminal; the cursor is behind the last one.
    drawn: Vec<String>,
    last: Option<Instant>,
    hidden: bool,
}

impl Bars {
    /// A place that nothing is drawn at yet.
    pub fn add(&self) -> BarId {
        let mut state = self.state();
        state.next += 1;
        BarId(state.next)
    }

    /// Draws how far a run is; `part` names it where it is one of several.
    pub fn draw(&self, id: BarId, part: Option<String>, snapshot: Snapshot) {
        let mut state = self.state();
        state.runs.insert(id, (part, snapshot));
        if state.last.is_none_or(|last| last.elapsed() >= DRAW_EVERY) {
            state.redraw();
        }
    }

    /// Takes a run's bar away; what it moved counts in the total.
    pub fn remove(&self, id: BarId) {
        let mut state = self.state();
        if let Some((_, snapshot)) = state.runs.remove(&id)
            && snapshot.counted
        {
            let (workers, bytes_per_second, waits) = (0, 0.0, Vec::new());
            let ended = Snapshot {
                workers,
                bytes_per_second,
                waits,
                ..snapshot
            };
            state.ended = std::mem::take(&mut state.ended).and(&ended);
        }
        state.redraw();
    }

    /// So many repos are to be done.
    pub fn expect_repos(&self, count: usize) {
        self.state().repos = Some((0, count));
    }

    /// One of them has ended.
    pub fn repo_ended(&self) {
        let mut state = self.state();
        if let Some((ended, _)) = &mut state.repos {
            *ended += 1;
        }
        state.redraw();
    }

    /// Draws how many repos were looked at, of so many.
    pub fn looked_at(&self, count: usize, of: usize) {
        let mut state = self.state();
        state.looked_at = Some((count, of));
        if state.last.is_none_or(|last| last.elapsed() >= DRAW_EVERY) {
            state.redraw();
        }
    }

    /// Takes all bars away.
    pub fn clear(&self) {
        let mut state = self.state();
        state.runs.clear();
        state.looked_at = None;
        state.redraw();
    }

    /// Prints while no bar is in the way.
    pub fn between(&self, print: impl FnOnce()) {
        let mut state = self.state();
        let lines = std::mem::take(&mut state.drawn);
        write(&erasing(&lines));
        print();
        state.draw(lines);
    }

    /// Nothing is drawn until [`Self::show`].
    pub fn hide(&self) {
        let mut state = self.state();
        state.draw(Vec::new());
        state.hidden = true;
    }

    /// Bars are drawn again.
    pub fn show(&self) {
        self.state().hidden = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What takes lines away, behind the last of which the cursor is. A terminal that has become narrower has wrapped them.
fn erasing(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let columns = usize::from(Term::stderr().size().1).max(1);
    let rows = |line: &String| measure_text_width(line).div_ceil(columns).max(1);
    let above = lines.iter().map(rows).sum::<usize>() - 1;
    match above {
        0 => "\r\x1b[J".to_owned(),
        above => format!("\r\x1b[{above}A\x1b[J"),
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // A terminal that has gone needs no bars.
    let _ = stderr
        .write_all(text.as_bytes())
        .and_then(|()| stderr.flush());
}

impl State {
    fn redraw(&mut self) {
        let (rows, columns) = Term::stderr().size();
        let room = usize::from(columns).saturating_sub(FREE);
        self.draw(self.lines(rows.into(), room));
    }

    /// Draws these lines in place of those that stand there.
    fn draw(&mut self, lines: Vec<String>) {
        if self.hidden || (lines.is_empty() && self.drawn.is_empty()) {
            return;
        }
        self.last = Some(Instant::now());
        let mut text = erasing(&self.drawn);
        // A string takes any text.
        let _ = write!(text, "{}", lines.join("\r\n"));
        write(&text);
        self.drawn = lines;
    }

    /// The lines of runs that are worked on, as many as there is room for, and the total.
    fn lines(&self, rows: usize, room: usize) -> Vec<String> {
        let is_one_of_many = self.runs.values().any(|(part, _)| part.is_some());
        let most = MOST.min(rows.saturating_sub(3)).max(1);
        let active = self.runs.values().filter(|(_, run)| run.workers > 0);
        let mut lines: Vec<String> = active
            .take(most)
            .map(|(part, run)| run.bar(&title(part.as_deref(), &run.verb), room))
            .collect();
        if is_one_of_many && !lines.is_empty() {
            lines.push(self.total().bar(&self.heading(), room));
        }
        if let Some((count, of)) = self.looked_at {
            lines.push(format!("looked at {count}/{of} repos"));
        }
        lines
    }

    fn heading(&self) -> String {
        match self.repos {
            Some((ended, of)) => format!("total  {ended}/{of} repos"),
            None => "total".to_owned(),
        }
    }

    /// All runs together. Repos that are not planned yet are not in it, and then nobody knows what is left.
    fn total(&self) -> Snapshot {
        let counted = self.runs.values().filter(|(_, run)| run.counted);
        let sum = counted.fold(self.ended.clone(), |sum, (_, run)| sum.and(run));
        let known = self.repos.is_none_or(|(ended, of)| {
            let parts = self.runs.values().filter_map(|(part, _)| part.as_deref());
            ended + parts.collect::<BTreeSet<_>>().len() >= of
        });
        if known { sum.with_time_left() } else { sum }
    }
}

fn title(part: Option<&str>, verb: &str) -> String {
    match part {
        Some(part) if verb == "copying" => part.to_owned(),
        Some(part) => format!("{verb} {part}"),
        None => verb.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(workers: u64, bytes: u64) -> Snapshot {
        Snapshot {
            verb: "copying".into(),
            bytes,
            of_bytes: 100,
            of_files: 1,
            workers,
            counted: true,
            ..Snapshot::default()
        }
    }

    #[test]
    fn repos_that_are_looked_at_are_counted() {
        let mut state = State::default();
        assert!(state.lines(24, 80).is_empty());
        state.looked_at = Some((12, 1_000));
        assert_eq!(state.lines(24, 80), ["looked at 12/1000 repos"]);
    }

    #[test]
    fn repos_that_wait_have_no_line_and_the_total_has_one() {
        let bars = Bars::default();
        bars.hide();
        bars.expect_repos(12);
        for (workers, bytes) in [(0, 0), (1, 50), (1, 10)] {
            let id = bars.add();
            bars.draw(id, Some(format!("a/{}", id.0)), run(workers, bytes));
        }
        let lines = bars.state().lines(24, 96);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines[0].starts_with("a/2") && lines[1].starts_with("a/3"),
            "{lines:?}"
        );
        assert!(
            lines[2].starts_with("total  0/12 repos") && lines[2].contains("20%"),
            "{lines:?}"
        );
        bars.remove(BarId(2));
        bars.repo_ended();
        let lines = bars.state().lines(24, 96);
        assert!(
            lines.len() == 2 && lines[1].contains("1/12 repos"),
            "{lines:?}"
        );
        assert!(
            lines[1].contains("60 B of 300 B"),
            "what ended counts: {lines:?}"
        );
    }

    #[test]
    fn a_small_terminal_has_room_for_few() {
        let bars = Bars::default();
        bars.hide();
        for _ in 0..40 {
            bars.draw(bars.add(), Some("a/b".into()), run(1, 1));
        }
        assert_eq!(bars.state().lines(6, 40).len(), 4);
        assert_eq!(bars.state().lines(50, 40).len(), 9);
    }
}
