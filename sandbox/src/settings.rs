//! How the sandbox behaves as long as nothing goes wrong: speeds, quotas, thresholds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::repo::Visibility;

/// Everything `POST /settings` can change.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Settings {
    /// Bytes a second from Hugging Face and its storage, all connections together.
    pub hf_down: Option<u64>,
    /// Bytes a second to Hugging Face and its storage.
    pub hf_up: Option<u64>,
    /// Bytes a second from ModelScope and its storage.
    pub ms_down: Option<u64>,
    /// Bytes a second to ModelScope and its storage.
    pub ms_up: Option<u64>,
    /// What limits a connection.
    #[serde(flatten)]
    pub connections: ConnectionLimits,
    /// Both hubs create public repos, whatever visibility is asked for.
    pub ignores_visibility: bool,
    /// How the bytes of large uploads are kept. Uploads in parts are kept where others are hashed: they come in no order.
    pub uploads: Uploads,
    /// How long each answer takes to begin, in milliseconds.
    pub latency_ms: u64,
    /// How long signed URLs are good for, in seconds.
    pub url_ttl_s: u64,
    /// Requests a token may make of Hugging Face's API per window.
    pub hf_api_quota: Option<u64>,
    /// Requests a token may make of Hugging Face's resolver per window.
    pub hf_resolve_quota: Option<u64>,
    /// The window of both quotas, in seconds.
    pub quota_window_s: u64,
    /// Questions whose a token is that Hugging Face answers a token per window: a limit of its own, beside the API's.
    pub hf_whoami_quota: Option<u64>,
    /// The window of that quota, in seconds.
    pub hf_whoami_window_s: u64,
    /// Commits that Hugging Face takes of a token per window, whatever else is left.
    pub hf_commit_quota: Option<u64>,
    /// The window of that quota, in seconds.
    pub hf_commit_window_s: u64,
    /// Hugging Face's answers have `RateLimit` headers; the edge's 429 has none.
    pub hf_rate_limit_headers: bool,
    /// Hugging Face redirects small files to `/api/resolve-cache`; without it, it answers them where they are asked.
    pub hf_resolve_cache: bool,
    /// Hugging Face's 401 for a repo that a stranger may not see has the code `RepoNotFound`, too.
    pub hf_absent_code: bool,
    /// Hugging Face has an LFS batch; without it, it answers 404 there, as mirrors do.
    pub hf_lfs: bool,
    /// What Hugging Face calls itself in links and LFS actions, as behind a mirror or a proxy; its own address if absent.
    pub hf_named: Option<String>,
    /// Commits a ModelScope repo takes per window.
    pub ms_commit_quota: Option<u64>,
    /// The window of the commit quota, in seconds.
    pub ms_commit_window_s: u64,
    /// How long ModelScope works on a commit, in milliseconds, refusing others meanwhile.
    pub ms_commit_ms: u64,
    /// Milliseconds that have to lie between two commits to a ModelScope repo: its policy rejects those that come sooner.
    pub ms_commit_gap_ms: u64,
    /// ModelScope says meanwhile that its commit lock is busy (429); else that the branch changed (409).
    pub ms_lock_busy: bool,
    /// ModelScope's policy rejects commits with `.git` or `__pycache__` in a path, and deletions of what is not there; else the first are
    /// taken where they can be, and the others are invalid actions.
    pub ms_policy: bool,
    /// ModelScope refuses a commit that names a blob that it does not have; else it takes it.
    pub ms_checks_blobs: bool,
    /// ModelScope answers a write without the right as if there were no repo (404); else with 403.
    pub ms_denial_is_404: bool,
    /// ModelScope takes blobs at its own domain, with the token as Bearer and as cookie; else at signed addresses of its storage.
    pub ms_uploads_at_hub: bool,
    /// Hugging Face wants uploads above this size in parts.
    pub hf_multipart_above: u64,
    /// The size of such a part.
    pub hf_part_size: u64,
    /// Hugging Face keeps blobs in Xet's storage, and takes what was sent there.
    pub hf_xet: bool,
    /// Hugging Face copies blobs from repo to repo up to this size; larger ones fail.
    pub hf_duplicates_up_to: Option<u64>,
    /// Hugging Face refuses commits with binary files outside LFS.
    pub hf_refuses_binary: bool,
    /// Hugging Face refuses commits with files that hold a token of its own.
    pub hf_finds_secrets: bool,
    /// Hugging Face's LFS calls blobs of a deleted repo stored in a new one of that name, until a commit found them missing.
    pub hf_remembers_blobs: bool,
    /// Files that a Hugging Face repo takes.
    pub hf_files_a_repo: usize,
    /// Entries that a folder of a Hugging Face repo takes.
    pub hf_files_a_folder: usize,
    /// Bytes that the private repos of a Hugging Face account may hold together.
    pub hf_private_storage: Option<u64>,
    /// Hugging Face's plain storage refuses blobs above this size.
    pub hf_bridge_limit: Option<u64>,
    /// Hugging Face's Git tells whoever may write where the refs stand; what is pushed then is refused all the same.
    pub hf_git_write: bool,
    /// Entries in one page of a Hugging Face tree.
    pub hf_page: usize,
    /// ModelScope's blob check goes by digest and size; else by the digest alone.
    pub ms_check_by_size: bool,
    /// Entries ModelScope's unpaged listing stops at.
    pub ms_listing_cap: usize,
    /// ModelScope answers files outside LFS itself up to this size, and redirects to storage above it.
    pub ms_redirect_above: u64,
    /// ModelScope's Git answers 421 unless the `User-Agent` begins with `git/` (`git-lfs/` at its LFS server).
    pub ms_git_agent: bool,
    /// ModelScope's listings name the whole commit in `LatestCommitter.Id`, which else is empty.
    pub ms_commit_id: bool,
    /// Of which repos ModelScope tells the commits; the others have no such route.
    pub ms_commits: Commits,
    /// ModelScope answers an unknown revision with 404 and Code 10990101004, else with 200 and `Files: null`.
    pub ms_revision_404: bool,
    /// ModelScope lists each file's SHA-256.
    pub ms_sha256: bool,
    /// The most entries in one page of a ModelScope dataset.
    pub ms_page: usize,
    /// ModelScope answers a range of what it serves itself with 206, else with 200 and a `Content-Range`.
    pub ms_range_206: bool,
    /// ModelScope answers a file that is absent or lost with 404, else with 200 and JSON in place of the content.
    pub ms_file_404: bool,
    /// By which routes ModelScope lists and serves the files of studios.
    pub ms_studio_files: StudioFiles,
}

/// What limits one connection, and how many there may be.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ConnectionLimits {
    /// Bytes a second of one answer of Hugging Face or its storage.
    pub hf_down_each: Option<u64>,
    /// Bytes a second of one request to Hugging Face or its storage.
    pub hf_up_each: Option<u64>,
    /// Bytes a second of one answer of ModelScope or its storage.
    pub ms_down_each: Option<u64>,
    /// Bytes a second of one request to ModelScope or its storage.
    pub ms_up_each: Option<u64>,
    /// Requests that Hugging Face and its storage work on at a time; more are answered with 429.
    pub hf_at_once: Option<u64>,
    /// Requests that ModelScope and its storage work on at a time; more are answered with 429.
    pub ms_at_once: Option<u64>,
    /// How long a new connection takes before its first request is heard, in milliseconds, as for the round trips of TCP and TLS.
    pub connect_ms: u64,
}

/// Of which repos ModelScope tells the commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Commits {
    /// Of none.
    None,
    /// Of models.
    Models,
    /// Of models, datasets and studios.
    All,
}

/// By which routes ModelScope lists and serves the files of studios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StudioFiles {
    /// `/api/v1/studio/..`, as an application in use reads them.
    Singular,
    /// `/api/v1/studios/..`, as the official client reads them.
    Plural,
    /// Both.
    Both,
}

/// How the bytes of large uploads are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Uploads {
    /// They are stored.
    Keep,
    /// They are hashed and forgotten.
    Hash,
    /// They are counted and forgotten: a benchmark is not to measure what a hub does with them.
    Count,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hf_down: None,
            hf_up: None,
            ms_down: None,
            ms_up: None,
            connections: ConnectionLimits::default(),
            ignores_visibility: false,
            uploads: Uploads::Keep,
            latency_ms: 0,
            url_ttl_s: 900,
            hf_api_quota: None,
            hf_resolve_quota: None,
            quota_window_s: 300,
            hf_whoami_quota: Some(3),
            hf_whoami_window_s: 60,
            hf_commit_quota: Some(128),
            hf_commit_window_s: 3600,
            hf_rate_limit_headers: true,
            hf_resolve_cache: true,
            hf_absent_code: false,
            hf_lfs: true,
            hf_named: None,
            ms_commit_quota: None,
            ms_commit_window_s: 3600,
            ms_commit_ms: 0,
            ms_commit_gap_ms: 0,
            ms_lock_busy: true,
            ms_policy: true,
            ms_checks_blobs: false,
            ms_denial_is_404: true,
            ms_uploads_at_hub: true,
            hf_multipart_above: 64 << 20,
            hf_part_size: 16 << 20,
            hf_xet: false,
            hf_duplicates_up_to: None,
            hf_refuses_binary: true,
            hf_finds_secrets: true,
            hf_remembers_blobs: true,
            hf_files_a_repo: 1_000_000,
            hf_files_a_folder: 10_000,
            hf_private_storage: None,
            hf_bridge_limit: None,
            hf_git_write: true,
            hf_page: 1000,
            ms_check_by_size: true,
            ms_listing_cap: 3000,
            ms_redirect_above: 1 << 20,
            ms_git_agent: true,
            ms_commit_id: false,
            ms_commits: Commits::Models,
            ms_revision_404: false,
            ms_sha256: true,
            ms_page: 3000,
            ms_range_206: false,
            ms_file_404: false,
            ms_studio_files: StudioFiles::Both,
        }
    }
}

impl Settings {
    /// The visibility of a new repo for which this one is asked.
    pub fn visibility_given(&self, asked: Visibility) -> Visibility {
        match self.ignores_visibility {
            true => Visibility::Public,
            false => asked,
        }
    }

    /// These settings with the keys of `changes` in place of their own; an unknown key is an error.
    pub fn changed(&self, changes: Value) -> Result<Self, String> {
        let Value::Object(changes) = changes else {
            return Err("settings are an object".into());
        };
        let mut whole = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Value::Object(whole) = &mut whole {
            if let Some(unknown) = changes.keys().find(|key| !whole.contains_key(*key)) {
                return Err(format!("unknown field `{unknown}`"));
            }
            whole.extend(changes);
        }
        let changed: Self = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        if changed.hf_xet && !crate::HAS_XET {
            return Err("this sandbox was built without Xet: build it with --features xet".into());
        }
        Ok(changed)
    }
}
