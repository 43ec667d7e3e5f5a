//! The options for workers: the engine, how many work at a time, and how a plan is divided into chunks.

use clap::{Args, ValueEnum};
use hf2ms_worker::plan::chunks::workers_for;
use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{Transport, VerifyLevel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ui::errors::{CliError, CliResult};

/// From here on the work is shared out unasked.
const PARALLEL_FROM: u64 = 50_000_000_000;
/// Workers on one machine, unless told otherwise.
const MOST_LOCAL: usize = 8;
/// A cloud container gets this many bytes before another is started, unless told otherwise.
const CLOUD_SHARE: u64 = 2_000_000_000;
/// The smallest chunk of a repo among others: the others keep the workers busy, and each chunk costs the start of one.
const SMALLEST_AMONG_OTHERS: u64 = 256 << 20;
/// Containers at a time, and chunks of a given size: these grow so that no more are needed.
const MOST: u16 = 100;

/// The options for workers.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Workers")]
pub struct WorkerArgs {
    /// Where the workers run
    #[arg(long, value_name = "ENGINE", default_value = "local")]
    pub on: EngineKind,
    /// Workers at a time, 100 at most [default: 1; from 50 GB on as many as there are cores, 8 at most; on modal and with --emit one for each 2 GB, or fewer where those take at most 5 % longer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST)))]
    pub containers: Option<u16>,
    /// Gigabytes a chunk; a larger file stands alone, and chunks grow so that 100 suffice
    #[arg(long, value_name = "GB", value_parser = gigabytes)]
    pub chunk_size: Option<u64>,
    /// Share the work out among several workers, however small it is
    #[arg(long)]
    pub parallel: bool,
    /// Blobs that a worker moves at a time [default: 8, and up to 32 as long as more are faster; two of 256 KiB or less count as one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub streams: Option<u8>,
    /// How blobs travel from and to Hugging Face: auto, http or xet. Auto measures both where a chunk sends more than 1 GB, and reads by
    /// Xet what is served no other way
    #[arg(long, value_name = "WAY", default_value = "auto", value_parser = Transport::asked, conflicts_with = "use_git")]
    pub transport: Transport,
    /// How the copy is verified: by its listing, by a sample (the first and last bytes of the files that were sent, 1,000 at most, are
    /// compared, too), or deep (every byte of every file is read there and hashed)
    #[arg(long, value_name = "LEVEL", default_value = "sample", value_parser = VerifyLevel::asked)]
    pub verify: VerifyLevel,
    #[arg(skip)]
    in_cluster: bool,
    #[arg(skip)]
    among_others: bool,
}

/// The options for workers that only read.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Workers")]
pub struct ReaderArgs {
    /// Where the workers run that read whole files
    #[arg(
        long,
        value_name = "ENGINE",
        default_value = "local",
        requires = "deep"
    )]
    pub on: EngineKind,
    /// Workers at a time that read whole files, 100 at most [default: 1; from 50 GB on as many as there are cores, 8 at most; on modal one
    /// for each 2 GB, or fewer where those take at most 5 % longer]
    #[arg(long, value_name = "N", requires = "deep", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST)))]
    pub containers: Option<u16>,
    /// Files that a worker reads at a time [default: 8, and up to 32 as long as more are faster; four of 256 KiB or less count as one]
    #[arg(long, value_name = "N", requires = "deep", value_parser = clap::value_parser!(u8).range(1..=32))]
    pub streams: Option<u8>,
    /// The image and network of Docker's containers.
    #[command(flatten)]
    pub container_args: ContainerArgs,
}

impl ReaderArgs {
    /// The same as options for workers.
    pub fn worker_args(&self) -> WorkerArgs {
        WorkerArgs {
            on: self.on,
            containers: self.containers,
            streams: self.streams,
            ..WorkerArgs::default()
        }
    }
}

/// What containers are made of, and where they are.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Workers")]
pub struct ContainerArgs {
    /// With --on docker: the network of the containers [default: Docker's own]
    #[arg(long, value_name = "NAME", value_parser = docker_name)]
    pub network: Option<String>,
    /// With --on docker: an image of the worker that is there already [default: made from the static worker]
    #[arg(long, value_name = "NAME", value_parser = docker_name)]
    pub image: Option<String>,
}

impl ContainerArgs {
    /// Checks that the options fit the engine.
    ///
    /// # Errors
    /// An option is for containers, and the engine has none.
    pub fn fit(&self, on: EngineKind) -> CliResult<()> {
        let given = [("--network", &self.network), ("--image", &self.image)]
            .into_iter()
            .find(|(_, value)| value.is_some());
        match given {
            Some((name, _)) if on != EngineKind::Docker => Err(CliError::usage(format!(
                "{name} is for containers of Docker: give --on docker too"
            ))),
            _ => Ok(()),
        }
    }
}

/// A name that Docker could know: it becomes a part of an address.
fn docker_name(text: &str) -> Result<String, String> {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "-._/:@".contains(c);
    let is_name = text.chars().all(is_safe)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("..");
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("expected a name of letters, digits and - . _ / : @".to_owned())
    }
}

/// The engine of the workers.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// As processes on this machine.
    #[default]
    Local,
    /// In containers of this machine's Docker or podman, or of the one that DOCKER_HOST names.
    Docker,
    /// In containers of Modal's cloud.
    Modal,
}

impl EngineKind {
    /// The command line's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Modal => "modal",
        }
    }
}

fn gigabytes(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 1e9 => Ok((number * 1e9) as u64),
        _ => Err("expected a number of gigabytes above 0, as 20 or 0.5".to_owned()),
    }
}

impl WorkerArgs {
    /// The same for a cluster that takes the work over: the cores of this machine say nothing there.
    pub fn in_cluster(self) -> Self {
        Self {
            in_cluster: true,
            ..self
        }
    }

    /// The same for one of several repos, whose chunks share the workers.
    pub fn among_others(self) -> Self {
        Self {
            among_others: true,
            ..self
        }
    }

    /// The options of this engine that nobody has set.
    pub fn by_default(on: EngineKind) -> Self {
        Self {
            on,
            ..Self::default()
        }
    }

    /// The same with this way of verifying.
    pub fn verifying(self, verify: VerifyLevel) -> Self {
        Self { verify, ..self }
    }

    /// Whether the repo is one of several whose chunks share the workers.
    pub fn is_among_others(&self) -> bool {
        self.among_others
    }

    /// Workers at a time for this many bytes to move.
    pub fn workers(&self, bytes: u64) -> usize {
        let here = || {
            std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(MOST_LOCAL)
        };
        let shared = self.parallel || self.chunk_size.is_some() || bytes >= PARALLEL_FROM;
        let cloud = || workers_for(bytes, CLOUD_SHARE, usize::from(MOST));
        self.containers
            .map(usize::from)
            .unwrap_or_else(|| match self.on {
                _ if self.in_cluster => cloud(),
                EngineKind::Modal => cloud(),
                EngineKind::Local | EngineKind::Docker if shared => here().max(2),
                EngineKind::Local | EngineKind::Docker => 1,
            })
    }

    /// Whether nobody asked for a number of workers, and each costs money or the resources of a cluster.
    pub fn may_take_fewer(&self) -> bool {
        self.containers.is_none() && (self.in_cluster || self.on == EngineKind::Modal)
    }

    /// How this many bytes are divided into chunks.
    pub fn chunking(&self, bytes: u64) -> Chunking {
        match self.chunk_size {
            Some(bytes) => Chunking::Sized {
                bytes,
                at_most: usize::from(MOST),
            },
            None if self.among_others => {
                let most = usize::try_from(bytes.div_ceil(SMALLEST_AMONG_OTHERS))
                    .unwrap_or(usize::MAX)
                    .max(1);
                Chunking::Even {
                    containers: self.workers(bytes).min(most),
                }
            }
            None => Chunking::Even {
                containers: self.workers(bytes),
            },
        }
    }

    /// The same for the cloud, where it is known only later how many bytes there are.
    pub fn chunking_in_the_cloud(&self) -> Chunking {
        match (self.chunk_size, self.containers) {
            (None, None) => Chunking::Shared {
                bytes: CLOUD_SHARE,
                at_most: usize::from(MOST),
            },
            _ => self.chunking(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::plan::chunks::cut;

    use super::*;

    #[test]
    fn large_work_is_shared_out_unasked() {
        let args = WorkerArgs::default();
        assert_eq!(args.workers(49_000_000_000), 1);
        assert!(args.workers(50_000_000_000) >= 2);
        assert!(
            WorkerArgs {
                parallel: true,
                ..args.clone()
            }
            .workers(1)
                >= 2
        );
        assert_eq!(
            WorkerArgs {
                containers: Some(3),
                ..args
            }
            .chunking(1),
            Chunking::Even { containers: 3 }
        );
    }

    #[test]
    fn a_small_repo_among_others_is_one_chunk() {
        let args = WorkerArgs {
            containers: Some(4),
            ..WorkerArgs::default()
        };
        let cut =
            |args: &WorkerArgs| [0, 256 << 20, 1 << 29, 1 << 40].map(|bytes| args.chunking(bytes));
        let even =
            |containers: [usize; 4]| containers.map(|containers| Chunking::Even { containers });
        assert_eq!(cut(&args), even([4, 4, 4, 4]));
        assert_eq!(cut(&args.among_others()), even([1, 1, 2, 4]));
    }

    #[test]
    fn a_chunk_size_is_in_gigabytes() {
        let args = WorkerArgs {
            chunk_size: gigabytes("0.5").ok(),
            ..WorkerArgs::default()
        };
        assert_eq!(
            args.chunking(1),
            Chunking::Sized {
                bytes: 500_000_000,
                at_most: 100
            }
        );
        assert!(
            gigabytes("0").is_err()
                && gigabytes("-1").is_err()
                && gigabytes("x").is_err()
                && gigabytes("NaN").is_err()
        );
    }

    #[test]
    fn what_is_asked_of_containers_needs_some() {
        let args = ContainerArgs {
            network: Some("n".to_owned()),
            image: None,
        };
        assert!(
            args.fit(EngineKind::Docker).is_ok()
                && ContainerArgs::default().fit(EngineKind::Local).is_ok()
        );
        assert!(
            args.fit(EngineKind::Local)
                .unwrap_err()
                .to_string()
                .starts_with("--network is for containers")
        );
        for (name, good) in [
            ("host", true),
            ("h:5000/a/b@sha256:0", true),
            ("", false),
            ("../x", false),
            ("a?b", false),
            ("a b", false),
        ] {
            assert_eq!(docker_name(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn chunks_in_the_cloud_are_those_of_this_machine() {
        let args = WorkerArgs {
            on: EngineKind::Modal,
            ..WorkerArgs::default()
        };
        for args in [
            args.clone(),
            WorkerArgs {
                containers: Some(3),
                ..args.clone()
            },
            WorkerArgs {
                chunk_size: Some(7),
                ..args
            },
        ] {
            let sizes = [3_000_000_000; 9];
            assert_eq!(
                cut(&sizes, args.chunking_in_the_cloud()),
                cut(&sizes, args.chunking(sizes.iter().sum())),
                "{args:?}"
            );
        }
    }

    #[test]
    fn the_cloud_gives_a_container_for_each_two_gigabytes() {
        let args = WorkerArgs {
            on: EngineKind::Modal,
            ..WorkerArgs::default()
        };
        for args in [args, WorkerArgs::default().in_cluster()] {
            assert_eq!(
                [1, 4_000_000_001, 3_300_000_000_000].map(|bytes| args.workers(bytes)),
                [1, 3, 100]
            );
        }
    }
}
