//! `hf2ms migrate` from end to end, as a user sees it.

mod choices;
mod copies;
mod destinations;
mod output;
mod plans;
mod prune;
mod refusals;
mod visibility;

use std::process::Stdio;

use crate::common::{BOB, World};
use serde_json::{Value, json};
