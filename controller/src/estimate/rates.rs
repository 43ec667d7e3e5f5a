//! How fast workers are: as the last runs on the same engine were, between the same hubs if there were such; else as
//! is assumed, which the estimate says.

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::WorkerOptions;
use schemars::JsonSchema;
use serde::Serialize;

use super::measured;
use super::model::Model;
use crate::args::workers::EngineKind;
use crate::runs::report::Report;
use crate::runs::{JournalEntry, RunRecord, RunVerb, Runs};
use crate::ui::screen::size;

/// Runs that count: the last of those that moved enough.
const RUNS: usize = 5;
/// The rate of a run that moved less is one of latency.
const ENOUGH: u64 = 64 << 20;
/// Seconds of requests that a file takes besides its bytes: assumed, some round trips to either hub and to storage.
pub const FILE_SECONDS: f64 = 0.5;

/// How fast workers are, in bytes a second.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rates {
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
        let learned = learn(runs, on, earlier.iter().filter(same))
            .or_else(measured)
            .or_else(|| learn(runs, on, earlier.iter()));
        learned.unwrap_or_else(|| Self::assumed(on))
    }

    /// The rates that `hf2ms probe --speed` measured on this machine; the cloud has others.
    fn measured(
        runs: &Runs,
        on: EngineKind,
        source: &RepoAt,
        destination: &RepoAt,
    ) -> Option<Self> {
        let (container, total) =
            measured::between(runs.state(), &source.endpoint, &destination.endpoint)?;
        (on != EngineKind::Modal).then_some(Self {
            container,
            total: Some(total),
            runs: 0,
            measured: true,
        })
    }

    /// Where nothing is known: 80 MB/s a worker, within the 125 MB/s of a line of 1 Gbit/s. On Modal 8 MB/s a container:
    /// what 3.3 TB in 2 h through 100 containers, two chunks of about 30 GB in most, come to (github.com/Linaqruf/hf2ms,
    /// README, Benchmarks).
    pub fn assumed(on: EngineKind) -> Self {
        match on {
            EngineKind::Local | EngineKind::Docker => Self {
                container: 80e6,
                total: Some(125e6),
                runs: 0,
                measured: false,
            },
            EngineKind::Modal => Self {
                container: 8e6,
                total: None,
                runs: 0,
                measured: false,
            },
        }
    }

    /// The simulation's containers, of which none dies.
    pub fn model(&self, on: EngineKind, containers: usize) -> Model {
        Model {
            containers: containers.max(1),
            container_rate: self.container,
            total_rate: self.total.unwrap_or(f64::INFINITY),
            startup: startup(on),
            file_seconds: FILE_SECONDS,
            streams: WorkerOptions::default().readers(),
            lifetime: f64::INFINITY,
            seed: 1,
        }
    }

    /// `assumed: 8 MB/s a container`, `as the last 3 runs on local: 45 MB/s a worker, 90 MB/s in all`.
    pub fn describe(&self, on: EngineKind) -> String {
        let rate = |rate: f64| format!("{}/s", size(rate as u64));
        let one = if on == EngineKind::Local {
            "worker"
        } else {
            "container"
        };
        let total = self
            .total
            .map(|total| format!(", {} in all", rate(total)))
            .unwrap_or_default();
        let each = rate(self.container);
        match self.runs {
            _ if self.measured => format!("as hf2ms probe measured: {each} a {one}{total}"),
            0 => format!("assumed: {each} a {one}{total}"),
            1 => format!("as the last run on {}: {each} a {one}{total}", on.name()),
            runs => format!(
                "as the last {runs} runs on {}: {each} a {one}{total}",
                on.name()
            ),
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

/// The median rate of a worker. One machine has one line, so there all together get no more than any run has had.
fn learn<'a>(
    runs: &Runs,
    on: EngineKind,
    earlier: impl Iterator<Item = &'a RunRecord>,
) -> Option<Rates> {
    let last: Vec<(f64, f64)> = earlier
        .filter_map(|run| told(runs, &run.id))
        .take(RUNS)
        .collect();
    let mut each: Vec<f64> = last.iter().map(|(each, _)| *each).collect();
    each.sort_by(f64::total_cmp);
    let container = *each.get(each.len() / 2)?;
    let most = last.iter().map(|(_, all)| *all).fold(0.0, f64::max);
    Some(Rates {
        container,
        total: (on != EngineKind::Modal).then_some(most),
        runs: last.len(),
        measured: false,
    })
}

/// The rates of one run: that of a worker while it worked, and of all over the time that they took. The former is
/// from the receipts, because a worker may have had several chunks, or none at the end.
fn told(runs: &Runs, id: &str) -> Option<(f64, f64)> {
    let report: Report = runs
        .read(id, "report.json")
        .filter(|report: &Report| report.tally.sent >= ENOUGH)?;
    let receipts = runs
        .journal(id)
        .into_iter()
        .filter_map(|entry| match entry {
            JournalEntry::Chunk(receipt) => Some((receipt.sent as f64, receipt.seconds)),
            _ => None,
        });
    let (sent, seconds) = receipts.fold((0.0, 0.0), |sum, (sent, seconds)| {
        (sum.0 + sent, sum.1 + seconds)
    });
    let each = sent / seconds;
    (each.is_finite() && each > 0.0 && report.bytes_per_second > 0.0)
        .then_some((each, report.bytes_per_second))
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::protocol::{PlanSummary, Receipt};

    use super::*;
    use crate::runs::report::Tally;
    use crate::runs::tests::at;
    use crate::runs::{NewRun, State};

    const MB: u64 = 1_000_000;

    /// A run that moved so many bytes with so many workers at this rate in all.
    fn ran(
        runs: &Runs,
        on: EngineKind,
        source: &RepoAt,
        sent: u64,
        workers: u64,
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
        let report = Report {
            run: run.id().to_owned(),
            state: State::Done,
            source: source.clone(),
            destination: destination.clone(),
            url: String::new(),
            visibility: None,
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
            withheld: Vec::new(),
            warnings: Vec::new(),
            last_error: None,
        };
        run.write("report.json", &report).unwrap();
        // Two chunks a worker, one after the other.
        let chunks = 2 * workers;
        let seconds = sent as f64 / bytes_per_second / 2.0;
        (0..chunks).for_each(|_| {
            run.note(&JournalEntry::Chunk(Receipt {
                sent: sent / chunks,
                seconds,
                ..Receipt::default()
            }))
            .unwrap()
        });
        // Ids made within one millisecond have no order.
        std::thread::sleep(std::time::Duration::from_millis(2));
    }

    fn rates(runs: &Runs, on: EngineKind, source: &RepoAt) -> Rates {
        Rates::of(runs, on, source, &at("modelscope", "org/b"))
    }

    #[test]
    fn without_runs_that_tell_rates_are_assumed_and_said_to_be() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        ran(&runs, EngineKind::Local, &source, 3 * MB, 1, 3e6);
        ran(&runs, EngineKind::Docker, &source, 300 * MB, 1, 30e6);
        assert_eq!(
            rates(&runs, EngineKind::Local, &source),
            Rates::assumed(EngineKind::Local),
            "too small, and another engine"
        );
        assert_eq!(
            Rates::assumed(EngineKind::Modal).describe(EngineKind::Modal),
            "assumed: 8 MB/s a container"
        );
    }

    #[test]
    fn the_median_worker_of_the_last_five_runs_tells() {
        let state = tempfile::tempdir().unwrap();
        let (runs, source) = (Runs::new(state.path()), at("huggingface", "org/a"));
        ran(&runs, EngineKind::Local, &source, 300 * MB, 1, 1e6);
        for (workers, rate) in [(1, 10e6), (2, 40e6), (1, 50e6), (4, 120e6), (1, 5e6)] {
            ran(&runs, EngineKind::Local, &source, 300 * MB, workers, rate);
        }
        let learned = rates(&runs, EngineKind::Local, &source);
        assert_eq!(
            learned,
            Rates {
                container: 20e6,
                total: Some(120e6),
                runs: 5,
                measured: false
            }
        );
        assert_eq!(
            learned.describe(EngineKind::Local),
            "as the last 5 runs on local: 20 MB/s a worker, 120 MB/s in all"
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
        ran(&runs, EngineKind::Local, &mirror, 300 * MB, 1, 5e6);
        let learned = rates(&runs, EngineKind::Local, &source);
        assert_eq!(
            learned,
            Rates {
                container: 20e6,
                total: Some(80e6),
                runs: 0,
                measured: true
            }
        );
        assert_eq!(
            learned.describe(EngineKind::Local),
            "as hf2ms probe measured: 20 MB/s a worker, 80 MB/s in all"
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
        ran(&runs, EngineKind::Modal, &mirror, 300 * MB, 2, 60e6);
        assert_eq!(
            rates(&runs, EngineKind::Modal, &source),
            Rates {
                container: 30e6,
                total: None,
                runs: 1,
                measured: false
            },
            "better than nothing"
        );
        ran(&runs, EngineKind::Modal, &source, 300 * MB, 10, 80e6);
        ran(&runs, EngineKind::Modal, &mirror, 300 * MB, 2, 60e6);
        assert_eq!(
            rates(&runs, EngineKind::Modal, &source),
            Rates {
                container: 8e6,
                total: None,
                runs: 1,
                measured: false
            }
        );
    }
}
