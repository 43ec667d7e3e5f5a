//! The queue of a repo's chunks: the heaviest first, each when it gets a slot. A chunk whose worker crashed, or lost a network
//! of its own, is given to another worker, three times in all. Once a worker has given up on an outage no further chunk is begun.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::plan::chunks::FILE_COST;
use hf2ms_worker::protocol::Event;

use super::Engine;
use super::chunk_results::ChunkResults;
use super::job::{ATTEMPTS, Ended, WorkerCommand, WorkerJob};
use super::slots::{FIRST, Slot, WorkerSlots};
use crate::runs::{JournalEntry, RunDir};
use crate::ui::errors::CliResult;
use crate::ui::progress::{Amount, Done, Progress};

/// The chunks of one repo, and the engine that transfers them.
pub struct Queue<'a> {
    /// Where the workers run.
    pub engine: &'a dyn Engine,
    /// The slots that all repos of the command share.
    pub slots: &'a WorkerSlots,
    /// The plan with the chunks.
    pub plan: &'a Plan,
    /// The run, for its journal.
    pub run: &'a RunDir,
    /// The progress of the run.
    pub progress: &'a Progress,
}

/// A chunk's number, and the number of the attempt, from 1.
type Try = (u32, u32);

impl Queue<'_> {
    /// Transfers every chunk; `begun` is called when the first one has its slot.
    ///
    /// # Errors
    /// The journal can't be written. Files that failed are in the receipts.
    pub async fn carry(&self, begun: impl FnOnce()) -> CliResult<ChunkResults> {
        let mut waiting: VecDeque<Try> = (0..self.plan.chunks.len())
            .filter_map(|number| Some((u32::try_from(number).ok()?, 1)))
            .collect();
        let (mut working, mut carried) = (FuturesUnordered::new(), ChunkResults::default());
        let (mut begun, mut since) = (Some(begun), None);
        let mut asking = None;
        loop {
            if carried.ended_by.is_some() || carried.gave_up {
                waiting.clear();
                asking = None;
            }
            if let (None, Some(next)) = (&asking, waiting.front()) {
                asking = Some(self.slots.slot(self.weight(*next)).boxed());
            }
            tokio::select! {
                biased;
                slot = given(&mut asking), if asking.is_some() => {
                    asking = None;
                    if self.is_over() {
                        carried.leave(self.plan, waiting.drain(..).map(|(number, _)| number));
                        continue;
                    }
                    begun.take().into_iter().for_each(|begun| begun());
                    since.get_or_insert_with(Instant::now);
                    working.extend(waiting.pop_front().map(|next| self.attempt(next, slot)));
                }
                Some((tried, ended)) = working.next() => {
                    if self.ended(tried, ended, &mut carried)? {
                        waiting.push_front((tried.0, tried.1 + 1));
                        asking = None;
                    }
                }
                else => break,
            }
        }
        carried.seconds = since.map_or(0.0, |since| since.elapsed().as_secs_f64());
        Ok(carried)
    }

    /// Whether the run's time is over: no further chunk is begun.
    fn is_over(&self) -> bool {
        let deadline = self.plan.options.deadline;
        deadline.is_some_and(|deadline| deadline.is_over(SystemTime::now()))
    }

    /// Records how a worker ended; whether its chunk is to be tried again.
    fn ended(
        &self,
        (number, attempt): Try,
        ended: Ended,
        carried: &mut ChunkResults,
    ) -> CliResult<bool> {
        if let Some(why) = ended.to_be_repeated(WorkerCommand::Run, self.engine.network()) {
            carried.lost += 1;
            self.run.note(&JournalEntry::Crashed {
                chunk: number,
                attempt,
                why: why.to_owned(),
            })?;
            if attempt < ATTEMPTS {
                return Ok(true);
            }
        }
        let receipt = carried.take(self.plan, number, ended);
        self.run.note(&JournalEntry::Chunk(receipt.clone()))?;
        carried.receipts.push(receipt);
        Ok(false)
    }

    async fn attempt(&self, tried: Try, _slot: Slot) -> (Try, Ended) {
        let (
            number,
            Self {
                engine,
                plan,
                progress,
                ..
            },
        ) = (tried.0, self);
        let chunk = plan.chunk(self.run.id(), number).map(|mut chunk| {
            // The chunks of other repos share the workers.
            chunk.options.workers = u32::try_from(self.slots.workers()).unwrap_or(u32::MAX);
            serde_json::to_string(&chunk).unwrap_or_default()
        });
        let job = WorkerJob {
            verb: WorkerCommand::Run,
            number,
            json: chunk.unwrap_or_default(),
            at_work: plan
                .options
                .bandwidth
                .as_ref()
                .map(|_| self.slots.at_work()),
        };
        progress.begin(number);
        let seen = AtomicU64::new(0);
        let listener = |event: &Event| {
            progress.hear(number, event);
            if let Event::Progress { bytes, .. } = event {
                self.moved(*bytes, &seen);
            }
        };
        let ended = engine.work(&job, &listener).await;
        // A chunk that takes less than a second tells no progress.
        self.moved(self.done(number, &ended).done.bytes, &seen);
        let repeated = ended
            .to_be_repeated(WorkerCommand::Run, engine.network())
            .is_some();
        progress.end(
            number,
            if repeated && tried.1 < ATTEMPTS {
                Done::default()
            } else {
                self.done(number, &ended)
            },
        );
        (tried, ended)
    }

    /// A worker has moved so many bytes until now, and `seen` of them were counted.
    fn moved(&self, bytes: u64, seen: &AtomicU64) {
        let before = seen.fetch_max(bytes, Ordering::Relaxed);
        if let Some(change) = self.slots.moved(bytes.saturating_sub(before)) {
            self.progress.workers_change(change);
        }
    }

    /// The files of a chunk that a worker has finished, by its receipt; those of a chunk without one have failed.
    fn done(&self, number: u32, ended: &Ended) -> Done {
        let receipt = match ended {
            Ended::Finished(_, output) | Ended::Stopped(output) => output.receipt.as_ref(),
            Ended::Refused(..) | Ended::Crashed(..) => None,
        };
        let Some(receipt) = receipt else {
            let chunk = self.plan.chunks.get(number as usize).map_or(0, Vec::len);
            return Done::failed(chunk as u64);
        };
        let (files, bytes) = (
            receipt.files.len() as u64,
            receipt.files.iter().map(|stored| stored.size).sum(),
        );
        Done {
            done: Amount { files, bytes },
            ..Done::failed(receipt.failed.len() as u64)
        }
    }

    /// The weight of a chunk in the queue for slots: its bytes, and a cost for each file.
    fn weight(&self, (number, attempt): Try) -> u64 {
        let chunk = self.plan.chunks.get(number as usize).into_iter().flatten();
        let files = chunk.filter_map(|index| self.plan.files.get(*index as usize));
        if attempt > 1 {
            FIRST
        } else {
            files
                .map(|planned| planned.file.size.saturating_add(FILE_COST))
                .fold(0, u64::saturating_add)
        }
    }
}

/// The slot that was asked for; pending forever if none was.
async fn given(asking: &mut Option<BoxFuture<'_, Slot>>) -> Slot {
    match asking {
        Some(slot) => slot.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
