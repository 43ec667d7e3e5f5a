//! Runs that read a repo, or write to it, while it is to be removed.

use hf2ms_hub::RepoAt;
use hf2ms_worker::protocol::Exit;

use super::{RunRecord, RunVerb, Runs, State};
use crate::ui::errors::{CliError, CliResult};

impl Runs {
    /// Fails while a run reads or writes the source, or writes to the copy: here, or in the cloud. Runs that only compare don't count, and
    /// those that remove have locks. A run whose record can't be read may do anything.
    ///
    /// # Errors
    /// A run does, or may.
    pub fn check_unused(&self, source: &RepoAt, copy: &RepoAt) -> CliResult<()> {
        if let Some(unread) = self.unread_runs().next() {
            let (id, hub) = (&source.id, source.hub);
            return Err(CliError::new(
                Exit::Incomplete,
                format!("{unread}; it may read or write {id} on {hub}"),
            ));
        }
        let all = self.list().into_iter();
        let mut at_work =
            all.filter(|run| is_at_work(run) && (is_of(run, source) || writes_to(run, copy)));
        let Some(run) = at_work.next() else {
            return Ok(());
        };
        let RunRecord { id, .. } = &run;
        let what = match is_of(&run, source) {
            true => format!("reads or writes {} on {}", source.id, source.hub),
            false => format!("writes to {} on {}", copy.id, copy.hub),
        };
        Err(CliError::new(
            Exit::Incomplete,
            format!("run {id} {what}: wait until it ends, or end it with hf2ms stop {id}"),
        ))
    }
}

fn is_at_work(run: &RunRecord) -> bool {
    let works = matches!(run.state, State::Running | State::Detached);
    works && matches!(run.verb, RunVerb::Migrate | RunVerb::Mirror)
}

fn is_of(run: &RunRecord, at: &RepoAt) -> bool {
    [&run.source, &run.destination]
        .into_iter()
        .any(|side| is_repo(side, at))
}

fn writes_to(run: &RunRecord, at: &RepoAt) -> bool {
    is_repo(&run.destination, at)
}

/// Whether a side of a run is this repo, by its hub or by its address for Git.
fn is_repo(side: &RepoAt, at: &RepoAt) -> bool {
    side.is_same_repo(at) || side.web_url() == at.web_url()
}
