//! The controller: plans, fans out, gathers, commits, verifies, reports. It moves no file's bytes itself.
//!
//! Read [`cli`], then a verb in [`verbs`]; `migrate` is the main one: [`copying`] is a repo's whole way, on which [`survey`] looks
//! at both sides, the plan is [`hf2ms_worker::plan`]'s, [`migration`] carries it out with an [`engine`], [`report`] says what came of it.

pub mod args;
pub mod batch;
pub mod binaries;
pub mod cli;
pub mod cloud;
pub mod copying;
pub mod crew;
pub mod cutting;
pub mod decision;
pub mod engine;
pub mod estimate;
pub mod explain;
pub mod filter;
pub mod known;
pub mod kubernetes;
pub mod migration;
pub mod mirror;
pub mod place;
pub mod planning;
pub mod probe;
pub mod progress;
pub mod proof;
pub mod report;
pub mod revisions;
pub mod route;
pub mod run_dir;
pub mod screen;
pub mod settings;
pub mod simulate;
pub mod stop;
pub mod survey;
pub mod table;
pub mod verbs;
pub mod work;
