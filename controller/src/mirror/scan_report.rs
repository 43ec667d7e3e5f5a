//! The result of a scan, for people and programs.

use hf2ms_hub::File;
use hf2ms_worker::protocol::{Scan, ScanJob};
use hf2ms_worker::verbs::mirror::steps::{MirrorRefused, Steps};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, size};

/// More names than this are counted, not shown.
pub(super) const SHOWN: usize = 20;

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
        screen.status(format!("Git has {objects} objects, {git}; the target lacks {missing} of {pointers} LFS objects, {lacks}"));
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
            let names = scan
                .missing
                .iter()
                .take(SHOWN)
                .map(|file| format!("  {} {}", file.path, size(file.size)));
            let rest = scan.missing.len().saturating_sub(SHOWN);
            let lines: Vec<String> = names
                .chain((rest > 0).then(|| format!("  and {rest} more")))
                .collect();
            screen.print(lines.join("\n"));
            screen.json(&LackingEvent {
                lfs_objects: &scan.missing,
            });
        }
        CliError::refused(stopped.to_string())
    })
}
