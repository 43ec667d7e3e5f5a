//! The estimate of a plan, printed before it starts: files, bytes, containers, time and money. The time is that of a
//! simulation ([`play`]) in which no container dies. Its rates come from [`rates`], and [`containers`] says how many pay;
//! [`simulate`] is a plan's own simulation, [`confirm`] asks a person, and [`budget`] adds up the repos of one command.

pub mod budget;
pub mod confirm;
mod container;
pub mod containers;
pub mod measured;
pub mod model;
pub mod play;
pub mod price;
pub mod rates;
mod run_rates;
pub mod simulate;
pub mod totals;

use hf2ms_worker::plan::{Plan, Step};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::workers::{EngineKind, WorkerArgs};
use crate::engine::modal::container_size::finalizer;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, dollars, duration, size};
use play::play;
use rates::Rates;

/// The limit of the cost of a run.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CostArgs {
    /// Refuse, before anything is created, what would cost more than this by Modal's price list [default: no limit]
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub max_cost: Option<f64>,
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 && number.is_finite() => Ok(number),
        _ => Err("expected an amount of dollars, as 20 or 0.5".to_owned()),
    }
}

/// What a run will take.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "estimate")]
pub struct EstimateEvent<'a> {
    /// Files whose content moves.
    to_move: u64,
    /// Their bytes.
    to_move_bytes: u64,
    /// Files that need nothing.
    there: u64,
    /// Their bytes.
    there_bytes: u64,
    /// Blobs that an earlier run uploaded: they are not among those to move.
    stored: u64,
    /// Their bytes.
    stored_bytes: u64,
    /// Whether less may move: more may be stored there than was asked about, or the hub copies blobs by itself.
    up_to: bool,
    /// Where the workers run.
    on: EngineKind,
    /// Workers at a time.
    containers: u64,
    /// Seconds that the run is expected to take.
    expected_seconds: f64,
    /// What Modal's price list asks for that; 0 elsewhere.
    expected_dollars: f64,
    /// Bytes a second that the estimate counts on.
    rates: &'a Rates,
}

/// The estimate of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Files that have to be moved, or written otherwise.
    pub files: u64,
    /// Bytes to move.
    pub bytes: u64,
    /// Blobs that the destination's storage holds already, and that are not among the bytes to move.
    pub stored: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Whether less may move: more may be stored there than was asked about, or the hub copies blobs by itself.
    pub up_to: bool,
    /// Files that the destination has.
    pub there: u64,
    /// Their bytes.
    pub there_bytes: u64,
    /// Where the workers run.
    pub on: EngineKind,
    /// Workers that may work at a time.
    pub workers: usize,
    /// Those that get something to do.
    pub containers: usize,
    /// Expected seconds.
    pub seconds: f64,
    /// Expected dollars.
    pub dollars: f64,
    /// The rates of the estimate.
    pub rates: Rates,
}

impl Estimate {
    /// The estimate of a plan on these workers.
    pub fn of(plan: &Plan, worker_args: &WorkerArgs, rates: Rates) -> Self {
        let (on, summary) = (worker_args.on, plan.summary());
        let workers = worker_args
            .workers(summary.blob_bytes)
            .min(plan.options.workers as usize);
        let unchanged = plan
            .files
            .iter()
            .filter(|planned| planned.step == Step::Unchanged);
        let containers = workers.min(plan.chunks.len()).max(1);
        let rates = rates.with_streams(worker_args.streams);
        let model = rates.model(on, containers);
        // A simulation in which no container dies ends.
        let played = play(&chunk_sizes(plan), &model).unwrap_or_default();
        // The committer reads so many inline files at a time.
        let readers = plan.options.readers();
        let seconds = played.seconds + summary.inline as f64 * model.file_seconds / readers as f64;
        let last = finalizer(plan.files_memory());
        Self {
            files: summary.files - summary.unchanged,
            bytes: summary.blob_bytes,
            stored: 0,
            stored_bytes: 0,
            up_to: plan.source.may_copy_blobs_to(&plan.destination),
            there: summary.unchanged,
            there_bytes: unchanged.map(|planned| planned.file.size).sum(),
            on,
            workers,
            containers,
            seconds,
            dollars: price::dollars(on, played.container_seconds, seconds, last),
            rates,
        }
    }

    /// The estimate of both plans, one after the other on the same workers.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
            stored: self.stored + other.stored,
            stored_bytes: self.stored_bytes + other.stored_bytes,
            up_to: self.up_to || other.up_to,
            there: self.there + other.there,
            there_bytes: self.there_bytes + other.there_bytes,
            workers: self.workers.max(other.workers),
            containers: self.containers.max(other.containers),
            seconds: self.seconds + other.seconds,
            dollars: self.dollars + other.dollars,
            ..other.clone()
        }
    }

    /// Refuses a run that would cost more than it may.
    ///
    /// # Errors
    /// One line with both amounts.
    pub fn allowed_by(&self, cost: &CostArgs) -> CliResult<()> {
        match cost.max_cost {
            Some(limit) if self.dollars > limit => Err(CliError::refused(format!(
                "this would cost about {} $, and --max-cost allows {limit} $: nothing was done; give more, or use --include",
                dollars(self.dollars)
            ))),
            _ => Ok(()),
        }
    }

    /// Prints it: two lines for a person, an event for a program.
    pub fn print(&self, screen: &Screen) {
        screen.json(&self.event());
        if self.files > 0 {
            screen.status(format!(
                "{} to move for {}{}{}",
                self.to_move(),
                files(self.files),
                match self.there {
                    0 => String::new(),
                    _ => format!("; there already: {}", self.there_already()),
                },
                self.stored_already()
            ));
            screen.status(format!(
                "expected: {}; {}",
                self.expected(),
                self.rates.describe(self.on)
            ));
        }
    }

    /// For a program.
    pub fn event(&self) -> EstimateEvent<'_> {
        EstimateEvent {
            to_move: self.files,
            to_move_bytes: self.bytes,
            there: self.there,
            there_bytes: self.there_bytes,
            stored: self.stored,
            stored_bytes: self.stored_bytes,
            up_to: self.up_to,
            on: self.on,
            containers: self.containers as u64,
            expected_seconds: self.seconds,
            expected_dollars: self.dollars,
            rates: &self.rates,
        }
    }

    /// `12 MB`, or `up to 12 MB`.
    pub fn to_move(&self) -> String {
        let up_to = if self.up_to { "up to " } else { "" };
        format!("{up_to}{}", size(self.bytes))
    }

    fn stored_already(&self) -> String {
        match self.stored {
            0 => String::new(),
            1 => format!("; uploaded before: 1 blob, {}", size(self.stored_bytes)),
            _ => format!(
                "; uploaded before: {} blobs, {}",
                self.stored,
                size(self.stored_bytes)
            ),
        }
    }

    /// The files that need nothing.
    pub fn there_already(&self) -> String {
        format!("{}, {}", files(self.there), size(self.there_bytes))
    }

    /// `100 containers, about 1 h 10 min, about 6.0 $`.
    pub fn expected(&self) -> String {
        format!(
            "{}, about {}{}",
            self.how_many(),
            duration(self.seconds),
            self.price()
        )
    }

    /// `Move 3.30 TB in 100 containers, about 1 h 10 min, about 6.0 $?`.
    pub fn question(&self) -> String {
        format!(
            "Move {} in {}, about {}{}?",
            self.to_move(),
            self.how_many(),
            duration(self.seconds),
            self.price()
        )
    }

    fn how_many(&self) -> String {
        let one = if self.on == EngineKind::Local {
            "worker"
        } else {
            "container"
        };
        format!(
            "{} {one}{}",
            self.containers,
            if self.containers == 1 { "" } else { "s" }
        )
    }

    fn price(&self) -> String {
        if self.on == EngineKind::Modal {
            format!(", about {} $", dollars(self.dollars))
        } else {
            String::new()
        }
    }
}

/// The sizes of the files of each chunk, in bytes.
pub fn chunk_sizes(plan: &Plan) -> Vec<Vec<u64>> {
    let size = |index: &u32| Some(plan.files.get(*index as usize)?.file.size);
    let sizes = |chunk: &Vec<u32>| chunk.iter().filter_map(size).collect();
    plan.chunks.iter().map(sizes).collect()
}

fn files(count: u64) -> String {
    format!("{count} file{}", if count == 1 { "" } else { "s" })
}
