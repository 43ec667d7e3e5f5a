//! The end of a copy: stored blobs and inline files are committed, then every file is compared.

use std::collections::HashSet;

use hf2ms_hub::{Error, Kind, RepoPath, Result};

use super::compare::compare;
use super::creation::check_before_commit;
use crate::commit;
use crate::context::Context;
use crate::plan::{Changeset, Plan, WithheldDeletions};
use crate::protocol::{Deletion, Event, Exit, FailedFile, Receipt, Verification};

/// Commits the files whose blobs are stored, as the receipts say, and compares every file that has not failed. Both are reported as
/// events.
///
/// # Errors
/// The destination can't be listed, or a hub ended the commit for good.
pub async fn commit_and_verify(
    context: &Context,
    plan: &mut Plan,
    run: &str,
    mut receipts: Vec<Receipt>,
    deletion: Deletion,
) -> Result<Exit> {
    let unsent = plan.unsent(&receipts);
    commit_files(context, plan, &receipts, &unsent, deletion).await?;
    let committed = context.events.receipt_so_far();
    let failed: Vec<FailedFile> = unsent.iter().chain(&committed.failed).cloned().collect();
    receipts.push(committed);
    let found = compare(context, &plan.verify_job(run, &receipts, &failed).files).await?;
    let failed = if plan.is_pinned() {
        failed
    } else {
        compare_with_source(context, plan, failed).await?
    };
    let exit = exit(plan, &failed, &found);
    context.events.say(&Event::Verified(found));
    Ok(exit)
}

/// The failures of a copy whose source names no commit, once the source is listed again. A file that the source has changed since
/// then has failed for that reason, and no content is called corrupt.
async fn compare_with_source(
    context: &Context,
    plan: &Plan,
    mut failed: Vec<FailedFile>,
) -> Result<Vec<FailedFile>> {
    let changes = plan.source_changes(&context.source.list().await?);
    if changes.is_empty() {
        return Ok(failed);
    }
    let before = context.events.receipt_so_far().failed.len();
    let report = |path: &RepoPath, what: String| {
        let message = format!("{what}: run the same command again");
        let error = Error::new(Kind::Conflict, message);
        context.events.failed(path, &error);
    };
    for (path, word) in &changes {
        let what = format!(
            "the source has {word} it since it was listed, and tells no commit to read it at"
        );
        report(path, what);
    }
    let changed: HashSet<&RepoPath> = changes.iter().map(|(path, _)| path).collect();
    for path in corrupt(plan, &failed).filter(|path| !changed.contains(path)) {
        report(
            path,
            "the source has changed since it was listed".to_owned(),
        );
    }
    let replaced = context.events.receipt_so_far().failed.split_off(before);
    let paths: HashSet<&str> = replaced.iter().map(|failed| failed.path.as_str()).collect();
    failed.retain(|failed| !paths.contains(failed.path.as_str()));
    drop(paths);
    failed.extend(replaced);
    Ok(failed)
}

/// The planned files whose content was not what the source's listing says.
fn corrupt<'a>(plan: &'a Plan, failed: &[FailedFile]) -> impl Iterator<Item = &'a RepoPath> {
    let corrupt: HashSet<String> = failed
        .iter()
        .filter(|failed| failed.kind == Kind::Corrupt)
        .map(|failed| failed.path.clone())
        .collect();
    let paths = plan.files.iter().map(|planned| &planned.file.path);
    paths.filter(move |path| corrupt.contains(&path.to_string()))
}

/// The worst of what the verification, the failures and the plan's own gaps call for.
fn exit(plan: &Plan, failed: &[FailedFile], found: &Verification) -> Exit {
    let left_out = if plan.leaves_out() {
        Exit::Incomplete
    } else {
        Exit::Done
    };
    found.exit().worse(Exit::of_failed(failed)).worse(left_out)
}

/// Commits what can be committed. Where files failed for a reason that may pass, the branch is listed and the commit is tried once
/// more.
async fn commit_files(
    context: &Context,
    plan: &mut Plan,
    receipts: &[Receipt],
    unsent: &[FailedFile],
    deletion: Deletion,
) -> Result<()> {
    let before = context.events.receipt_so_far().failed.len();
    let deletion = (deletion == Deletion::Always || unsent.is_empty()).then_some(deletion);
    let change = allowed(plan.change(receipts), deletion);
    if change.is_empty() {
        return Ok(());
    }
    check_before_commit(context.destination.as_ref(), plan.creation.visibility).await?;
    commit::write_changeset(context, &change).await?;
    let failed = context.events.receipt_so_far().failed.split_off(before);
    if failed.iter().any(FailedFile::may_pass) {
        context.events.forget_failures_after(before);
        rebase_on_destination(context, plan).await?;
        let change = allowed(plan.change(receipts), deletion);
        if !change.is_empty() {
            commit::write_changeset(context, &change).await?;
        }
    }
    Ok(())
}

/// The changeset with the deletions that are allowed; `None` allows none.
fn allowed(mut change: Changeset, deletion: Option<Deletion>) -> Changeset {
    match deletion {
        Some(deletion) => change.deletion = deletion,
        None => change.delete.clear(),
    }
    change
}

/// Lists the destination and rebases the plan on the listing. Deletions that are withheld, because another writer changed the file,
/// are reported as failures: the controller, which made the plan, does not know of them.
///
/// # Errors
/// The destination can't be listed.
pub async fn rebase_on_destination(context: &Context, plan: &mut Plan) -> Result<()> {
    let known = plan.withheld.len();
    plan.rebase_on(&context.destination.list_branch().await?);
    for WithheldDeletions { reason, paths } in &plan.withheld[known..] {
        paths.iter().for_each(|path| {
            context
                .events
                .failed(path, &Error::new(Kind::Conflict, reason.clone()))
        });
    }
    Ok(())
}
