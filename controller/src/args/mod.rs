//! The options of the command line, as types: the repo, the route, the filter, the workers.

pub mod filter;
pub mod prune;
pub mod revisions;
pub mod route;
pub mod source;
pub mod visibility;
pub mod workers;
