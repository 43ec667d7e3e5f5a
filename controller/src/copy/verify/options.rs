//! What a command asks of each verification, and what the verifications of several repos share.

use hf2ms_worker::protocol::{SampleChoice, VerifyLevel};

use crate::args::workers::{ContainerArgs, WorkerArgs};
use crate::engine::open::RunnerCache;
use crate::engine::slots::WorkerSlots;
use crate::runs::Runs;
use crate::settings::Settings;
use crate::stop::Stop;

/// The sides of which every byte is read where a verification is deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadSides {
    /// The destination.
    Destination,
    /// The destination and the source.
    Both,
}

/// Whether the SHA-256 of every equal file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumUse {
    /// It is: files of which no listing tells it are read.
    Needed,
    /// It is not.
    NotNeeded,
}

/// What a command asks of each verification, and what they share.
pub struct VerifyOptions<'a> {
    /// Endpoints, tokens and the HTTP client.
    pub settings: &'a Settings,
    /// The folder of all runs.
    pub runs: &'a Runs,
    /// Set when the user stops the command.
    pub stop: &'a Stop,
    /// How much is read.
    pub level: VerifyLevel,
    /// Which files a sample reads.
    pub sample: SampleChoice,
    /// The sides that a deep verification reads.
    pub sides: ReadSides,
    /// Whether every SHA-256 is asked for.
    pub checksums: ChecksumUse,
    /// Where whole files are read and hashed, and by how many workers.
    pub worker_args: WorkerArgs,
    /// The image and network of Docker's containers.
    pub containers: ContainerArgs,
    /// The workers' slots, shared by all repos.
    pub slots: WorkerSlots,
    /// Engines that an earlier repo of the command has opened.
    pub shared: RunnerCache,
}

impl<'a> VerifyOptions<'a> {
    /// The options of a verification at this level by workers on this machine.
    pub fn new(settings: &'a Settings, runs: &'a Runs, stop: &'a Stop, level: VerifyLevel) -> Self {
        Self {
            settings,
            runs,
            stop,
            level,
            sample: SampleChoice::USUAL,
            sides: ReadSides::Destination,
            checksums: ChecksumUse::NotNeeded,
            worker_args: WorkerArgs::default(),
            containers: ContainerArgs::default(),
            slots: WorkerSlots::new(1),
            shared: RunnerCache::default(),
        }
    }
}
