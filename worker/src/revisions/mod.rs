//! All branches and tags of a repo: where each goes, the branch on which a new one is built, and how it gets its name.
//!
//! [`targets`] decides by both sides' refs alone. [`temporary`] has the branches on which new revisions are built, and [`refs`] makes
//! branches and tags of verified commits. A controller that waits and a worker that is alone in the cloud share these steps.

pub mod refs;
pub mod targets;
pub mod temporary;
