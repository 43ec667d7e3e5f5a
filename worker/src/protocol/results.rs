//! The results that events carry: of a check, of a verification, and a plan in numbers.

use hf2ms_hub::{Refused, RepoPath, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerifyLevel;

/// Whether an endpoint answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointCheck {
    /// Its address.
    pub endpoint: String,
    /// Whether anything answered there.
    pub ok: bool,
    /// Milliseconds until the answer.
    pub ms: u64,
    /// What went wrong, when nothing answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The tag of what stood at the destination before the first commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupResult {
    /// Its name.
    pub tag: Revision,
    /// The commit that it names, or would name; absent where the hub tells none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Revision>,
    /// Why it was not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// Files compared.
    pub checked: u64,
    /// Files equal in size and digest.
    pub equal: u64,
    /// Paths that are not there.
    pub missing: Vec<RepoPath>,
    /// Paths whose content differs.
    pub different: Vec<RepoPath>,
    /// Paths that could not be compared, and why.
    pub unread: Vec<Refused>,
    /// Paths there that the source does not have; not an error.
    pub extra: Vec<RepoPath>,
    /// Where the destination stood just before it was listed, if its hub tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Revision>,
    /// How much of the destination was read.
    #[serde(default)]
    pub level: VerifyLevel,
    /// The contents that were read there; absent where only the listing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<ContentsRead>,
}

/// The contents that a verification has read at the destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ContentsRead {
    /// Files of which bytes were read and found right.
    pub files: u64,
    /// Files of which bytes were to be read, or among which they were chosen: of a run's sample those that it stored as blobs, equal
    /// ones once.
    pub of: u64,
    /// Bytes read of them.
    pub bytes: u64,
    /// Files whose bytes are not those that the destination lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<RepoPath>,
    /// The seed of the random choice, where not all were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// What was read at the source, where all of it was to be read there, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceRead>,
}

/// The contents that a verification has read at the source, every byte of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceRead {
    /// Files that were read and found right.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files whose bytes are not those that the source lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wrong: Vec<RepoPath>,
}

impl Verification {
    /// Whether every file was compared and found equal.
    pub fn is_good(&self) -> bool {
        self.equal == self.checked
            && self.missing.is_empty()
            && self.different.is_empty()
            && self.unread.is_empty()
    }

    /// What was compared, in half a sentence for people.
    pub fn scope(&self) -> String {
        let Some(ContentsRead {
            files,
            of,
            seed,
            source,
            ..
        }) = &self.contents
        else {
            return "by the destination's listing alone".to_owned();
        };
        if self.level == VerifyLevel::Deep {
            let both = source.as_ref().map_or(String::new(), |source| {
                format!(", and of {} at the source", source.files)
            });
            let read = match files == of {
                true => format!("the {of}"),
                false => format!("{files} of the {of}"),
            };
            return format!("every byte read of {read} that are not empty{both}");
        }
        let listed = self.checked.saturating_sub(*files);
        let chosen = seed.map_or(String::new(), |seed| {
            format!(", chosen of {of} by seed {seed}")
        });
        let ending = if *files == 1 { "" } else { "s" };
        format!(
            "{listed} by the destination's listing alone; the first and last bytes read of {files} other{ending}{chosen}"
        )
    }
}

/// A plan in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSummary {
    /// Files of the source that are to stand at the destination.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that have to move.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Files that share a blob with another.
    pub duplicates: u64,
    /// Files that go into commits.
    pub inline: u64,
    /// Files that stand there already.
    pub unchanged: u64,
    /// Files to be deleted there.
    pub deletes: u64,
    /// Entries that can't be moved.
    pub refused: u64,
    /// Chunks of work.
    pub chunks: u64,
}
