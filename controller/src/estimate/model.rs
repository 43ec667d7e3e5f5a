//! The containers of a simulation, and the model by which they work.
//!
//! A container is ready some seconds after the engine asked for it. It takes the next chunk and moves its files, so many
//! at a time ([`Model::streams`], as the worker does), the largest first. A file holds its stream for
//! [`Model::file_seconds`] (requests, responses), then its bytes move. A file moves at the rate of one stream at most. The
//! files that move share the container's rate evenly. Where all containers together would exceed the total rate, each is
//! slowed down by the same factor. A container may die at any time: the engine asks for a new one, and the chunk goes to
//! the front of the queue. Files that it had stored are not sent again, files in flight are. A container that finds no
//! chunk left ends. Listing, committing and verifying are not simulated.

use schemars::JsonSchema;
use serde::Serialize;

/// The containers of a simulation. Rates are in bytes a second; a rate without a limit is infinite.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Model {
    /// Containers at a time.
    pub containers: usize,
    /// The rate of one file.
    #[schemars(with = "Option<f64>")]
    pub stream_rate: f64,
    /// The rate of one container.
    #[schemars(with = "Option<f64>")]
    pub container_rate: f64,
    /// The rate of all containers together.
    #[schemars(with = "Option<f64>")]
    pub total_rate: f64,
    /// Seconds until a container is ready.
    pub startup: f64,
    /// Seconds that a file takes besides its bytes.
    pub file_seconds: f64,
    /// Files that a container moves at a time.
    pub streams: usize,
    /// Seconds that a container lives on average: how long is exponentially distributed.
    #[schemars(with = "Option<f64>")]
    pub lifetime: f64,
    /// The seed of the random numbers: the same seed gives the same simulation.
    pub seed: u64,
}

impl Model {
    /// Bytes a second of so many containers together, all of whose streams are used.
    pub fn capacity(&self, containers: usize) -> f64 {
        (self.rate_of(self.streams) * containers.max(1) as f64).min(self.total_rate)
    }

    /// Bytes a second of a container that moves so many files.
    pub fn rate_of(&self, files: usize) -> f64 {
        (self.stream_rate * files.max(1) as f64).min(self.container_rate)
    }

    /// Seconds before which no way of sharing these files out can end, even if no container dies: the bytes at the full
    /// rate, the largest file, and the files' own seconds, whichever takes longest.
    pub fn lower_bound(&self, sizes: &[u64]) -> f64 {
        let Some(largest) = sizes.iter().max() else {
            return 0.0;
        };
        let containers = self.containers.min(sizes.len());
        let bytes: f64 = sizes.iter().map(|size| *size as f64).sum();
        let all = bytes / self.capacity(containers);
        let longest = self.file_seconds + *largest as f64 / self.rate_of(1).min(self.total_rate);
        let requests =
            self.file_seconds * sizes.len() as f64 / (containers * self.streams.max(1)) as f64;
        self.startup + all.max(longest).max(requests)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two containers of 10 bytes a second that are ready at once, never die, and move one file at a time.
    pub(in crate::estimate) fn plain() -> Model {
        Model {
            containers: 2,
            stream_rate: f64::INFINITY,
            container_rate: 10.0,
            total_rate: f64::INFINITY,
            startup: 0.0,
            file_seconds: 0.0,
            streams: 1,
            lifetime: f64::INFINITY,
            seed: 1,
        }
    }

    #[test]
    fn nothing_ends_before_the_bound() {
        assert_eq!(plain().lower_bound(&[100, 100, 100]), 15.0, "all bytes");
        assert_eq!(
            plain().lower_bound(&[300, 100, 100]),
            30.0,
            "the largest file"
        );
        assert_eq!(
            plain().lower_bound(&[100]),
            10.0,
            "one file is in one container"
        );
        assert_eq!(
            Model {
                total_rate: 5.0,
                startup: 2.0,
                ..plain()
            }
            .lower_bound(&[100, 100, 100]),
            62.0,
            "the line"
        );
        assert_eq!(
            Model {
                file_seconds: 50.0,
                ..plain()
            }
            .lower_bound(&[1, 1, 1]),
            75.0,
            "the requests"
        );
        assert_eq!(
            Model {
                stream_rate: 2.0,
                streams: 4,
                ..plain()
            }
            .lower_bound(&[100, 100, 100]),
            50.0,
            "one stream"
        );
        assert_eq!(plain().lower_bound(&[]), 0.0);
    }
}
