//! The options of the command line, as types: the route, the filter, the terms, the workers.

pub mod file_list;
pub mod filter;
pub mod prune;
pub mod revisions;
pub mod route;
pub mod since;
pub mod terms;
pub mod visibility;
pub mod workers;
