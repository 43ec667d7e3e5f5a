//! The output of a command: lines, bars, progress, logs, tables, counts and errors.

pub mod alike;
pub mod bars;
pub mod colours;
pub mod counts;
pub mod errors;
pub mod input;
pub mod json;
pub mod log;
pub mod nouns;
pub mod numbers;
mod pace;
pub mod pager;
pub mod progress;
mod said_waits;
pub mod screen;
pub mod snapshot;
pub mod stdout;
pub mod table;
pub mod worker_events;
