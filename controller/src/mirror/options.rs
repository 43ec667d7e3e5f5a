//! What the command asks of a mirror, and the scan job that follows.

use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{
    Force, LfsPolicy, MirrorPolicy, RefScope, Safeguards, ScanJob, ScanOutput, ScratchFolder,
    VERSION, VerifyLevel, WorkerOptions,
};

use super::endpoints::GitEndpoint;
use crate::args::workers::WorkerArgs;

/// What the command asks of a mirror.
pub struct MirrorOptions {
    /// The source.
    pub source: GitEndpoint,
    /// The target.
    pub target: GitEndpoint,
    /// Which refs are mirrored.
    pub scope: RefScope,
    /// Whether a ref may lose commits.
    pub force: Force,
    /// What happens to LFS objects.
    pub lfs: LfsPolicy,
    /// What is refused unless the user says so.
    pub safeguards: Safeguards,
    /// The temporary folder of Git's objects.
    pub folder: ScratchFolder,
    /// The workers and the size of chunks.
    pub worker_args: WorkerArgs,
}

impl MirrorOptions {
    /// The job of the scan. It holds all options but the logins.
    pub fn job(&self, run: &str, chunking: Chunking, tell: ScanOutput) -> ScanJob {
        ScanJob {
            version: VERSION,
            run: run.to_owned(),
            source: self.source.at.clone(),
            destination: self.target.at.clone(),
            scope: self.scope,
            policy: MirrorPolicy {
                force: self.force,
                lfs: self.lfs,
                chunking,
                safeguards: self.safeguards,
            },
            tell,
            folder: self.folder.clone(),
            options: WorkerOptions {
                streams: self.worker_args.streams.map(usize::from),
                ..WorkerOptions::default()
            },
            contents: VerifyLevel::Listing,
        }
    }
}
