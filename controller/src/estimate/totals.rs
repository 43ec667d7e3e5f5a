//! The estimate of what many repos lack, by numbers alone: files, bytes and the largest file. [`super::play`] knows each file and is nearer to
//! the truth; an inventory of a thousand repos keeps none.

use super::price;
use super::rates::Rates;
use crate::args::workers::{EngineKind, WorkerArgs};
use crate::engine::modal::container_size::finalizer;

/// What is to be moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MoveAmount {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The size of the largest.
    pub largest: u64,
}

/// What that takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MoveEstimate {
    /// Workers at a time.
    pub containers: usize,
    /// Seconds.
    pub seconds: f64,
    /// Dollars, by Modal's price list; 0 elsewhere.
    pub dollars: f64,
}

impl MoveAmount {
    /// The estimate on this engine, with as many workers as a copy of so many bytes takes by itself.
    pub fn estimate(self, on: EngineKind, rates: &Rates) -> MoveEstimate {
        let containers = WorkerArgs::by_default(on).workers(self.bytes);
        let model = rates.model(on, containers);
        let streams = (containers * model.streams.max(1)) as f64;
        let bytes = self.bytes as f64 / model.capacity(containers);
        let requests = self.files as f64 * model.file_seconds / streams;
        let largest = self.largest as f64 / model.rate_of(1).min(model.total_rate);
        let seconds = match self.files {
            0 => 0.0,
            _ => model.startup + bytes.max(requests).max(model.file_seconds + largest),
        };
        MoveEstimate {
            containers,
            seconds,
            dollars: price::dollars(on, seconds * containers as f64, seconds, finalizer(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_requests_or_the_largest_file_take_longest() {
        let seconds = |files, bytes, largest| {
            let amount = MoveAmount {
                files,
                bytes,
                largest,
            };
            let rates = Rates::assumed(EngineKind::Local);
            amount.estimate(EngineKind::Local, &rates).seconds
        };
        assert_eq!(seconds(0, 0, 0), 0.0);
        let line = seconds(1_000, 12_500_000_000, 20_000_000);
        assert!(
            (100.0..101.0).contains(&line),
            "12.5 GB at 125 MB/s: {line}"
        );
        let requests = seconds(64_000, 64_000, 1);
        assert!(requests > 900.0, "half a second a file: {requests}");
        let largest = seconds(1, 524_288_000, 524_288_000);
        assert!((100.0..102.0).contains(&largest), "5 MiB/s: {largest}");
    }

    #[test]
    fn only_containers_of_the_cloud_cost_money() {
        let amount = MoveAmount {
            files: 1_000,
            bytes: 1_000_000_000_000,
            largest: 5_000_000_000,
        };
        let estimate = |on| amount.estimate(on, &Rates::assumed(on));
        assert_eq!(estimate(EngineKind::Local).dollars, 0.0);
        let cloud = estimate(EngineKind::Modal);
        assert!(cloud.dollars > 0.0 && cloud.containers == 100, "{cloud:?}");
    }
}
