//! Whole files that workers of any engine read and hash, in chunks like those of a copy. The receipts hold the digests.

use std::collections::{HashMap, HashSet};

use hf2ms_hub::{Digest, File, RepoAt, RepoPath};
use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{ChunkPurpose, How, Receipt, Stored, VerifyLevel, WorkerOptions};

use super::options::VerifyOptions;
use crate::copy::outcome::explain_worker_error;
use crate::engine::chunk_results::ChunkResults;
use crate::engine::open::{CallMode, Runner, RunnerSpec};
use crate::engine::queue::Queue;
use crate::engine::remote::DetachMode;
use crate::estimate::containers::chunking;
use crate::estimate::rates::Rates;
use crate::runs::RunDir;
use crate::settings::hub_errors::AccessMode;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::progress::{Amount, Progress};
use crate::ui::screen::Screen;

/// The hashing of files of one run.
pub(super) struct Hashing<'a> {
    /// What the command asks for, and what its repos share.
    pub(super) options: &'a VerifyOptions<'a>,
    /// The run's folder.
    pub(super) run: &'a RunDir,
    /// Where lines about this repo are printed.
    pub(super) screen: &'a Screen,
    /// How contents are read.
    pub(super) worker_options: WorkerOptions,
}

impl Hashing<'_> {
    /// Has every byte of these files read and hashed: the source's, or the destination's, as `purpose` says.
    ///
    /// # Errors
    /// An engine can't be opened, or a hub refuses all; failures of single files are in the result.
    pub(super) async fn hash(
        &self,
        purpose: ChunkPurpose,
        sides: (RepoAt, RepoAt),
        files: Vec<File>,
    ) -> CliResult<HashedFiles> {
        if files.is_empty() {
            return Ok(HashedFiles::default());
        }
        let plan = self.plan(purpose, sides, files);
        let sizes = plan.blob_sizes();
        let options = self.options;
        let workers = options.worker_args.workers(sizes.iter().sum());
        options.slots.raise(workers);
        let runner = self.open(&plan, workers.min(plan.chunks.len())).await?;
        let Runner::Engine(engine) = &runner else {
            let line = "this engine takes no single chunks: give --on local";
            return Err(CliError::usage(line));
        };
        let of = Amount {
            files: sizes.len() as u64,
            bytes: sizes.iter().sum(),
        };
        let title = match purpose {
            ChunkPurpose::HashSource => "hashing the source",
            ChunkPurpose::HashDestination | ChunkPurpose::Copy => "hashing the copy",
        };
        let progress = &Progress::new(self.screen, title, of);
        let queue = Queue {
            engine: engine.as_ref(),
            slots: &options.slots,
            plan: &plan,
            run: self.run,
            progress,
        };
        let carried = queue.carry(|| ()).await;
        progress.finish();
        self.gather(&plan, carried?)
    }

    fn plan(&self, purpose: ChunkPurpose, sides: (RepoAt, RepoAt), files: Vec<File>) -> Plan {
        let args = &self.options.worker_args;
        let rates = Rates::assumed(args.on);
        let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
        let options = WorkerOptions {
            streams: args.streams.map(usize::from),
            verify: VerifyLevel::USUAL,
            ..self.worker_options.clone()
        };
        let chunking = chunking(args, &sizes, &rates);
        Plan::of_reads(purpose, sides, files, chunking, options)
    }

    async fn open(&self, plan: &Plan, workers: usize) -> CliResult<Runner> {
        let options = self.options;
        let spec = RunnerSpec {
            worker_args: &options.worker_args,
            workers: workers.max(1),
            // On Modal each chunk is a call that this process waits for.
            calls: CallMode::OneByOne,
            shared: &options.shared,
            containers: &options.containers,
            plan,
            files_memory: plan.files_memory(),
            run: self.run,
            settings: options.settings,
            screen: self.screen,
            stop: options.stop,
        };
        Runner::open(spec, DetachMode::Attached).await
    }

    fn gather(&self, plan: &Plan, carried: ChunkResults) -> CliResult<HashedFiles> {
        if self.options.stop.is_asked() {
            return Err(CliError::interrupted());
        }
        if let Some((kind, error)) = &carried.ended_by {
            let settings = self.options.settings;
            let failed = (*kind, error.as_str());
            let reads = AccessMode::ReadDestination;
            return Err(explain_worker_error(plan, settings, reads, failed));
        }
        let asked = plan.files.iter().map(|planned| planned.file.path.clone());
        Ok(HashedFiles::of(asked.collect(), carried.receipts))
    }
}

/// What workers say of files that they were to hash.
#[derive(Debug, Default)]
pub(super) struct HashedFiles {
    asked: HashSet<RepoPath>,
    hashed: HashMap<RepoPath, Stored>,
    /// Errors by the escaped path.
    failed: HashMap<String, String>,
}

impl HashedFiles {
    /// What these receipts say of the files that were asked for.
    pub(super) fn of(asked: HashSet<RepoPath>, receipts: Vec<Receipt>) -> Self {
        let mut all = Self {
            asked,
            ..Self::default()
        };
        for receipt in receipts {
            // A worker that knows no such chunks would have copied: nothing that it says counts.
            let hashed = receipt
                .files
                .into_iter()
                .filter(|stored| stored.how == How::Hashed);
            all.hashed
                .extend(hashed.map(|stored| (stored.path.clone(), stored)));
            let failed = receipt.failed.into_iter();
            all.failed
                .extend(failed.map(|failed| (failed.path, failed.error)));
        }
        all
    }

    /// Whether this file was to be hashed.
    pub(super) fn was_asked(&self, path: &RepoPath) -> bool {
        self.asked.contains(path)
    }

    /// The digests of a file's content.
    ///
    /// # Errors
    /// Why there are none, in words.
    pub(super) fn get(&self, path: &RepoPath) -> Result<&Stored, String> {
        self.hashed.get(path).ok_or_else(|| {
            let error = self.failed.get(&path.to_string());
            error.map_or_else(|| "it was not reached".to_owned(), Clone::clone)
        })
    }
}

/// Whether a content that was hashed has this digest.
pub(super) fn has(hashed: &Stored, digest: Digest) -> bool {
    match digest {
        Digest::Sha256(sha256) => hashed.sha256 == sha256,
        Digest::GitSha1(git_sha1) => hashed.git_sha1 == Some(git_sha1),
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Kind, Sha256};
    use hf2ms_worker::protocol::FailedFile;

    use super::*;

    #[test]
    fn only_what_was_hashed_counts_and_the_rest_says_why() {
        let stored = |path: &str, how| Stored {
            path: path.parse().unwrap(),
            sha256: Sha256::of(b"1"),
            git_sha1: None,
            size: 1,
            how,
        };
        let receipt = Receipt {
            files: vec![stored("a", How::Hashed), stored("b", How::Reused)],
            failed: vec![FailedFile::new("c", "no such key", Kind::NotFound)],
            ..Receipt::default()
        };
        let all = HashedFiles::of(HashSet::new(), vec![receipt]);
        let said = |path: &str| all.get(&path.parse().unwrap()).cloned();
        assert_eq!(said("a"), Ok(stored("a", How::Hashed)));
        assert_eq!(said("b"), Err("it was not reached".to_owned()));
        assert_eq!(said("c"), Err("no such key".to_owned()));
    }
}
