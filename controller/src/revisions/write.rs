//! The writing of one revision: its files are committed to its branch, or to a temporary branch whose names are made later.

use hf2ms_hub::{RefStore, Revision};
use hf2ms_worker::plan::shared::BlobResults;
use hf2ms_worker::plan::{DigestCache, learn};
use hf2ms_worker::protocol::Deletion;
use hf2ms_worker::revisions::targets::{RevisionTarget, WriteTo};
use hf2ms_worker::revisions::temporary;

use crate::copy::outcome::{RunResult, verification_of_listing};
use crate::copy::run::CopyRun;
use crate::runs::report::Report;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// What the revisions of a repo share while they are written.
pub struct WriteContext<'a> {
    /// The destination's branches and tags.
    pub references: &'a dyn RefStore,
    /// The commit of the default branch, at which new branches begin.
    pub base: Option<Revision>,
    /// The results of blobs that several revisions share.
    pub blobs: BlobResults,
    /// Digests that earlier revisions have learned.
    pub known: DigestCache,
}

/// The run of one revision.
pub struct RevisionRun<'a> {
    /// The commit, and where its files go.
    pub target: &'a RevisionTarget,
    /// The run of its copy.
    pub copy: CopyRun<'a>,
    /// The result so far.
    pub result: RunResult,
    /// The failure that ended it before it could be written.
    pub stopped: Option<CliError>,
}

impl RevisionRun<'_> {
    /// Transfers the blobs that no earlier revision has.
    pub async fn transfer(&mut self) {
        if self.stopped.is_none() && !self.copy.plan.chunks.is_empty() {
            self.stopped = self.copy.transfer(&mut self.result).await.err();
        }
    }

    /// Commits and verifies the revision, and writes its report, also if it fails.
    ///
    /// # Errors
    /// What ended the run.
    pub async fn finish(&mut self, context: &mut WriteContext<'_>) -> CliResult<Report> {
        let done = match self.stopped.take() {
            Some(failure) => Err(failure),
            None => self.write(context).await,
        };
        context
            .known
            .extend(learn(&self.copy.plan, &self.result.receipts));
        let result = RunResult {
            known: context.known.clone(),
            ..std::mem::take(&mut self.result)
        };
        let report = self.copy.conclude(result, &done).await?;
        done.map(|()| report)
    }

    async fn write(&mut self, context: &WriteContext<'_>) -> CliResult<()> {
        let Self {
            target,
            copy,
            result,
            ..
        } = self;
        if copy.plan.is_done() {
            result.verification = Some(verification_of_listing(&copy.plan, copy.destination));
            return Ok(());
        }
        if let WriteTo::ExistingTag(_) = target.write_to {
            return copy.compare(result).await;
        }
        let receipt = context.blobs.receipt(&copy.plan);
        result.receipts.push(receipt);
        result.failed = copy.plan.unsent(&result.receipts);
        if target.write_to != WriteTo::TemporaryBranch {
            return copy.commit(result, Deletion::WhenWhole).await;
        }
        prepare_temporary_branch(copy, context).await?;
        // Files of the branch's first commit that the plan does not have are deleted even if some files failed: the branch is not visible yet.
        copy.commit(result, Deletion::Always).await
    }
}

/// Creates the temporary branch, or takes the one that a killed run left, and brings the plan up to date with its files.
async fn prepare_temporary_branch(
    copy: &mut CopyRun<'_>,
    context: &WriteContext<'_>,
) -> CliResult<()> {
    let destination = copy.destination;
    let (branch, hub) = (&destination.at.revision, &*destination.hub);
    let (base, known) = (context.base.as_ref(), &context.known);
    let sides = (context.references, hub);
    let prepared = temporary::prepare(&mut copy.plan, branch, base, known, sides);
    let settings = copy.options.settings;
    prepared
        .await
        .map_err(|error| hub_error(&error, &destination.at, settings, AccessMode::Write))
}
