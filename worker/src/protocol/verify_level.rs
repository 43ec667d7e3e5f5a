//! How much of the destination a verification reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much of the destination a verification reads.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum VerifyLevel {
    /// Its listing: the size and the digest of every file, as the hub tells them.
    #[default]
    Listing,
    /// The first and last bytes of files, too.
    Sample,
    /// Every byte of every file.
    Deep,
}

impl VerifyLevel {
    /// The level of a run, unless another is asked for.
    pub const USUAL: Self = Self::Sample;

    /// Whether it is that of a run which asks for none.
    pub fn is_usual(&self) -> bool {
        *self == Self::USUAL
    }

    /// Reads what a command line asks for.
    ///
    /// # Errors
    /// Names the levels that there are.
    pub fn asked(text: &str) -> Result<Self, String> {
        match text {
            "listing" => Ok(Self::Listing),
            "sample" => Ok(Self::Sample),
            "deep" => Ok(Self::Deep),
            _ => Err("expected listing, sample or deep".to_owned()),
        }
    }

    /// What was done, in a word or two for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::Sample => "sampled",
            Self::Deep => "every byte",
        }
    }
}
