//! Outages. Where several files fail in passing one after the other, and none is stored between them, the hub fails and not the
//! files: no further file is begun, and one at a time is tried, after growing pauses, until one is stored. Then all go on.
//!
//! A chunk may have fewer files than that. There it is an outage when all that moves has failed in passing and nothing of the chunk
//! was stored. The fewer files say so, the less time they are given.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hf2ms_hub::{Error, File, Kind, Result};

use super::Mover;
use crate::protocol::Event;

/// So many files in a row make an outage.
const FILES: u32 = 4;

/// A file, and why it is not stored.
type Unstored<'a> = (&'a File, Error);

/// What became of the last files.
#[derive(Default)]
pub(super) struct Outage<'a>(Mutex<Streak<'a>>);

#[derive(Default)]
struct Streak<'a> {
    /// Files that have failed in passing since the last one was stored.
    failed: Vec<Unstored<'a>>,
    /// Files that were not tried for that reason.
    skipped: Vec<&'a File>,
    /// Whether any file of the chunk was stored.
    has_stored: bool,
}

impl Streak<'_> {
    /// How much the failures say of the hub, from 0 to [`FILES`]; none of them says anything where the files alone may be to blame.
    fn weight(&self) -> u32 {
        match u32::try_from(self.failed.len()).unwrap_or(u32::MAX) {
            few if few < FILES && self.has_stored => 0,
            count => count.min(FILES),
        }
    }
}

impl<'a> Outage<'a> {
    /// Whether nothing is to be tried now. It stays so until a file is tried on purpose.
    pub(super) fn is_on(&self) -> bool {
        self.streak().failed.len() >= FILES as usize
    }

    /// Keeps files for later.
    pub(super) fn skip(&self, files: impl IntoIterator<Item = &'a File>) {
        self.streak().skipped.extend(files);
    }

    /// Notes that a file failed in passing.
    pub(super) fn failed(&self, file: &'a File, error: Error) {
        self.streak().failed.push((file, error));
    }

    /// Notes that a file was stored. Returns those before it, which have failed by themselves.
    pub(super) fn stored(&self) -> Vec<Unstored<'a>> {
        let mut streak = self.streak();
        streak.has_stored = true;
        if streak.failed.len() >= FILES as usize {
            return Vec::new();
        }
        mem::take(&mut streak.failed)
    }

    fn take(&self) -> Streak<'a> {
        let mut streak = self.streak();
        let has_stored = streak.has_stored;
        mem::replace(
            &mut *streak,
            Streak {
                has_stored,
                ..Streak::default()
            },
        )
    }

    fn streak(&self) -> MutexGuard<'_, Streak<'a>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Mover<'a> {
    /// Waits for the end of the outage that the last pass has met, if it met one. Returns the files to be tried again.
    pub(super) async fn after_outage(&self) -> Vec<&'a File> {
        let streak = self.outage.take();
        let weight = streak.weight();
        let Streak {
            failed, skipped, ..
        } = streak;
        if weight == 0 || self.halted().is_err() {
            self.report(&failed);
            return skipped;
        }
        let error = error_of(&failed);
        self.context.events.say(&Event::Paused {
            error: error.to_string(),
        });
        let skipped = skipped.into_iter().map(|file| (file, error_of(&failed)));
        // Files that were not tried come first: those that failed may have a fault of their own.
        let mut waiting: VecDeque<_> = skipped.collect();
        waiting.extend(failed);
        let waiting = Mutex::new(waiting);
        let patience = self.context.http.retry.patience_in_outage() * weight / FILES;
        let patience = self.within_time(patience);
        let answers = self.wait_until_one_is_stored(&waiting, error, patience);
        let answers = answers.await;
        let waiting = waiting.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.context.events.say(&Event::PauseEnded {
            answers: answers.is_ok(),
        });
        if answers.is_err() {
            self.report(waiting.iter());
            return Vec::new();
        }
        waiting.into_iter().map(|(file, _)| file).collect()
    }

    async fn wait_until_one_is_stored(
        &self,
        waiting: &Mutex<VecDeque<Unstored<'a>>>,
        error: Error,
        patience: Duration,
    ) -> Result<()> {
        let http = &self.context.http;
        let look = |number| async move { Ok(number > 0 && self.stores_one_of(waiting).await) };
        http.attempts().found_within(patience, error, look).await
    }

    /// Tries the next file; whether it did not fail in passing. If it did it is the last in the line.
    async fn stores_one_of(&self, waiting: &Mutex<VecDeque<Unstored<'a>>>) -> bool {
        let line = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let next = line().pop_front();
        let Some((file, _)) = next else {
            return true;
        };
        self.pass(&[file], 1).await;
        let failed = self.outage.take().failed;
        let answers = failed.is_empty();
        line().extend(failed);
        answers
    }

    /// Reports files as failed.
    pub(super) fn report<'f>(&self, failed: impl IntoIterator<Item = &'f Unstored<'a>>)
    where
        'a: 'f,
    {
        for (file, error) in failed {
            self.context.events.failed(&file.path, error);
        }
    }
}

fn error_of(failed: &[Unstored<'_>]) -> Error {
    let last = failed.last().map(|(_, error)| error.to_string());
    let last = last.unwrap_or_default();
    let message = match failed.len() {
        1 => format!("nothing could be stored: {last}"),
        count => format!("{count} files failed one after the other: {last}"),
    };
    Error::new(Kind::Transient, message)
}
