//! `hf2ms mcp`: the tools for coding assistants.

use std::ffi::OsString;

use hf2ms_worker::protocol::Exit;

use crate::mcp::{Program, serve};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};

/// Serve tools for coding assistants, on standard input and output
///
/// A client of the Model Context Protocol starts it: Claude Code by `claude mcp add hf2ms -- hf2ms mcp`, others by their settings. The
/// tools are doctor, inventory, plan, start, status, report, verify, stop and runs. A copy that was started goes on when the client ends.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Serves until the client closes standard input. `globals` are the options that stand before or after the verb.
///
/// # Errors
/// The client does not speak the protocol.
pub async fn run(globals: Vec<OsString>, stop: &Stop) -> CliResult<Exit> {
    let file = std::env::current_exe().map_err(|error| {
        CliError::usage(format!(
            "this program's file is not known: {error}; start it by its path"
        ))
    })?;
    stop.unless(serve(Program::new(file, globals))).await?;
    Ok(Exit::Done)
}
