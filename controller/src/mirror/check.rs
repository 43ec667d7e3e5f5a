//! `--check`: whether a mirror is whole now, or each of a list. Every ref is compared, and the target's LFS server is asked for each object
//! that the history names. Nothing is written.

use std::time::Instant;

use hf2ms_hub::File;
use hf2ms_worker::protocol::{Exit, FailedFile, RefUpdate, Scan, ScanOutput};
use hf2ms_worker::verbs::mirror::refs::updates;
use hf2ms_worker::verbs::mirror::steps::spares_target;
use schemars::JsonSchema;
use serde::Serialize;

use super::endpoints::GitEndpoint;
use super::run::MirrorRun;
use super::scan_report::{lacking_lines, update_lines};
use crate::args::workers::EngineKind;
use crate::batch::row::{BatchRow, RepoStatus};
use crate::batch::summary::BatchSummary;
use crate::engine::Engine;
use crate::revisions::summary::DoneCount;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{counted, grouped};
use crate::ui::screen::Screen;

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

/// What the check of a mirror found.
#[derive(Debug, Clone)]
pub struct CheckedMirror {
    /// The refs that are where the source's are, of how many.
    pub refs: DoneCount,
    /// LFS objects that all history names.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is not equal, in words; `None` where all is.
    pub bad: Option<String>,
}

impl CheckedMirror {
    fn of(scan: &Scan, differ: usize) -> Self {
        let (of, lacks) = (scan.refs.len(), lacking(scan));
        let bad = [
            (differ as u64, "ref", "differing"),
            (lacks, "LFS object", "lacking"),
        ];
        let bad = bad.iter().filter(|(count, ..)| *count > 0);
        let bad: Vec<String> = bad
            .map(|(count, noun, how)| format!("{} {how}", counted(*count, noun)))
            .collect();
        Self {
            refs: DoneCount {
                done: of.saturating_sub(differ),
                of,
            },
            objects: scan.pointers,
            bytes: scan.pointer_bytes,
            bad: (!bad.is_empty()).then(|| bad.join(", ")),
        }
    }

    /// The exit code of this mirror alone.
    pub fn exit(&self) -> Exit {
        match self.bad {
            None => Exit::Done,
            Some(_) => Exit::Incomplete,
        }
    }
}

/// The source and the target of a mirror.
pub struct MirrorPair {
    /// The source.
    pub source: GitEndpoint,
    /// The target.
    pub target: GitEndpoint,
}

/// Checks one mirror after the other and prints a table of all; the worst exit code. One that can't be checked costs only itself.
pub async fn check_all(
    pairs: &[MirrorPair],
    check: impl AsyncFn(&MirrorPair, &Screen) -> CliResult<CheckedMirror>,
    screen: &Screen,
) -> Exit {
    let began = Instant::now();
    let mut rows = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let (screen, began) = (screen.of_repo(&pair.source.at.endpoint), Instant::now());
        let checked = check(pair, &screen).await;
        if let Err(failure) = &checked
            && failure.exit() != Exit::Interrupted
        {
            screen.fail(failure);
        }
        rows.push(row(pair, checked, began.elapsed().as_secs_f64()));
    }
    let summary = BatchSummary {
        rows,
        seconds: began.elapsed().as_secs_f64(),
        on: EngineKind::Local,
        id: None,
    };
    summary.print(screen);
    summary.exit()
}

fn row(pair: &MirrorPair, checked: CliResult<CheckedMirror>, seconds: f64) -> BatchRow {
    let row = BatchRow {
        seconds,
        may_pass: false,
        ..BatchRow::new(&pair.source.at.endpoint, &pair.target.at.endpoint)
    };
    match checked {
        Ok(found) => BatchRow {
            state: RepoStatus::of_verification(found.exit()),
            files: Some(found.objects),
            bytes: Some(found.bytes),
            revisions: Some(found.refs),
            exit: found.exit() as u8,
            reason: found.bad,
            ..row
        },
        Err(failure) => row.failed(&failure),
    }
}

impl MirrorRun<'_> {
    /// Compares every ref of both sides and asks the target for each LFS object.
    ///
    /// # Errors
    /// What ended the scan; the source is empty, or the target of another history.
    pub async fn check(&self, engine: &dyn Engine) -> CliResult<CheckedMirror> {
        let chunking = self.options.worker_args.chunking(0);
        let job = self.options.job("check", chunking, ScanOutput::Found);
        let scan = self.scan(engine, &job).await?;
        spares_target(&job, &scan).map_err(|refused| CliError::refused(refused.to_string()))?;
        let updates = updates(&scan.refs, &scan.there, self.options.scope);
        let checked = CheckedMirror::of(&scan, updates.len());
        self.screen.json(&MirrorCheckedEvent {
            refs: scan.refs.len() as u64,
            updates: &updates,
            lfs_objects: scan.pointers,
            lacking: &scan.missing,
            refused: &scan.refused,
            exit: checked.exit() as u8,
        });
        let lines = update_lines(&updates).into_iter();
        let lines = lines.chain(lacking_lines(&scan));
        let lines = lines.chain([verdict(&scan, updates.len())]);
        let text = lines.collect::<Vec<String>>().join("\n");
        match (self.screen.part(), &checked.bad) {
            (None, _) => self.screen.print(text),
            (Some(_), None) => self.screen.status(text),
            (Some(one), Some(_)) => self.screen.print(format!("\n{one}:\n{text}")),
        }
        Ok(checked)
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
