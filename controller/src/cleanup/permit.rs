//! The last look, directly before the hub is asked, and the removal itself. A removal takes a [`RemovalPermit`], which only the last look
//! makes, of a copy that was verified and a consent to its removal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hf2ms_hub::{Error, Kind, RepoAdmin, RepoAt, Revision, Visibility};

use super::compared::Compared;
use super::consent::AgreedRemoval;
use super::copy_repo::{self, CopyReaders};
use super::doubt::{Checked, Doubt};
use super::examine::WholeCopy;
use super::losses;
use super::options::CleanupOptions;
use super::source_refs::{SourceRefs, check_files, source_repo};
use super::verified::VerifiedRevision;
use crate::runs::removal::{RECORD, Removal, RemovalRecord};
use crate::runs::removal_report::{RemovalEnd, RemovalReport};
use crate::runs::{JournalEntry, RunDir, State};
use crate::settings::Settings;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The right to remove one source, as long as nothing else is done first.
pub struct RemovalPermit {
    record: RemovalRecord,
    admin: Arc<dyn RepoAdmin>,
}

/// The longest that the last pair of answers may take. What is older than that is asked for again.
const LONGEST_PAIR: Duration = Duration::from_secs(5);
/// How often that pair is asked for.
const PAIRS: usize = 3;

/// Looks at both sides once more: they have to be as they were when they were verified. What takes long comes first. The refs of both sides
/// and the readers of the copy come last, all at once.
///
/// # Errors
/// Something is not as it was, or can't be told.
pub async fn last_look(
    agreed: AgreedRemoval<'_>,
    run: &RunDir,
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> Checked<RemovalPermit> {
    let (whole, settings) = (agreed.whole(), options.settings);
    let record = whole.record(agreed.removal());
    // It may be long, and nothing is to come between the last look and the request.
    run.write(RECORD, &record)?;
    options.runs.check_unused(&record.source, &record.copy)?;
    check_files_of_all(whole, settings).await?;
    check_losses(whole, options, screen).await?;
    check_readers(whole, settings).await?;
    for revision in whole.revisions() {
        check_untold_head(revision, whole.copy(), settings).await?;
    }
    for _ in 0..PAIRS {
        let began = Instant::now();
        check_pair(whole, settings).await?;
        if began.elapsed() <= LONGEST_PAIR {
            return Ok(RemovalPermit {
                record,
                admin: whole.admin().clone(),
            });
        }
    }
    Err(Doubt::because(
        "the hubs answer too slowly to know that both sides are as they were",
    ))
}

/// Every commit of the source, listed and counted again.
async fn check_files_of_all(whole: &WholeCopy, settings: &Settings) -> Checked<()> {
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
    Ok(())
}

/// What is lost with the source may have grown while somebody was asked.
async fn check_losses(
    whole: &WholeCopy,
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> Checked<()> {
    if !options.loses() {
        return Ok(());
    }
    let compared = Compared {
        source: whole.source(),
        refs: whole.refs(),
        copy: whole.copy(),
        readers: whole.readers(),
        revisions: whole.revisions(),
    };
    let admin = Some(whole.admin().as_ref());
    let now = losses::of(&compared, admin, options, screen).await?;
    match now.exceeds(whole.losses()) {
        false => Ok(()),
        true => Err(Doubt::because(format!(
            "more would be lost than was said: {}",
            now.readable()
        ))),
    }
}

async fn check_readers(whole: &WholeCopy, settings: &Settings) -> Checked<()> {
    let readers = CopyReaders::of(whole.copy(), settings).await?;
    match readers == *whole.readers() {
        true => Ok(()),
        false => Err(Doubt::because(format!(
            "the copy was {}, and is {} now, or its gate has changed",
            whole.readers().visibility,
            readers.visibility
        ))),
    }
}

/// Lists a branch or tag of the copy again whose head was not told when it was verified.
async fn check_untold_head(
    revision: &VerifiedRevision,
    copy: &RepoAt,
    settings: &Settings,
) -> Checked<()> {
    let record = revision.record();
    if record.copy_head.is_some() {
        return Ok(());
    }
    let at = RepoAt {
        revision: record.copy_name.clone(),
        ..copy.clone()
    };
    let listing = copy_repo::open(&at, settings)?.list_branch().await;
    let listing = listing.map_err(|error| hub_error(&error, &at, settings, AccessMode::Write))?;
    match revision.change_in(&listing) {
        None => Ok(()),
        Some(change) => Err(changed_copy(revision, &change)),
    }
}

fn changed_copy(revision: &VerifiedRevision, change: &str) -> Doubt {
    let record = revision.record();
    Doubt::because(format!(
        "the copy's {} {} has changed: {change}",
        record.kind, record.copy_name
    ))
}

/// The refs of both sides and the copy's readers, asked for at once.
async fn check_pair(whole: &WholeCopy, settings: &Settings) -> Checked<()> {
    let copy = whole.copy();
    let hub = copy_repo::open(copy, settings)?;
    let (refs, there, found) = tokio::join!(
        SourceRefs::of(&whole.source().at, settings),
        copy_repo::refs(copy, settings),
        hub.find()
    );
    let found = found.map_err(|error| hub_error(&error, copy, settings, AccessMode::Write))?;
    if !found.is_some_and(|found| whole.readers().are_those_of(&found)) {
        return Err(Doubt::because("the copy is gone, or has other readers now"));
    }
    let there = there?;
    for revision in whole.revisions() {
        let record = revision.record();
        let now = there.find(revision.kind(), &record.copy_name);
        match (now, &record.copy_head) {
            (Some(now), Some(head)) if now == head => (),
            (Some(now), None) if !now.is_commit() => (),
            (Some(now), _) => {
                return Err(changed_copy(revision, &format!("it stands at {now} now")));
            }
            (None, _) => return Err(changed_copy(revision, "it is gone")),
        }
    }
    match whole.refs().change(&refs?) {
        None => Ok(()),
        Some(change) => Err(Doubt::because(format!("the source has changed: {change}"))),
    }
}

impl RemovalPermit {
    /// Asks the hub to remove the source, and looks whether it has. Where that is not known in the end, the next run looks.
    ///
    /// # Errors
    /// The hub refuses, or does not show that it has; the disk's, before the hub is asked.
    pub async fn carry_out(
        self,
        run: &mut RunDir,
        settings: &Settings,
        screen: &Screen,
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
            let failure = refusal(&error, &record, settings);
            if !error.is_unanswered() {
                let why = screen.shown(&failure.to_string());
                run.note(&JournalEntry::NotRemoved { why })?;
            }
            return Err(failure);
        }
        check_removed(&record, settings).await?;
        let removal = record.removal.clone();
        run.note(&JournalEntry::Removed { removal })?;
        let report = report(run.id(), record, RemovalEnd::Done);
        run.write("report.json", &report)?;
        run.end(State::Done)?;
        Ok(report)
    }
}

/// The error of a hub that has not removed the source.
fn refusal(error: &Error, record: &RemovalRecord, settings: &Settings) -> CliError {
    match &record.removal {
        Removal::Move { to } if error.kind() == Kind::Conflict => CliError::refused(format!(
            "{to} exists on {} already: give another --move-to",
            record.source.hub
        )),
        _ => hub_error(error, &record.source, settings, AccessMode::Remove),
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
    let agreed = format!("{hub} has agreed to {} {id}", record.removal.verb());
    match is_removed(record, settings).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(CliError::refused(format!(
            "{agreed}, and shows it as before: check its page {}",
            record.source.web_url()
        ))),
        Err(failure) => Err(CliError::new(
            failure.exit(),
            format!(
                "{agreed}, and could not be asked whether it has ({failure}): run the same command again, which looks"
            ),
        )),
    }
}

/// Whether the hub shows that the removal is done.
///
/// # Errors
/// The hub's.
pub async fn is_removed(record: &RemovalRecord, settings: &Settings) -> CliResult<bool> {
    let source = &record.source;
    let failed = |error: Error| hub_error(&error, source, settings, AccessMode::Read);
    let found = source_repo(source, settings)?.find().await;
    let found = found.map_err(failed)?;
    Ok(match (&record.removal, found) {
        (Removal::Delete, found) => found.is_none(),
        (Removal::MakePrivate, found) => {
            found.is_some_and(|found| found.visibility == Visibility::Private)
        }
        (Removal::Move { to }, found) => {
            let has_left = found.is_none_or(|found| found.renamed.as_ref() == Some(to));
            let main = RepoAt {
                id: to.clone(),
                revision: Revision::main_of(source.hub),
                ..source.clone()
            };
            let head = match has_left {
                true => source_repo(&main, settings)?.head().await.map_err(failed)?,
                false => None,
            };
            head.as_ref() == Some(&source.revision)
        }
    })
}
