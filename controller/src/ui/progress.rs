//! The progress of a run: that of its workers, added up. The bar, the lines and the NDJSON are [`Screen`]'s.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hf2ms_worker::protocol::Event;

use crate::ui::screen::{Mode, Screen, duration, rate, size};
use crate::ui::worker_events::{ProgressEvent, pass_on};

/// A pipe gets a line this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A program gets a line this often.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// The progress of one verb over all its workers.
#[derive(Debug)]
pub struct Progress {
    screen: Screen,
    verb: &'static str,
    state: Mutex<State>,
}

/// Files and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

#[derive(Debug)]
struct State {
    of: Amount,
    working: HashMap<u32, Amount>,
    ended: Amount,
    started: Instant,
    told: Instant,
}

impl Progress {
    /// Progress towards these files and bytes.
    pub fn new(screen: &Screen, verb: &'static str, of: Amount) -> Self {
        screen.start_bar(of.bytes);
        let prefix = screen
            .part()
            .map_or_else(|| verb.to_owned(), |part| format!("{verb} {part}"));
        screen.bar().set_prefix(screen.shown(&prefix));
        let state = State {
            of,
            working: HashMap::new(),
            ended: Amount::default(),
            started: Instant::now(),
            told: Instant::now(),
        };
        Self {
            screen: screen.clone(),
            verb,
            state: Mutex::new(state),
        }
    }

    /// Sets the total, once it is known.
    pub fn aim(&self, of: Amount) {
        self.state().of = of;
        self.screen.bar().set_length(of.bytes);
        self.draw();
    }

    /// A worker begins.
    pub fn begin(&self, worker: u32) {
        let mut state = self.state();
        if state.working.is_empty() && state.ended == Amount::default() {
            // Until now it has only waited.
            state.started = Instant::now();
        }
        state.working.insert(worker, Amount::default());
        drop(state);
        self.draw();
    }

    /// Takes an event of a worker.
    pub fn hear(&self, worker: u32, event: &Event) {
        match event {
            Event::Progress { bytes, files } => {
                self.state().working.insert(
                    worker,
                    Amount {
                        files: *files,
                        bytes: *bytes,
                    },
                );
                self.draw();
            }
            Event::Retry { error, wait, .. } => {
                self.pass_on(worker, event);
                if *wait >= 5.0 {
                    self.screen.status(format!(
                        "waiting {} before another try: {error}",
                        duration(*wait)
                    ));
                }
            }
            Event::Failed { path, error, .. } => {
                self.pass_on(worker, event);
                self.screen.status(format!(
                    "failed: {}{error}",
                    path.as_ref()
                        .map(|path| format!("{path}: "))
                        .unwrap_or_default()
                ));
            }
            Event::Paused { error } => {
                self.pass_on(worker, event);
                self.screen
                    .status(format!("paused, and trying one file at a time: {error}"));
            }
            Event::PauseEnded { answers } => {
                self.pass_on(worker, event);
                self.screen.status(match answers {
                    true => "the pause is over: files are stored again",
                    false => {
                        "the pause is over: nothing was stored meanwhile, the rest is given up"
                    }
                });
            }
            Event::File { .. } | Event::Committed { .. } => self.pass_on(worker, event),
            _ => (),
        }
    }

    /// A worker ends, having done this much; nothing, if its work is given to another.
    pub fn end(&self, worker: u32, done: Amount) {
        let mut state = self.state();
        state.working.remove(&worker);
        state.ended.files += done.files;
        state.ended.bytes += done.bytes;
        drop(state);
        self.draw();
    }

    /// A worker has ended: its last progress is what it has done.
    pub fn rest(&self, worker: u32) {
        let done = self
            .state()
            .working
            .get(&worker)
            .copied()
            .unwrap_or_default();
        self.end(worker, done);
    }

    /// Ends the progress.
    pub fn finish(&self) {
        self.screen.end_bar();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A worker's own event, for programs, with the worker's number.
    fn pass_on(&self, worker: u32, event: &Event) {
        if self.screen.mode() == Mode::Json {
            pass_on(worker, event, &self.screen);
        }
    }

    fn draw(&self) {
        let mut state = self.state();
        let (done, of, workers) = (state.done(), state.of, state.working.len());
        if self.screen.mode() == Mode::Bars {
            self.screen.bar().set_position(done.bytes);
            self.screen.bar().set_message(format!(
                "{}/{} files, {workers} workers",
                done.files, of.files
            ));
            return;
        }
        let every = if self.screen.mode() == Mode::Json {
            JSON_EVERY
        } else {
            LINE_EVERY
        };
        if state.told.elapsed() < every {
            return;
        }
        state.told = Instant::now();
        let seconds = state.started.elapsed().as_secs_f64();
        drop(state);
        self.print(done, of, workers, seconds);
    }

    fn print(&self, done: Amount, of: Amount, workers: usize, seconds: f64) {
        self.screen.json(&ProgressEvent {
            step: self.verb,
            done: done.files,
            total: of.files,
            done_bytes: done.bytes,
            total_bytes: of.bytes,
            workers,
            seconds,
        });
        let left = of.bytes.saturating_sub(done.bytes) as f64 * seconds / done.bytes as f64;
        self.screen.status(format!(
            "{}: {}/{} files, {} of {}, {}, {} left, {workers} workers",
            self.verb,
            done.files,
            of.files,
            size(done.bytes),
            size(of.bytes),
            rate(done.bytes, seconds),
            if left.is_finite() {
                duration(left)
            } else {
                "?".to_owned()
            },
        ));
    }
}

impl State {
    fn done(&self) -> Amount {
        self.working.values().fold(self.ended, |sum, done| Amount {
            files: sum.files + done.files,
            bytes: sum.bytes + done.bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_worker_takes_its_progress_with_it() {
        let progress = Progress::new(
            &Screen::of(Mode::Lines),
            "copying",
            Amount {
                files: 9,
                bytes: 90,
            },
        );
        progress.begin(0);
        progress.begin(1);
        progress.hear(
            0,
            &Event::Progress {
                bytes: 50,
                files: 5,
            },
        );
        progress.hear(
            1,
            &Event::Progress {
                bytes: 10,
                files: 1,
            },
        );
        assert_eq!(
            progress.state().done(),
            Amount {
                files: 6,
                bytes: 60
            }
        );
        progress.end(0, Amount::default());
        progress.end(
            1,
            Amount {
                files: 2,
                bytes: 20,
            },
        );
        assert_eq!(
            progress.state().done(),
            Amount {
                files: 2,
                bytes: 20
            }
        );
    }
}
