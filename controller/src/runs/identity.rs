//! The identity of the state folder, with which containers and calls of its runs are marked.

use std::fs;
use std::io::Write;

use ulid::Ulid;

use super::Runs;
use super::files::{create_private, write_aside};
use crate::platform::private;
use crate::ui::errors::{CliError, CliResult};

impl Runs {
    /// The id of the state folder, made when it is first asked for.
    ///
    /// # Errors
    /// The disk's.
    pub fn identity(&self) -> CliResult<String> {
        create_private(&self.state)?;
        let path = self.state.join("id");
        let read = || {
            fs::read_to_string(&path)
                .ok()
                .map(|id| id.trim().to_owned())
                .filter(|id| !id.is_empty())
        };
        if let Some(id) = read() {
            return Ok(id);
        }
        let lock = self.state.join("id.lock");
        let wait = || {
            private()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&lock)
                .and_then(|file| file.lock().map(|()| file))
        };
        let _alone = wait().map_err(|error| CliError::state_file(&lock, &error))?;
        if let Some(id) = read() {
            return Ok(id);
        }
        let id = Ulid::new().to_string().to_lowercase();
        write_aside(&path, |file| file.write_all(id.as_bytes()))
            .map_err(|error| CliError::state_file(&path, &error))?;
        Ok(id)
    }
}
