//! `revisions`: commits and verifies one revision of a repo after the other, and makes its branches and tags. What a first worker had
//! done when it was killed, a second one finds done.

use std::sync::Arc;

use hf2ms_hub::{
    Destination, Error, RefKind, RefStore, Refs, RepoAt, Result, Revision, open_destination,
    open_ref_store,
};
use serde::{Deserialize, Serialize};

use crate::commit::Precedence;
use crate::context::Context;
use crate::events::Events;
use crate::pipeline::finish::{VerifiedCommit, commit_and_verify, rebase_on_destination};
use crate::plan::shared::BlobResults;
use crate::plan::{DigestCache, Plan, learn};
use crate::protocol::{Deletion, Event, Exit, FailedFile, Receipt, RevisionResult};
use crate::revisions::refs::{RefMaker, may_be_made};
use crate::revisions::targets::{RevisionTarget, WriteTo};
use crate::revisions::temporary;
use crate::settings::Settings;

/// The job of one `revisions`: the plans of all revisions, and the receipts of their chunks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevisionsJob {
    /// [`crate::protocol::VERSION`].
    pub version: u32,
    /// The id of the run to which the calls belong.
    pub run: String,
    /// The destination, at its default branch.
    pub destination: RepoAt,
    /// The revisions, in the order in which they are written.
    pub revisions: Vec<RevisionJob>,
    /// Digests that earlier runs have learned.
    #[serde(default)]
    pub known: DigestCache,
    /// One receipt per chunk; a chunk without a receipt has stored nothing.
    #[serde(default)]
    pub receipts: Vec<Receipt>,
}

/// One revision of a [`RevisionsJob`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevisionJob {
    /// The id of its run.
    pub run: String,
    /// The commit, where its files go, and the branches and tags to make.
    pub target: RevisionTarget,
    /// What is to be done.
    pub work: RevisionWork,
}

/// What is to be done about a revision before its branches and tags are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevisionWork {
    /// Nothing: the destination holds it at this commit.
    UpToDate(Option<Revision>),
    /// Commit this plan and verify it.
    Copy {
        /// The plan, whose destination is at the branch that it is written to.
        plan: Box<Plan>,
        /// The number of its first chunk among those of all revisions.
        first_chunk: u32,
    },
}

impl RevisionJob {
    /// The plan; `None` if the revision is up to date.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.work {
            RevisionWork::UpToDate(_) => None,
            RevisionWork::Copy { plan, .. } => Some(plan),
        }
    }

    /// The receipts of its own chunks among those of all revisions.
    pub fn receipts(&self, all: &[Receipt]) -> Vec<Receipt> {
        let RevisionWork::Copy { plan, first_chunk } = &self.work else {
            return Vec::new();
        };
        let end = first_chunk.saturating_add(u32::try_from(plan.chunks.len()).unwrap_or(u32::MAX));
        let is_own = |receipt: &&Receipt| (*first_chunk..end).contains(&receipt.chunk);
        all.iter().filter(is_own).cloned().collect()
    }
}

/// Writes all revisions; the failure of one costs only itself.
pub async fn revisions(job: RevisionsJob, settings: &Settings, events: &Arc<Events>) -> Exit {
    let plans = job.revisions.iter().filter_map(RevisionJob::plan);
    let (files, bytes) = plans.fold((0, 0), |(files, bytes), plan| {
        let summary = plan.summary();
        (files + summary.files, bytes + summary.bytes)
    });
    events.start("revisions", &job.run, 0, files, bytes);
    match write_all(job, settings, events).await {
        Ok(exit) => exit,
        Err(error) => {
            events.verb_failed(&error);
            Exit::of(error.kind())
        }
    }
}

async fn write_all(job: RevisionsJob, settings: &Settings, events: &Arc<Events>) -> Result<Exit> {
    let http = events.with_retry_events(settings.http());
    let side = settings.destination(&job.destination)?;
    let references = open_ref_store(&side, http.clone())?;
    let mut blobs = BlobResults::default();
    for one in job.revisions.iter().filter(|one| one.target.moves()) {
        if let Some(plan) = one.plan() {
            blobs.add(plan, &one.receipts(&job.receipts));
        }
    }
    let mut writer = RevisionWriter {
        at: &job.destination,
        destination: open_destination(&side, http)?,
        standing: references.refs().await?,
        references: references.as_ref(),
        maker: RefMaker::new(references.as_ref()),
        receipts: &job.receipts,
        blobs,
        known: job.known,
        base: None,
        over: None,
        settings,
        events,
    };
    let mut exit = Exit::Done;
    for one in job.revisions {
        exit = exit.worse(writer.revision(one).await);
    }
    let refs = writer.maker.verified().await;
    if refs.iter().any(|made| made.refused.is_some()) {
        exit = exit.worse(Exit::Incomplete);
    }
    events.say(&Event::MadeRefs { refs });
    Ok(exit)
}

/// What the revisions of a repo share while they are written.
struct RevisionWriter<'a> {
    /// The destination, at its default branch.
    at: &'a RepoAt,
    destination: Arc<dyn Destination>,
    references: &'a dyn RefStore,
    /// The branches and tags before the first of them was written.
    standing: Refs,
    maker: RefMaker<'a>,
    receipts: &'a [Receipt],
    blobs: BlobResults,
    known: DigestCache,
    /// The commit of the default branch, at which new branches begin.
    base: Option<Revision>,
    /// The error that ends all revisions after it.
    over: Option<Error>,
    settings: &'a Settings,
    events: &'a Arc<Events>,
}

impl RevisionWriter<'_> {
    /// Writes one revision and makes its branches and tags.
    async fn revision(&mut self, one: RevisionJob) -> Exit {
        let receipts = one.receipts(self.receipts);
        let RevisionJob { run, target, work } = one;
        let plan = match work {
            RevisionWork::UpToDate(None) => return Exit::Done,
            RevisionWork::UpToDate(Some(head)) => {
                for named in &target.new_refs {
                    self.maker.make(named, &head).await;
                }
                return Exit::Done;
            }
            RevisionWork::Copy { plan, .. } => *plan,
        };
        let events = self.events.beside();
        let summary = plan.summary();
        events.start("revisions", &run, 0, summary.files, summary.bytes);
        let branch = plan.destination.revision.clone();
        let ended = match &self.over {
            Some(error) => Err(Error::new(error.kind(), format!("not tried: {error}"))),
            None => self.copy((&run, &target), plan, receipts, &events).await,
        };
        let (exit, head) = match ended {
            Ok((exit, head)) => (exit, head),
            Err(error) => {
                events.verb_failed(&error);
                let exit = Exit::of(error.kind());
                if error.ends_the_hub() {
                    self.over.get_or_insert(error);
                }
                (exit, None)
            }
        };
        if target.write_to == WriteTo::TemporaryBranch && self.over.is_none() {
            self.delete_temporary_branch(&branch, head.clone()).await;
        }
        let receipt = events.receipt_so_far();
        events.say(&Event::Revision(Box::new(RevisionResult {
            run,
            head,
            receipt,
        })));
        exit
    }

    /// Commits and verifies one plan, and makes the branches and tags of the verified commit, which is returned.
    async fn copy(
        &mut self,
        (run, target): (&str, &RevisionTarget),
        mut plan: Plan,
        mut receipts: Vec<Receipt>,
        events: &Arc<Events>,
    ) -> Result<(Exit, Option<Revision>)> {
        let failed = receipts.iter().flat_map(|receipt| &receipt.failed);
        if let Some(fatal) = FailedFile::fatal(failed) {
            return Err(fatal.to_error());
        }
        receipts.push(self.blobs.receipt(&plan));
        let published = self.published(target);
        if let Some((name, _)) = &published {
            plan.destination.revision = name.clone();
        }
        let context = &Context::open(
            &plan.source,
            &plan.destination,
            self.settings,
            &plan.options,
            events.clone(),
        )?;
        let done = match published {
            Some(_) => compare(context, &plan, run).await?,
            None => {
                let job = (run, target, receipts.clone());
                self.commit(context, &mut plan, job).await?
            }
        };
        receipts.push(events.receipt_so_far());
        self.known.extend(learn(&plan, &receipts));
        let head = match (&done.verification.head, published) {
            (_, Some((_, commit))) => Some(commit),
            (Some(head), None) => Some(head.clone()),
            (None, None) => {
                let branch = &plan.destination.revision;
                temporary::head_of(branch, context.destination.as_ref(), self.references).await
            }
        };
        self.make_refs(target, &done, events.commits(), head.as_ref())
            .await;
        Ok((done.exit, head))
    }

    /// Commits a plan to its branch and verifies it; one whose tag exists is only compared.
    async fn commit(
        &mut self,
        context: &Context,
        plan: &mut Plan,
        (run, target, receipts): (&str, &RevisionTarget, Vec<Receipt>),
    ) -> Result<VerifiedCommit> {
        let (deletion, precedence) = match target.write_to {
            WriteTo::ExistingTag(_) => return compare(context, plan, run).await,
            WriteTo::Branch(_) => {
                rebase_on_destination(context, plan).await?;
                (Deletion::WhenWhole, Precedence::Later)
            }
            WriteTo::TemporaryBranch => {
                self.prepare(context, plan).await?;
                // What the plan does not have is deleted even if some files failed: the branch is not visible yet.
                (Deletion::Always, Precedence::First)
            }
        };
        commit_and_verify(context, plan, run, receipts, deletion, precedence).await
    }

    /// The first branch or tag of a new revision and its commit, if an earlier worker of this run has made all of them.
    fn published(&self, target: &RevisionTarget) -> Option<(Revision, Revision)> {
        let branch = target.temporary_branch()?;
        let is_new = target.write_to == WriteTo::TemporaryBranch;
        if !is_new || self.standing.find(RefKind::Branch, &branch).is_some() {
            return None;
        }
        let mut standing = target.new_refs.iter().map(|named| {
            let commit = self.standing.find(named.kind, &named.destination)?;
            Some((named.destination.clone(), commit.clone()))
        });
        let first = standing.next()??;
        let is_same = |other: Option<(Revision, Revision)>| {
            other.is_some_and(|(_, commit)| commit == first.1)
        };
        standing.all(is_same).then_some(first)
    }

    async fn prepare(&mut self, context: &Context, plan: &mut Plan) -> Result<()> {
        if self.base.is_none() {
            let (branch, destination) = (&self.at.revision, &*self.destination);
            self.base = temporary::head_of(branch, destination, self.references).await;
        }
        let branch = plan.destination.revision.clone();
        let sides = (self.references, &*context.destination);
        temporary::prepare(plan, &branch, self.base.as_ref(), &self.known, sides).await
    }

    async fn make_refs(
        &mut self,
        target: &RevisionTarget,
        done: &VerifiedCommit,
        commits: u64,
        head: Option<&Revision>,
    ) {
        let Some(head) = head else {
            return;
        };
        for named in &target.new_refs {
            if may_be_made(named.kind, &done.failed, commits, Some(&done.verification)) {
                self.maker.make(named, head).await;
            }
        }
    }

    async fn delete_temporary_branch(&self, branch: &Revision, head: Option<Revision>) {
        if let Err(error) = temporary::delete(self.references, branch, head).await {
            tracing::warn!(
                "the branch {branch}, on which it was built, is still there: delete it ({error})"
            );
        }
    }
}

/// Compares all files of both sides and writes nothing.
async fn compare(context: &Context, plan: &Plan, run: &str) -> Result<VerifiedCommit> {
    let (deletion, precedence) = (Deletion::WhenWhole, Precedence::First);
    let mut plan = plan.compare_only();
    commit_and_verify(context, &mut plan, run, Vec::new(), deletion, precedence).await
}
