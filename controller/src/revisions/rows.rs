//! The rows of a revision, from what became of its files and of its branches and tags.

use hf2ms_hub::{Error, RepoAt, Revision};
use hf2ms_worker::protocol::{Exit, MadeRef, RefRefusal};
use hf2ms_worker::revisions::refs::may_be_made;
use hf2ms_worker::revisions::targets::{RefMapping, RevisionTarget, WriteTo};

use super::summary::{RevisionRow, RevisionStatus};
use crate::runs::report::Report;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// How one revision ended.
pub struct EndedRevision {
    /// The report of its run, or of the earlier run that proves it.
    pub ended: CliResult<Report>,
    /// The destination's commit, if its hub tells.
    pub head: Option<Revision>,
    /// Whether a run of this command was to write it.
    pub had_plan: bool,
}

/// Makes the rows of all revisions of a repo.
pub struct RowMaker<'a> {
    /// The branches and tags that were asked for.
    pub made: &'a [MadeRef],
    /// The destination.
    pub destination: &'a RepoAt,
    /// Endpoints and tokens.
    pub settings: &'a Settings,
}

impl RowMaker<'_> {
    /// A row for each branch and tag of a revision.
    pub fn rows(&self, target: &RevisionTarget, one: &EndedRevision) -> Vec<RevisionRow> {
        let report = match &one.ended {
            Ok(report) => report,
            Err(failure) => {
                let rows = target.refs();
                return rows
                    .map(|named| RevisionRow::failure(named, failure))
                    .collect();
            }
        };
        let own = own_row(target, one, report);
        let new = target.new_refs.iter();
        let new = new.map(|named| match self.commit_of(named, one, report) {
            Ok(commit) => {
                RevisionRow::reported(named, report, RevisionStatus::Copied, Some(commit))
            }
            Err(failure) => RevisionRow::failure(named, &failure),
        });
        own.into_iter().chain(new).collect()
    }

    /// The commit of a new branch or tag.
    ///
    /// # Errors
    /// It was not made, or does not stand there.
    fn commit_of(
        &self,
        named: &RefMapping,
        one: &EndedRevision,
        report: &Report,
    ) -> CliResult<Revision> {
        let is_it = |made: &&MadeRef| made.kind == named.kind && made.name == named.destination;
        match self.made.iter().find(is_it) {
            Some(MadeRef {
                commit,
                refused: None,
                ..
            }) => Ok(commit.clone()),
            Some(MadeRef {
                refused: Some(refusal),
                ..
            }) => Err(self.refused(refusal)),
            None if one.head.is_none() && is_whole(report, named) => {
                Err(CliError::refused(format!(
                    "{} does not say where it stands: run the same command again",
                    self.destination.hub
                )))
            }
            None => {
                let why = report.first_failure().unwrap_or_default();
                let exit = report.exit().worse(Exit::Incomplete);
                let line = format!("not made, since not all is there: {why}");
                Err(CliError::new(exit, line))
            }
        }
    }

    fn refused(&self, refusal: &RefRefusal) -> CliError {
        match refusal {
            RefRefusal::Hub { kind, error } => {
                let error = Error::new(*kind, error.clone());
                hub_error(&error, self.destination, self.settings, AccessMode::Write)
            }
            RefRefusal::Elsewhere(why) => CliError::new(Exit::Incomplete, why.clone()),
        }
    }
}

/// Whether a branch or tag may be made of what a run has reported.
pub fn is_whole(report: &Report, named: &RefMapping) -> bool {
    let commits = report.tally.commits;
    may_be_made(
        named.kind,
        &report.failed,
        commits,
        report.verification.as_ref(),
    )
}

/// The row of a branch or tag that existed before.
fn own_row(target: &RevisionTarget, one: &EndedRevision, report: &Report) -> Option<RevisionRow> {
    let state = match one.had_plan && report.tally.commits > 0 {
        true => RevisionStatus::Copied,
        false => RevisionStatus::Unchanged,
    };
    let is_equal = report
        .verification
        .as_ref()
        .is_some_and(|found| found.is_good());
    let row = |named, state| RevisionRow::reported(named, report, state, one.head.clone());
    match &target.write_to {
        WriteTo::TemporaryBranch => None,
        WriteTo::ExistingTag(named) if !is_equal => {
            let why = "the tag is there with other content, and tags are not moved: delete it there to have it made anew";
            let failure = CliError::new(Exit::Incomplete, why);
            Some(row(named, RevisionStatus::Failed).failed(&failure))
        }
        WriteTo::Branch(named) | WriteTo::ExistingTag(named) => Some(row(named, state)),
    }
}
