//! `--check`: whether a mirror is whole now. Every ref is compared, and the target's LFS server is asked for each object that the history
//! names. Nothing is written.

use hf2ms_hub::File;
use hf2ms_worker::protocol::{Exit, FailedFile, RefUpdate, Scan, ScanOutput};
use hf2ms_worker::verbs::mirror::refs::updates;
use hf2ms_worker::verbs::mirror::steps::spares_target;
use schemars::JsonSchema;
use serde::Serialize;

use super::run::MirrorRun;
use super::scan_report::{lacking_lines, update_lines};
use crate::engine::Engine;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, grouped};

/// A mirror was compared with its source.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "mirror_checked")]
pub struct MirrorCheckedEvent<'a> {
    /// Refs of the source.
    refs: u64,
    /// The refs that are not where the source's are.
    updates: &'a [RefUpdate],
    /// LFS objects that all history names, each of which the target was asked for.
    lfs_objects: u64,
    /// Those that the target lacks, each by the first path that names it.
    lacking: &'a [File],
    /// Those that the target does not take.
    refused: &'a [FailedFile],
    /// The exit code.
    exit: u8,
}

impl MirrorRun<'_> {
    /// Compares every ref of both sides and asks the target for each LFS object.
    ///
    /// # Errors
    /// What ended the scan; the source is empty, or the target of another history.
    pub async fn check(&self, engine: &dyn Engine) -> CliResult<Exit> {
        let chunking = self.options.worker_args.chunking(0);
        let job = self.options.job("check", chunking, ScanOutput::Found);
        let scan = self.scan(engine, &job).await?;
        spares_target(&job, &scan).map_err(|refused| CliError::refused(refused.to_string()))?;
        let updates = updates(&scan.refs, &scan.there, self.options.scope);
        let is_whole = updates.is_empty() && lacking(&scan) == 0;
        let exit = match is_whole {
            true => Exit::Done,
            false => Exit::Incomplete,
        };
        self.screen.json(&MirrorCheckedEvent {
            refs: scan.refs.len() as u64,
            updates: &updates,
            lfs_objects: scan.pointers,
            lacking: &scan.missing,
            refused: &scan.refused,
            exit: exit as u8,
        });
        let lines = update_lines(&updates).into_iter();
        let lines: Vec<String> = lines.chain(lacking_lines(&scan)).collect();
        if !lines.is_empty() {
            self.screen.print(lines.join("\n"));
        }
        self.screen.print(verdict(&scan, updates.len()));
        Ok(exit)
    }
}

/// LFS objects that the target does not have.
fn lacking(scan: &Scan) -> u64 {
    (scan.missing.len() + scan.refused.len()) as u64
}

/// The last line for a person.
fn verdict(scan: &Scan, differ: usize) -> String {
    let refs = counted(scan.refs.len() as u64, "ref");
    let objects = counted(scan.pointers, "LFS object");
    let (differ, lacks) = (differ as u64, lacking(scan));
    match (differ, lacks, scan.pointers) {
        (0, 0, 0) => format!("equal: {refs} on both sides, and no LFS object"),
        (0, 0, _) => format!("equal: {refs} on both sides, and {objects}, each asked for"),
        _ => format!(
            "NOT EQUAL: {} of {refs} differ, and the target lacks {} of {objects}; hf2ms mirror brings them",
            grouped(differ),
            grouped(lacks)
        ),
    }
}
