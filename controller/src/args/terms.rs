//! The terms of a run: what is kept of the destination.

use hf2ms_hub::Revision;
use hf2ms_worker::plan::BackupRequest;

use crate::args::revisions::RevisionScope;
use crate::ui::errors::{CliError, CliResult};

/// The options for backup tags.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TermArgs {
    /// Before the first commit that replaces or deletes something, give the destination's head a tag: --backup-tag, or --backup-tag=NAME
    /// [default: with --prune and --overwrite; hf2ms-before-RUN]
    ///
    /// Nothing is tagged where nothing is replaced or deleted. A name that exists is refused before anything is written.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    backup_tag: Option<Option<Revision>>,
    /// Make no such tag
    #[arg(long, conflicts_with = "backup_tag")]
    no_backup_tag: bool,
}

/// What a command line says of backups.
#[derive(Debug, Clone, Default)]
pub struct RunTerms {
    /// Whether what is replaced or deleted is kept by a tag.
    pub backup: BackupRequest,
}

impl TermArgs {
    /// The terms of a command that begins now.
    ///
    /// # Errors
    /// One name is given to the tags of several branches.
    pub fn terms(&self, revisions: RevisionScope) -> CliResult<RunTerms> {
        let backup = BackupRequest::of_options(self.backup_tag.clone(), self.no_backup_tag);
        if matches!(backup, BackupRequest::Asked(Some(_))) && revisions == RevisionScope::All {
            return Err(CliError::usage(
                "--backup-tag=NAME is for one branch, and --all-revisions is about all: give --backup-tag without a name",
            ));
        }
        Ok(RunTerms { backup })
    }
}
