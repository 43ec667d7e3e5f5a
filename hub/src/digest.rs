//! Digests: one type a hash, parsed once, printed as lower-case hex.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::Digest as _;

/// A text that is no digest of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: expected {expected} hex digits")]
pub struct BadDigest {
    kind: &'static str,
    expected: usize,
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $len]);

        impl $name {
            /// The digest with these bytes.
            pub const fn from_bytes(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl FromStr for $name {
            type Err = BadDigest;

            fn from_str(text: &str) -> Result<Self, BadDigest> {
                let bad = BadDigest { kind: stringify!($name), expected: $len * 2 };
                let digits = text.as_bytes();
                if digits.len() != $len * 2 {
                    return Err(bad);
                }
                let mut bytes = [0; $len];
                for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
                    let (high, low) = (hex_value(pair[0]), hex_value(pair[1]));
                    *byte = high.zip(low).map(|(h, l)| h << 4 | l).ok_or_else(|| bad.clone())?;
                }
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadDigest;

            fn try_from(text: String) -> Result<Self, BadDigest> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

digest_type!(
    /// The SHA-256 of a file's content: the name of a blob.
    Sha256, 32
);
digest_type!(
    /// Git's object id of a blob: SHA-1 of `blob <size>\0` and the content.
    GitSha1, 20
);

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

impl Sha256 {
    /// The digest of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(sha2::Sha256::digest(content).into())
    }
}

impl From<sha2::Sha256> for Sha256 {
    fn from(hasher: sha2::Sha256) -> Self {
        Self(hasher.finalize().into())
    }
}

impl GitSha1 {
    /// The id Git gives to a blob with this `content`.
    pub fn of(content: &[u8]) -> Self {
        let mut hasher = Self::hasher(content.len() as u64);
        hasher.update(content);
        hasher.into()
    }

    /// A hasher for a blob of `size` bytes, its header already in it.
    pub fn hasher(size: u64) -> sha1::Sha1 {
        sha1::Sha1::new_with_prefix(format!("blob {size}\0"))
    }
}

impl From<sha1::Sha1> for GitSha1 {
    fn from(hasher: sha1::Sha1) -> Self {
        Self(hasher.finalize().into())
    }
}

/// The digest that a hub lists for a file: the SHA-256, or only Git's id for a file outside LFS.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    /// The content's SHA-256.
    Sha256(Sha256),
    /// Git's id of the content (Hugging Face gives no other for files outside LFS).
    GitSha1(GitSha1),
}

impl Digest {
    /// The SHA-256, when that is what is known.
    pub fn sha256(self) -> Option<Sha256> {
        match self {
            Self::Sha256(digest) => Some(digest),
            Self::GitSha1(_) => None,
        }
    }

    /// Whether `content` has this digest.
    pub fn matches(self, content: &[u8]) -> bool {
        match self {
            Self::Sha256(digest) => digest == Sha256::of(content),
            Self::GitSha1(digest) => digest == GitSha1::of(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_git_and_sha256sum() {
        assert_eq!(
            GitSha1::of(b"hello\n").to_string(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert_eq!(
            Sha256::of(b"hello\n").to_string(),
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
    }

    #[test]
    fn a_digest_survives_text_and_json() {
        let digest = Digest::Sha256(Sha256::of(b"x"));
        let json = serde_json::to_string(&digest).unwrap();
        assert!(json.starts_with(r#"{"sha256":""#));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn a_content_has_the_digest_of_either_kind_or_not() {
        let (sha256, git) = (Sha256::of(b"x"), GitSha1::of(b"x"));
        for digest in [Digest::Sha256(sha256), Digest::GitSha1(git)] {
            assert!(digest.matches(b"x") && !digest.matches(b"y"), "{digest:?}");
        }
        assert_eq!(Digest::Sha256(sha256).sha256(), Some(sha256));
        assert_eq!(Digest::GitSha1(git).sha256(), None);
    }

    #[test]
    fn wrong_length_or_letters_are_refused() {
        assert!("abc".parse::<Sha256>().is_err());
        assert!("g".repeat(64).parse::<Sha256>().is_err());
        assert!("a".repeat(64).parse::<GitSha1>().is_err());
        assert!("é".repeat(32).parse::<Sha256>().is_err());
    }
}
