//! The progress of a run: that of its workers, added up. The bars, the lines and the NDJSON are [`Screen`]'s; a run's folder keeps the
//! last of it, for `hf2ms status` in another terminal.

mod shown;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hf2ms_hub::Kind;
use hf2ms_worker::protocol::Event;

use self::shown::{Shown, Working, tick};
use crate::ui::log::Level;
use crate::ui::screen::{Screen, size};
use crate::ui::snapshot::count;
use crate::ui::worker_events::{
    WorkersEvent, how_text, pause_ended, show_backup, show_transport, streams_line, workers_line,
};

/// A pipe gets a line this often.
pub const LINE_EVERY: Duration = Duration::from_secs(10);
/// What a conflict that is survived says.
const MOVED: &str = "someone else wrote to the destination meanwhile: it is compared again";
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
        let shown = Shown::new(screen, verb, of, counted);
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
