//! The terms of a run: what is kept of the destination, how much is moved, for how long, and how fast.

use hf2ms_hub::Revision;
use hf2ms_worker::amounts::{ByteCount, Span};
use hf2ms_worker::plan::BackupRequest;
use hf2ms_worker::protocol::{Bandwidth, Deadline, RunLimits};
use hf2ms_worker::timetable::bandwidth;

use crate::args::revisions::RevisionScope;
use crate::ui::errors::{CliError, CliResult};

/// The options for backup tags and limits.
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
    /// Move this many bytes at most, in whole files, as 50GB; the same command goes on
    ///
    /// It holds for all repos and workers of the command together. Files that do not fit are left to the next run; README.md, config.json
    /// and indexes wait for them. The exit code is 1.
    #[arg(long, value_name = "BYTES", help_heading = "Limits")]
    max_transfer: Option<ByteCount>,
    /// Begin no further file after this time, as 90m or 8h; the same command goes on
    ///
    /// Files under way then have a tenth of the time, a minute at least, before they are cut off. What is stored is committed and
    /// verified. The exit code is 1.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    max_duration: Option<Span>,
    /// Send this many bytes a second at most, all workers together: 10M, or a timetable of local time as '08:00,512K 19:00,10M 23:00,off'
    #[arg(long, value_name = "RATE", value_parser = bandwidth, help_heading = "Limits")]
    bwlimit: Option<Bandwidth>,
}

/// What a command line says of backups and limits.
#[derive(Debug, Clone, Default)]
pub struct RunTerms {
    /// Whether what is replaced or deleted is kept by a tag.
    pub backup: BackupRequest,
    /// How much is moved, and for how long files are begun.
    pub limits: RunLimits,
    /// When the command's time is over.
    pub deadline: Option<Deadline>,
    /// How fast all workers send together.
    pub bandwidth: Option<Bandwidth>,
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
        let limits = RunLimits {
            max_transfer: self.max_transfer.map(|bytes| bytes.0),
            max_duration: self.max_duration.map(|span| span.0.as_secs()),
        };
        Ok(RunTerms {
            backup,
            limits,
            deadline: limits.max_duration.map(Deadline::after),
            bandwidth: self.bwlimit.clone(),
        })
    }
}

impl RunTerms {
    /// The same for a plan that is carried out later, whose time begins then.
    pub fn of_a_plan(self) -> Self {
        Self {
            deadline: None,
            ..self
        }
    }
}
