//! The output of a worker: NDJSON events on stdout, the last of which is the receipt.

use hf2ms_hub::{BlobTransport, GitSha1, Kind, Redactor, RepoPath, Sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BackupResult, Chunk, EndpointCheck, HostWait, How, MadeRef, PlanSummary, PushJob, PushReport,
    Receipt, RefRefusal, RevisionResult, Scan, Verification,
};

/// One line of a worker's stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The worker has begun.
    Started {
        /// Its verb: run, hash, commit, verify, scan, push, migrate, check.
        verb: String,
        /// The run's id.
        run: String,
        /// The chunk's number; 0 for other verbs.
        #[serde(default)]
        chunk: u32,
        /// The files it was given.
        files: u64,
        /// Their bytes.
        bytes: u64,
        /// The worker's version.
        version: String,
    },
    /// The counts so far, each second.
    Progress {
        /// Bytes of the files that are done and of uploads under way; less after an upload has failed.
        bytes: u64,
        /// Files done so far.
        files: u64,
    },
    /// One file is done.
    File {
        /// Its path.
        path: RepoPath,
        /// Its size in bytes.
        bytes: u64,
        /// Its content's digest.
        sha256: Sha256,
        /// Git's id of it, of a file inside a commit, or that was hashed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        git_sha1: Option<GitSha1>,
        /// How it got there.
        how: How,
    },
    /// One file was deleted at the destination.
    Deleted {
        /// Its path.
        path: RepoPath,
    },
    /// A request or an upload is tried again.
    Retry {
        /// The error.
        error: String,
        /// The kind of error.
        kind: Kind,
        /// Seconds until the next try.
        wait: f64,
    },
    /// A host asks for a wait of all requests to it, or the quota that it tells of is used up.
    RateLimited(HostWait),
    /// Several files failed in passing one after the other, as in an outage: no further one is begun until one that is tried
    /// is stored.
    Paused {
        /// How many files, and the last error.
        error: String,
    },
    /// That pause has ended.
    PauseEnded {
        /// Whether a file was stored, so that all go on; else the rest is given up.
        answers: bool,
    },
    /// From now on the worker moves more blobs at a time, or fewer.
    Streams {
        /// Blobs at a time; two small ones count as one.
        streams: u64,
        /// Why.
        reason: StreamsReason,
        /// The rate that was measured last, in bytes a second; 0 before the first.
        bytes_per_second: u64,
    },
    /// Both transports of the destination were measured, or one of them does not work: from now on blobs go by this one.
    Transport {
        /// HTTP or Xet.
        transport: BlobTransport,
        /// Why.
        reason: TransportReason,
        /// Bytes a second of a stream by HTTP; 0 before anything was measured.
        http_bytes_per_second: u64,
        /// Bytes a second of a stream by Xet; 0 before anything was measured.
        xet_bytes_per_second: u64,
    },
    /// One file could not be done.
    Failed {
        /// Its path; absent when the whole verb failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The error.
        error: String,
        /// The kind of error.
        kind: Kind,
    },
    /// What stood at the destination was given a tag, before the first commit.
    BackupTag(BackupResult),
    /// A commit was written.
    Committed {
        /// Its id, where the hub tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<String>,
        /// How many changes it holds.
        actions: u64,
    },
    /// The result of a verification.
    Verified(Verification),
    /// The result of a `scan`.
    Scanned(Box<Scan>),
    /// The jobs that follow a `scan`, where the scan's job asks for them.
    Steps {
        /// The LFS objects that move.
        chunks: Vec<Chunk>,
        /// The push that comes after them, once it has their receipts; absent if no ref changes.
        push: Option<Box<PushJob>>,
    },
    /// The result of a `push`, ref by ref.
    Pushed(PushReport),
    /// The end of one revision of `revisions`; the events since the one before are of it.
    Revision(Box<RevisionResult>),
    /// The branches and tags of all revisions, once they were listed again.
    MadeRefs {
        /// Each that was asked for.
        refs: Vec<MadeRef>,
    },
    /// The plan in numbers, of `migrate` or of a mirror.
    Planned(PlanSummary),
    /// The result of a `check`.
    Checked {
        /// The worker's version.
        version: String,
        /// The endpoints it was asked to reach.
        endpoints: Vec<EndpointCheck>,
    },
    /// The last line: the files that are stored now.
    Receipt(Receipt),
}

/// Why a worker moves more blobs at a time, or fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StreamsReason {
    /// More are faster, or may be.
    Growth,
    /// Fewer are as fast, or may be.
    Plateau,
    /// A hub said that it is too busy: 429 or 5xx.
    Busy,
    /// Nothing moved on one of them until its timeout.
    Stall,
}

/// Why blobs go by one transport and not by the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransportReason {
    /// It is the faster one; Xet has to be faster by half.
    Faster,
    /// Nothing moved by the other until its timeout.
    Stall,
    /// The other failed.
    Failure,
}

impl Event {
    /// Takes tokens out of its texts for people. Its data stays as it is: someone parses it, and a token may be a name there, too.
    pub fn redact(&mut self, redactor: &Redactor) {
        let clean = |text: &mut String| *text = redactor.clean(text);
        match self {
            Self::Retry { error, .. } | Self::Paused { error } | Self::Failed { error, .. } => {
                clean(error);
            }
            Self::BackupTag(result) => result.refused.iter_mut().for_each(clean),
            Self::Checked { endpoints, .. } => {
                let errors = endpoints
                    .iter_mut()
                    .filter_map(|check| check.error.as_mut());
                errors.for_each(clean);
            }
            Self::Verified(found) => found
                .unread
                .iter_mut()
                .for_each(|refused| clean(&mut refused.reason)),
            Self::Scanned(scan) => {
                let errors = scan.refused.iter_mut().map(|failed| &mut failed.error);
                errors.chain(&mut scan.warnings).for_each(clean);
            }
            Self::Pushed(report) => {
                let reasons = report
                    .refs
                    .iter_mut()
                    .filter_map(|of_ref| of_ref.why.as_mut());
                reasons.for_each(clean);
            }
            Self::MadeRefs { refs } => {
                for refusal in refs.iter_mut().filter_map(|made| made.refused.as_mut()) {
                    let (RefRefusal::Hub { error: text, .. } | RefRefusal::Elsewhere(text)) =
                        refusal;
                    clean(text);
                }
            }
            Self::Revision(result) => clean_receipt(&mut result.receipt, &clean),
            Self::Receipt(receipt) => clean_receipt(receipt, &clean),
            Self::Started { .. }
            | Self::Progress { .. }
            | Self::RateLimited(_)
            | Self::PauseEnded { .. }
            | Self::Streams { .. }
            | Self::Transport { .. }
            | Self::File { .. }
            | Self::Deleted { .. }
            | Self::Committed { .. }
            | Self::Steps { .. }
            | Self::Planned(_) => (),
        }
    }
}

fn clean_receipt(receipt: &mut Receipt, clean: &impl Fn(&mut String)) {
    receipt
        .failed
        .iter_mut()
        .for_each(|failed| clean(&mut failed.error));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_words_and_left_in_data() {
        let redactor = Redactor::new([hf2ms_hub::Token::login("me", "files").unwrap()]);
        let redacted = |json: &str| {
            let mut event: Event = serde_json::from_str(json).unwrap();
            event.redact(&redactor);
            serde_json::to_string(&event).unwrap()
        };
        for json in [
            r#"{"event":"progress","bytes":1,"files":2}"#,
            r#"{"event":"pushed","refs":[{"name":"refs/heads/files","state":"pushed"}],"there":[]}"#,
        ] {
            assert_eq!(redacted(json), json);
        }
        assert_eq!(
            redacted(r#"{"event":"failed","path":"files/a","error":"no files","kind":"denied"}"#),
            r#"{"event":"failed","path":"files/a","error":"no ***","kind":"denied"}"#
        );
    }

    #[test]
    fn events_are_flat_lines() {
        let line = serde_json::to_string(&Event::Progress { bytes: 1, files: 2 }).unwrap();
        assert_eq!(line, r#"{"event":"progress","bytes":1,"files":2}"#);
        let line = serde_json::to_string(&Event::Receipt(Receipt::default())).unwrap();
        assert!(line.starts_with(r#"{"event":"receipt","run":"#), "{line}");
    }
}
