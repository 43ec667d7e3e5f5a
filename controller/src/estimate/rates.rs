//! How fast workers are: as the last runs on the same engine were, between the same hubs if there were such; else as
//! is assumed, which the estimate says.

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::WorkerOptions;
use hf2ms_worker::transfer::streams;
use schemars::JsonSchema;
use serde::Serialize;

use super::measured;
use super::model::Model;
use super::run_rates::{FULL, RunRates, ceiling};
use crate::args::workers::EngineKind;
use crate::runs::{RunRecord, RunVerb, Runs};
use crate::ui::screen::size;

/// Runs that count: the last of those that moved enough.
const RUNS: usize = 5;
/// Seconds of requests that a file takes besides its bytes: assumed, some round trips to either hub and to storage.
pub const FILE_SECONDS: f64 = 0.5;

/// Bytes a second of one upload where nothing is known: some 5 MiB/s were measured at ModelScope.
const STREAM: f64 = (5 << 20) as f64;
/// Bytes a second of one worker where nothing is known: a line of 1 Gbit/s.
const LINE: f64 = 125e6;

/// How fast workers are, in bytes a second.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rates {
    /// The rate of one file.
    pub stream: f64,
    /// The files that a worker moves at a time.
    pub streams: usize,
    /// The rate of one worker.
    pub container: f64,
    /// The rate of all workers together, where it has a limit.
    pub total: Option<f64>,
    /// The number of earlier runs with these rates; 0 when they are measured or assumed.
    pub runs: usize,
    /// `hf2ms probe --speed` measured both hubs from this machine.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub measured: bool,
}

impl Rates {
    /// The rates of earlier runs between the same hubs, else the measured ones, else those of runs between other hubs, else
    /// the assumed ones.
    pub fn of(runs: &Runs, on: EngineKind, source: &RepoAt, destination: &RepoAt) -> Self {
        let earlier: Vec<RunRecord> = runs
            .list()
            .into_iter()
            .filter(|run| run.verb == RunVerb::Migrate && run.on == on)
            .collect();
        let same = |run: &&RunRecord| {
            run.source.endpoint == source.endpoint
                && run.destination.endpoint == destination.endpoint
        };
        let measured = || Self::measured(runs, on, source, destination);
        let learned = learn(runs, on, Hubs::Same, earlier.iter().filter(same))
            .or_else(measured)
            .or_else(|| learn(runs, on, Hubs::Any, earlier.iter()));
        learned.unwrap_or_else(|| Self::assumed(on))
    }

    /// The rates that `hf2ms probe --speed` measured on this machine; the cloud has others.
    fn measured(
        runs: &Runs,
        on: EngineKind,
        source: &RepoAt,
        destination: &RepoAt,
    ) -> Option<Self> {
        let (first, most) =
            measured::between(runs.state(), &source.endpoint, &destination.endpoint)?;
        (on != EngineKind::Modal).then_some(Self {
            stream: first / measured::OF_A_WORKER as f64,
            streams: measured::OF_ALL,
            container: most,
            total: Some(most),
            runs: 0,
            measured: true,
        })
    }

    /// Where nothing is known: 5 MiB/s a file, and a line of 1 Gbit/s. All workers of one machine share such a line, and each
    /// container in the cloud has one.
    pub fn assumed(on: EngineKind) -> Self {
        Self {
            stream: STREAM,
            streams: streams::ceiling(WorkerOptions::default().memory.0),
            container: LINE,
            total: (on != EngineKind::Modal).then_some(LINE),
            runs: 0,
            measured: false,
        }
    }

    /// The same with so many files at a time, if they are given.
    pub fn with_streams(self, streams: Option<u8>) -> Self {
        Self {
            streams: streams.map_or(self.streams, usize::from),
            ..self
        }
    }

    /// The simulation's containers, of which none dies.
    pub fn model(&self, on: EngineKind, containers: usize) -> Model {
        Model {
            containers: containers.max(1),
            stream_rate: self.stream,
            container_rate: self.container,
            total_rate: self.total.unwrap_or(f64::INFINITY),
            startup: startup(on),
            file_seconds: FILE_SECONDS,
            streams: self.streams,
            lifetime: f64::INFINITY,
            seed: 1,
        }
    }

    /// `assumed: 5.24 MB/s a file, 125 MB/s in all`, `as the last 3 runs on modal: 4 MB/s a file, 125 MB/s a container`.
    pub fn describe(&self, on: EngineKind) -> String {
        let rate = |rate: f64| format!("{}/s", size(rate as u64));
        let most = match self.total {
            Some(total) => format!("{} in all", rate(total)),
            None => format!("{} a container", rate(self.container)),
        };
        let rates = format!("{} a file, {most}", rate(self.stream));
        match self.runs {
            _ if self.measured => format!("as hf2ms probe measured: {rates}"),
            0 => format!("assumed: {rates}"),
            1 => format!("as the last run on {}: {rates}", on.name()),
            runs => format!("as the last {runs} runs on {}: {rates}", on.name()),
        }
    }
}

/// Seconds until a worker is ready: assumed, a process, a container of an image that is there, a container of the cloud.
fn startup(on: EngineKind) -> f64 {
    match on {
        EngineKind::Local => 0.1,
        EngineKind::Docker => 0.5,
        EngineKind::Modal => 10.0,
    }
}

/// Between which hubs runs were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hubs {
    /// The two that are asked about.
    Same,
    /// Any.
    Any,
}

/// The rates of the last runs: those of the run whose stream had the median rate. A run with so few files that more streams had
/// nothing to do says nothing of the ceilings. One machine has one line, so there all together get no more than any run has had.
/// In the cloud that holds between the same hubs where more containers brought no more ([`ceiling`]); the streams of the most of them
/// are slower for it.
fn learn<'a>(
    runs: &Runs,
    on: EngineKind,
    hubs: Hubs,
    earlier: impl Iterator<Item = &'a RunRecord>,
) -> Option<Rates> {
    let mut last: Vec<RunRates> = earlier
        .filter_map(|run| RunRates::of(runs, &run.id))
        .take(RUNS)
        .collect();
    let assumed = Rates::assumed(on);
    let full = last.iter().filter(|run| run.streams >= FULL);
    let most = full.map(|run| run.total).reduce(f64::max);
    let ceiling = ceiling(&last).filter(|_| assumed.total.is_none() && hubs == Hubs::Same);
    last.sort_by(|a, b| a.stream().total_cmp(&b.stream()));
    let telling = if ceiling.is_some() {
        last.last()?
    } else {
        last.get(last.len() / 2)?
    };
    let is_full = telling.streams >= FULL;
    let of_a_line = |line: f64| most.unwrap_or_else(|| line.max(telling.total));
    Some(Rates {
        stream: telling.stream(),
        streams: if is_full {
            telling.streams.round() as usize
        } else {
            assumed.streams
        },
        container: if is_full {
            telling.container
        } else {
            assumed.container.max(telling.container)
        },
        total: assumed.total.map(of_a_line).or(ceiling),
        runs: last.len(),
        measured: false,
    })
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::Sha256;
    use hf2ms_worker::protocol::{How, PlanSummary, Receipt, Stored};

    use super::*;
    use crate::runs::report::{Report, Tally};
    use crate::runs::tests::at;
    use crate::runs::{JournalEntry, NewRun, State};

    const MB: u64 = 1_000_000;

    /// A run that moved so many bytes with so many workers, in so many files a chunk, at this rate in all.
    fn ran(
        runs: &Runs,
        on: EngineKind,
        source: &RepoAt,
        sent: u64,
        workers: u64,
        files: u64,
        bytes_per_second: f64,
    ) {
        let destination = &at("modelscope", "org/a");
        let plan = &PlanSummary::default();
        let run = runs
            .begin(NewRun {
                verb: RunVerb::Migrate,
                on,
                source,
                destination,
                plan,
            })
            .unwrap();
        let report = reported(
            run.id(),
            (source, destination),
            (sent, workers),
            bytes_per_second,
        );
        run.write("report.json", &report).unwrap();
        // Two chunks a worker, one after the other.
        let chunks = 2 * workers;
        let seconds = sent as f64 / bytes_per_second / 2.0;
        let file = |n| Stored {
            path: format!("{n}").parse().unwrap(),
            sha256: Sha256::of(b""),
            git_sha1: None,
            size: sent / chunks / files,
            how: How::Streamed,
        };
        (0..chunks).for_each(|_| {
            run.note(&JournalEntry::Chunk(Receipt {
                files: (0..files).map(file).collect(),
                sent: sent / chunks,
                streams: 20,
                seconds,
                ..Receipt::default()
            }))
            .unwrap()
        });
        // Ids made within one millisecond have no order.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }

    fn reported(
        run: &str,
        (source, destination): (&RepoAt, &RepoAt),
        (sent, workers): (u64, u64),
        bytes_per_second: f64,
    ) -> Report {
        Report {
            run: run.to_owned(),
            state: State::Done,
            source: source.clone(),
            destination: destination.clone(),
            url: String::new(),
            visibility: None,
            gate: None,
            tally: Tally {
                sent,
                workers,
                ..Tally::default()
            },
            seconds: 1.0,
            bytes_per_second,
            verification: None,
            failed: Vec::new(),
            refused: Vec::new(),
            deleted_files: Vec::new(),
            stopped_at: None,
            backup: None,
            withheld: Vec::new(),
            warnings: Vec::new(),
            last_error: None,
        }
    }

    fn rates(runs: &Runs, on: EngineKind, source: &RepoAt) -> Rates {
        Rates::of(runs, on, source, &at("modelscope", "org/b"))
    }

    #[test]
    fn without_runs_that_tell_rates_are_assumed_and_said_to_be() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        ran(&runs, EngineKind::Local, &source, 3 * MB, 1, 20, 3e6);
        ran(&runs, EngineKind::Docker, &source, 300 * MB, 1, 20, 30e6);
        assert_eq!(
            rates(&runs, EngineKind::Local, &source),
            Rates::assumed(EngineKind::Local),
            "too small, and another engine"
        );
        assert_eq!(
            Rates::assumed(EngineKind::Modal).describe(EngineKind::Modal),
            "assumed: 5.24 MB/s a file, 125 MB/s a container"
        );
    }

    #[test]
    fn the_median_worker_of_the_last_five_runs_tells() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        ran(&runs, EngineKind::Local, &source, 300 * MB, 1, 20, 1e6);
        for (workers, rate) in [(1, 10e6), (2, 40e6), (1, 50e6), (4, 120e6), (1, 5e6)] {
            ran(
                &runs,
                EngineKind::Local,
                &source,
                300 * MB,
                workers,
                20,
                rate,
            );
        }
        let learned = rates(&runs, EngineKind::Local, &source);
        assert_eq!(
            learned,
            Rates {
                stream: 1e6,
                streams: 20,
                container: 20e6,
                total: Some(120e6),
                runs: 5,
                measured: false
            }
        );
        assert_eq!(
            learned.describe(EngineKind::Local),
            "as the last 5 runs on local: 1 MB/s a file, 120 MB/s in all"
        );
    }

    #[test]
    fn a_run_of_few_files_says_how_fast_a_file_is_and_nothing_of_the_line() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        ran(&runs, EngineKind::Local, &source, 300 * MB, 1, 2, 12e6);
        assert_eq!(
            rates(&runs, EngineKind::Local, &source),
            Rates {
                stream: 6e6,
                runs: 1,
                ..Rates::assumed(EngineKind::Local)
            }
        );
    }

    #[test]
    fn what_was_measured_comes_before_runs_between_other_hubs_and_is_said() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source, destination) = (
            Runs::new(state.path()),
            at("huggingface", "org/a"),
            at("modelscope", "org/b"),
        );
        let of = |endpoint: &str, way, at_a_time, bytes_per_second| measured::Rate {
            endpoint: endpoint.to_owned(),
            way,
            at_a_time,
            bytes_per_second,
        };
        let (from, to) = (measured::Direction::Get, measured::Direction::Put);
        let told = [
            of(&source.endpoint, from, 8, 40e6),
            of(&source.endpoint, from, 32, 90e6),
            of(&destination.endpoint, to, 8, 20e6),
            of(&destination.endpoint, to, 32, 80e6),
        ];
        measured::keep(state.path(), &told).unwrap();
        let mirror = RepoAt {
            endpoint: "http://mirror".to_owned(),
            ..source.clone()
        };
        ran(&runs, EngineKind::Local, &mirror, 300 * MB, 1, 20, 5e6);
        let learned = rates(&runs, EngineKind::Local, &source);
        assert_eq!(
            learned,
            Rates {
                stream: 2.5e6,
                streams: 32,
                container: 80e6,
                total: Some(80e6),
                runs: 0,
                measured: true
            }
        );
        assert_eq!(
            learned.describe(EngineKind::Local),
            "as hf2ms probe measured: 2.50 MB/s a file, 80 MB/s in all"
        );
        assert_eq!(
            rates(&runs, EngineKind::Modal, &source),
            Rates::assumed(EngineKind::Modal),
            "the cloud has another line"
        );
    }

    #[test]
    fn runs_between_the_same_hubs_come_before_others() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        let mirror = RepoAt {
            endpoint: "http://mirror".to_owned(),
            ..source.clone()
        };
        ran(&runs, EngineKind::Modal, &mirror, 300 * MB, 2, 20, 60e6);
        assert_eq!(
            rates(&runs, EngineKind::Modal, &source),
            Rates {
                stream: 1.5e6,
                streams: 20,
                container: 30e6,
                total: None,
                runs: 1,
                measured: false
            },
            "better than nothing"
        );
        ran(&runs, EngineKind::Modal, &source, 300 * MB, 10, 20, 80e6);
        ran(&runs, EngineKind::Modal, &mirror, 300 * MB, 2, 20, 60e6);
        assert_eq!(
            rates(&runs, EngineKind::Modal, &source),
            Rates {
                stream: 0.4e6,
                streams: 20,
                container: 8e6,
                total: None,
                runs: 1,
                measured: false
            }
        );
    }

    #[test]
    fn a_hub_that_takes_no_more_from_more_containers_has_a_ceiling() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        let on = EngineKind::Modal;
        ran(&runs, on, &source, 2_000 * MB, 4, 20, 180e6);
        assert_eq!(rates(&runs, on, &source).total, None, "one run tells none");
        // Files too few for the streams, and too little for the containers, tell nothing of it.
        ran(&runs, on, &source, 4_000 * MB, 8, 1, 9e6);
        ran(&runs, on, &source, 900 * MB, 28, 20, 170e6);
        assert_eq!(rates(&runs, on, &source).total, None);
        ran(&runs, on, &source, 9_000 * MB, 28, 20, 170e6);
        let learned = rates(&runs, on, &source);
        assert_eq!(learned.total, Some(180e6));
        let elsewhere = RepoAt {
            endpoint: "http://elsewhere".to_owned(),
            ..at("modelscope", "org/b")
        };
        let there = Rates::of(&runs, on, &source, &elsewhere);
        assert_eq!(there.total, None, "other hubs");
        assert!((learned.container - 45e6).abs() < 1e3, "{learned:?}");
        assert!(learned.describe(on).ends_with("180 MB/s in all"));
    }
}
