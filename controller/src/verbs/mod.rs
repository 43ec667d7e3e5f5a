//! One verb a file: its arguments, whose doc comments are the help text, and a function that runs it.

pub mod attach;
pub mod batch;
pub mod cleanup;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod events;
pub mod help;
pub mod inventory;
pub mod login;
pub mod logs;
pub mod man;
pub mod mcp;
pub mod migrate;
pub mod mirror;
pub mod plan;
pub mod probe;
pub mod runs;
pub mod skill;
pub mod status;
pub mod stop;
pub mod verify;
