//! The result of a scan, for people and programs.

use hf2ms_hub::File;
use hf2ms_worker::protocol::{RefUpdate, Scan, ScanJob};
use hf2ms_worker::verbs::mirror::steps::{MirrorRefused, Steps};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::{Screen, size};

/// More names than this are counted, not shown.
const SHOWN: usize = 20;

/// The numbers of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanSummary {
    objects: u64,
    git_bytes: u64,
    pointers: u64,
    pointer_bytes: u64,
    missing: u64,
    missing_bytes: u64,
}

/// Both sides of a mirror are scanned.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "scanned")]
pub struct ScannedEvent {
    /// Git objects of the source.
    objects: u64,
    /// The bytes of their pack.
    git_bytes: u64,
    /// LFS objects that all history names.
    pointers: u64,
    /// Their bytes.
    pointer_bytes: u64,
    /// LFS objects that the target lacks.
    lacking: u64,
    /// Their bytes.
    lacking_bytes: u64,
}

/// LFS objects that the target lacks and that may not be left out.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "lacking")]
pub struct LackingEvent<'a> {
    /// The objects, each by the first path that names it.
    lfs_objects: &'a [File],
}

impl ScanSummary {
    /// The numbers of a scan.
    pub fn of(scan: &Scan) -> Self {
        let Scan {
            objects,
            git_bytes,
            pointers,
            pointer_bytes,
            missing_bytes,
            ..
        } = *scan;
        Self {
            objects,
            git_bytes,
            pointers,
            pointer_bytes,
            missing: scan.missing.len() as u64,
            missing_bytes,
        }
    }

    /// Says them.
    pub fn print(&self, screen: &Screen) {
        let Self {
            objects,
            git_bytes,
            pointers,
            missing,
            missing_bytes,
            ..
        } = *self;
        let (git, lacks) = (size(git_bytes), size(missing_bytes));
        let objects_of_git = counted(objects, "object");
        let lacks = match (pointers, missing) {
            (0, _) => "no LFS objects".to_owned(),
            (_, 0) => format!(
                "the target has all {} already",
                counted(pointers, "LFS object")
            ),
            _ => format!(
                "the target lacks {} of {}, {lacks}",
                grouped(missing),
                counted(pointers, "LFS object")
            ),
        };
        screen.status(format!("Git has {objects_of_git}, {git}; {lacks}"));
        screen.json(&ScannedEvent {
            objects,
            git_bytes,
            pointers,
            pointer_bytes: self.pointer_bytes,
            lacking: missing,
            lacking_bytes: missing_bytes,
        });
    }
}

/// The steps that follow a scan.
///
/// # Errors
/// Nothing may: something would be lost, or pointers would lead to nothing. What the target lacks is shown then.
pub fn follow(job: &ScanJob, scan: &Scan, screen: &Screen) -> CliResult<Steps> {
    Steps::of(job, scan).map_err(|stopped| {
        if matches!(stopped, MirrorRefused::Lacking(..)) {
            screen.print(lacking_lines(scan).join("\n"));
            screen.json(&LackingEvent {
                lfs_objects: &scan.missing,
            });
        }
        CliError::refused(stopped.to_string())
    })
}

/// The first LFS objects that the target lacks, a line each.
pub(super) fn lacking_lines(scan: &Scan) -> Vec<String> {
    let names = scan
        .missing
        .iter()
        .take(SHOWN)
        .map(|file| format!("  {} {}", file.path, size(file.size)));
    let rest = scan.missing.len().saturating_sub(SHOWN);
    names
        .chain((rest > 0).then(|| format!("  and {rest} more")))
        .collect()
}

/// The first refs that would change, a line each.
pub(super) fn update_lines(updates: &[RefUpdate]) -> Vec<String> {
    let lines = updates.iter().take(SHOWN).map(ref_update_line);
    let more = updates.len().saturating_sub(SHOWN) as u64;
    let more = (more > 0).then(|| format!("  and {} more, which --json names", grouped(more)));
    lines.chain(more).collect()
}

/// What a dry run found: what would change, then the names, and nothing that is zero.
pub fn dry_run_table(scan: &Scan, updates: &[RefUpdate]) -> String {
    let refs = counted(scan.refs.len() as u64, "ref");
    let lacking = scan.missing.len() as u64;
    let verdict = match (updates.len() as u64, lacking) {
        (0, 0) => format!("nothing to do: all {refs} stand at the target"),
        (count, _) => format!("{} of {refs} would change", grouped(count)),
    };
    let git = counted(scan.objects, "object");
    let lfs = counted(scan.pointers, "LFS object");
    let (bytes, all) = (size(scan.missing_bytes), size(scan.pointer_bytes));
    let mut lines = vec![format!(
        "{verdict}; Git has {git}, {}",
        size(scan.git_bytes)
    )];
    lines.extend((scan.pointers > 0).then(|| match lacking {
        0 => format!("no LFS object would move: the target has all {lfs}, {all}"),
        _ => format!("{} of {lfs} would move, {bytes} of {all}", grouped(lacking)),
    }));
    lines.extend(update_lines(updates));
    lines.join("\n")
}

fn ref_update_line(update: &RefUpdate) -> String {
    let name = hf2ms_hub::path::escape(&update.name);
    let short = |oid: &Option<String>| {
        oid.as_ref()
            .map(|oid| oid.chars().take(10).collect::<String>())
    };
    match (short(&update.old), short(&update.new)) {
        (None, Some(new)) => format!("  new       {name} {new}"),
        (Some(old), Some(new)) => format!("  changed   {name} {old} -> {new}"),
        (old, None) => format!("  deleted   {name} {}", old.unwrap_or_default()),
    }
}
