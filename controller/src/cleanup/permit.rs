//! The last look, directly before the hub is asked, and the removal itself. A removal takes a [`RemovalPermit`], which only the last look
//! makes, of a copy that was verified and a consent to its removal.

use std::sync::Arc;

use hf2ms_hub::{RepoAdmin, RepoAt, Revision, Visibility};

use super::consent::AgreedRemoval;
use super::copy_repo::{self, CopyReaders};
use super::doubt::{Checked, Doubt};
use super::examine::WholeCopy;
use super::source_refs::{SourceRefs, check_files, source_repo};
use super::verified::VerifiedRevision;
use crate::runs::removal::{RECORD, Removal, RemovalRecord};
use crate::runs::removal_report::{RemovalEnd, RemovalReport};
use crate::runs::{JournalEntry, RunDir, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};

/// The right to remove one source, as long as nothing else is done first.
pub struct RemovalPermit {
    record: RemovalRecord,
    admin: Arc<dyn RepoAdmin>,
}

/// Looks at both sides once more, at the copy last: they have to be as they were when they were verified.
///
/// # Errors
/// Something is not as it was, or can't be told.
pub async fn last_look(
    agreed: AgreedRemoval<'_>,
    run: &RunDir,
    settings: &Settings,
) -> Checked<RemovalPermit> {
    let whole = agreed.whole();
    let record = whole.record(agreed.removal());
    // It may be long, and nothing is to come between the last look and the request.
    run.write(RECORD, &record)?;
    check_source(whole, settings).await?;
    check_copy(whole, settings).await?;
    Ok(RemovalPermit {
        record,
        admin: whole.admin().clone(),
    })
}

async fn check_source(whole: &WholeCopy, settings: &Settings) -> Checked<()> {
    let source = whole.source();
    let mut looked_at: Vec<&Revision> = Vec::new();
    for revision in whole.revisions().iter().map(VerifiedRevision::record) {
        if looked_at.contains(&&revision.commit) {
            continue;
        }
        looked_at.push(&revision.commit);
        let at = RepoAt {
            revision: revision.commit.clone(),
            ..source.at.clone()
        };
        check_files(source, &at, &revision.files, settings).await?;
    }
    let now = SourceRefs::of(&source.at, settings).await?;
    match whole.refs().change(&now) {
        None => Ok(()),
        Some(change) => Err(Doubt::because(format!("the source has changed: {change}"))),
    }
}

async fn check_copy(whole: &WholeCopy, settings: &Settings) -> Checked<()> {
    let copy = whole.copy();
    let readers = CopyReaders::of(copy, settings).await?;
    if readers != whole.readers() {
        return Err(Doubt::because(format!(
            "the copy was {}, and is {} now, or its gate has changed",
            whole.readers().visibility,
            readers.visibility
        )));
    }
    for revision in whole.revisions() {
        check_revision(revision, copy, settings).await?;
    }
    Ok(())
}

/// Equal heads are equal content. Where a head is not told, the branch or tag is listed again.
async fn check_revision(
    revision: &VerifiedRevision,
    copy: &RepoAt,
    settings: &Settings,
) -> Checked<()> {
    let record = revision.record();
    let at = RepoAt {
        revision: record.copy_name.clone(),
        ..copy.clone()
    };
    let failed = |error| hub_error(&error, &at, settings, AccessMode::Write);
    let hub = copy_repo::open(&at, settings)?;
    let now = hub.head().await.map_err(failed)?;
    let changed = match (&now, &record.copy_head) {
        (Some(now), Some(then)) if now == then => None,
        (Some(now), Some(_)) => Some(format!("it stands at commit {now} now")),
        (None, _) | (_, None) => {
            let listing = hub.list_branch().await.map_err(failed)?;
            revision.change_in(&listing)
        }
    };
    match changed {
        None => Ok(()),
        Some(change) => Err(Doubt::because(format!(
            "the copy's {} {} has changed: {change}",
            record.kind, record.copy_name
        ))),
    }
}

impl RemovalPermit {
    /// Asks the hub to remove the source, and looks whether it has.
    ///
    /// # Errors
    /// The hub refuses, or shows the source as it was; the disk's, before the hub is asked.
    pub async fn carry_out(
        self,
        run: &mut RunDir,
        settings: &Settings,
    ) -> CliResult<RemovalReport> {
        let Self { record, admin } = self;
        run.note(&JournalEntry::Removing {
            removal: record.removal.clone(),
            source: record.source.clone(),
            copy: record.copy.clone(),
            copy_head: record.copy_head.clone(),
            digests: RECORD.to_owned(),
        })?;
        let asked = match &record.removal {
            Removal::Delete => admin.delete().await,
            Removal::Move { to } => admin.rename(to).await,
            Removal::MakePrivate => admin.make_private().await,
        };
        if let Err(error) = asked {
            let failure = hub_error(&error, &record.source, settings, AccessMode::Read);
            // Where that is not known, the next run looks.
            if !error.is_unanswered() {
                let why = failure.to_string();
                run.note(&JournalEntry::NotRemoved { why })?;
            }
            return Err(failure);
        }
        let removal = record.removal.clone();
        run.note(&JournalEntry::Removed { removal })?;
        let report = report(run.id(), record, RemovalEnd::Done);
        run.write("report.json", &report)?;
        check_removed(&report.record, settings).await?;
        run.end(State::Done)?;
        Ok(report)
    }
}

/// The report of a removal that its hub has done.
pub fn report(run: &str, record: RemovalRecord, end: RemovalEnd) -> RemovalReport {
    RemovalReport {
        run: run.to_owned(),
        state: State::Done,
        end,
        url: record.copy.web_url(),
        record,
    }
}

/// Looks whether the source is as the removal leaves it.
async fn check_removed(record: &RemovalRecord, settings: &Settings) -> CliResult<()> {
    let RepoAt { id, hub, .. } = &record.source;
    match is_removed(record, settings).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(CliError::refused(format!(
            "{hub} has agreed to {} {id}, and shows it as before: check its page {}",
            record.removal.verb(),
            record.source.web_url()
        ))),
        Err(failure) => Err(failure),
    }
}

/// Whether the hub shows that the removal is done.
///
/// # Errors
/// The hub's.
pub async fn is_removed(record: &RemovalRecord, settings: &Settings) -> CliResult<bool> {
    let at = match &record.removal {
        Removal::Move { to } => RepoAt {
            id: to.clone(),
            ..record.source.clone()
        },
        Removal::Delete | Removal::MakePrivate => record.source.clone(),
    };
    let found = source_repo(&at, settings)?.find().await;
    let found = found.map_err(|error| hub_error(&error, &at, settings, AccessMode::Read))?;
    Ok(match (&record.removal, found) {
        (Removal::Delete, found) => found.is_none(),
        (Removal::Move { .. }, found) => found.is_some_and(|found| found.renamed.is_none()),
        (Removal::MakePrivate, found) => {
            found.is_some_and(|found| found.visibility == Visibility::Private)
        }
    })
}
