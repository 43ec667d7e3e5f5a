//! One revision under way: its files are written where it stands, or on a branch apart that is then given its names.

use hf2ms_hub::{Error, Kind, RefKind, RefStore, Revision};
use hf2ms_worker::plan::DigestCache;
use hf2ms_worker::plan::shared::BlobResults;
use hf2ms_worker::protocol::Deletion;

use super::targets::{RevisionTarget, WriteTo};
use crate::copy::inspect::said;
use crate::copy::outcome::RunResult;
use crate::copy::run::CopyRun;
use crate::runs::digests::learn;
use crate::runs::report::Report;
use crate::settings::hub_errors::AccessMode;
use crate::ui::errors::{CliError, CliResult};

/// What the revisions of a repo share when they are written.
pub struct WriteContext<'a> {
    /// The destination's branches and tags.
    pub references: &'a dyn RefStore,
    /// Where the default branch stands: new branches begin there.
    pub base: Option<Revision>,
    /// What became of blobs that several have.
    pub arrived: BlobResults,
    /// Digests that those before have learned.
    pub known: DigestCache,
}

/// One revision under way.
pub struct RevisionRun<'a> {
    /// What it is.
    pub target: &'a RevisionTarget,
    /// How it is copied.
    pub migration: CopyRun<'a>,
    /// What came of it so far.
    pub work: RunResult,
    /// Why it ended before its turn.
    pub stopped: Option<CliError>,
}

impl RevisionRun<'_> {
    /// Has its own blobs carried.
    pub async fn carry(&mut self) {
        if self.stopped.is_none() && !self.migration.plan.chunks.is_empty() {
            self.stopped = self.migration.carry_chunks(&mut self.work).await.err();
        }
    }

    /// Writes and compares it; leaves a report however it ends.
    ///
    /// # Errors
    /// What stopped it.
    pub async fn finish(&mut self, context: &mut WriteContext<'_>) -> CliResult<Report> {
        let done = match self.stopped.take() {
            Some(failure) => Err(failure),
            None => self.write(context).await,
        };
        context
            .known
            .extend(learn(&self.migration.plan, &self.work.receipts));
        let work = RunResult {
            known: context.known.clone(),
            ..std::mem::take(&mut self.work)
        };
        let report = self.migration.settle(work, &done).await?;
        done.map(|()| report)
    }

    async fn write(&mut self, context: &WriteContext<'_>) -> CliResult<()> {
        let Self {
            target,
            migration,
            work,
            ..
        } = self;
        if migration.plan.is_done() {
            work.verification = Some(migration.compare_listing());
            return Ok(());
        }
        if let WriteTo::ExistingTag(_) = target.place {
            return migration.compare(work).await;
        }
        let told = context.arrived.receipt(&migration.plan);
        work.receipts.push(told);
        work.failed = migration.plan.unsent(&work.receipts);
        if target.place != WriteTo::TemporaryBranch {
            return migration.finalize(work, Deletion::WhenWhole).await;
        }
        begin_apart(migration, context).await?;
        // What the branch began with and is not planned goes, though files are missing: nobody has seen it yet.
        migration.finalize(work, Deletion::Always).await
    }
}

/// Makes the branch apart, or takes up the one that a killed run left, and meets what it holds.
async fn begin_apart(migration: &mut CopyRun<'_>, context: &WriteContext<'_>) -> CliResult<()> {
    let destination = migration.destination;
    let refused = |error: &Error| {
        said(
            error,
            &destination.at,
            migration.settings,
            AccessMode::Writing,
        )
    };
    let base = context.base.as_ref().ok_or_else(|| {
        let (hub, id) = (destination.at.hub, &destination.at.id);
        CliError::refused(format!(
            "{hub} does not say where {id} stands: no branch can be made"
        ))
    })?;
    match make(
        context.references,
        RefKind::Branch,
        &destination.at.revision,
        base,
    )
    .await
    {
        Err(error) if error.kind() == Kind::Conflict => (),
        made => made.map_err(|error| refused(&error))?,
    }
    let listing = destination
        .hub
        .list_branch()
        .await
        .map_err(|error| refused(&error))?;
    migration.plan.rebase_exactly_on(&listing, &context.known);
    migration.plan.creation.exists = true;
    migration.plan.destination.revision = destination.at.revision.clone();
    Ok(())
}

/// Makes a branch or tag. Whether a lost answer, or one that says that it exists, means that it is as wanted, is looked up.
///
/// # Errors
/// The hub's; [`Kind::Conflict`] when it stands elsewhere.
pub async fn make(
    references: &dyn RefStore,
    kind: RefKind,
    name: &Revision,
    at: &Revision,
) -> hf2ms_hub::Result<()> {
    let asked = || async {
        match kind {
            RefKind::Branch => references.make_branch(name, at).await,
            RefKind::Tag => references.make_tag(name, at).await,
        }
    };
    match asked().await {
        Err(error) if matches!(error.kind(), Kind::Transient | Kind::Conflict) => {
            match references.refs().await?.find(kind, name) {
                Some(found) if found == at => Ok(()),
                None if error.kind() == Kind::Transient => asked().await,
                _ => Err(error),
            }
        }
        made => made,
    }
}
