//! Sources whose copies are whole are removed, one by one. Whatever is in doubt keeps a source, and is said.
//!
//! [`examine`] verifies every branch and tag of a source now, and is the only one that makes a [`examine::WholeCopy`]. [`consent`] has its
//! removal agreed to. [`permit`] looks once more, directly before the hub is asked, and only that look makes a [`permit::RemovalPermit`].
//! [`source_refs`] and [`copy_repo`] are what is looked at, [`verified`] is one branch or tag, [`compared`] both sides, [`losses`] what the copy lacks, [`history`] its commits. [`cut_off`]
//! looks at removals that a kill has interrupted. [`row`] and [`summary`] are the result, [`follow_up`] is a cleanup behind copies.

mod compared;
pub mod consent;
pub mod copy_repo;
mod cut_off;
mod doubt;
pub mod examine;
pub mod follow_up;
mod history;
mod losses;
pub mod options;
pub mod permit;
pub mod row;
pub mod sites;
mod source_refs;
pub mod summary;
mod verified;

use hf2ms_hub::RepoId;
use hf2ms_worker::protocol::Exit;

use self::consent::{Consents, check_none_agreed};
use self::doubt::Doubt;
use self::examine::{ExaminedRepo, end_kept, examine};
use self::options::{CleanupOptions, RemovalRequest};
use self::permit::last_look;
use self::row::{CleanupEntry, CleanupState};
use self::summary::{CleanupRepoEvent, CleanupSummary};
use crate::runs::removal::Removal;
use crate::runs::removal_report::RemovalReport;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Examines all sources, shows what could go, and removes it if that is asked for and agreed to.
///
/// # Errors
/// What ends the whole command: a token that is refused, a stop, removals that nobody has agreed to.
pub async fn run(
    entries: &[CleanupEntry],
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> CliResult<CleanupSummary> {
    check_targets(entries, options)?;
    if options.request.is_some() {
        let is_meant = |at: &hf2ms_hub::RepoAt| {
            let mut ids = entries.iter().map(|entry| entry.route.source_id());
            ids.any(|id| *id == at.id)
        };
        let settled = cut_off::settle(is_meant, options.runs, options.settings, screen);
        options.stop.unless(settled).await?;
    }
    let mut examined = examine_all(entries, options, screen).await?;
    let rows = examined.iter().map(|one| one.row.clone()).collect();
    let found = CleanupSummary { rows };
    found.print(screen);
    let Some(request) = &options.request else {
        found.tell(found.exit(), screen);
        return Ok(found);
    };
    let removing = Removing {
        options,
        request,
        screen,
        is_one: entries.len() == 1,
    };
    let removals = found.count(CleanupState::WouldGo);
    // What an earlier command has done may be counted with what is left.
    let gone = found.count(CleanupState::Gone) + found.count(CleanupState::Settled);
    let ended = removing.remove_all(&mut examined, removals, gone).await;
    for one in &mut examined {
        if let Some(run) = one.run.take() {
            end_kept(run, &one.row, screen)?;
        }
    }
    let rows = examined.into_iter().map(|one| one.row).collect();
    let summary = CleanupSummary { rows };
    if summary.count(CleanupState::WouldGo) < removals {
        summary.print(screen);
    }
    let exit = match &ended {
        Ok(()) => summary.exit(),
        Err(failure) => failure.exit(),
    };
    summary.tell(exit, screen);
    ended.map(|()| summary)
}

/// Refuses a target that makes no id of a source, that of its copy, or the same one of several, before anything is asked.
fn check_targets(entries: &[CleanupEntry], options: &CleanupOptions<'_>) -> CliResult<()> {
    let Some(request) = &options.request else {
        return Ok(());
    };
    if let RemovalRequest::MoveTo(target) = request
        && entries.len() > 1
        && !target.is_pattern()
    {
        return Err(CliError::usage(
            "--move-to names one id for several repos: write NAME in it, as archive-NAME, for the name of each",
        ));
    }
    let mut targets: Vec<(&CleanupEntry, RepoId)> = Vec::new();
    for entry in entries {
        let source = entry.route.source_id();
        let Removal::Move { to } = request.of(source)? else {
            continue;
        };
        if entry.is_copied_to(&to) {
            return Err(CliError::usage(format!(
                "--move-to: {to} is the copy of {source}: give another target, as archive-NAME"
            )));
        }
        let is_taken = |(other, target): &&(&CleanupEntry, RepoId)| {
            entry.may_meet(other) && target.as_str().eq_ignore_ascii_case(to.as_str())
        };
        if let Some((other, _)) = targets.iter().find(is_taken) {
            let other = other.route.source_id();
            return Err(CliError::usage(format!(
                "--move-to: both {other} and {source} would be {to}: give one of them alone, or another target"
            )));
        }
        targets.push((entry, to));
    }
    Ok(())
}

async fn examine_all(
    entries: &[CleanupEntry],
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> CliResult<Vec<ExaminedRepo>> {
    let mut all: Vec<ExaminedRepo> = Vec::with_capacity(entries.len());
    for entry in entries {
        let of_repo = screen_of(screen, &entry.name, entries.len() == 1);
        match examine(entry, options, &of_repo).await {
            Ok(one) => {
                of_repo.json(&CleanupRepoEvent::of(&one.row));
                all.push(one);
            }
            Err(failure) => {
                for mut run in all.into_iter().filter_map(|one| one.run) {
                    run.fail(&failure, screen)?;
                }
                return Err(failure);
            }
        }
    }
    Ok(all)
}

fn screen_of(screen: &Screen, name: &str, is_one: bool) -> Screen {
    match is_one {
        true => screen.clone(),
        false => screen.of_repo(name),
    }
}

struct Removing<'a> {
    options: &'a CleanupOptions<'a>,
    request: &'a RemovalRequest,
    screen: &'a Screen,
    is_one: bool,
}

/// Whether a cleanup goes on after a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Removing<'_> {
    /// Removes one source after the other. The first surprise ends it, and the rest is not looked at.
    async fn remove_all(
        &self,
        examined: &mut [ExaminedRepo],
        removals: u64,
        gone: u64,
    ) -> CliResult<()> {
        if removals == 0 {
            return check_none_agreed(self.options.agreed, gone);
        }
        let consents = Consents::of(removals, gone, self.options, self.screen)?;
        let mut next = Next::GoOn;
        for one in examined.iter_mut().filter(|one| one.whole.is_some()) {
            if next == Next::Stop || self.options.stop.is_asked() {
                let why = "the cleanup has stopped before it".to_owned();
                one.row
                    .ended(CleanupState::NotLookedAt, why, Exit::Incomplete);
                let screen = screen_of(self.screen, one.row.name(), self.is_one);
                screen.json(&CleanupRepoEvent::of(&one.row));
                continue;
            }
            let screen = screen_of(self.screen, one.row.name(), self.is_one);
            next = self.remove(one, &consents, &screen).await?;
            screen.json(&CleanupRepoEvent::of(&one.row));
        }
        match self.options.stop.is_asked() {
            true => Err(CliError::interrupted()),
            false => Ok(()),
        }
    }

    async fn remove(
        &self,
        one: &mut ExaminedRepo,
        consents: &Consents,
        screen: &Screen,
    ) -> CliResult<Next> {
        let (Some(whole), Some(mut run)) = (one.whole.take(), one.run.take()) else {
            return Ok(Next::GoOn);
        };
        screen.enter_run(run.path());
        let CleanupOptions { settings, stop, .. } = self.options;
        let removal = self.request.of(&whole.source().at.id)?;
        let agreed = match stop.unless(consents.to(&whole, removal, screen)).await {
            Ok(agreed) => agreed,
            Err(failure) => {
                run.fail(&failure, screen)?;
                screen.fail(&failure);
                let why = failure.to_string();
                one.row
                    .ended(CleanupState::NotConfirmed, why, failure.exit());
                return Ok(Next::Stop);
            }
        };
        let permit = match stop
            .unless(last_look(agreed, &run, self.options, screen))
            .await
        {
            Ok(permit) => permit,
            Err(Doubt::Ends(failure)) => return run.fail(&failure, screen).and(Err(failure)),
            Err(doubt) => {
                let why = match doubt {
                    Doubt::Stays(why) => why,
                    _ => "it was there a moment ago, and is not seen any more".to_owned(),
                };
                let reason = screen.shown(&format!("changed since the verification: {why}"));
                screen.warn(&reason);
                one.row
                    .ended(CleanupState::Changed, reason, Exit::Incomplete);
                return end_kept(run, &one.row, screen).map(|()| Next::Stop);
            }
        };
        // From here to the answer nothing interrupts it: what was asked for has to be known.
        match permit.carry_out(&mut run, settings, screen).await {
            Ok(report) => {
                said(&report, screen);
                one.row.removed(report.record.removal);
                Ok(Next::GoOn)
            }
            Err(failure) => {
                run.fail(&failure, screen)?;
                screen.fail(&failure);
                let why = screen.shown(&failure.to_string());
                one.row.ended(CleanupState::Failed, why, failure.exit());
                match failure.ends_all() {
                    true => Err(failure),
                    false => Ok(Next::Stop),
                }
            }
        }
    }
}

fn said(report: &RemovalReport, screen: &Screen) {
    let record = &report.record;
    screen.status(format!(
        "{} {} {}; its copy is {}",
        record.source.kind,
        record.source.id,
        record.removal.done(),
        report.url
    ));
}
