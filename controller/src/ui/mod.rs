//! The output of a command: lines, progress, tables, counts and errors.

pub mod counts;
pub mod errors;
pub mod json;
pub mod nouns;
pub mod progress;
pub mod screen;
pub mod table;
pub mod worker_events;
