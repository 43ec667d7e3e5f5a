//! The end of a copy: stored blobs and inline files are committed, then every file is compared.

use std::collections::HashSet;

use hf2ms_hub::{Error, Kind, RepoPath, Result};

use super::compare::compare;
use super::contents::Sampling;
use super::creation::check_before_commit;
use crate::commit::{self, Backup, LeftUndone, Precedence};
use crate::context::Context;
use crate::plan::{Changeset, Plan, changed_meanwhile};
use crate::protocol::{Deletion, Event, Exit, FailedFile, Receipt, Verification};

/// How a commit and its verification ended.
#[derive(Debug)]
pub struct VerifiedCommit {
    /// The exit code of the copy.
    pub exit: Exit,
    /// The files that are not there as planned, and why.
    pub failed: Vec<FailedFile>,
    /// The result of the verification.
    pub verification: Verification,
}

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
    precedence: Precedence,
) -> Result<VerifiedCommit> {
    let unsent = plan.unsent(&receipts);
    let backup = Backup::of(context, plan, run, precedence);
    // A branch that is made by a run has nothing to lose.
    let backup = Some(&backup).filter(|_| deletion == Deletion::WhenWhole);
    commit_files(context, plan, &receipts, &unsent, deletion, backup).await?;
    let committed = context.events.receipt_so_far();
    let failed: Vec<FailedFile> = unsent.iter().chain(&committed.failed).cloned().collect();
    receipts.push(committed);
    let files = plan.verify_job(run, &receipts, &failed).files;
    let mut found = compare(context, &files, Sampling::OF_RUN).await?;
    let mut failed = failed;
    failed.extend(changed_by_others(context, plan, &mut found));
    let failed = if plan.is_pinned() {
        failed
    } else {
        compare_with_source(context, plan, failed).await?
    };
    let exit = exit(plan, &failed, &found);
    context.events.say(&Event::Verified(found.clone()));
    Ok(VerifiedCommit {
        exit,
        failed,
        verification: found,
    })
}

/// The failures of files that were equal when the plan was made, and are not any more: nothing of this run has written them. They
/// leave the verification, which is of what this run answers for.
fn changed_by_others(context: &Context, plan: &Plan, found: &mut Verification) -> Vec<FailedFile> {
    let before = context.events.receipt_so_far().failed.len();
    let equal: HashSet<&RepoPath> = plan.equal_when_compared().collect();
    let read = found.contents.as_ref();
    let wrong: HashSet<RepoPath> =
        read.map_or_else(HashSet::new, |read| read.wrong.iter().cloned().collect());
    // Wrong bytes of a file that is listed as it was are nobody's change.
    let theirs = |path: &mut RepoPath| equal.contains(path) && !wrong.contains(path);
    for path in found.different.extract_if(.., theirs) {
        context.events.failed(&path, &changed_meanwhile("changed"));
        found.checked -= 1;
    }
    context.events.receipt_so_far().failed.split_off(before)
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

/// Commits what can be committed. Where files failed for a reason that may pass, the branch is listed and they are tried once more.
async fn commit_files(
    context: &Context,
    plan: &Plan,
    receipts: &[Receipt],
    unsent: &[FailedFile],
    deletion: Deletion,
    backup: Option<&Backup<'_>>,
) -> Result<()> {
    let mut change = Changeset {
        deletion,
        hold_back: unsent.iter().any(commit::holds_back),
        ..plan.change(receipts)
    };
    if deletion == Deletion::WhenWhole && !unsent.is_empty() {
        keep_deletions(context, &mut change);
    }
    if change.is_empty() {
        return Ok(());
    }
    let permission = async {
        let checked = check_before_commit(context.destination.as_ref(), plan.creation);
        checked.await.map_err(Error::from)
    };
    context.events.hold_failures();
    let written = commit::write_permitted(context, &change, backup, permission).await;
    let again = match &written {
        Ok(left) => worth_another_try(context.events.held_failures(), left),
        Err(_) => HashSet::new(),
    };
    context.events.release_failures(&again);
    written?;
    if again.is_empty() {
        return Ok(());
    }
    change.keep_only(&again);
    // Where the branch stands is not known any more: it is listed first.
    change.parent = None;
    let permission = std::future::ready(Ok(()));
    commit::write_permitted(context, &change, backup, permission).await?;
    Ok(())
}

/// The paths that another commit may bring; none where only files failed that no other try helps.
fn worth_another_try(failed: Vec<FailedFile>, left: &LeftUndone) -> HashSet<String> {
    let is_worth_it =
        |failed: &FailedFile| failed.may_pass() && !left.waiting.contains(&failed.path);
    let again: Vec<_> = failed
        .into_iter()
        .filter(|failed| !left.conflicts.contains(&failed.path))
        .collect();
    match again.iter().any(is_worth_it) {
        true => again.into_iter().map(|failed| failed.path).collect(),
        false => HashSet::new(),
    }
}

/// Takes the deletions out of a change beside which other files failed, and names them in the report.
fn keep_deletions(context: &Context, change: &mut Changeset) {
    for file in change.delete.drain(..) {
        let error = Error::new(Kind::Transient, FailedFile::NOT_DELETED);
        context.events.failed(&file.path, &error);
    }
}

/// Compares the plan with what the destination holds now, where an earlier writer of the run may have committed. Of a repo that exists
/// since the plan was made, the commit finds out what is done; a repo that was created since is listed for what its hub put there.
///
/// # Errors
/// The destination can't be listed.
pub async fn rebase_on_destination(context: &Context, plan: &mut Plan) -> Result<()> {
    if plan.creation.exists {
        plan.parent = None;
        return Ok(());
    }
    plan.rebase_on(&context.destination.list_branch().await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Blob, Sha256};

    use super::*;
    use crate::plan::tests::{listed, listing, plan, there};
    use crate::protocol::ContentsRead;
    use crate::testing::{FakeDestination, FakeSource, context};

    fn failed(path: &str, kind: Kind) -> FailedFile {
        FailedFile::new(path, "no", kind)
    }

    /// The paths of failures, each with its error's kind and whether it tells of this.
    fn told<'a>(failed: &'a [FailedFile], words: &str) -> Vec<(&'a str, Kind, bool)> {
        let told = |failed: &'a FailedFile| {
            let tells = failed.error.contains(words);
            (failed.path.as_str(), failed.kind, tells)
        };
        failed.iter().map(told).collect()
    }

    /// A copy of three files whose source lists this as the first later on, and its failures: of the first and second content that
    /// is corrupt, and of the third another one.
    async fn compared_again(first: &[u8]) -> Vec<FailedFile> {
        let files = |first| {
            vec![
                listed("a.txt", first, false),
                listed("b.txt", b"b", false),
                listed("c.txt", b"c", false),
            ]
        };
        let mut source = FakeSource::default();
        source.listing = listing(files(first));
        let (context, ..) = context(source, FakeDestination::default(), 1 << 20);
        let plan = plan(files(b"a"), vec![], None);
        let failed = vec![
            failed("a.txt", Kind::Corrupt),
            failed("b.txt", Kind::Corrupt),
            failed("c.txt", Kind::NotFound),
        ];
        compare_with_source(&context, &plan, failed).await.unwrap()
    }

    #[tokio::test]
    async fn a_source_that_has_changed_explains_corrupt_content_and_no_other_failure() {
        let same = compared_again(b"a").await;
        let kinds = [Kind::Corrupt, Kind::Corrupt, Kind::NotFound];
        assert!(same.iter().map(|failed| failed.kind).eq(kinds), "{same:?}");
        let changed = compared_again(b"new").await;
        let expected = [
            ("c.txt", Kind::NotFound, false),
            ("a.txt", Kind::Conflict, true),
            ("b.txt", Kind::Conflict, false),
        ];
        assert_eq!(told(&changed, "has changed it since"), expected);
    }

    #[tokio::test]
    async fn an_equal_file_that_differs_later_was_changed_by_others_unless_its_bytes_are_wrong() {
        let all = || ["equal", "rotten", "sent"].map(|path| listed(path, b"1", true));
        let plan = plan(
            all().to_vec(),
            vec![there("equal", b"1", true), there("rotten", b"1", true)],
            None,
        );
        let path = |path: &str| path.parse::<RepoPath>().unwrap();
        let mut found = Verification {
            checked: 3,
            different: all().map(|listed| listed.file.path).to_vec(),
            contents: Some(ContentsRead {
                wrong: vec![path("rotten")],
                ..ContentsRead::default()
            }),
            ..Verification::default()
        };
        let (context, ..) = context(FakeSource::default(), FakeDestination::default(), 1 << 20);
        context
            .events
            .failed(&path("earlier"), &Error::new(Kind::NotFound, "no"));
        let failed = changed_by_others(&context, &plan, &mut found);
        let expected = [("equal", Kind::Conflict, true)];
        assert_eq!(told(&failed, "changed"), expected);
        assert_eq!(found.different, [path("rotten"), path("sent")]);
        assert_eq!(found.checked, 2);
    }
    #[tokio::test]
    async fn a_blob_that_is_missing_for_now_holds_back_what_makes_a_repo_look_complete() {
        for (kind, is_written) in [(Kind::Transient, false), (Kind::NotFound, true)] {
            let mut source = FakeSource::default();
            source.git("README.md", "hello");
            let files = vec![
                listed("README.md", b"hello", false),
                listed("w.bin", b"1", true),
            ];
            let plan = plan(files, vec![], None);
            let (context, _, destination) = context(source, FakeDestination::default(), 1 << 20);
            let unsent = [failed("w.bin", kind)];
            commit_files(&context, &plan, &[], &unsent, Deletion::WhenWhole, None)
                .await
                .unwrap();
            let written = destination.files.lock().unwrap().len();
            assert_eq!(written, usize::from(is_written), "{kind:?}");
        }
    }
    #[tokio::test]
    async fn of_a_new_repo_what_its_hub_put_there_is_seen_and_of_an_older_one_nothing() {
        for exists in [false, true] {
            let files = vec![listed("README.md", b"hello", false)];
            let mut plan = plan(files, vec![], None);
            plan.creation.exists = exists;
            plan.parent = "c".repeat(40).parse().ok();
            let destination = FakeDestination::default();
            let (sha256, size) = (Sha256::of(b"theirs"), 6);
            let blob = Blob { sha256, size };
            let held = ("README.md".parse().unwrap(), blob);
            *destination.files.lock().unwrap() = [held].into();
            let (context, _, destination) = context(FakeSource::default(), destination, 1 << 20);
            rebase_on_destination(&context, &mut plan).await.unwrap();
            let is_seen = plan.files[0].current.is_some();
            assert_eq!((is_seen, plan.parent), (!exists, None));
            let listings = *destination.listings.lock().unwrap();
            assert_eq!(listings, usize::from(!exists));
        }
    }
}
