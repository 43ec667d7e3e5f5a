//! One verb a file: its arguments, whose comments are the help, and what it does.

pub mod attach;
pub mod batch;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod logs;
pub mod migrate;
pub mod mirror;
pub mod plan;
pub mod probe;
pub mod runs;
pub mod status;
pub mod stop;
pub mod verify;
