//! Tests of the queue of chunks.

use std::collections::HashMap;
use std::sync::Mutex;

use hf2ms_hub::{Digest, File, Listed, Listing, Placement, Sha256, Visibility};
use hf2ms_worker::plan::{DigestCache, PlanRequest};
use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{Chunk, Creation, Exit, How, PlanSummary, Stored, WorkerOptions};

use super::*;
use crate::args::workers::EngineKind;
use crate::engine::job::WorkerOutput;
use crate::engine::{Listener, Network};
use crate::runs::tests::at;
use crate::runs::{NewRun, RunVerb, Runs};
use crate::ui::screen::{Mode, Screen};
use hf2ms_hub::Kind;
use hf2ms_worker::protocol::{FailedFile, Receipt};

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

    fn work<'a>(&'a self, job: &'a WorkerJob, _: Listener<'a>) -> BoxFuture<'a, Ended> {
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
        let ended = scripted.unwrap_or_else(|| Ended::Finished(Exit::Done, well_done(&job.json)));
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
            gate: None,
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
    let held = slots.slot(FIRST).await;
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
    let failed = FailedFile::new("1.bin", "no route", Kind::Transient);
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

#[tokio::test]
async fn after_an_outage_that_does_not_end_no_further_chunk_is_begun() {
    let failed = FailedFile::new("1.bin", "503", Kind::Transient);
    let gave_up = || {
        let mut output = WorkerOutput {
            receipt: Some(Receipt {
                chunk: 1,
                failed: vec![failed.clone()],
                ..Receipt::default()
            }),
            ..WorkerOutput::default()
        };
        output.note(Event::PauseEnded { answers: false });
        Ended::Finished(Exit::Incomplete, output)
    };
    for (network, expected) in [
        (Network::OfThisMachine, vec![0, 1]),
        (Network::OfEachWorker, vec![0, 1, 1, 1]),
    ] {
        let engine = Scripted {
            ends: Mutex::new(HashMap::from([(1, vec![gave_up(), gave_up(), gave_up()])])),
            network: Some(network),
            ..Scripted::default()
        };
        let (carried, begun, plan) = carried_by(engine).await;
        assert_eq!((begun, carried.ended_by), (expected, None));
        let unsent: Vec<_> = plan.unsent(&carried.receipts);
        let why: Vec<_> = unsent.iter().map(|failed| failed.error.as_str()).collect();
        assert_eq!(why, ["503", "it was not reached"]);
    }
}
