//! The end-to-end tests: the built programs between the sandbox's hubs, as a user would start them. One program, so that what they share is
//! compiled and linked once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod all_revisions;
mod at_once;
mod back;
mod backup_tags;
mod batch;
mod cleanup;
mod commits;
mod common;
mod config;
mod container_faults;
mod content;
mod crashes;
mod directions;
mod docker;
mod estimate;
mod events;
mod filters;
mod git;
mod image;
mod inventory;
mod kubernetes;
mod limits;
mod migrate;
mod modal;
mod modal_revisions;
mod modelscope;
mod network;
mod nothing_to_do;
mod output;
mod probe;
mod reference;
mod reports;
mod revisions;
mod server;
mod shells;
mod spaces;
mod topics;
mod upgrades;
mod verify;
mod verify_revisions;
mod words;
mod xet;
