//! Many repos verified in one command: a few at a time, whose chunks share the workers; a row a repo, and a table at the end. Each is a
//! run of its own, in the folder of one batch.

use std::time::Instant;

use futures_util::{StreamExt, stream};
use hf2ms_hub::Refused;
use hf2ms_worker::protocol::Exit;

use super::list::BatchEntry;
use super::over::Over;
use super::row::{BatchRow, RepoStatus};
use super::summary::BatchSummary;
use crate::args::revisions::RevisionScope;
use crate::copy::verify::options::VerifyOptions;
use crate::copy::verify::{VerifiedCopy, verify};
use crate::engine::remote::DetachMode;
use crate::revisions::summary::RevisionsSummary;
use crate::revisions::verify::verify_all;
use crate::runs::Runs;
use crate::runs::batches::BatchDir;
use crate::settings::nearest::Hints;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::counted;
use crate::ui::screen::Screen;

/// Repos that are verified at a time: with four the hubs' answers to one are waited for while others are compared.
const AT_A_TIME: usize = 4;

/// Many repos, and the folder of their batch.
pub struct VerifyBatch<'a> {
    options: VerifyOptions<'a>,
    entries: Vec<BatchEntry>,
    refused: Vec<Refused>,
    folder: BatchDir,
    runs: Runs,
    began: Instant,
}

/// How the verification of a repo ended, if no error ended it.
pub enum VerifiedRepo {
    /// One revision was compared.
    One(Box<VerifiedCopy>),
    /// Every branch and tag was.
    All(RevisionsSummary),
}

/// Told of each copy of a revision that was verified, with its screen.
type Listener<'a> = &'a (dyn Fn(&VerifiedCopy, &Screen) + Sync);

impl<'a> VerifyBatch<'a> {
    /// Makes the batch's folder. `refused` are repos that were listed and can't be read.
    ///
    /// # Errors
    /// The folder can't be written.
    pub fn begin(
        options: VerifyOptions<'a>,
        entries: Vec<BatchEntry>,
        refused: Vec<Refused>,
    ) -> CliResult<Self> {
        let folder = options.runs.begin_batch(entries.len())?;
        let runs = options.runs.of_batch(&folder);
        Ok(Self {
            options,
            entries,
            refused,
            folder,
            runs,
            began: Instant::now(),
        })
    }

    /// Verifies all repos and prints the table; the worst exit code. A repo that can't be read costs only itself.
    ///
    /// # Errors
    /// The folder can't be written.
    pub async fn run(
        self,
        screen: &Screen,
        verified: impl Fn(&VerifiedCopy, &Screen) + Sync,
    ) -> CliResult<Exit> {
        let id = self.folder.id().to_owned();
        let repos = counted(self.entries.len() as u64, "repo");
        screen.status(format!("batch {id}: {repos} to verify"));
        let options = VerifyOptions {
            runs: &self.runs,
            ..self.options
        };
        let each = EachRepo {
            options: &options,
            screen,
            verified: &verified,
            over: Over::default(),
            hints: Hints::default(),
        };
        screen.bars().expect_repos(self.entries.len());
        let rows = stream::iter(&self.entries)
            .map(|entry| each.row(entry))
            .buffered(AT_A_TIME);
        let mut rows: Vec<BatchRow> = rows.collect().await;
        rows.extend(self.refused.iter().map(BatchRow::refused));
        let summary = BatchSummary {
            rows,
            seconds: self.began.elapsed().as_secs_f64(),
            on: options.worker_args.on,
            id: Some(id),
        };
        self.folder
            .end(summary.state(DetachMode::Attached), &summary.event())?;
        summary.print(screen);
        Ok(summary.exit())
    }
}

struct EachRepo<'a> {
    options: &'a VerifyOptions<'a>,
    screen: &'a Screen,
    verified: Listener<'a>,
    over: Over,
    hints: Hints,
}

impl EachRepo<'_> {
    async fn row(&self, entry: &BatchEntry) -> BatchRow {
        let began = Instant::now();
        let screen = self.screen.of_repo(&entry.name);
        let ended = self.verify(entry, &screen).await;
        self.screen.bars().repo_ended();
        match &ended {
            Ok(VerifiedRepo::One(verified)) => {
                screen.status(verified.line());
                (self.verified)(verified, &screen);
            }
            Ok(VerifiedRepo::All(summary)) => summary.print(&screen),
            Err(failure) => {
                if failure.ends_all() {
                    self.over.note(failure);
                }
                if failure.exit() != Exit::Interrupted {
                    screen.fail(&self.hints.beside(failure.clone()).await);
                }
            }
        }
        BatchRow::verified(entry, ended, began.elapsed().as_secs_f64())
    }

    async fn verify(&self, entry: &BatchEntry, screen: &Screen) -> CliResult<VerifiedRepo> {
        if self.options.stop.is_asked() {
            return Err(CliError::interrupted());
        }
        self.over.check()?;
        // Boxed: the futures of many repos are to be small.
        match entry.revisions {
            RevisionScope::One => {
                let verified = Box::pin(verify(&entry.route, self.options, screen)).await?;
                Ok(VerifiedRepo::One(Box::new(verified)))
            }
            RevisionScope::All => {
                let all = verify_all(&entry.route, self.options, screen, self.verified);
                Ok(VerifiedRepo::All(Box::pin(all).await?))
            }
        }
    }
}

impl BatchRow {
    /// The row of a repo that was verified, or could not be.
    pub fn verified(entry: &BatchEntry, ended: CliResult<VerifiedRepo>, seconds: f64) -> Self {
        let row = Self {
            seconds,
            may_pass: false,
            ..Self::new(&entry.name, entry.destination.as_str())
        };
        match ended {
            Ok(VerifiedRepo::One(verified)) => row.compared(*verified),
            Ok(VerifiedRepo::All(summary)) => Self {
                state: RepoStatus::of_verification(summary.exit()),
                ..row.summed_up(&summary)
            },
            Err(failure) => row.failed(&failure),
        }
    }

    fn compared(self, verified: VerifiedCopy) -> Self {
        let summary = verified.plan.summary();
        let exit = verified.exit();
        Self {
            state: RepoStatus::of_verification(exit),
            files: Some(summary.files),
            bytes: Some(summary.bytes),
            reason: verified.differences(),
            run: Some(verified.run),
            exit: exit as u8,
            ..self
        }
    }
}

impl RepoStatus {
    /// The status of a comparison that ended with this code.
    pub fn of_verification(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::Equal,
            _ => Self::NotEqual,
        }
    }
}
