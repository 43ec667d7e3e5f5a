//! One chunk of a repo, streamed from source to destination. Knows nothing of engines.
//!
//! [`protocol`] is what goes in and out; [`plan`] what has to move and [`chunks`] how it is cut; the verbs are
//! one module each: [`run`], [`commit`], [`verify`], [`finalize`] (both at once),
//! [`migrate`], [`check`]; [`mirror`] has those of whole Git repos.

pub mod batches;
pub mod check;
pub mod chunks;
pub mod commit;
pub mod creation;
pub mod events;
pub mod fetch;
pub mod finalize;
pub mod job;
pub mod migrate;
pub mod mirror;
pub mod pace;
pub mod plan;
pub mod protocol;
pub mod run;
pub mod settings;
pub mod verify;
pub mod work;

#[cfg(test)]
mod testing;
