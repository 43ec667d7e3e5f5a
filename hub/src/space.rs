//! A Space or studio beyond its files: the SDK that runs the app, and the names of its secrets and variables.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs an app (huggingface_hub 2.4.0, `constants.py`, `SPACES_SDK_TYPES`; modelscope-hub 0.5.1, `_openapi.py`,
/// `_STUDIO_SDK_TYPES`: the same four).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sdk {
    /// Python with Gradio.
    Gradio,
    /// Python with Streamlit.
    Streamlit,
    /// A page of its own.
    Static,
    /// A Dockerfile.
    Docker,
}

impl Sdk {
    /// Every one that is known.
    pub const ALL: [Self; 4] = [Self::Gradio, Self::Streamlit, Self::Static, Self::Docker];

    /// The word for it on both hubs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradio => "gradio",
            Self::Streamlit => "streamlit",
            Self::Static => "static",
            Self::Docker => "docker",
        }
    }
}

impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no SDK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no SDK that is known here: gradio, streamlit, static and docker are", crate::path::escape(.0))]
pub struct BadSdk(String);

impl FromStr for Sdk {
    type Err = BadSdk;

    fn from_str(text: &str) -> std::result::Result<Self, BadSdk> {
        let known = Self::ALL.into_iter().find(|sdk| sdk.name() == text);
        known.ok_or_else(|| BadSdk(text.chars().take(100).collect()))
    }
}

/// The names of an app's secrets and variables. Their values are not read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpaceVariables {
    /// Secrets; `None` where the token may not see them.
    pub secrets: Option<Vec<String>>,
    /// Variables; `None` where the token may not see them.
    pub variables: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdk_goes_by_one_word_on_both_hubs_and_others_are_refused_by_naming_these() {
        for sdk in Sdk::ALL {
            assert_eq!(sdk.name().parse(), Ok(sdk));
            assert_eq!(serde_json::to_value(sdk).unwrap(), sdk.name());
            assert!(
                "x".parse::<Sdk>()
                    .unwrap_err()
                    .to_string()
                    .contains(sdk.name())
            );
        }
        assert!("Gradio".parse::<Sdk>().is_err());
    }
}
