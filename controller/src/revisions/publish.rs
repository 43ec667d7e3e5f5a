//! The branches and tags that are made of what was written and verified, and what came of each.

use hf2ms_hub::{Kind, RefKind, References, Revision};
use hf2ms_worker::protocol::Exit;

use super::plan::{Found, Looked};
use super::summary::{Row, Standing};
use super::targets::{Named, Place};
use super::write::make;
use crate::copy::inspect::{There, said};
use crate::runs::report::Report;
use crate::settings::Settings;
use crate::settings::hub_errors::Doing;
use crate::stop::Stop;
use crate::ui::errors::{Failure, Outcome};

/// The names that were made so far.
pub struct Names<'a> {
    /// The destination's branches and tags.
    pub references: &'a dyn References,
    /// How the hubs are reached.
    pub settings: &'a Settings,
    /// When to stop.
    pub stop: &'a Stop,
    /// Each, and the commit that it is to name.
    pub made: Vec<(Named, Revision)>,
}

impl Names<'_> {
    /// Makes the names of a revision that is there, takes away the branch on which it was built, and tells what came of each name.
    pub async fn give(&mut self, one: &Looked, ended: Outcome<Report>) -> Vec<Row> {
        let (rows, head) = match ended {
            Ok(report) => {
                let head = self.head(one, &report).await;
                (self.make_all(one, &report, head.as_ref()).await, head)
            }
            Err(failure) => (
                one.target
                    .names()
                    .map(|named| Row::failure(named, &failure))
                    .collect(),
                None,
            ),
        };
        // A run that is stopped ends soon; the next one takes the branch up where it is.
        if one.target.place == Place::Apart && !self.stop.is_asked() {
            self.clear(one, head).await;
        }
        rows
    }

    async fn make_all(
        &mut self,
        one: &Looked,
        report: &Report,
        head: Option<&Revision>,
    ) -> Vec<Row> {
        let mut rows: Vec<Row> = own_row(one, report, head.cloned()).into_iter().collect();
        for named in &one.target.new {
            rows.push(match self.make(named, report, head, &one.there).await {
                Ok(commit) => {
                    self.made.push((named.clone(), commit.clone()));
                    Row::reported(named, report, Standing::Copied, Some(commit))
                }
                Err(failure) => Row::failure(named, &failure),
            });
        }
        rows
    }

    /// The commit that was verified or, where its hub does not tell that, the one at which it stands.
    async fn head(&self, one: &Looked, report: &Report) -> Option<Revision> {
        let known = match &one.found {
            Found::Proven(_) => one.there.head.clone(),
            Found::Planned(_) => report
                .verification
                .as_ref()
                .and_then(|found| found.head.clone()),
        };
        match known {
            None => head_of(&one.there, self.references).await,
            known => known,
        }
    }

    async fn make(
        &self,
        named: &Named,
        report: &Report,
        head: Option<&Revision>,
        there: &There,
    ) -> Outcome<Revision> {
        let (kind, name) = (named.kind, &named.destination);
        if !is_whole(report) {
            let why = report.first_failure().unwrap_or_default();
            return Err(Failure::new(
                report.exit().worse(Exit::Incomplete),
                format!("not made, since not all is there: {why}"),
            ));
        }
        let head = head.ok_or_else(|| {
            Failure::refused(format!("{} does not say where it stands", there.at.hub))
        })?;
        match make(self.references, kind, name, head).await {
            Ok(()) => Ok(head.clone()),
            Err(error) if error.kind() == Kind::Conflict => {
                let why = format!(
                    "someone else made the {} {name} meanwhile, and it stands elsewhere",
                    kind.name()
                );
                Err(Failure::new(Exit::Incomplete, why))
            }
            Err(error) => Err(said(&error, &there.at, self.settings, Doing::Writing)),
        }
    }

    /// Takes away the branch on which a revision was built, and which stands at `head` if that is known.
    async fn clear(&self, one: &Looked, head: Option<Revision>) {
        let branch = &one.there.at.revision;
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

    /// Looks once more whether what was made stands where it should.
    pub async fn check(&self, rows: &mut [Row]) {
        if self.made.is_empty() {
            return;
        }
        let refs = self.references.refs().await;
        for (named, commit) in &self.made {
            let why = match refs
                .as_ref()
                .map(|refs| refs.find(named.kind, &named.destination))
            {
                Ok(Some(found)) if found == commit => continue,
                Ok(Some(found)) => format!("it was made at {commit}, and stands at {found}"),
                Ok(None) => "it was made, and is not there".to_owned(),
                Err(error) => format!("it was made, and could not be looked at again: {error}"),
            };
            let own = |row: &&mut Row| {
                row.kind == named.kind.name() && row.destination == named.destination.as_str()
            };
            if let Some(row) = rows.iter_mut().find(own) {
                *row = row.clone().failed(&Failure::new(Exit::Incomplete, why));
            }
        }
    }
}

/// Where a branch stands now.
pub async fn head_of(there: &There, references: &dyn References) -> Option<Revision> {
    match there.head_now().await {
        None => references
            .refs()
            .await
            .ok()?
            .find(RefKind::Branch, &there.at.revision)
            .cloned(),
        head => head,
    }
}

/// Whether branches and tags may be made of this: all is there that can ever be.
fn is_whole(report: &Report) -> bool {
    let for_good = |kind| {
        matches!(
            kind,
            Kind::NotFound | Kind::Corrupt | Kind::Invalid | Kind::Policy | Kind::Refused
        )
    };
    is_equal(report) && report.failed.iter().all(|failed| for_good(failed.kind))
}

fn is_equal(report: &Report) -> bool {
    report
        .verification
        .as_ref()
        .is_some_and(|found| found.is_good())
}

/// The row of a name that stood there before.
fn own_row(one: &Looked, report: &Report, head: Option<Revision>) -> Option<Row> {
    let written = matches!(one.found, Found::Planned(_)) && report.tally.commits > 0;
    let state = if written {
        Standing::Copied
    } else {
        Standing::Unchanged
    };
    match &one.target.place {
        Place::Apart => None,
        Place::Tagged(named) if !is_equal(report) => {
            let why = "the tag is there with other content, and tags are not moved: delete it there to have it made anew";
            Some(
                Row::reported(named, report, Standing::Failed, head)
                    .failed(&Failure::new(Exit::Incomplete, why)),
            )
        }
        Place::Standing(named) | Place::Tagged(named) => {
            Some(Row::reported(named, report, state, head))
        }
    }
}
