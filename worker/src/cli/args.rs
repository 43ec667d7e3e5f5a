//! The command line of `hf2ms-worker`. Its doc comments are the help text.

use clap::{Args, Parser, Subcommand};
use hf2ms_hub::{RepoKind, Revision, Visibility};
use hf2ms_worker::amounts::{ByteCount, Span};
use hf2ms_worker::pipeline::creation::{GatePolicy, VisibilityRequest};
use hf2ms_worker::plan::{BackupRequest, CardPolicy, MaxDelete, PruneRequest};
use hf2ms_worker::protocol::{Bandwidth, RunLimits, Transport, VerifyLevel};
use hf2ms_worker::repo_ref::BadRepoRef;
use hf2ms_worker::settings::Settings;
use hf2ms_worker::timetable::bandwidth;
use hf2ms_worker::verbs::migrate::{MigrateRequest, NamedSides};

/// Streams one chunk of a repo from source to destination.
///
/// Tokens come from HF_TOKEN and MODELSCOPE_TOKEN, logins of Git hosts (user:password) from HF2MS_SOURCE_LOGIN and HF2MS_TARGET_LOGIN (and HF_DESTINATION_TOKEN and MODELSCOPE_DESTINATION_TOKEN, where a destination
/// has its own) only, or by --settings-on-stdin. Events go to stdout as NDJSON, the last line being the receipt;
/// the log goes to stderr. Exit codes: 0 done, 1 some files failed, 2 usage, 3 refused, 4 integrity, 130 interrupted.
#[derive(Parser)]
#[command(version, name = "hf2ms-worker")]
pub(crate) struct WorkerCli {
    #[command(subcommand)]
    pub(crate) verb: WorkerVerb,
}

#[derive(Subcommand)]
pub(crate) enum WorkerVerb {
    /// Move the blobs of one chunk, or read and hash them, as the chunk says.
    Run(Run),
    /// Compare the destination with a manifest, file by file.
    Verify(JobArgs),
    /// Commit and verify when all chunks have ended: what a run's last worker does
    Finalize(JobArgs),
    /// Commit and verify one revision of a repo after the other when all chunks have ended, and make its branches and tags
    Revisions(JobArgs),
    /// Find what a mirror of a Git repo has to move: its refs, and the LFS objects of all its history
    Scan(JobArgs),
    /// Push the refs of a mirror, once its LFS objects are there
    Push(JobArgs),
    /// Move a whole repo alone: plan, run, commit, verify
    #[command(after_help = "Example: hf2ms-worker migrate hf:org/name ms:org/name --private")]
    Migrate(Migrate),
    /// Say the version and whether the endpoints answer.
    Check {
        /// Addresses to reach [default: those of Hugging Face and ModelScope]
        endpoints: Vec<String>,
        /// Take the first line of standard input as a JSON object of variables, which count as if the environment had them
        #[arg(long)]
        settings_on_stdin: bool,
    },
}

impl WorkerVerb {
    /// Whether the first line of standard input holds variables.
    pub(crate) fn has_settings_on_stdin(&self) -> bool {
        match self {
            Self::Run(Run { job, .. })
            | Self::Verify(job)
            | Self::Finalize(job)
            | Self::Revisions(job)
            | Self::Scan(job)
            | Self::Push(job) => job.settings_on_stdin,
            Self::Check {
                settings_on_stdin, ..
            } => *settings_on_stdin,
            Self::Migrate(_) => false,
        }
    }
}

#[derive(Args)]
pub(crate) struct JobArgs {
    /// Where the job is read from: a file or an http(s) address [default: standard input]
    #[arg(long, value_name = "FILE|URL")]
    pub(super) chunk: Option<String>,
    /// Take the first line of standard input as the job and stop when standard input closes
    #[arg(long)]
    pub(super) attached: bool,
    /// Take the line before the job as a JSON object of variables, which count as if the environment had them
    #[arg(long, requires = "attached", conflicts_with = "chunk")]
    settings_on_stdin: bool,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(super) job: JobArgs,
    /// Create the destination like this if it is absent: public, internal or private [default: it has to be there]
    #[arg(long, value_name = "VISIBILITY", value_parser = visibility)]
    pub(super) create: Option<Visibility>,
}

#[derive(Args)]
pub(crate) struct Migrate {
    /// Where from: hf:owner/name, ms:owner/name, owner/name, or its web address
    source: String,
    /// Where to: the same, or ms:OWNER/ (the source's name), or ms: (the source's id)
    destination: String,
    /// What the repo holds [default: what is found]
    #[arg(long, value_name = "KIND", value_parser = repo_kind)]
    repo_type: Option<RepoKind>,
    /// Branch, tag or commit of the source [default: its main branch]
    #[arg(long)]
    revision: Option<Revision>,
    /// Create the destination private [default: as the source is; private if that is gated]
    #[arg(long, conflicts_with = "public")]
    private: bool,
    /// Create the destination public, or write into one that is
    #[arg(long)]
    public: bool,
    /// What becomes of the gate of a gated source: private (the copy is private) or keep (the gate is set at the copy, too)
    #[arg(long, value_name = "HOW", default_value = "private", value_parser = GatePolicy::asked)]
    gated: GatePolicy,
    /// Send README.md as it is, though the destination refuses its license
    #[arg(long)]
    keep_readme: bool,
    /// Write files although someone else has changed them at the destination meanwhile
    #[arg(long)]
    overwrite: bool,
    /// Before something is replaced or deleted, give the destination's head this tag [default: with --prune and --overwrite, one that
    /// is named after the source's commit]
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    backup_tag: Option<Option<Revision>>,
    /// Make no such tag
    #[arg(long, conflicts_with = "backup_tag")]
    no_backup_tag: bool,
    /// Move this many bytes at most, in whole files; the same command goes on
    #[arg(long, value_name = "BYTES")]
    max_transfer: Option<ByteCount>,
    /// Begin no further file after this time, as 90m or 8h; the same command goes on
    #[arg(long, value_name = "TIME")]
    max_duration: Option<Span>,
    /// Send this many bytes a second at most: 10M, or a timetable as '08:00,512K 19:00,off'
    #[arg(long, value_name = "RATE", value_parser = bandwidth)]
    bwlimit: Option<Bandwidth>,
    /// Delete what only the destination has; needs --yes or --max-delete, since a worker asks nobody
    #[arg(long)]
    prune: bool,
    /// Delete this many files at most, or this share of those that the destination has [default: 50%]
    #[arg(long, value_name = "N|N%", requires = "prune")]
    max_delete: Option<MaxDelete>,
    /// Delete what --prune finds
    #[arg(long, short, requires = "prune")]
    yes: bool,
    /// Blobs that move at a time [default: 8, and up to 32 as long as more are faster; two of 256 KiB or less count as one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=32))]
    streams: Option<u8>,
    /// How blobs travel from and to Hugging Face: auto, http or xet. Auto measures both where a chunk sends more than 1 GB, and reads by
    /// Xet what is served no other way
    #[arg(long, value_name = "WAY", default_value = "auto", value_parser = Transport::asked)]
    transport: Transport,
    /// How the copy is verified: listing, sample (the first and last bytes of the files that were sent, too) or deep (every byte)
    #[arg(long, value_name = "LEVEL", default_value = "sample", value_parser = VerifyLevel::asked)]
    verify: VerifyLevel,
}

fn visibility(text: &str) -> Result<Visibility, String> {
    let known = [
        Visibility::Public,
        Visibility::Internal,
        Visibility::Protected,
        Visibility::Private,
    ]
    .into_iter()
    .find(|known| known.to_string() == text);
    known.ok_or_else(|| "expected public, internal or private".to_owned())
}

fn repo_kind(text: &str) -> Result<RepoKind, String> {
    let known = [RepoKind::Model, RepoKind::Dataset]
        .into_iter()
        .find(|kind| kind.to_string() == text);
    known.ok_or_else(|| "expected model or dataset".to_owned())
}

impl Migrate {
    /// What is asked of the library.
    ///
    /// # Errors
    /// A name is none, or contradicts another option.
    pub(super) fn request(self, settings: &Settings) -> Result<MigrateRequest, BadRepoRef> {
        let NamedSides {
            source,
            destination,
            kind,
            revision,
        } = NamedSides::parse(&self.source, &self.destination, self.repo_type, settings)?;
        let visibility = match (self.private, self.public) {
            (true, _) => Some(Visibility::Private),
            (_, true) => Some(Visibility::Public),
            _ => None,
        };
        let revision = self.revision.or(revision);
        let revision = revision.unwrap_or_else(|| Revision::main_of(source.hub));
        let card = if self.keep_readme {
            CardPolicy::Kept
        } else {
            CardPolicy::Mended
        };
        let prune = self.prune.then(|| PruneRequest {
            max: self.max_delete.unwrap_or_default(),
            agreed: self.yes || self.max_delete.is_some(),
        });
        Ok(MigrateRequest {
            source,
            destination,
            kind,
            revision,
            visibility: VisibilityRequest {
                visibility,
                gate: self.gated,
            },
            card,
            overwrite: self.overwrite,
            prune,
            streams: self.streams.map(usize::from),
            transport: self.transport,
            verify: self.verify,
            backup: BackupRequest::of_options(self.backup_tag, self.no_backup_tag),
            limits: RunLimits {
                max_transfer: self.max_transfer.map(|bytes| bytes.0),
                max_duration: self.max_duration.map(|span| span.0.as_secs()),
            },
            bandwidth: self.bwlimit,
        })
    }
}
