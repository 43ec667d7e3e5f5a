//! The copy of many repos at once, whose chunks share the workers. [`list`] reads which repos, [`row`] is the result of
//! one, [`summary`] the table of all; [`verify`] compares many copies.

pub mod list;
mod over;
pub mod row;
pub mod status;
pub mod summary;
pub mod verify;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use futures_util::future::join_all;
use hf2ms_worker::protocol::Exit;
use tokio::sync::Semaphore;

use self::list::BatchEntry;
use self::over::Over;
use self::row::BatchRow;
use crate::args::revisions::RevisionScope;
use crate::copy::options::CopyOptions;
use crate::copy::{CopyResult, RepoCopy};
use crate::revisions::{RepoResult, RevisionsCopy};
use crate::settings::nearest::Hints;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Repos that are inspected, or planned and wait for a worker. With four no worker waits for a plan, and requests to the hubs and
/// memory stay few.
const AHEAD: usize = 4;

/// Many repos at once.
pub struct Batch<'a> {
    options: &'a CopyOptions<'a>,
    screen: &'a Screen,
    ahead: Arc<Semaphore>,
    over: Over,
    hints: Hints,
}

impl<'a> Batch<'a> {
    /// A batch with these options.
    pub fn new(options: &'a CopyOptions<'a>, screen: &'a Screen) -> Self {
        Self {
            options,
            screen,
            ahead: Arc::new(Semaphore::new(AHEAD)),
            over: Over::default(),
            hints: Hints::default(),
        }
    }

    /// Copies all repos; the failure of one does not end the others. Returns a row for each entry, in their order.
    pub async fn run(&self, entries: &[BatchEntry]) -> Vec<BatchRow> {
        self.screen.bars().expect_repos(entries.len());
        join_all(entries.iter().map(|entry| self.row(entry))).await
    }

    async fn row(&self, entry: &BatchEntry) -> BatchRow {
        let began = Instant::now();
        let ended = self.copy(entry).await;
        let over = match &ended {
            Ok(RepoResult::All(summary)) => summary.over.as_ref(),
            Ok(_) => None,
            Err(failure) => Some(failure).filter(|failure| failure.ends_all()),
        };
        self.screen.bars().repo_ended();
        over.into_iter().for_each(|failure| self.over.note(failure));
        BatchRow::of(entry, ended, began.elapsed().as_secs_f64())
    }

    /// Refuses to begin a repo when the command's time is over.
    fn check_time(&self) -> CliResult<()> {
        let terms = &self.options.terms;
        match terms
            .deadline
            .is_some_and(|deadline| deadline.is_over(SystemTime::now()))
        {
            true => Err(CliError::new(
                Exit::Incomplete,
                "not begun: --max-duration is over; run the same command again",
            )),
            false => Ok(()),
        }
    }

    async fn copy(&self, entry: &BatchEntry) -> CliResult<RepoResult> {
        let ahead = self.ahead.clone().acquire_owned().await.ok();
        if self.options.stop.is_asked() {
            return Err(CliError::interrupted());
        }
        self.over.check()?;
        self.check_time()?;
        let screen = self.screen.of_repo(&entry.name);
        let copy = RepoCopy {
            options: self.options,
            screen: &screen,
            began: Instant::now(),
            files_memory: None,
        };
        // Boxed: many repos wait to be inspected, and their futures are to be small.
        let ended = match entry.revisions {
            RevisionScope::One => Box::pin(copy.run(&entry.route, ahead))
                .await
                .map(RepoResult::One),
            RevisionScope::All => Box::pin(RevisionsCopy::of(copy).run(&entry.route, ahead)).await,
        };
        match &ended {
            Err(failure) if failure.exit() != Exit::Interrupted => {
                screen.fail(&self.hints.beside(failure.clone()).await);
            }
            Ok(RepoResult::One(CopyResult::Skipped(why))) => {
                screen.status(format!("skipped: {why}"))
            }
            _ => (),
        }
        ended
    }
}
