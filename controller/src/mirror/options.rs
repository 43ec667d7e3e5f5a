//! What is asked of a mirroring, and the job that it makes.

use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{
    Force, LfsPolicy, MirrorPolicy, RefScope, ScanJob, ScanOutput, ScratchFolder, VERSION,
    WorkerOptions,
};

use super::endpoints::GitEndpoint;
use crate::args::workers::WorkerArgs;

/// What is asked of a mirroring.
pub struct MirrorOptions {
    /// Where from.
    pub source: GitEndpoint,
    /// Where to.
    pub target: GitEndpoint,
    /// Which refs.
    pub scope: RefScope,
    /// Whether a ref may lose what it has.
    pub force: Force,
    /// What happens to LFS objects.
    pub lfs: LfsPolicy,
    /// Where Git's objects go meanwhile.
    pub folder: ScratchFolder,
    /// How the work is cut.
    pub worker_args: WorkerArgs,
}

impl MirrorOptions {
    /// The scan's job; it says all about the mirroring but who we are on both sides.
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
            },
            tell,
            folder: self.folder.clone(),
            options: WorkerOptions::default(),
        }
    }
}
