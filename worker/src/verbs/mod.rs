//! The commands of `hf2ms-worker`, one a module.

pub mod check;
pub mod finalize;
pub mod hash;
pub mod migrate;
pub mod mirror;
pub mod revisions;
pub mod run;
pub mod verify;
