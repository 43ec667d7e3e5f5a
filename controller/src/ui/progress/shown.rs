//! What is shown and kept of the progress: the numbers of all workers, added up, as a bar, a line, an event and a file.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hf2ms_hub::Kind;
use hf2ms_worker::protocol::{Event, HostWait, WorkerOptions, is_left_by_limit};

use super::{Amount, Done, FILE, LINE_EVERY};
use crate::ui::bars::BarId;
use crate::ui::log::Level;
use crate::ui::pace::Pace;
use crate::ui::screen::{Mode, Screen, duration, wait_of_host};
use crate::ui::snapshot::{Snapshot, Wait};
use crate::ui::worker_events::{ProgressEvent, pass_on};

/// A program, a bar and the run's folder get the progress this often, also while nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// What is said of a longer wait is said of this one.
const LONGEST_WAIT: Duration = Duration::from_secs(1_000_000);
/// What follows the first failure of a kind: the report has the others, by their cause.
const OTHERS: &str = "others like it are counted, and -v shows each";

/// The progress with the screen that shows it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) screen: Screen,
    bar: BarId,
    verb: &'static str,
    counted: bool,
    state: Mutex<ProgressState>,
}

/// The numbers of all workers.
#[derive(Debug)]
pub(super) struct ProgressState {
    pub(super) of: Amount,
    pub(super) working: BTreeMap<u32, Working>,
    pub(super) ended: Done,
    pace: Pace,
    pub(super) started: Instant,
    /// When the last line was printed.
    told: Instant,
    failures: HashSet<Kind>,
    is_finished: bool,
}

/// A worker that is at work.
#[derive(Debug, Default)]
pub(super) struct Working {
    pub(super) so_far: Done,
    wait: Option<(Instant, String)>,
    /// Blobs at a time, once it has told.
    streams: Option<u64>,
}

/// Shows and keeps the progress each second, until its owner has dropped it.
pub(super) async fn tick(shown: Weak<Shown>) {
    loop {
        tokio::time::sleep(TICK).await;
        match shown.upgrade() {
            Some(shown) => shown.show(),
            None => return,
        }
    }
}

impl Shown {
    /// What is shown of work towards these files and bytes.
    pub(super) fn new(screen: &Screen, verb: &'static str, of: Amount, counted: bool) -> Arc<Self> {
        let now = Instant::now();
        let state = ProgressState {
            of,
            working: BTreeMap::new(),
            ended: Done::default(),
            pace: Pace::default(),
            started: now,
            told: now,
            failures: HashSet::new(),
            is_finished: false,
        };
        Arc::new(Self {
            screen: screen.clone(),
            bar: screen.bars().add(),
            verb,
            counted,
            state: Mutex::new(state),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, ProgressState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn moved(&self, worker: u32, files: u64, bytes: u64) {
        let mut state = self.state();
        let working = state.working.entry(worker).or_default();
        if bytes > working.so_far.done.bytes {
            working.wait = None;
        }
        working.so_far.done = Amount { files, bytes };
        drop(state);
        self.draw();
    }

    pub(super) fn streams(&self, worker: u32, streams: u64) {
        let mut state = self.state();
        state.working.entry(worker).or_default().streams = Some(streams);
        drop(state);
        self.draw();
    }

    /// Notes that a host asks all workers for a wait, and prints a long one once for all of them.
    pub(super) fn all_wait(&self, told: &HostWait) {
        let wait = told.wait().unwrap_or_default().min(LONGEST_WAIT);
        let (until, line) = (Instant::now() + wait, wait_of_host(&told.host, wait));
        let mut state = self.state();
        for working in state.working.values_mut() {
            working.wait = Some((until, line.clone()));
        }
        drop(state);
        self.screen.say_wait(&told.host, wait);
        self.draw();
    }

    /// Notes a wait, and prints a long one, once for all workers that wait for the same.
    pub(super) fn waits(&self, worker: u32, error: &str, kind: Kind, wait: f64) {
        let span = Duration::from_secs_f64(wait.clamp(0.0, LONGEST_WAIT.as_secs_f64()));
        let until = Instant::now() + span;
        let line = format!("waiting {} before another try: {error}", duration(wait));
        let mut state = self.state();
        let working = state.working.entry(worker).or_default();
        working.wait = Some((until, error.to_owned()));
        drop(state);
        let is_new = self.screen.waits().is_new_of_try(error, kind, span);
        self.screen.log().failed(&self.screen.shown(error));
        if is_new {
            self.screen.status(line);
        } else {
            self.screen.detail(Level::Info, line);
        }
        self.draw();
    }

    /// Counts a file that failed, and prints the first of each kind.
    pub(super) fn failed(&self, worker: u32, path: Option<&str>, error: &str, kind: Kind) {
        let mut state = self.state();
        if path.is_some() {
            state.working.entry(worker).or_default().so_far.failed += 1;
        }
        let is_first = state.failures.insert(kind);
        drop(state);
        // Some errors begin with their file.
        let path = path.filter(|path| !error.starts_with(*path));
        let path = path.map(|path| format!("{path}: ")).unwrap_or_default();
        let line = format!("failed: {path}{error}");
        match is_first && !is_left_by_limit(error) {
            true => self.screen.tell(Level::Error, format!("{line} ({OTHERS})")),
            false => self.screen.detail(Level::Error, line),
        }
        self.draw();
    }

    pub(super) fn detail(&self, worker: u32, what: &str) {
        if self.counted {
            let line = format!("{} chunk {worker} {what}", self.verb);
            self.screen.detail(Level::Info, line);
        }
    }

    /// A worker's own event, for programs, with the worker's number.
    pub(super) fn pass_on(&self, worker: u32, event: &Event) {
        if self.screen.mode() == Mode::Json {
            pass_on(worker, event, &self.screen);
        }
    }

    /// How far it is now.
    pub(super) fn snapshot(&self, state: &mut ProgressState) -> Snapshot {
        let (now, sum) = (Instant::now(), state.sum());
        state.pace.note(now, sum.done.bytes);
        let wait = |(worker, working): (&u32, &Working)| {
            let (until, error) = working.wait.as_ref()?;
            let seconds = until.checked_duration_since(now)?.as_secs_f64();
            let (worker, error) = (*worker, self.screen.shown(error));
            Some(Wait {
                worker,
                seconds,
                error,
            })
        };
        let snapshot = Snapshot {
            verb: self.verb.to_owned(),
            files: sum.done.files,
            of_files: state.of.files,
            failed: sum.failed,
            bytes: sum.done.bytes,
            of_bytes: state.of.bytes,
            workers: state.working.len() as u64,
            streams: state.streams(),
            seconds: now.duration_since(state.started).as_secs_f64(),
            bytes_per_second: state.pace.rate(now, sum.done.bytes),
            seconds_left: None,
            waits: state.working.iter().filter_map(wait).collect(),
            counted: self.counted,
        };
        snapshot.with_time_left()
    }

    /// Draws the bar; a pipe and a program get a line each time that one is due.
    pub(super) fn draw(&self) {
        if self.screen.has_bars() {
            let mut state = self.state();
            if !state.is_finished {
                let snapshot = self.snapshot(&mut state);
                let part = self.screen.part().map(|part| self.screen.shown(&part));
                self.screen.bars().draw(self.bar, part, snapshot);
            }
        }
    }

    pub(super) fn show(&self) {
        self.draw();
        let mut state = self.state();
        if state.is_finished {
            return;
        }
        let snapshot = self.snapshot(&mut state);
        let is_due = state.told.elapsed() >= LINE_EVERY && !state.working.is_empty();
        if is_due {
            state.told = Instant::now();
        }
        drop(state);
        if let Some(folder) = self.screen.run_folder() {
            // Who asks is told less, then; the run goes on.
            let _ = write_whole(&folder.join(FILE), &snapshot);
        }
        if snapshot.workers > 0 {
            self.screen.json(&self.event(&snapshot));
        }
        if is_due && self.screen.mode() == Mode::Lines {
            self.screen.status(snapshot.line());
        }
    }

    fn event(&self, now: &Snapshot) -> ProgressEvent {
        ProgressEvent {
            step: self.verb,
            done: now.files,
            total: now.of_files,
            failed_files: now.failed,
            done_bytes: now.bytes,
            total_bytes: now.of_bytes,
            workers: now.workers,
            streams: now.streams,
            seconds: now.seconds,
            bytes_per_second: now.bytes_per_second,
            seconds_left: now.seconds_left,
            waits: now.waits.clone(),
        }
    }

    pub(super) fn finish(&self) {
        self.state().is_finished = true;
        self.screen.bars().remove(self.bar);
    }
}

/// Writes the file aside and renames it. It is not synced: after a crash of the machine nobody asks for it.
fn write_whole(path: &Path, snapshot: &Snapshot) -> std::io::Result<()> {
    let aside = path.with_extension("json.partial");
    std::fs::write(&aside, serde_json::to_vec(snapshot)?)?;
    std::fs::rename(&aside, path)
}

impl ProgressState {
    /// Blobs that the workers move at a time; 0 until one has told that it has changed the number.
    fn streams(&self) -> u64 {
        let told = self.working.values().map(|working| working.streams);
        if told.clone().flatten().next().is_none() {
            return 0;
        }
        let first = WorkerOptions::FIRST_STREAMS as u64;
        told.map(|streams| streams.unwrap_or(first)).sum()
    }

    pub(super) fn sum(&self) -> Done {
        let mut sum = self.ended;
        self.working
            .values()
            .for_each(|working| sum.add(working.so_far));
        sum
    }
}
