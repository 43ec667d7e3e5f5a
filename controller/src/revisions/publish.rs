//! The branches and tags of verified commits: created, listed once more, with a row of results for each.

use hf2ms_hub::{Kind, RefKind, RefStore, Revision};
use hf2ms_worker::commit::create_ref;
use hf2ms_worker::protocol::Exit;

use super::plan::{RevisionAction, RevisionPlan};
use super::summary::{RevisionRow, RevisionStatus};
use super::targets::{RefMapping, WriteTo};
use crate::copy::inspect::DestinationRepo;
use crate::runs::report::Report;
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};

/// Creates branches and tags, and keeps which.
pub struct RefPublisher<'a> {
    /// The destination's branches and tags.
    pub references: &'a dyn RefStore,
    /// Endpoints, tokens and the HTTP client.
    pub settings: &'a Settings,
    /// Set when the user stops the command.
    pub stop: &'a Stop,
    /// The created refs, and the commit of each.
    pub made: Vec<(RefMapping, Revision)>,
}

impl RefPublisher<'_> {
    /// Creates the branches and tags of a revision and deletes its temporary branch: a row for each name.
    pub async fn publish(
        &mut self,
        one: &RevisionPlan,
        ended: CliResult<Report>,
    ) -> Vec<RevisionRow> {
        let (rows, head) = match ended {
            Ok(report) => {
                let head = self.head(one, &report).await;
                (self.create_all(one, &report, head.as_ref()).await, head)
            }
            Err(failure) => (
                one.target
                    .refs()
                    .map(|named| RevisionRow::failure(named, &failure))
                    .collect(),
                None,
            ),
        };
        // A stopped run ends without this request; the next run takes the branch.
        if one.target.write_to == WriteTo::TemporaryBranch && !self.stop.is_asked() {
            self.delete_temporary_branch(one, head).await;
        }
        rows
    }

    async fn create_all(
        &mut self,
        one: &RevisionPlan,
        report: &Report,
        head: Option<&Revision>,
    ) -> Vec<RevisionRow> {
        let mut rows: Vec<RevisionRow> = own_row(one, report, head.cloned()).into_iter().collect();
        for named in &one.target.new_refs {
            rows.push(
                match self.create(named, report, head, &one.destination).await {
                    Ok(commit) => {
                        self.made.push((named.clone(), commit.clone()));
                        RevisionRow::reported(named, report, RevisionStatus::Copied, Some(commit))
                    }
                    Err(failure) => RevisionRow::failure(named, &failure),
                },
            );
        }
        rows
    }

    /// The verified commit or, if its hub does not tell it, the commit of the branch now.
    async fn head(&self, one: &RevisionPlan, report: &Report) -> Option<Revision> {
        let known = match &one.action {
            RevisionAction::UpToDate(_) => one.destination.head.clone(),
            RevisionAction::Copy(_) => report
                .verification
                .as_ref()
                .and_then(|action| action.head.clone()),
        };
        match known {
            None => head_of(&one.destination, self.references).await,
            known => known,
        }
    }

    async fn create(
        &self,
        named: &RefMapping,
        report: &Report,
        head: Option<&Revision>,
        destination: &DestinationRepo,
    ) -> CliResult<Revision> {
        let (kind, name) = (named.kind, &named.destination);
        if !is_whole(report, kind) {
            let why = report.first_failure().unwrap_or_default();
            return Err(CliError::new(
                report.exit().worse(Exit::Incomplete),
                format!("not made, since not all is there: {why}"),
            ));
        }
        let head = head.ok_or_else(|| {
            CliError::refused(format!(
                "{} does not say where it stands: run the same command again",
                destination.at.hub
            ))
        })?;
        match create_ref(self.references, kind, name, head).await {
            Ok(()) => Ok(head.clone()),
            Err(error) if error.kind() == Kind::Conflict => {
                let why = format!(
                    "someone else made the {} {name} meanwhile, and it stands elsewhere: delete it there, or leave it",
                    kind.name()
                );
                Err(CliError::new(Exit::Incomplete, why))
            }
            Err(error) => Err(hub_error(
                &error,
                &destination.at,
                self.settings,
                AccessMode::Write,
            )),
        }
    }

    /// Deletes the branch on which a revision was built; `head` is its commit, if that is known.
    async fn delete_temporary_branch(&self, one: &RevisionPlan, head: Option<Revision>) {
        let branch = &one.destination.at.revision;
        let at = match head {
            None => self
                .references
                .refs()
                .await
                .map(|refs| refs.find(RefKind::Branch, branch).cloned()),
            head => Ok(head),
        };
        let gone = match at {
            Ok(None) => Ok(()),
            Ok(Some(at)) => self.references.delete_branch(branch, &at).await,
            Err(error) => Err(error),
        };
        if let Err(error) = gone {
            one.screen.warn(format!(
                "the branch {branch}, on which it was built, is still there: delete it ({error})"
            ));
        }
    }

    /// Lists the refs once more: the row of a created ref that is absent, or at another commit, fails.
    pub async fn verify(&self, rows: &mut [RevisionRow]) {
        if self.made.is_empty() {
            return;
        }
        let refs = self.references.refs().await;
        for (named, commit) in &self.made {
            let why = match refs
                .as_ref()
                .map(|refs| refs.find(named.kind, &named.destination))
            {
                Ok(Some(action)) if action == commit => continue,
                Ok(Some(action)) => format!(
                    "it was made at {commit}, and someone moved it to {action}: look at it there"
                ),
                Ok(None) => "it was made, and is not there: run the same command again".to_owned(),
                Err(error) => format!(
                    "it was made, and could not be looked at again: {error}; run the same command again"
                ),
            };
            let own = |row: &&mut RevisionRow| {
                row.kind == named.kind.name() && row.destination == named.destination.as_str()
            };
            if let Some(row) = rows.iter_mut().find(own) {
                *row = row.clone().failed(&CliError::new(Exit::Incomplete, why));
            }
        }
    }
}

/// The commit of the destination's branch now.
pub async fn head_of(destination: &DestinationRepo, references: &dyn RefStore) -> Option<Revision> {
    match destination.head_now().await {
        None => references
            .refs()
            .await
            .ok()?
            .find(RefKind::Branch, &destination.at.revision)
            .cloned(),
        head => head,
    }
}

/// Whether a branch or tag may be created of this: all files are equal, but for those that can never be copied. What a hub refused may pass another
/// time, and no later run moves a tag: a tag waits for it. Where files failed and nothing was committed, the commit itself may have failed:
/// then the branch stands where it stood before.
fn is_whole(report: &Report, named: RefKind) -> bool {
    let is_permanent = |kind| match kind {
        Kind::NotFound | Kind::Corrupt => true,
        Kind::Invalid | Kind::Policy => named == RefKind::Branch,
        _ => false,
    };
    let is_written = report.failed.is_empty() || report.tally.commits > 0;
    is_equal(report) && is_written && report.failed.iter().all(|failed| is_permanent(failed.kind))
}

fn is_equal(report: &Report) -> bool {
    report
        .verification
        .as_ref()
        .is_some_and(|action| action.is_good())
}

/// The row of a branch or tag that existed before.
fn own_row(one: &RevisionPlan, report: &Report, head: Option<Revision>) -> Option<RevisionRow> {
    let written = matches!(one.action, RevisionAction::Copy(_)) && report.tally.commits > 0;
    let state = if written {
        RevisionStatus::Copied
    } else {
        RevisionStatus::Unchanged
    };
    match &one.target.write_to {
        WriteTo::TemporaryBranch => None,
        WriteTo::ExistingTag(named) if !is_equal(report) => {
            let why = "the tag is there with other content, and tags are not moved: delete it there to have it made anew";
            Some(
                RevisionRow::reported(named, report, RevisionStatus::Failed, head)
                    .failed(&CliError::new(Exit::Incomplete, why)),
            )
        }
        WriteTo::Branch(named) | WriteTo::ExistingTag(named) => {
            Some(RevisionRow::reported(named, report, state, head))
        }
    }
}
