//! The progress of a run: that of its workers, added up. The bars, the lines and the NDJSON are [`Screen`]'s; a run's folder keeps the
//! last of it, for `hf2ms status` in another terminal.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hf2ms_hub::Kind;
use hf2ms_worker::protocol::{Event, HostWait, WorkerOptions, is_left_by_limit};

use crate::ui::bars::BarId;
use crate::ui::log::Level;
use crate::ui::pace::Pace;
use crate::ui::screen::{Mode, Screen, duration, size, wait_of_host};
use crate::ui::snapshot::{Snapshot, Wait, count};
use crate::ui::worker_events::{
    ProgressEvent, WorkersEvent, how_text, pass_on, pause_ended, show_backup, show_transport,
    streams_line, workers_line,
};

/// A pipe gets a line this often.
pub const LINE_EVERY: Duration = Duration::from_secs(10);
/// A program, a bar and the run's folder get the progress this often, also while nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// What is said of a longer wait is said of this one.
const LONGEST_WAIT: Duration = Duration::from_secs(1_000_000);
/// What a conflict that is survived says.
const MOVED: &str = "someone else wrote to the destination meanwhile: it is compared again";
/// What follows the first failure of a kind: the report has the others, by their cause.
const OTHERS: &str = "others like it are counted, and -v shows each";
/// The file of a run's folder that holds the progress.
pub const FILE: &str = "progress.json";

/// The progress of one verb over all its workers.
#[derive(Debug)]
pub struct Progress(Arc<Shown>);

/// Files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Files that are done, their bytes, and files that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// What is there.
    pub done: Amount,
    /// Files that failed.
    pub failed: u64,
}

#[derive(Debug)]
struct Shown {
    screen: Screen,
    bar: BarId,
    verb: &'static str,
    counted: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    of: Amount,
    working: BTreeMap<u32, Working>,
    ended: Done,
    pace: Pace,
    started: Instant,
    /// When the last line was printed.
    told: Instant,
    failures: HashSet<Kind>,
    is_finished: bool,
}

#[derive(Debug, Default)]
struct Working {
    so_far: Done,
    wait: Option<(Instant, String)>,
    /// Blobs at a time, once it has told.
    streams: Option<u64>,
}

impl Progress {
    /// Progress of workers that move files, towards these files and bytes.
    pub fn new(screen: &Screen, verb: &'static str, of: Amount) -> Self {
        Self::begun(screen, verb, of, true)
    }

    /// Progress of one job about these files, whose steps are not counted.
    pub fn of_job(screen: &Screen, verb: &'static str, of: Amount) -> Self {
        Self::begun(screen, verb, of, false)
    }

    fn begun(screen: &Screen, verb: &'static str, of: Amount, counted: bool) -> Self {
        let now = Instant::now();
        let state = State {
            of,
            working: BTreeMap::new(),
            ended: Done::default(),
            pace: Pace::default(),
            started: now,
            told: now,
            failures: HashSet::new(),
            is_finished: false,
        };
        let shown = Arc::new(Shown {
            screen: screen.clone(),
            bar: screen.bars().add(),
            verb,
            counted,
            state: Mutex::new(state),
        });
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(tick(Arc::downgrade(&shown)));
        }
        Self(shown)
    }

    /// Sets the total, once it is known.
    pub fn aim(&self, of: Amount) {
        self.0.state().of = of;
        self.0.draw();
    }

    /// A worker begins.
    pub fn begin(&self, worker: u32) {
        let mut state = self.0.state();
        if state.working.is_empty() && state.ended == Done::default() {
            // Until now it has only waited.
            state.started = Instant::now();
        }
        state.working.insert(worker, Working::default());
        drop(state);
        self.0.detail(worker, "begins");
        self.0.draw();
    }

    /// Takes an event of a worker.
    pub fn hear(&self, worker: u32, event: &Event) {
        self.0.pass_on(worker, event);
        match event {
            Event::Progress { bytes, files } => self.0.moved(worker, *files, *bytes),
            Event::Retry { error, wait, kind } => {
                if *kind == Kind::Conflict {
                    self.0.screen.warn(format!("{MOVED} ({error})"));
                }
                self.0.waits(worker, error, *kind, *wait);
            }
            Event::RateLimited(told) => self.0.all_wait(told),
            Event::Failed { path, error, kind } => {
                self.0.failed(worker, path.as_deref(), error, *kind);
            }
            Event::File {
                path, bytes, how, ..
            } => {
                let line = format!("{}: {path}, {}", how_text(*how), size(*bytes));
                self.0.screen.detail(Level::Detail, line);
            }
            Event::Deleted { path } => {
                let line = format!("deleted: {path}");
                self.0.screen.detail(Level::Info, line);
            }
            Event::BackupTag(result) => show_backup(result, &self.0.screen),
            Event::Committed { commit, actions } => {
                let id = commit.as_deref().unwrap_or("a hub that tells no id");
                let line = format!("committed {}: {id}", count(*actions, "change"));
                self.0.screen.detail(Level::Info, line);
            }
            Event::Paused { error } => {
                let screen = &self.0.screen;
                screen.log().failed(&screen.shown(error));
                screen.status(format!("paused, and trying one file at a time: {error}"));
            }
            Event::Streams {
                streams, reason, ..
            } => {
                self.0.streams(worker, *streams);
                let line = streams_line(*streams, *reason);
                self.0.screen.detail(Level::Info, line);
            }
            Event::Transport { .. } => show_transport(event, &self.0.screen),
            Event::PauseEnded { answers } => {
                self.0.screen.status(pause_ended(*answers));
            }
            _ => (),
        }
    }

    /// From now on more workers work at a time, or fewer.
    pub fn workers_change(&self, change: WorkersEvent) {
        let screen = &self.0.screen;
        screen.json(&change);
        let line = workers_line(change);
        match change.enough {
            true => screen.status(line),
            false => screen.detail(Level::Info, line),
        }
    }

    /// A worker ends, having done this much; nothing, if its work is given to another.
    pub fn end(&self, worker: u32, done: Done) {
        let mut state = self.0.state();
        state.working.remove(&worker);
        state.ended.add(done);
        drop(state);
        let Done { done, failed } = done;
        let failed = (failed > 0).then(|| format!(", {failed} failed"));
        self.0.detail(
            worker,
            &format!(
                "ends: {}, {}{}",
                count(done.files, "file"),
                size(done.bytes),
                failed.unwrap_or_default()
            ),
        );
        self.0.draw();
    }

    /// A worker has ended: its last progress is what it has done.
    pub fn rest(&self, worker: u32) {
        let working = self.0.state().working.remove(&worker);
        self.end(worker, working.unwrap_or_default().so_far);
    }

    /// Ends the progress.
    pub fn finish(&self) {
        self.0.finish();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Also of work that is given up: nothing of a bar stays.
        self.0.finish();
    }
}

/// Shows and keeps the progress each second, until its owner has dropped it.
async fn tick(shown: std::sync::Weak<Shown>) {
    loop {
        tokio::time::sleep(TICK).await;
        match shown.upgrade() {
            Some(shown) => shown.show(),
            None => return,
        }
    }
}

impl Shown {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self, worker: u32, files: u64, bytes: u64) {
        let mut state = self.state();
        let working = state.working.entry(worker).or_default();
        if bytes > working.so_far.done.bytes {
            working.wait = None;
        }
        working.so_far.done = Amount { files, bytes };
        drop(state);
        self.draw();
    }

    fn streams(&self, worker: u32, streams: u64) {
        let mut state = self.state();
        state.working.entry(worker).or_default().streams = Some(streams);
        drop(state);
        self.draw();
    }

    /// Notes that a host asks all workers for a wait, and prints a long one once for all of them.
    fn all_wait(&self, told: &HostWait) {
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
    fn waits(&self, worker: u32, error: &str, kind: Kind, wait: f64) {
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
    fn failed(&self, worker: u32, path: Option<&str>, error: &str, kind: Kind) {
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

    fn detail(&self, worker: u32, what: &str) {
        if self.counted {
            let line = format!("{} chunk {worker} {what}", self.verb);
            self.screen.detail(Level::Info, line);
        }
    }

    /// A worker's own event, for programs, with the worker's number.
    fn pass_on(&self, worker: u32, event: &Event) {
        if self.screen.mode() == Mode::Json {
            pass_on(worker, event, &self.screen);
        }
    }

    /// How far it is now.
    fn snapshot(&self, state: &mut State) -> Snapshot {
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
    fn draw(&self) {
        if self.screen.has_bars() {
            let mut state = self.state();
            if !state.is_finished {
                let snapshot = self.snapshot(&mut state);
                let part = self.screen.part().map(|part| self.screen.shown(&part));
                self.screen.bars().draw(self.bar, part, snapshot);
            }
        }
    }

    fn show(&self) {
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

    fn finish(&self) {
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

impl Done {
    /// So many files failed.
    pub fn failed(failed: u64) -> Self {
        let done = Amount::default();
        Self { done, failed }
    }

    fn add(&mut self, other: Self) {
        self.done.files += other.done.files;
        self.done.bytes += other.done.bytes;
        self.failed += other.failed;
    }
}

impl State {
    /// Blobs that the workers move at a time; 0 until one has told that it has changed the number.
    fn streams(&self) -> u64 {
        let told = self.working.values().map(|working| working.streams);
        if told.clone().flatten().next().is_none() {
            return 0;
        }
        let first = WorkerOptions::FIRST_STREAMS as u64;
        told.map(|streams| streams.unwrap_or(first)).sum()
    }

    fn sum(&self) -> Done {
        let mut sum = self.ended;
        self.working
            .values()
            .for_each(|working| sum.add(working.so_far));
        sum
    }
}

#[cfg(test)]
mod tests;
