//! The protocol by which a blob's bytes travel, where a hub has several.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The protocol that the user asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlobTransport {
    /// HTTP, and Xet for what Hugging Face serves no other way, or takes faster by it.
    #[default]
    Auto,
    /// HTTP and nothing else.
    Http,
    /// Xet from and to Hugging Face, where it has a file there.
    Xet,
}
