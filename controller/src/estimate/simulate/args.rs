//! The options of a simulation. Their defaults are those of the estimate.

use crate::args::workers::EngineKind;
use crate::estimate::model::Model;
use crate::estimate::rates::{FILE_SECONDS, Rates};

/// What the simulated containers can do.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Simulation")]
pub struct SimulateArgs {
    /// Play the plan by discrete events, and print how long it takes
    #[arg(long)]
    pub simulate: bool,
    /// What one file moves, in MB/s [default: no limit with --container-rate; else as the last runs, else as is assumed]
    #[arg(long, value_name = "MB/S", requires = "simulate", value_parser = above_zero)]
    stream_rate: Option<f64>,
    /// What one container moves, in MB/s [default: as the last runs, else as is assumed]
    #[arg(long, value_name = "MB/S", requires = "simulate", value_parser = above_zero)]
    container_rate: Option<f64>,
    /// What all containers move together, in MB/s [default: no limit on modal or with --container-rate; else as the last runs]
    #[arg(long, value_name = "MB/S", requires = "simulate", value_parser = above_zero)]
    total_rate: Option<f64>,
    /// Seconds until a container is ready [default: local 0.1, docker 0.5, modal 10]
    #[arg(long, value_name = "SECONDS", requires = "simulate", value_parser = zero_or_more)]
    startup: Option<f64>,
    /// Seconds that a file takes besides its bytes; files that a container moves at a time take them at the same time
    #[arg(long, value_name = "SECONDS", requires = "simulate", value_parser = zero_or_more, default_value_t = FILE_SECONDS)]
    file_seconds: f64,
    /// Hours that a container lives on average before it dies and another takes over [default: none dies]
    #[arg(long, value_name = "HOURS", requires = "simulate", value_parser = above_zero)]
    lifetime: Option<f64>,
    /// Where the chances begin: the same number plays the same game
    #[arg(long, value_name = "N", requires = "simulate", default_value_t = 1)]
    seed: u64,
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| *number <= 1e9)
}

fn above_zero(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|number| *number >= 1e-6)
        .ok_or_else(|| "expected a number above 0, as 80 or 0.5".to_owned())
}

fn zero_or_more(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|number| *number >= 0.0)
        .ok_or_else(|| "expected a number, 0 or more, as 10 or 0.5".to_owned())
}

impl SimulateArgs {
    /// The containers, as they were asked for, else as these rates have them. Limits that earlier runs met, or that are assumed,
    /// do not hold beside a rate of a container that was given.
    pub fn model(&self, rates: &Rates, on: EngineKind, containers: usize) -> Model {
        let usual = rates.model(on, containers);
        let rate = |given: Option<f64>, usual| given.map_or(usual, |rate| rate * 1e6);
        let within = |usual| match self.container_rate {
            Some(_) => f64::INFINITY,
            None => usual,
        };
        Model {
            stream_rate: rate(self.stream_rate, within(usual.stream_rate)),
            container_rate: rate(self.container_rate, usual.container_rate),
            total_rate: rate(self.total_rate, within(usual.total_rate)),
            startup: self.startup.unwrap_or(usual.startup),
            file_seconds: self.file_seconds,
            lifetime: self.lifetime.map_or(f64::INFINITY, |hours| hours * 3600.0),
            seed: self.seed,
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_in_their_units() {
        let rates = Rates {
            stream: 1e6,
            streams: 8,
            container: 5e6,
            total: Some(9e6),
            runs: 1,
            measured: false,
        };
        let args = SimulateArgs {
            total_rate: Some(50.0),
            lifetime: Some(2.0),
            startup: Some(3.0),
            ..SimulateArgs::default()
        };
        let model = args.model(&rates, EngineKind::Docker, 4);
        assert_eq!(
            (
                model.stream_rate,
                model.container_rate,
                model.total_rate,
                model.lifetime,
                model.startup
            ),
            (1e6, 5e6, 50e6, 7200.0, 3.0)
        );
        let model = SimulateArgs {
            container_rate: Some(80.0),
            ..SimulateArgs::default()
        }
        .model(&rates, EngineKind::Docker, 4);
        assert_eq!(
            (model.container_rate, model.total_rate, model.startup),
            (80e6, f64::INFINITY, 0.5)
        );
        assert_eq!(model.stream_rate, f64::INFINITY);
        assert!(
            above_zero("0").is_err()
                && above_zero("NaN").is_err()
                && zero_or_more("-1").is_err()
                && zero_or_more("0").is_ok()
        );
    }
}
