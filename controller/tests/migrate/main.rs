//! `hf2ms migrate` from end to end, as a user sees it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod choices;
#[path = "../common/mod.rs"]
mod common;
mod copies;
mod output;
mod plans;
mod refusals;
mod visibility;

use std::process::Stdio;

use common::{BOB, World};
use serde_json::{Value, json};
