//! The controller: plans, fans out, gathers, commits, verifies, reports. It moves no file's bytes itself.
//!
//! The way down from the command line: [`cli`] parses, a verb in [`verbs`] does one command; [`copy`] copies one repo,
//! which [`batch`] does for many repos and [`revisions`] for all branches and tags of one; [`inventory`] says how copies stand; [`mirror`] carries a Git repo;
//! [`cleanup`] removes sources whose copies are whole.
//! Below them: [`engine`] runs workers, [`runs`] keeps what a run leaves, [`estimate`] and [`simulate`] say what it will take.
//! [`mcp`] runs verbs for coding assistants.
//! [`args`] and [`settings`] are what the user asked for, [`ui`] is what the user reads, [`platform`] is the operating system.

pub mod args;
pub mod batch;
pub mod binaries;
pub mod cleanup;
pub mod cli;
pub mod copy;
pub mod emit;
pub mod engine;
pub mod estimate;
pub mod inventory;
pub mod mcp;
pub mod mirror;
pub mod platform;
pub mod probe;
pub mod revisions;
pub mod runs;
pub mod settings;
pub mod simulate;
pub mod stop;
pub mod ui;
pub mod verbs;
