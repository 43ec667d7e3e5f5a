//! The card of a repo, README.md: what may be changed in it, and what the change is.

mod licence;
mod sdk;

pub use licence::{LicenceChange, rename_licence};
pub use sdk::name_sdk;

/// What is done about a card that the destination refuses.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CardPolicy {
    /// Its licence is mended.
    #[default]
    Mended,
    /// It is sent as it is.
    Kept,
}
