//! The error after which no other repo of a command is tried: each would fail by it, too.

use std::sync::OnceLock;

use crate::ui::errors::{CliError, CliResult};

/// The first such error, once there is one.
#[derive(Default)]
pub(super) struct Over(OnceLock<CliError>);

impl Over {
    /// Takes the error of a repo; later ones repeat the first.
    pub(super) fn note(&self, failure: &CliError) {
        drop(self.0.set(failure.clone()));
    }

    /// Fails once the command is over.
    ///
    /// # Errors
    /// The first error, of a repo that was not tried.
    pub(super) fn check(&self) -> CliResult<()> {
        match self.0.get() {
            Some(why) => Err(CliError::new(why.exit(), format!("not tried: {why}"))),
            None => Ok(()),
        }
    }
}
