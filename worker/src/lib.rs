//! One chunk of a repo, streamed from source to destination. Knows nothing of engines.
//!
//! [`protocol`] is what goes in and out; [`plan`] what has to move and [`chunks`] how it is cut; the verbs are one
//! module each.

pub mod chunks;
pub mod plan;
pub mod protocol;
