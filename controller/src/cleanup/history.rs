//! The commits of a source before those that its branches and tags stand at. A copy holds them where it stands at the very same commits,
//! and shows now that it has what they name: Git's objects, and the content of each large file.

use std::collections::BTreeSet;
use std::time::Instant;

use hf2ms_hub::{RefKind, RepoAt, Revision, open_ref_store};
use hf2ms_worker::protocol::{
    Exit, Force, LfsPolicy, RefAt, RefScope, Safeguards, Scan, ScratchFolder,
};

use super::compared::Compared;
use super::doubt::Checked;
use super::options::{CleanupOptions, LossPolicy};
use super::verified::VerifiedRevision;
use crate::args::workers::WorkerArgs;
use crate::batch::list;
use crate::binaries::find_worker;
use crate::engine::local::Local;
use crate::engine::remote::DetachMode;
use crate::mirror::endpoints::{parse_source, parse_target, settings_of};
use crate::mirror::options::MirrorOptions;
use crate::mirror::run::MirrorRun;
use crate::runs::removal::HistoryLoss;
use crate::settings::Environment;
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::CliResult;
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::Screen;

/// What of the history is lost, and why a copy at the same commits is not known to hold it.
pub type FoundHistory = (HistoryLoss, Option<String>);

/// Counts the earlier commits. Where the copy stands at the same commits, and a loss is not agreed to, all that they name is read there.
///
/// # Errors
/// A question fails for now; what ends the whole command.
pub async fn of(
    compared: &Compared<'_>,
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> Checked<FoundHistory> {
    let counted = count(compared, options).await?;
    let is_asked = options.loses() && options.history == LossPolicy::Needed;
    let is_same = compared
        .revisions
        .iter()
        .all(VerifiedRevision::is_same_commit);
    if counted == HistoryLoss::None || !is_asked || !is_same {
        return Ok((counted, None));
    }
    let doubt = match read_copy(compared, options, screen).await {
        Ok(scan) => doubt_in(&scan, compared.revisions),
        Err(failure) if failure.ends_all() || failure.exit() == Exit::Interrupted => {
            return Err(failure.into());
        }
        Err(failure) => Some(failure.to_string()),
    };
    Ok(match doubt {
        None => (HistoryLoss::Held, None),
        Some(why) => (counted, Some(why)),
    })
}

/// The earlier commits by the hub's own count. Where each branch and tag has a single commit, there are none.
async fn count(compared: &Compared<'_>, options: &CleanupOptions<'_>) -> Checked<HistoryLoss> {
    let (at, settings) = (&compared.source.at, options.settings);
    let failed = |error| hub_error(&error, at, settings, AccessMode::Read);
    let side = settings.source(at).map_err(failed)?;
    let store = open_ref_store(&side, settings.http()).map_err(failed)?;
    let refs = compared.refs.refs();
    let all = refs.branches.iter().chain(&refs.tags);
    let commits: BTreeSet<&str> = all.map(|one| one.commit.as_str()).collect();
    let mut earlier = 0;
    for commit in commits {
        let Ok(revision) = commit.parse::<Revision>() else {
            return Ok(HistoryLoss::NotTold);
        };
        match store.commit_count(&revision).await {
            Ok(Some(count @ 1..)) => earlier = earlier.max(count - 1),
            Ok(_) => return Ok(HistoryLoss::NotTold),
            Err(error) => return Err(failed(error).into()),
        }
    }
    Ok(match earlier {
        0 => HistoryLoss::None,
        earlier => HistoryLoss::Commits { earlier },
    })
}

/// Has a worker fetch the history of both sides by Git, and read each large file of all commits at the copy.
async fn read_copy(
    compared: &Compared<'_>,
    options: &CleanupOptions<'_>,
    screen: &Screen,
) -> CliResult<Scan> {
    let named = |at: &RepoAt| list::source(at.hub, at.kind, &at.id);
    let environment = Environment::of_process();
    let source = parse_source(&named(&compared.source.at), &environment)?;
    let target = parse_target(&named(compared.copy), &source, &environment)?;
    let settings = settings_of(&source, &target, &environment)?;
    screen.looking("reading the history of the copy, which has the same commits");
    let mirror = MirrorOptions {
        source,
        target,
        scope: RefScope::Branches,
        force: Force::Never,
        lfs: LfsPolicy::Expected,
        safeguards: Safeguards::default(),
        folder: ScratchFolder::default(),
        worker_args: WorkerArgs::default(),
    };
    let run = MirrorRun {
        options: &mirror,
        settings: &settings,
        runs: options.runs,
        screen,
        stop: options.stop,
        watch: DetachMode::Attached,
        began: Instant::now(),
    };
    let engine = Local {
        binary: find_worker()?,
        workers: 1,
        logs: None,
        settings: settings.clone(),
        stop: options.stop.clone(),
    };
    run.scanned(&engine, options.level).await
}

/// Why a scan does not show that the copy holds the history of these branches and tags; `None` where it does.
fn doubt_in(scan: &Scan, revisions: &[VerifiedRevision]) -> Option<String> {
    if scan.refs.len() != revisions.len() || !revisions.iter().all(|one| has_refs(scan, one)) {
        return Some("its branches and tags have changed meanwhile".to_owned());
    }
    let large = |count: u64| counted(count, "large file");
    if let lacking @ 1.. = scan.missing.len() + scan.refused.len() {
        let all = large(scan.pointers);
        let lacking = grouped(lacking as u64);
        return Some(format!(
            "the copy lacks {lacking} of the {all} of all commits"
        ));
    }
    let Some(found) = &scan.contents else {
        return Some("the worker has read nothing of the copy: it is another version".to_owned());
    };
    if let Some(unread) = found.unread.first() {
        return Some(format!("{}: {}", unread.path, unread.reason));
    }
    let read = found.contents.clone().unwrap_or_default();
    let is_all = found.is_good() && (read.files, found.checked) == (scan.pointers, scan.pointers);
    (!is_all).then(|| {
        let all = large(scan.pointers);
        format!(
            "{} of the {all} of all commits were read at the copy",
            grouped(read.files)
        )
    })
}

/// Whether Git tells a branch or tag of both sides as it was compared. The object of an annotated tag is not its commit.
fn has_refs(scan: &Scan, revision: &VerifiedRevision) -> bool {
    let (kind, record) = (revision.kind(), revision.record());
    let folder = match kind {
        RefKind::Branch => "refs/heads/",
        RefKind::Tag => "refs/tags/",
    };
    let stands = |refs: &[RefAt], name: &Revision| {
        let full = format!("{folder}{name}");
        let found = refs.iter().find(|found| found.name == full);
        found.is_some_and(|found| kind == RefKind::Tag || found.oid == record.commit.as_str())
    };
    stands(&scan.refs, &record.name) && stands(&scan.there, &record.copy_name)
}
