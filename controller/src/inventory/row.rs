//! A repo of the inventory: what it is, and how its copy stands.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use hf2ms_hub::{Gate, GateMode, OwnedRepo, RepoAt, RepoInfo, RepoKind, Revision, Visibility};
use hf2ms_worker::plan::ListingComparison;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::list;
use crate::copy::exposure::shows_more;
use crate::copy::sync_state::ProvenCopy;
use crate::inventory::repos::InventoryEntry;
use crate::ui::counts::Status;
use crate::ui::nouns::{counted, few_of, grouped};
use crate::ui::screen::size;

/// The state of a copy.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum CopyState {
    /// The destination does not exist, or may not be seen
    None,
    /// Files are missing at the destination; those that are there are equal
    Partial,
    /// Files at the destination differ
    Different,
    /// Both sides have changed since the last copy
    Conflict,
    /// The source has changed since the last copy, and the destination has not
    Newer,
    /// The sizes are equal, but some files can't be compared by their digests
    EqualBySize,
    /// Every file is equal, by its digest
    Equal,
    /// The source was in its owner's list and is gone
    Vanished,
    /// The hub has disabled one of the sides
    Disabled,
    /// One of the sides, or a content that was to be read, can't be read
    Unreadable,
}

impl Status for CopyState {
    const ALL: &[Self] = &[
        Self::None,
        Self::Partial,
        Self::Different,
        Self::Conflict,
        Self::Newer,
        Self::EqualBySize,
        Self::Equal,
        Self::Vanished,
        Self::Disabled,
        Self::Unreadable,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Partial => "partial",
            Self::Different => "different",
            Self::Conflict => "conflict",
            Self::Newer => "newer",
            Self::EqualBySize => "equal-by-size",
            Self::Equal => "equal",
            Self::Vanished => "vanished",
            Self::Disabled => "disabled",
            Self::Unreadable => "unreadable",
        }
    }
}

impl CopyState {
    /// Whether nothing is left to be copied.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Equal | Self::EqualBySize)
    }
}

/// What a command line names of rows: the state of the copy, or that it shows more than its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFilter {
    /// Those whose copy has this state.
    State(CopyState),
    /// Those whose copy shows more than the source.
    Exposed,
}

impl RowFilter {
    const ALL: [Self; CopyState::ALL.len() + 1] = {
        let mut all = [Self::Exposed; CopyState::ALL.len() + 1];
        let mut at = 0;
        while at < CopyState::ALL.len() {
            all[at] = Self::State(CopyState::ALL[at]);
            at += 1;
        }
        all
    };

    /// Whether this row is among those.
    pub fn is_met_by(self, row: &InventoryRow) -> bool {
        match self {
            Self::State(state) => row.state == state,
            Self::Exposed => row.copy_shows_more.is_some(),
        }
    }
}

impl ValueEnum for RowFilter {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::State(state) => state.to_possible_value(),
            Self::Exposed => {
                Some(PossibleValue::new("exposed").help("The copy shows more than its source"))
            }
        }
    }
}

/// By what a state was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The listings of both sides, or of the one that exists.
    Listing,
    /// The listings, and the contents of files that these can't compare.
    Contents,
    /// A run that verified all files at the commits at which both sides stand.
    Run,
    /// Nothing was compared.
    Nothing,
}

/// A repo of the inventory and its copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InventoryRow {
    /// The source, as `batch` takes it: `hf:models/org/name`.
    pub source: String,
    /// The destination, as `batch` takes it.
    pub destination: String,
    /// What the repo is.
    pub kind: RepoKind,
    /// The state of the copy.
    pub state: CopyState,
    /// By what the state was found.
    pub evidence: Evidence,
    /// The number of files of the source.
    #[serde(default)]
    pub files: Option<u64>,
    /// The bytes of all files of the source.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Files of the source in object storage (LFS).
    #[serde(default)]
    pub large_files: Option<u64>,
    /// The bytes of files of the source in object storage (LFS).
    #[serde(default)]
    pub large_bytes: Option<u64>,
    /// Who may see the source.
    #[serde(default)]
    pub visibility: Option<Visibility>,
    /// How access to the source is granted; absent where it has no gate, or none is told.
    #[serde(default)]
    pub gate: Option<GateMode>,
    /// Who may see the copy, where that is told.
    #[serde(default)]
    pub copy_visibility: Option<Visibility>,
    /// How access to the copy is granted; absent where it has no gate, or none is told.
    #[serde(default)]
    pub copy_gate: Option<GateMode>,
    /// How the copy shows more than the source: `public, and the source private`. Absent where it does not, or where that is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_shows_more: Option<String>,
    /// When the source was changed last, in seconds since 1970.
    #[serde(default)]
    pub last_modified: Option<u64>,
    /// Branches of the source, with `--refs`.
    #[serde(default)]
    pub branches: Option<u64>,
    /// Tags of the source, with `--refs`.
    #[serde(default)]
    pub tags: Option<u64>,
    /// Accounts that like the source.
    #[serde(default)]
    pub likes: Option<u64>,
    /// Downloads of the source, as its hub counts them.
    #[serde(default)]
    pub downloads: Option<u64>,
    /// Files that the copy has, equal by digest or by size.
    #[serde(default)]
    pub present: Option<u64>,
    /// Files of the copy that are equal by size alone.
    #[serde(default)]
    pub by_size: Option<u64>,
    /// Files that the copy lacks.
    #[serde(default)]
    pub missing: Option<u64>,
    /// Files that differ.
    #[serde(default)]
    pub different: Option<u64>,
    /// The paths of the first 20 files that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub different_files: Vec<String>,
    /// Entries of the source that can't be copied.
    #[serde(default)]
    pub refused: Option<u64>,
    /// Files that only the copy has.
    #[serde(default)]
    pub extra: Option<u64>,
    /// The bytes of files that are missing or differ.
    #[serde(default)]
    pub bytes_to_copy: Option<u64>,
    /// The size of the largest file that is missing or differs.
    #[serde(default)]
    pub largest_to_copy: Option<u64>,
    /// Why a side can't be read, or what else has to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The commit at which the source stands, or its first digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_head: Option<Revision>,
    /// The commit at which the destination stands, or its first digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_head: Option<Revision>,
}

/// How access is granted behind a gate.
fn mode_of(gate: Gate) -> Option<GateMode> {
    match gate {
        Gate::Gated(mode) => Some(mode),
        Gate::Open | Gate::Untold => None,
    }
}

/// The name of a repo, as `batch` takes it.
fn named(at: &RepoAt) -> String {
    list::source(at.hub, at.kind, &at.id)
}

impl InventoryRow {
    /// The row of a repo of which only its owner's list is known.
    pub fn of(entry: &InventoryEntry) -> Self {
        let owned = &entry.owned;
        let row = Self {
            source: named(&entry.source),
            destination: named(&entry.destination),
            kind: entry.source.kind,
            state: CopyState::None,
            evidence: Evidence::Nothing,
            files: None,
            bytes: None,
            large_files: None,
            large_bytes: None,
            visibility: owned.visibility,
            gate: mode_of(owned.gate),
            copy_visibility: None,
            copy_gate: None,
            copy_shows_more: None,
            last_modified: owned.last_modified,
            branches: None,
            tags: None,
            likes: owned.likes,
            downloads: owned.downloads,
            present: None,
            by_size: None,
            missing: None,
            different: None,
            different_files: Vec::new(),
            refused: None,
            extra: None,
            bytes_to_copy: None,
            largest_to_copy: None,
            reason: None,
            source_head: None,
            destination_head: None,
        };
        row.read_as_listed(entry)
    }

    /// The same with who may read the copy, as far as the list of its owner tells.
    fn read_as_listed(self, entry: &InventoryEntry) -> Self {
        let Some(OwnedRepo {
            visibility, gate, ..
        }) = entry.listed
        else {
            return self;
        };
        let its = entry.owned.visibility.map(|its| (its, entry.owned.gate));
        let ours = visibility.map(|ours| (ours, gate));
        Self {
            copy_visibility: visibility,
            copy_gate: mode_of(gate),
            copy_shows_more: ours.zip(its).and_then(|(ours, its)| shows_more(ours, its)),
            ..self
        }
    }

    /// The same with who may read either side, as the repos themselves tell.
    pub(super) fn read_as_told(self, copy: &RepoInfo, source: Option<&RepoInfo>) -> Self {
        let its = source.map(|source| (source.visibility, source.gate));
        let listed_gate = self.gate.map_or(Gate::Open, Gate::Gated);
        let its = its.or(self.visibility.map(|its| (its, listed_gate)));
        let ours = (copy.visibility, copy.gate);
        Self {
            visibility: its.map(|(who, _)| who),
            gate: its.and_then(|(_, gate)| mode_of(gate)),
            copy_visibility: Some(copy.visibility),
            copy_gate: mode_of(copy.gate),
            copy_shows_more: its.and_then(|its| shows_more(ours, its)),
            ..self
        }
    }

    /// The same with what the comparison of the listings found.
    pub fn compared(self, found: ListingComparison) -> Self {
        Self {
            files: Some(found.files),
            bytes: Some(found.bytes),
            large_files: Some(found.large_files),
            large_bytes: Some(found.large_bytes),
            present: Some(found.equal + found.by_size),
            by_size: Some(found.by_size),
            missing: Some(found.missing),
            different: Some(found.different),
            different_files: found.different_paths,
            refused: Some(found.refused),
            extra: Some(found.extra),
            bytes_to_copy: Some(found.bytes_to_copy),
            largest_to_copy: Some(found.largest_to_copy),
            evidence: Evidence::Listing,
            ..self
        }
    }

    /// The same where a run has verified this copy at these heads.
    pub fn proven(self, proof: &ProvenCopy) -> Self {
        let none = Some(0);
        Self {
            state: CopyState::Equal,
            evidence: Evidence::Run,
            files: Some(proof.files),
            bytes: Some(proof.bytes),
            large_files: proof.large.map(|large| large.files).or(self.large_files),
            large_bytes: proof.large.map(|large| large.bytes).or(self.large_bytes),
            present: Some(proof.files),
            by_size: none,
            missing: none,
            different: none,
            different_files: Vec::new(),
            bytes_to_copy: none,
            largest_to_copy: none,
            reason: None,
            ..self
        }
    }

    /// What an earlier inventory found of the same commits, with what the owner's list tells now.
    pub fn found_before(self, earlier: &Self) -> Self {
        let kept = earlier.clone();
        Self {
            source: self.source,
            destination: self.destination,
            visibility: self.visibility,
            gate: self.gate,
            copy_visibility: self.copy_visibility,
            copy_gate: self.copy_gate,
            copy_shows_more: self.copy_shows_more,
            last_modified: self.last_modified,
            likes: self.likes,
            downloads: self.downloads,
            source_head: self.source_head,
            destination_head: self.destination_head,
            branches: self.branches,
            tags: self.tags,
            ..kept
        }
    }

    /// The same with a state that says why nothing was compared.
    pub fn ended(self, state: CopyState, reason: impl Into<String>) -> Self {
        let reason = Some(reason.into());
        Self {
            state,
            reason,
            ..self
        }
    }

    /// The bytes of files outside object storage.
    pub fn inline_bytes(&self) -> Option<u64> {
        self.bytes?.checked_sub(self.large_bytes?)
    }

    /// The repo for people: its id, below the folder of its kind.
    pub fn name(&self) -> &str {
        let id = self.source.split_once(':').map_or("", |(_, id)| id);
        id.strip_prefix("models/").unwrap_or(id)
    }

    /// `3 of 10 files, 4 GB to copy`: the state in numbers, for people.
    pub fn detail(&self) -> String {
        let mut parts = Vec::new();
        let exposed = self.copy_shows_more.iter();
        parts.extend(exposed.map(|more| format!("EXPOSED: the copy is {more}")));
        let all = self.files.zip(self.refused.or(Some(0)));
        let is_counted = !self.state.is_whole() && self.state != CopyState::None;
        if let (Some(present), Some((files, refused)), true) = (self.present, all, is_counted) {
            let (present, all) = (grouped(present), counted(files + refused, "file"));
            parts.push(format!("{present} of {all}"));
        }
        let told = |count: Option<u64>| count.filter(|count| *count > 0);
        if let Some(different) = told(self.different) {
            let names = few_of(&self.different_files, different as usize);
            parts.push(format!("different: {names}"));
        }
        if let Some(by_size) = told(self.by_size) {
            parts.push(format!("{} by size alone", counted(by_size, "file")));
        }
        if let Some(refused) = told(self.refused) {
            parts.push(format!("{} can't be copied", counted(refused, "path")));
        }
        if let Some(extra) = told(self.extra) {
            parts.push(format!("{} only at the copy", counted(extra, "file")));
        }
        if let Some(bytes) = told(self.bytes_to_copy) {
            parts.push(format!("{} to copy", size(bytes)));
        }
        parts.extend(self.reason.clone());
        parts.join("; ")
    }
}
