//! Removals whose hub was asked, and whose answer was lost or not kept: the next run looks at what happened.

use hf2ms_hub::RepoAt;

use super::permit::{is_removed, report};
use super::source_refs::account_name;
use crate::runs::removal::{RECORD, Removal, RemovalRecord};
use crate::runs::removal_report::RemovalEnd;
use crate::runs::{JournalEntry, RunRecord, RunVerb, Runs, State};
use crate::settings::Settings;
use crate::ui::errors::CliResult;
use crate::ui::screen::Screen;

/// Looks at every removal of this machine whose end is not known, says what became of it, and ends its run.
///
/// # Errors
/// A hub can't be asked; the disk's.
pub async fn settle(
    is_meant: impl Fn(&RepoAt) -> bool,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<()> {
    let all = runs.list().into_iter();
    let is_over = |run: &RunRecord| !matches!(run.state, State::Running | State::Done);
    let over = all.filter(|run| run.verb == RunVerb::Cleanup && is_over(run));
    for run in over.filter(|run| is_meant(&run.source)) {
        if let Some(record) = asked(&run, runs) {
            settle_one(&run, record, runs, settings, screen).await?;
        }
    }
    Ok(())
}

/// What a run has asked its hub to remove, if no answer was kept.
fn asked(run: &RunRecord, runs: &Runs) -> Option<RemovalRecord> {
    let journal = runs.journal(&run.id);
    let is_open = |open, entry: &JournalEntry| match entry {
        JournalEntry::Removing { .. } => true,
        JournalEntry::NotRemoved { .. } => false,
        _ => open,
    };
    let is_open = journal.iter().fold(false, is_open);
    is_open.then(|| runs.read(&run.id, RECORD)).flatten()
}

/// Whether the token is of the account that has asked: another one may not see a repo that is there.
async fn is_same_account(record: &RemovalRecord, settings: &Settings) -> CliResult<bool> {
    let name = account_name(&record.source, settings).await?;
    Ok(name.is_some() && name == record.account)
}

async fn settle_one(
    run: &RunRecord,
    record: RemovalRecord,
    runs: &Runs,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<()> {
    let (id, source, copy) = (&run.id, &record.source.id, record.copy.web_url());
    let is_done = is_removed(&record, settings).await?;
    if is_done && record.removal == Removal::Delete && !is_same_account(&record, settings).await? {
        screen.warn(format!(
            "run {id} has asked to delete {source}, and its end is not known: this token does not see the repo, and may be another account's; use the token of that run"
        ));
        return Ok(());
    }
    let mut folder = runs.resume(run)?;
    if is_done {
        let (removal, done) = (record.removal.clone(), record.removal.done());
        screen.warn(format!(
            "run {id} did not learn the end of what it had asked for {source}: it is {done}; its copy is {copy}, and the digests are in the run's {RECORD}"
        ));
        folder.note(&JournalEntry::Removed { removal })?;
        folder.write("report.json", &report(id, record, RemovalEnd::FoundDone))?;
        return folder.end(State::Done);
    }
    let why =
        format!("it did not learn the end of what it had asked for {source}, which is as it was");
    screen.warn(format!("run {id}: {why}"));
    folder.note(&JournalEntry::NotRemoved { why: why.clone() })?;
    folder.because(&why, screen);
    folder.end(State::Incomplete)
}
