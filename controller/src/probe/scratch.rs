//! The private repo of a probe: its name, the responses to its creation, and its requests.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use hf2ms_hub::http::RawResponse;
use hf2ms_hub::{Hub, RepoKind, Sha256};

use super::finding::{NotTried, not_tried};
use super::wire::{Ask, Wire, brief};

/// The path of a small text file.
pub const NOTES: &str = "notes.txt";
/// The path of a file that is stored as a blob.
pub const WEIGHTS: &str = "data/weights.safetensors";
/// The path of the card.
pub const CARD: &str = "README.md";
/// The content of the card.
pub const CARD_TEXT: &str = "---\nlicense: mit\n---\n# A scratch repo of hf2ms probe: delete it\n";
/// The size of the blob in bytes.
const BLOB: usize = 256 << 10;

/// A scratch repo.
pub struct Scratch {
    /// The requests to its hub.
    pub wire: Wire,
    /// Its hub.
    pub hub: Hub,
    /// A model or a dataset.
    pub kind: RepoKind,
    /// Its name without the owner.
    pub name: String,
    /// The token's account, once that is known.
    pub owner: String,
    /// The variable that holds the token.
    pub token_name: &'static str,
    /// A random blob, which no hub has.
    pub blob: ScratchBlob,
    /// The responses to its creation.
    pub base: Base,
    /// The least time between two commits.
    pub pause: Duration,
    committed: Mutex<Option<Instant>>,
}

/// Random bytes and their digest.
pub struct ScratchBlob {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub sha256: Sha256,
}

/// The responses to the creation of the repo; `None` after the first that failed.
#[derive(Default)]
pub struct Base {
    /// The account.
    pub account: Option<RawResponse>,
    /// Whether the request that creates the repo was sent, so that it may exist.
    pub begun: bool,
    /// The creation.
    pub created: Option<RawResponse>,
    /// The description right after.
    pub about: Option<RawResponse>,
    /// The listing right after.
    pub first_files: Option<RawResponse>,
    /// The blob check.
    pub checked: Option<RawResponse>,
    /// The upload of the blob.
    pub stored: Option<RawResponse>,
    /// The verification of the blob, if the hub has one.
    pub verified: Option<RawResponse>,
    /// The commit of its files.
    pub committed: Option<RawResponse>,
    /// The error that ended the creation.
    pub why: Option<String>,
}

impl ScratchBlob {
    /// `length` random bytes.
    pub fn fresh(length: usize) -> Self {
        let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
            .take(length)
            .collect();
        let sha256 = Sha256::of(&bytes);
        Self { bytes, sha256 }
    }

    /// Its digest as text.
    pub fn oid(&self) -> String {
        self.sha256.to_string()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Scratch {
    /// A scratch repo that does not exist yet.
    pub fn new(
        wire: Wire,
        (hub, kind): (Hub, RepoKind),
        token_name: &'static str,
        pause: Duration,
    ) -> Self {
        let digits = std::iter::repeat_with(|| fastrand::char('a'..='z'))
            .take(10)
            .collect::<String>();
        let name = format!("hf2ms-probe-{digits}");
        let (blob, base) = (ScratchBlob::fresh(BLOB), Base::default());
        Self {
            wire,
            hub,
            kind,
            name,
            owner: String::new(),
            token_name,
            blob,
            base,
            pause,
            committed: Mutex::default(),
        }
    }

    /// `owner/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The kind as both hubs' APIs name it.
    pub fn kinds(&self) -> &'static str {
        match self.kind {
            RepoKind::Dataset => "datasets",
            RepoKind::Model | RepoKind::Space => "models",
        }
    }

    /// The content of the small text file.
    pub fn notes(&self) -> Vec<u8> {
        let line = format!("{}: a line of text that says nothing\n", self.name);
        line.repeat(20).into_bytes()
    }

    /// A response to the creation of the repo.
    ///
    /// # Errors
    /// The creation ended before it; the reason.
    pub fn need<'a>(&self, answer: &'a Option<RawResponse>) -> Result<&'a RawResponse, NotTried> {
        match answer {
            Some(answer) => Ok(answer),
            None => not_tried(
                self.base
                    .why
                    .clone()
                    .unwrap_or_else(|| "the scratch repo was not made".to_owned()),
            ),
        }
    }

    /// Refuses an assumption that needs the repo's files, if they were not committed.
    ///
    /// # Errors
    /// The reason.
    pub fn ready(&self) -> Result<(), NotTried> {
        match &self.base.why {
            None => Ok(()),
            Some(why) => not_tried(why.clone()),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Why no request was sent, or why no response came.
    pub async fn send(&self, ask: Ask) -> Result<RawResponse, NotTried> {
        self.wire.send(ask).await
    }

    /// GETs a path.
    ///
    /// # Errors
    /// As [`Scratch::send`].
    pub async fn get(&self, to: impl Into<String>) -> Result<RawResponse, NotTried> {
        self.send(Ask::get(to)).await
    }

    /// Sends a commit, no sooner than the pause after the one before.
    ///
    /// # Errors
    /// As [`Scratch::send`].
    pub async fn send_commit(&self, ask: Ask) -> Result<RawResponse, NotTried> {
        let since = self.last_commit();
        if let Some(rest) = since.and_then(|since| self.pause.checked_sub(since.elapsed())) {
            tokio::time::sleep(rest).await;
        }
        self.send_commit_at_once(ask).await
    }

    /// Sends a commit without any pause.
    ///
    /// # Errors
    /// As [`Scratch::send`].
    pub async fn send_commit_at_once(&self, ask: Ask) -> Result<RawResponse, NotTried> {
        let answer = self.send(ask).await;
        *self
            .committed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
        answer
    }

    fn last_commit(&self) -> Option<Instant> {
        *self
            .committed
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// `answer`, if its status is a success.
    ///
    /// # Errors
    /// What it says, and what it was an answer to.
    pub fn good(&self, what: &str, answer: RawResponse) -> Result<RawResponse, NotTried> {
        match answer.status {
            200..300 => Ok(answer),
            401 => not_tried(format!(
                "{} is refused ({})",
                self.token_name,
                brief(&answer)
            )),
            403 => not_tried(format!(
                "{} may not {what} ({})",
                self.token_name,
                brief(&answer)
            )),
            _ => not_tried(format!("{} did not {what} ({})", self.hub, brief(&answer))),
        }
    }

    /// `text` without the account's and the repo's names.
    pub fn without_names(&self, text: &str) -> String {
        let text = text.replace(&self.name, "REPO");
        if self.owner.is_empty() {
            text
        } else {
            without_word(&text, &self.owner, "ACCOUNT")
        }
    }
}

/// `text` with `word` taken out where it stands by itself.
fn without_word(text: &str, word: &str, instead: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let inside = before.ends_with(is_part) || after.starts_with(is_part);
        clean.push_str(before);
        clean.push_str(if inside { word } else { instead });
        rest = after;
    }
    clean + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_out_where_it_is_a_word() {
        let clean = |text| without_word(text, "ann", "ACCOUNT");
        assert_eq!(
            clean("ann/x of 'ann': cannot, annex"),
            "ACCOUNT/x of 'ACCOUNT': cannot, annex"
        );
        assert_eq!(clean(""), "");
    }
}
