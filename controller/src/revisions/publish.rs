//! The branches and tags of commits that this process has verified.

use hf2ms_hub::{RefStore, Revision};
use hf2ms_worker::protocol::MadeRef;
use hf2ms_worker::revisions::refs::RefMaker;
use hf2ms_worker::revisions::targets::WriteTo;
use hf2ms_worker::revisions::temporary;

use super::plan::{RevisionAction, RevisionPlan};
use super::rows::is_whole;
use crate::runs::report::Report;
use crate::stop::Stop;
use crate::ui::errors::CliResult;

/// Creates branches and tags, one revision after the other.
pub struct RefPublisher<'a> {
    references: &'a dyn RefStore,
    stop: &'a Stop,
    maker: RefMaker<'a>,
}

impl<'a> RefPublisher<'a> {
    /// A publisher at this destination.
    pub fn new(references: &'a dyn RefStore, stop: &'a Stop) -> Self {
        Self {
            references,
            stop,
            maker: RefMaker::new(references),
        }
    }

    /// Creates the branches and tags of a revision and deletes its temporary branch; the commit of the revision, if the hub tells.
    pub async fn publish(
        &mut self,
        one: &RevisionPlan,
        ended: &CliResult<Report>,
    ) -> Option<Revision> {
        let head = match ended {
            Ok(report) => self.head(one, report).await,
            Err(_) => None,
        };
        if let (Ok(report), Some(head)) = (ended, &head) {
            for named in &one.target.new_refs {
                if is_whole(report, named) {
                    self.maker.make(named, head).await;
                }
            }
        }
        // A stopped run ends without this request; the next run takes the branch.
        if one.target.write_to == WriteTo::TemporaryBranch && !self.stop.is_asked() {
            self.delete_temporary_branch(one, head.clone()).await;
        }
        head
    }

    /// The verified commit or, if its hub does not tell it, the commit of the branch now.
    async fn head(&self, one: &RevisionPlan, report: &Report) -> Option<Revision> {
        let known = match &one.action {
            RevisionAction::UpToDate(_) => one.destination.head.clone(),
            RevisionAction::Copy(_) => {
                let verification = report.verification.as_ref();
                verification.and_then(|found| found.head.clone())
            }
        };
        match known {
            None => {
                let (branch, hub) = (&one.destination.at.revision, &*one.destination.hub);
                temporary::head_of(branch, hub, self.references).await
            }
            known => known,
        }
    }

    async fn delete_temporary_branch(&self, one: &RevisionPlan, head: Option<Revision>) {
        let branch = &one.destination.at.revision;
        if let Err(error) = temporary::delete(self.references, branch, head).await {
            one.screen.warn(format!(
                "the branch {branch}, on which it was built, is still there: delete it ({error})"
            ));
        }
    }

    /// Lists the refs once more: what became of all that were to be made.
    pub async fn verified(self) -> Vec<MadeRef> {
        self.maker.verified().await
    }
}
