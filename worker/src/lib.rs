//! Copies the files of one repo from hub to hub: as one chunk of a run, or a whole repo alone. No engine is known here.
//!
//! The rooms, bottom to top: [`protocol`] is the JSON that workers read and write; [`plan`] decides what is copied, without
//! any request; [`transfer`] moves blobs; [`commit`] writes the destination's branch; [`pipeline`] joins these steps, and
//! [`revisions`] is what all branches and tags of a repo take. They are for [`verbs`], which are the commands of `hf2ms-worker`, and for the controller.

pub mod amounts;
pub mod commit;
pub mod context;
pub mod events;
pub mod job;
pub mod pipeline;
pub mod plan;
pub mod protocol;
pub mod repo_ref;
pub mod revisions;
pub mod settings;
pub mod signals;
pub mod timetable;
pub mod transfer;
pub mod verbs;

#[cfg(test)]
mod testing;
