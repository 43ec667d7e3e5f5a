//! The queue: a repo's chunks in their order, the heaviest first, each when it is its turn. A chunk whose worker died, or was
//! cut off from the network that it alone uses, is given to another, three times in all.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use hf2ms_hub::Kind;
use hf2ms_worker::plan::Plan;
use hf2ms_worker::plan::chunks::FILE_COST;
use hf2ms_worker::protocol::{Event, FailedFile, Receipt};

use super::Engine;
use super::job::{ATTEMPTS, Ended, Job, Verb, WorkerOutput};
use super::slots::{FIRST, Slot, WorkerSlots};
use crate::runs::{JournalEntry, RunDir};
use crate::ui::errors::CliResult;
use crate::ui::progress::{Amount, Progress};

/// What came of all chunks.
#[derive(Debug, Default)]
pub struct ChunkResults {
    /// A receipt a chunk that was begun.
    pub receipts: Vec<Receipt>,
    /// Why no more chunks were given out before all were.
    pub ended_by: Option<(Kind, String)>,
    /// Workers that died.
    pub lost: u64,
    /// Seconds from the first chunk's turn to the last one's end.
    pub seconds: f64,
}

/// The chunks of one repo, and who carries them.
pub struct Queue<'a> {
    /// Where the workers run.
    pub engine: &'a dyn Engine,
    /// How many may work at a time, and when.
    pub slots: &'a WorkerSlots,
    /// What is carried.
    pub plan: &'a Plan,
    /// Whose journal is written.
    pub run: &'a RunDir,
    /// Who is told how far it is.
    pub progress: &'a Progress,
}

/// A chunk, and which try this is, from 1.
type Try = (u32, u32);

impl Queue<'_> {
    /// Has every chunk carried; `begun` is called when the first one has its turn.
    ///
    /// # Errors
    /// The journal can't be written. What failed on the way is in the receipts.
    pub async fn carry(&self, begun: impl FnOnce()) -> CliResult<ChunkResults> {
        let mut waiting: VecDeque<Try> = (0..self.plan.chunks.len())
            .filter_map(|number| Some((u32::try_from(number).ok()?, 1)))
            .collect();
        let (mut working, mut carried) = (FuturesUnordered::new(), ChunkResults::default());
        let (mut begun, mut since) = (Some(begun), None);
        let mut asking = None;
        loop {
            if carried.ended_by.is_some() {
                waiting.clear();
                asking = None;
            }
            if let (None, Some(next)) = (&asking, waiting.front()) {
                asking = Some(self.slots.turn(self.weight(*next)).boxed());
            }
            tokio::select! {
                biased;
                turn = given(&mut asking), if asking.is_some() => {
                    asking = None;
                    begun.take().into_iter().for_each(|begun| begun());
                    since.get_or_insert_with(Instant::now);
                    working.extend(waiting.pop_front().map(|next| self.attempt(next, turn)));
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

    /// Takes note of a worker's end; whether its chunk is to be tried again.
    fn ended(
        &self,
        (number, attempt): Try,
        ended: Ended,
        carried: &mut ChunkResults,
    ) -> CliResult<bool> {
        if let Some(why) = ended.to_be_repeated(Verb::Run, self.engine.network()) {
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

    async fn attempt(&self, tried: Try, _turn: Slot) -> (Try, Ended) {
        let (
            number,
            Self {
                engine,
                plan,
                progress,
                ..
            },
        ) = (tried.0, self);
        let json = plan
            .chunk(self.run.id(), number)
            .map(|chunk| serde_json::to_string(&chunk).unwrap_or_default())
            .unwrap_or_default();
        let job = Job {
            verb: Verb::Run,
            number,
            json,
        };
        progress.begin(number);
        let ended = engine
            .work(&job, &|event: &Event| progress.hear(number, event))
            .await;
        let repeated = ended.to_be_repeated(Verb::Run, engine.network()).is_some();
        progress.end(
            number,
            if repeated {
                Amount::default()
            } else {
                done(plan, number, &ended)
            },
        );
        (tried, ended)
    }

    /// What counts when it is decided whose turn is next: bytes, and what each file costs. One that was begun goes on first.
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

/// The turn that is asked for; never, if none is.
async fn given(asking: &mut Option<BoxFuture<'_, Slot>>) -> Slot {
    match asking {
        Some(turn) => turn.await,
        None => std::future::pending().await,
    }
}

/// What a worker's end adds to the progress for good.
fn done(plan: &Plan, number: u32, ended: &Ended) -> Amount {
    match ended {
        Ended::Finished(..) => {
            let chunk = plan
                .chunks
                .get(number as usize)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let sizes = chunk
                .iter()
                .filter_map(|index| plan.files.get(*index as usize))
                .map(|planned| planned.file.size);
            Amount {
                files: chunk.len() as u64,
                bytes: sizes.sum(),
            }
        }
        _ => Amount::default(),
    }
}

impl ChunkResults {
    /// The receipt of a chunk, however its worker ended; and whether that ends it for the others too.
    pub fn take(&mut self, plan: &Plan, number: u32, ended: Ended) -> Receipt {
        match ended {
            Ended::Finished(_, output) => self.finished(plan, number, output),
            Ended::Refused(kind, error) => {
                self.ended_by.get_or_insert_with(|| (kind, error.clone()));
                rest_failed(plan, number, WorkerOutput::default(), kind, &error)
            }
            Ended::Crashed(why, output) => rest_failed(
                plan,
                number,
                output,
                Kind::Transient,
                &format!("its worker died {ATTEMPTS} times: {why}"),
            ),
            Ended::Stopped(output) => {
                self.ended_by
                    .get_or_insert_with(|| (Kind::Transient, "it was stopped".to_owned()));
                rest_failed(plan, number, output, Kind::Transient, "it was stopped")
            }
        }
    }
}

impl ChunkResults {
    fn finished(&mut self, plan: &Plan, number: u32, output: WorkerOutput) -> Receipt {
        let receipt = match output.failure.clone() {
            Some((kind, error)) => rest_failed(plan, number, output, kind, &error),
            None => output.receipt.unwrap_or_default(),
        };
        let fatal = FailedFile::fatal(&receipt.failed);
        self.ended_by = self
            .ended_by
            .take()
            .or_else(|| fatal.map(|failed| (failed.kind, failed.error.clone())));
        receipt
    }
}

/// The worker's receipt, or one made of what it said; all that it does not name has failed.
fn rest_failed(plan: &Plan, number: u32, output: WorkerOutput, kind: Kind, why: &str) -> Receipt {
    let mut receipt = output.receipt.unwrap_or_else(|| Receipt {
        chunk: number,
        files: output.files,
        ..Receipt::default()
    });
    let stored: HashSet<&str> = receipt
        .files
        .iter()
        .map(|stored| stored.path.as_str())
        .collect();
    let named: HashSet<&str> = receipt
        .failed
        .iter()
        .map(|failed| failed.path.as_str())
        .collect();
    let chunk = plan.chunks.get(number as usize).into_iter().flatten();
    let paths = chunk
        .filter_map(|index| plan.files.get(*index as usize))
        .map(|planned| &planned.file.path);
    let rest = paths.filter(|path| {
        !stored.contains(path.as_str()) && !named.contains(path.to_string().as_str())
    });
    let rest: Vec<FailedFile> = rest
        .map(|path| FailedFile {
            path: path.to_string(),
            error: why.to_owned(),
            kind,
        })
        .collect();
    receipt.failed.extend(rest);
    receipt
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use hf2ms_hub::{Digest, File, Listed, Listing, Placement, Sha256, Visibility};
    use hf2ms_worker::plan::{DigestCache, PlanRequest};
    use hf2ms_worker::protocol::Chunking;
    use hf2ms_worker::protocol::{Chunk, Creation, Exit, How, PlanSummary, Stored, WorkerOptions};

    use super::*;
    use crate::args::workers::EngineKind;
    use crate::engine::{Listener, Network};
    use crate::runs::tests::at;
    use crate::runs::{NewRun, RunVerb, Runs};
    use crate::ui::screen::{Mode, Screen};

    /// Workers that end as scripted; a chunk without a script is done well.
    #[derive(Default)]
    struct Scripted {
        ends: Mutex<HashMap<u32, Vec<Ended>>>,
        begun: Mutex<Vec<u32>>,
        sizes: Mutex<Vec<u64>>,
        network: Option<Network>,
    }

    impl Engine for Scripted {
        fn workers(&self) -> usize {
            1
        }

        fn network(&self) -> Network {
            self.network.unwrap_or(Network::OfThisMachine)
        }

        fn work<'a>(&'a self, job: &'a Job, _: Listener<'a>) -> BoxFuture<'a, Ended> {
            self.begun.lock().unwrap().push(job.number);
            let chunk: Chunk = serde_json::from_str(&job.json).unwrap();
            self.sizes
                .lock()
                .unwrap()
                .push(chunk.files.iter().map(|file| file.size).sum());
            let scripted = self
                .ends
                .lock()
                .unwrap()
                .get_mut(&job.number)
                .and_then(Vec::pop);
            let ended =
                scripted.unwrap_or_else(|| Ended::Finished(Exit::Done, well_done(&job.json)));
            async move { ended }.boxed()
        }
    }

    fn well_done(json: &str) -> WorkerOutput {
        let chunk: Chunk = serde_json::from_str(json).unwrap();
        let stored = |file: &File| Stored {
            path: file.path.clone(),
            sha256: file.digest.sha256().unwrap(),
            git_sha1: None,
            size: file.size,
            how: How::Streamed,
        };
        let receipt = Receipt {
            chunk: chunk.chunk,
            files: chunk.files.iter().map(stored).collect(),
            ..Receipt::default()
        };
        WorkerOutput {
            receipt: Some(receipt),
            ..WorkerOutput::default()
        }
    }

    fn three_chunks() -> Plan {
        plan("org/a", &[1, 1, 1])
    }

    /// A plan with a chunk for each file of these sizes.
    fn plan(id: &str, sizes: &[u64]) -> Plan {
        let listed = |(i, size): (usize, &u64)| {
            let file = File {
                path: format!("{i}.bin").parse().unwrap(),
                size: *size,
                digest: Digest::Sha256(Sha256::of(&[i as u8])),
            };
            Listed { file, lfs: true }
        };
        let order = PlanRequest {
            source: at("huggingface", id),
            asked: "main".parse().unwrap(),
            destination: at("modelscope", id),
            creation: Creation {
                visibility: Visibility::Public,
                exists: true,
                sdk: None,
            },
            chunking: Chunking::Sized {
                bytes: 1,
                at_most: 100,
            },
            prune: None,
            options: WorkerOptions::default(),
        };
        let source = Listing {
            files: sizes.iter().enumerate().map(listed).collect(),
            ..Listing::default()
        };
        Plan::make(
            order,
            source,
            &Listing::default(),
            |_, _| Placement::Blob,
            &DigestCache::new(),
        )
    }

    async fn carried(ends: HashMap<u32, Vec<Ended>>) -> (ChunkResults, Vec<u32>, Plan) {
        carried_by(Scripted {
            ends: Mutex::new(ends),
            ..Scripted::default()
        })
        .await
    }

    async fn carried_by(engine: Scripted) -> (ChunkResults, Vec<u32>, Plan) {
        let (state, plan) = (tempfile::tempdir().unwrap(), three_chunks());
        let runs = Runs::new(state.path());
        let run = begun(&runs, &plan);
        let progress = Progress::new(&Screen::of(Mode::Lines), "copying", Amount::default());
        let queue = Queue {
            engine: &engine,
            slots: &WorkerSlots::new(1),
            plan: &plan,
            run: &run,
            progress: &progress,
        };
        let carried = queue.carry(|| ()).await.unwrap();
        assert_eq!(
            runs.journal(run.id()).len() as u64,
            carried.receipts.len() as u64 + carried.lost
        );
        (carried, engine.begun.into_inner().unwrap(), plan)
    }

    fn begun(runs: &Runs, plan: &Plan) -> RunDir {
        let summary = &PlanSummary::default();
        let new = NewRun {
            verb: RunVerb::Migrate,
            on: EngineKind::Local,
            source: &plan.source,
            destination: &plan.destination,
            plan: summary,
        };
        runs.begin(new).unwrap()
    }

    #[tokio::test]
    async fn repos_that_share_the_workers_take_turns_by_weight() {
        let state = tempfile::tempdir().unwrap();
        let (engine, slots, runs) = (
            Scripted::default(),
            WorkerSlots::new(1),
            Runs::new(state.path()),
        );
        let (one, other) = (
            plan("org/a", &[1 << 30, 4 << 30]),
            plan("org/b", &[2 << 30, 3 << 30]),
        );
        let (run, other_run) = (begun(&runs, &one), begun(&runs, &other));
        let progress = &Progress::new(&Screen::of(Mode::Lines), "copying", Amount::default());
        let queue = |plan, run| Queue {
            engine: &engine,
            slots: &slots,
            plan,
            run,
            progress,
        };
        let (one, other) = (queue(&one, &run), queue(&other, &other_run));
        let held = slots.turn(FIRST).await;
        // Polled last: both wait in the line by then.
        let release = async { drop(held) };
        let (first, second, ()) = tokio::join!(one.carry(|| ()), other.carry(|| ()), release);
        assert_eq!(
            (
                first.unwrap().receipts.len(),
                second.unwrap().receipts.len()
            ),
            (2, 2)
        );
        assert_eq!(
            *engine.sizes.lock().unwrap(),
            [4 << 30, 3 << 30, 2 << 30, 1 << 30]
        );
    }

    fn lost() -> Ended {
        Ended::Crashed("killed by signal 9".to_owned(), WorkerOutput::default())
    }

    #[tokio::test]
    async fn a_dead_workers_chunk_is_given_to_another() {
        let (carried, begun, plan) = carried(HashMap::from([(1, vec![lost(), lost()])])).await;
        assert_eq!((begun, carried.lost), (vec![0, 1, 1, 1, 2], 2));
        assert!(plan.unsent(&carried.receipts).is_empty());
    }

    #[tokio::test]
    async fn after_three_deaths_it_is_reported_and_the_others_go_on() {
        let (carried, begun, plan) =
            carried(HashMap::from([(0, vec![lost(), lost(), lost(), lost()])])).await;
        assert_eq!(begun, [0, 0, 0, 1, 2]);
        let unsent = plan.unsent(&carried.receipts);
        assert_eq!(unsent.len(), 1);
        assert_eq!(
            unsent[0].error,
            "its worker died 3 times: killed by signal 9"
        );
    }

    #[tokio::test]
    async fn a_token_that_is_revoked_ends_it_for_all() {
        let refused = Ended::Refused(Kind::Unauthorized, "MODELSCOPE_TOKEN is revoked".to_owned());
        let (carried, begun, plan) = carried(HashMap::from([(1, vec![refused])])).await;
        assert_eq!(begun, [0, 1], "no storm");
        assert_eq!(
            carried.ended_by,
            Some((Kind::Unauthorized, "MODELSCOPE_TOKEN is revoked".to_owned()))
        );
        assert_eq!(plan.unsent(&carried.receipts).len(), 2);
    }

    fn cut_off() -> Ended {
        Ended::Refused(Kind::Unreachable, "no route to the hub".to_owned())
    }

    fn of_each_worker(ends: &[(u32, usize)]) -> Scripted {
        let ends = ends
            .iter()
            .map(|(number, times)| {
                (
                    *number,
                    std::iter::repeat_with(cut_off).take(*times).collect(),
                )
            })
            .collect();
        Scripted {
            ends: Mutex::new(ends),
            network: Some(Network::OfEachWorker),
            ..Scripted::default()
        }
    }

    #[tokio::test]
    async fn a_chunk_whose_worker_alone_is_cut_off_is_given_to_another() {
        let (carried, begun, plan) = carried_by(of_each_worker(&[(1, 2)])).await;
        assert_eq!(
            (begun, carried.lost, carried.ended_by),
            (vec![0, 1, 1, 1, 2], 2, None)
        );
        assert!(plan.unsent(&carried.receipts).is_empty());
    }

    #[tokio::test]
    async fn files_that_failed_in_passing_are_tried_on_another_network() {
        let failed = FailedFile {
            path: "1.bin".to_owned(),
            error: "no route".to_owned(),
            kind: Kind::Transient,
        };
        let output = || WorkerOutput {
            receipt: Some(Receipt {
                chunk: 1,
                failed: vec![failed.clone()],
                ..Receipt::default()
            }),
            ..WorkerOutput::default()
        };
        for (network, tries, unsent) in [
            (Network::OfEachWorker, 2, 0),
            (Network::OfThisMachine, 1, 1),
        ] {
            let ends = HashMap::from([(1, vec![Ended::Finished(Exit::Incomplete, output())])]);
            let engine = Scripted {
                ends: Mutex::new(ends),
                network: Some(network),
                ..Scripted::default()
            };
            let (carried, begun, plan) = carried_by(engine).await;
            assert_eq!(begun.iter().filter(|number| **number == 1).count(), tries);
            assert_eq!(
                (plan.unsent(&carried.receipts).len(), carried.ended_by),
                (unsent, None)
            );
        }
    }

    #[tokio::test]
    async fn a_hub_that_three_of_them_cannot_reach_ends_it_for_all() {
        let (carried, begun, _) = carried_by(of_each_worker(&[(1, 3)])).await;
        assert_eq!(
            (begun, carried.ended_by),
            (
                vec![0, 1, 1, 1],
                Some((Kind::Unreachable, "no route to the hub".to_owned()))
            )
        );
    }

    #[tokio::test]
    async fn where_all_share_a_network_one_that_reaches_nothing_ends_it_for_all() {
        let engine = Scripted {
            network: None,
            ..of_each_worker(&[(1, 1)])
        };
        let (carried, begun, _) = carried_by(engine).await;
        assert_eq!(
            (begun, carried.lost, carried.ended_by.is_some()),
            (vec![0, 1], 0, true)
        );
    }
}
