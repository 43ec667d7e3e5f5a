//! The private repo that a probe works in: its name, the answers that came while it was made, and how it goes away.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use hf2ms_hub::http::RawResponse;
use hf2ms_hub::{Hub, RepoKind, Sha256};

use super::finding::{NotTried, not_tried};
use super::wire::{Ask, Wire, brief};

/// A small text file's path.
pub const NOTES: &str = "notes.txt";
/// The path of a file that is stored as a blob.
pub const WEIGHTS: &str = "data/weights.safetensors";
/// A card's path.
pub const CARD: &str = "README.md";
/// What the card holds.
pub const CARD_TEXT: &str = "---\nlicense: mit\n---\n# A scratch repo of hf2ms probe: delete it\n";
/// Bytes of the blob.
const BLOB: usize = 256 << 10;

/// A scratch repo.
pub struct Scratch {
    /// Its hub.
    pub wire: Wire,
    /// Which hub that is.
    pub hub: Hub,
    /// A model or a dataset.
    pub kind: RepoKind,
    /// Its name without the owner.
    pub name: String,
    /// Whose token it is, once that is known.
    pub owner: String,
    /// The variable that holds the token.
    pub token_name: &'static str,
    /// A blob that no hub has yet.
    pub blob: ScratchBlob,
    /// What was answered while it was made.
    pub base: Base,
    /// The least time between two commits.
    pub pause: Duration,
    committed: Mutex<Option<Instant>>,
}

/// Bytes and their name.
pub struct ScratchBlob {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub sha256: Sha256,
}

/// The answers that came while the repo was made; none after the first that failed.
#[derive(Default)]
pub struct Base {
    /// Whose token it is.
    pub account: Option<RawResponse>,
    /// The request that makes a repo was sent: there may be one.
    pub begun: bool,
    /// The repo was made.
    pub created: Option<RawResponse>,
    /// What the hub said of it at once.
    pub about: Option<RawResponse>,
    /// What was in it at once.
    pub first_files: Option<RawResponse>,
    /// Where its blob is to go.
    pub checked: Option<RawResponse>,
    /// The blob was stored.
    pub stored: Option<RawResponse>,
    /// The blob was verified, where the hub does that.
    pub verified: Option<RawResponse>,
    /// Its files were committed.
    pub committed: Option<RawResponse>,
    /// Why it went no further.
    pub why: Option<String>,
}

impl ScratchBlob {
    /// `length` bytes that no hub has yet.
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

    /// Its bytes' number.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Scratch {
    /// A scratch repo that is still to be made.
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

    /// The small text file's bytes.
    pub fn notes(&self) -> Vec<u8> {
        let line = format!("{}: a line of text that says nothing\n", self.name);
        line.repeat(20).into_bytes()
    }

    /// An answer from the making of the repo.
    ///
    /// # Errors
    /// It went no further; the reason.
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

    /// Fails unless the repo holds its files.
    ///
    /// # Errors
    /// It does not; the reason.
    pub fn ready(&self) -> Result<(), NotTried> {
        match &self.base.why {
            None => Ok(()),
            Some(why) => not_tried(why.clone()),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Why nothing was sent, or why nothing came.
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
