//! The result of a scan, for people and programs.

use hf2ms_worker::protocol::{Scan, ScanJob};
use hf2ms_worker::verbs::mirror::steps::{MirrorRefused, Steps};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
        let mut line = serde_json::to_value(self).unwrap_or_default();
        line["event"] = "scanned".into();
        screen.json(&line);
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
            screen.json(&json!({"event": "lacking", "files": scan.missing}));
        }
        CliError::refused(stopped.to_string())
    })
}
