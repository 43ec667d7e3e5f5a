//! What is asked of a mirroring, and the job that it makes.

use hf2ms_worker::protocol::Chunking;
use hf2ms_worker::protocol::{
    Folder, Force, Lfs, Policy, ScanJob, Scope, Tell, VERSION, WorkerOptions,
};

use super::endpoints::Party;
use crate::args::workers::CuttingArgs;

/// What is asked of a mirroring.
pub struct Wish {
    /// Where from.
    pub source: Party,
    /// Where to.
    pub target: Party,
    /// Which refs.
    pub scope: Scope,
    /// Whether a ref may lose what it has.
    pub force: Force,
    /// What happens to LFS objects.
    pub lfs: Lfs,
    /// Where Git's objects go meanwhile.
    pub folder: Folder,
    /// How the work is cut.
    pub cutting: CuttingArgs,
}

impl Wish {
    /// The scan's job; it says all about the mirroring but who we are on both sides.
    pub fn job(&self, run: &str, chunking: Chunking, tell: Tell) -> ScanJob {
        ScanJob {
            version: VERSION,
            run: run.to_owned(),
            source: self.source.at.clone(),
            destination: self.target.at.clone(),
            scope: self.scope,
            policy: Policy {
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
