//! The options of the command line, as types: the route, the filter, the workers.

pub mod filter;
pub mod prune;
pub mod revisions;
pub mod route;
pub mod visibility;
pub mod workers;
