//! The simulation of a plan: its time, its cost and its distance from the lower bound, for a person and for a program.

use schemars::JsonSchema;
use serde::Serialize;

use crate::args::workers::EngineKind;
use crate::engine::modal::container_size::finalizer;
use crate::estimate::model::Model;
use crate::estimate::play::{Endless, PlayResult, play};
use crate::estimate::price;
use crate::ui::screen::{dollars, duration, size};

/// A simulation of the plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "simulation")]
pub struct SimulationEvent {
    /// The containers.
    model: Model,
    /// Files whose content moves.
    to_move: u64,
    /// Their bytes.
    to_move_bytes: u64,
    /// Seconds before which no distribution of the files over chunks can end.
    lower_bound: f64,
    /// The plan's chunks on these containers.
    plan: SimulatedPlan,
}

/// What a simulated plan took.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SimulatedPlan {
    /// Chunks of work.
    chunks: u64,
    /// Seconds from the beginning to the end.
    makespan: f64,
    /// The time as a multiple of the lower bound.
    ratio: f64,
    /// The bytes as a part of what the containers could have moved in that time.
    utilisation: f64,
    /// Dollars by Modal's price list.
    dollars: f64,
    /// Seconds of all containers together.
    container_seconds: f64,
    /// Containers that died.
    lost: u64,
    /// Bytes that were moved in vain.
    vain: f64,
    /// Chunks that were given up.
    given_up: u64,
}

/// A plan's chunks, played on a model's containers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Simulation {
    /// The containers.
    pub model: Model,
    /// Files that move.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Seconds before which no distribution of the files over chunks can end.
    pub bound: f64,
    /// Chunks.
    pub chunks: usize,
    /// Time, losses and repeated bytes.
    pub played: PlayResult,
    /// The time as a multiple of the lower bound; 1 when nothing moves.
    pub ratio: f64,
    /// The bytes as a part of what the containers could have moved in that time.
    pub utilisation: f64,
    /// Dollars.
    pub dollars: f64,
}

impl Simulation {
    /// Plays chunks of files (their sizes in bytes) on the model's containers.
    ///
    /// # Errors
    /// Containers die so fast that it would not end.
    pub fn play(chunks: &[Vec<u64>], model: Model, on: EngineKind) -> Result<Self, Endless> {
        let sizes: Vec<u64> = chunks.iter().flatten().copied().collect();
        let (bytes, bound) = (sizes.iter().sum(), model.lower_bound(&sizes));
        let played = play(chunks, &model)?;
        let could = model.capacity(model.containers) * played.seconds;
        let part = |part: f64, of: f64| if of > 0.0 { part / of } else { 1.0 };
        Ok(Self {
            model,
            files: sizes.len(),
            bytes,
            bound,
            chunks: chunks.len(),
            played,
            ratio: part(played.seconds, bound),
            utilisation: part(bytes as f64, could),
            dollars: price::dollars(on, played.container_seconds, played.seconds, finalizer(0)),
        })
    }

    /// The event for a program.
    pub fn event(&self) -> SimulationEvent {
        let played = &self.played;
        SimulationEvent {
            model: self.model,
            to_move: self.files as u64,
            to_move_bytes: self.bytes,
            lower_bound: self.bound,
            plan: SimulatedPlan {
                chunks: self.chunks as u64,
                makespan: played.seconds,
                ratio: self.ratio,
                utilisation: self.utilisation,
                dollars: self.dollars,
                container_seconds: played.container_seconds,
                lost: played.lost,
                vain: played.vain,
                given_up: played.given_up,
            },
        }
    }

    /// The lines for a person.
    pub fn readable(&self) -> String {
        let head = format!(
            "simulated: {} files, {}, {}",
            self.files,
            size(self.bytes),
            describe(&self.model)
        );
        let rows = [
            ("chunks", self.chunks.to_string()),
            ("makespan", duration(self.played.seconds)),
            ("lower bound", duration(self.bound)),
            ("times the bound", format!("{:.3}", self.ratio)),
            ("utilisation", format!("{:.1} %", self.utilisation * 100.0)),
            ("cost", format!("{} $", dollars(self.dollars))),
            ("containers lost", self.played.lost.to_string()),
            ("moved in vain", size(self.played.vain as u64)),
            ("chunks given up", self.played.given_up.to_string()),
        ];
        let rows = rows.map(|(name, value)| format!("\n  {name:<20} {value}"));
        format!("{head}{}", rows.concat())
    }
}

fn describe(model: &Model) -> String {
    let rate = |rate: f64| format!("{}/s", size(rate as u64));
    let total = if model.total_rate.is_finite() {
        format!(", {} in all", rate(model.total_rate))
    } else {
        String::new()
    };
    let death = if model.lifetime.is_finite() {
        format!("one dies after {}", duration(model.lifetime))
    } else {
        "none dies".to_owned()
    };
    let each = if model.stream_rate.is_finite() {
        format!(
            "{} ({} a file, {} at a time)",
            rate(model.rate_of(model.streams)),
            rate(model.stream_rate),
            model.streams
        )
    } else {
        rate(model.container_rate)
    };
    let (start, file) = (duration(model.startup), duration(model.file_seconds));
    format!(
        "{} containers of {each}{total}, ready after {start}, {file} a file, {death}",
        model.containers
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estimate::rates::Rates;

    #[test]
    fn nothing_to_move_takes_no_time() {
        let containers = Rates::assumed(EngineKind::Modal).model(EngineKind::Modal, 100);
        let none = Simulation::play(&[], containers, EngineKind::Modal).unwrap();
        assert_eq!(
            (none.played.seconds, none.ratio, none.dollars),
            (0.0, 1.0, 0.0)
        );
        assert!(none.readable().contains("0 files"));
    }
}
