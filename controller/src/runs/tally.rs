//! The counts of a run.

use hf2ms_worker::plan::Plan;
use hf2ms_worker::protocol::{How, Receipt, WorkerOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ui::nouns::counted;
use crate::ui::screen::size;

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Files that are to stand at the destination.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs whose bytes were sent.
    pub moved: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Bytes sent, repeats included.
    pub sent: u64,
    /// Blobs that the hub had already.
    pub reused: u64,
    /// Blobs that the hub copied from the source's repo by itself.
    #[serde(default)]
    pub copied_by_hub: u64,
    /// Their bytes, none of which moved.
    #[serde(default)]
    pub copied_by_hub_bytes: u64,
    /// Files that share a blob with another.
    pub duplicates: u64,
    /// Files whose bytes went into a commit.
    pub inline: u64,
    /// Files that stood there already.
    pub unchanged: u64,
    /// Files deleted.
    pub deleted: u64,
    /// Commits written.
    pub commits: u64,
    /// Tries after a failure.
    pub retries: u64,
    /// Workers that died and were replaced.
    pub lost_workers: u64,
    /// Seconds that workers worked, added up.
    #[serde(default)]
    pub worker_seconds: f64,
    /// Chunks of work.
    pub chunks: u64,
    /// Workers at a time.
    pub workers: u64,
    /// The most blobs that one worker moved at a time; two small ones count as one.
    #[serde(default)]
    pub streams: u64,
}

impl Tally {
    /// The counts of a plan that is not carried out yet.
    pub fn of_plan(plan: &Plan) -> Self {
        let summary = plan.summary();
        Self {
            files: summary.files,
            bytes: summary.bytes,
            duplicates: summary.duplicates,
            unchanged: summary.unchanged,
            chunks: summary.chunks,
            ..Self::default()
        }
    }

    /// Adds a worker's receipt.
    pub fn add(&mut self, receipt: &Receipt) {
        self.sent += receipt.sent;
        self.retries += receipt.retries;
        self.worker_seconds += receipt.seconds;
        self.streams = self.streams.max(receipt.streams);
        self.deleted += receipt.deleted.len() as u64;
        for stored in &receipt.files {
            match stored.how {
                How::Streamed => {
                    self.moved += 1;
                    self.moved_bytes += stored.size;
                }
                How::Reused => self.reused += 1,
                How::CopiedByHub => {
                    self.copied_by_hub += 1;
                    self.copied_by_hub_bytes += stored.size;
                }
                How::Duplicate => self.duplicates += 1,
                How::Inline => self.inline += 1,
                How::Unchanged => self.unchanged += 1,
                // A verification tells itself what it has read.
                How::Hashed => (),
            }
        }
    }

    /// The counts that are not zero, for people; deletions are named by the report.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&'static str, String)> {
        let file = |count| counted(count, "file");
        let blob = |count| counted(count, "blob");
        let rows = [
            (
                self.moved,
                "moved",
                format!("{}, {}", blob(self.moved), size(self.moved_bytes)),
            ),
            (
                self.copied_by_hub,
                "copied",
                format!(
                    "{} by the hub itself, {} that did not move",
                    blob(self.copied_by_hub),
                    size(self.copied_by_hub_bytes)
                ),
            ),
            (
                self.reused,
                "reused",
                format!("{} that the hub had already", blob(self.reused)),
            ),
            (
                self.duplicates,
                "duplicates",
                format!("{} of the same content as another", file(self.duplicates)),
            ),
            (
                self.inline,
                "inline",
                format!(
                    "{} inside {}",
                    file(self.inline),
                    counted(self.commits, "commit")
                ),
            ),
            (self.unchanged, "unchanged", file(self.unchanged)),
            (self.retries, "retries", self.retries.to_string()),
            (
                self.streams
                    .saturating_sub(WorkerOptions::FIRST_STREAMS as u64),
                "streams",
                format!("up to {} a worker", self.streams),
            ),
            (
                self.lost_workers,
                "replaced",
                counted(self.lost_workers, "worker"),
            ),
        ];
        let shown = rows.into_iter().filter(|(count, ..)| *count > 0);
        shown.map(|(_, name, value)| (name, value))
    }
}
