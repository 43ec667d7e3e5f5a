//! Errors by meaning. Advice for a person is the command line's, and not here.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::path::RepoPath;
use crate::redact::Redactor;

/// The meaning of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The repo, revision or file does not exist, or may not be seen.
    NotFound,
    /// The token is missing, wrong, expired or revoked.
    Unauthorized,
    /// The token is good but may not do this.
    Denied,
    /// The repo is gated: its readers must ask for access.
    Gated,
    /// The hub has disabled the repo.
    Disabled,
    /// The hub's API is locked for this account (storage limits); the Git path may still work.
    Locked,
    /// The account or the repo is full (storage, files in the repo or in a folder).
    Full,
    /// The hub asks to wait longer than the budget allows.
    RateLimited,
    /// Someone else changed the branch or made the repo meanwhile.
    Conflict,
    /// The hub's policy rejects the commit, for its rate or for one path in it. The commit may pass later, or in parts.
    Policy,
    /// The hub does not have a blob that a commit names, or its storage took none: store it again.
    BlobMissing,
    /// The content has another size or digest than its hub listed.
    Corrupt,
    /// A signed address has expired: ask for a new one.
    Expired,
    /// The server answered the whole file to a request for a part.
    RangeIgnored,
    /// The network or the server failed in a way that may pass.
    Transient,
    /// The server could not be reached at all: name, certificate or connection.
    Unreachable,
    /// The response breaks the protocol, or would be unsafe to follow.
    Refused,
    /// The request can't succeed as it is (a bad path, an unlawful file).
    Invalid,
    /// The command line or a setting is wrong. No server's response means this.
    Usage,
}

impl Kind {
    /// Whether the hub will answer every other request the same way, so that nothing more is sent.
    pub fn ends_the_hub(self) -> bool {
        matches!(
            self,
            Self::Unauthorized
                | Self::Unreachable
                | Self::Disabled
                | Self::Gated
                | Self::Locked
                | Self::Full
        )
    }
}

/// An error of a hub, with the request that failed. No message holds a token or a signed address.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    request: Option<String>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    paths: Vec<String>,
    retried: bool,
    stall: bool,
    unanswered: bool,
    unconnected: bool,
    of_whole_request: bool,
}

/// A result with a hub's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this meaning.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind,
            message,
            request: None,
            status: None,
            retry_after: None,
            paths: Vec::new(),
            retried: false,
            stall: false,
            unanswered: false,
            unconnected: false,
            of_whole_request: false,
        }
    }

    /// The same error, saying first what it is about: a file, a repo.
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same error, naming the request: method and address without its query.
    pub fn of_request(mut self, request: impl Into<String>) -> Self {
        self.request.get_or_insert_with(|| request.into());
        self
    }

    /// The same error, without the tokens that a server may have echoed.
    pub fn without(mut self, redactor: &Redactor) -> Self {
        self.message = redactor.clean(&self.message);
        self.request = self.request.map(|request| redactor.clean(&request));
        self
    }

    /// The same error, with the status the server answered.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same error, with the wait the server asked for.
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same error, with the paths that the hub names as its reason.
    pub fn naming(mut self, paths: Vec<String>) -> Self {
        self.paths = paths;
        self
    }

    /// Whether the hub names this path as the reason.
    pub fn names(&self, path: &RepoPath) -> bool {
        self.paths.iter().any(|named| named == path.as_str())
    }

    /// The same error with another meaning: a hub's module knows what a status means there.
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// The same error, marked as tried again without success.
    pub fn after_retries(mut self) -> Self {
        self.retried = true;
        self
    }

    /// Whether the operation was tried again already.
    pub fn was_retried(&self) -> bool {
        self.retried
    }

    /// The same error, marked as a stall: no byte has moved within the limit.
    pub(crate) fn after_a_stall(mut self) -> Self {
        self.stall = true;
        self
    }

    /// Whether no byte moved: another transport may work.
    pub fn is_stall(&self) -> bool {
        self.stall
    }

    /// The same error, of a request that the server may have carried out although no answer of its own came.
    pub(crate) fn unanswered_if(mut self, is_unanswered: bool) -> Self {
        self.unanswered = is_unanswered;
        self
    }

    /// Whether the server may have done what it was asked: the answer was lost, or a gateway lost patience with it.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Whether the server may have done what it was asked although this error came: whatever fails in passing after a connection.
    pub(crate) fn may_be_done(&self) -> bool {
        self.unanswered || self.kind == Kind::Transient && !self.unconnected
    }

    /// The same error of a creation: where the repo is there already, marked as one that an earlier request may have created.
    pub(crate) fn of_creation(self, may_be_done: bool) -> Self {
        match self.kind {
            Kind::Conflict => self.unanswered_if(may_be_done),
            _ => self,
        }
    }

    /// The same error, marked as one of a server that took no connection, if it is one.
    pub(crate) fn unconnected_if(mut self, is_unconnected: bool) -> Self {
        self.unconnected = is_unconnected;
        self
    }

    /// Whether the server took no connection: nothing was sent.
    pub fn is_unconnected(&self) -> bool {
        self.unconnected
    }

    /// The same error, of a request about several files that failed as a whole.
    pub fn of_whole_request(mut self) -> Self {
        self.of_whole_request = true;
        self
    }

    /// Whether a request about several files failed as a whole: the error says nothing of any one of them.
    pub fn is_of_whole_request(&self) -> bool {
        self.of_whole_request
    }

    /// The error's meaning.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The status the server answered, if it answered.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The message, without the request.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether the caller should try again: the error may pass, and the operation was not tried again yet.
    pub fn is_transient(&self) -> bool {
        self.kind == Kind::Transient && !self.retried
    }

    /// Whether going on with other files of this hub is pointless.
    pub fn ends_the_hub(&self) -> bool {
        self.kind.ends_the_hub()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.request {
            Some(request) => write!(f, " ({request})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
