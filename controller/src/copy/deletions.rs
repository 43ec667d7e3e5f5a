//! The deletions of `--prune`: listed before anything is written, and made only after a yes, of a person or of the command line.

use hf2ms_hub::RepoPath;
use hf2ms_worker::plan::{AGREE, Plan, named, not_agreed};
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use crate::copy::options::CopyOptions;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::{FEW, counted};
use crate::ui::screen::Screen;

/// More names than this are counted, not listed.
const LISTED: usize = 20;

/// Files that `--prune` deletes, before anything is written.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "deletions")]
pub struct DeletionsEvent<'a> {
    /// Their paths, in order.
    paths: Vec<&'a RepoPath>,
}

/// Lists the files that a plan deletes: all of them for a program, the first for a person.
pub fn list(plan: &Plan, screen: &Screen) {
    let paths: Vec<&RepoPath> = plan.delete.iter().map(|file| &file.path).collect();
    if paths.is_empty() {
        return;
    }
    let (id, hub) = (&plan.destination.id, plan.destination.hub);
    match paths.len() {
        ..=FEW => screen.status(format!(
            "--prune deletes {} of {id} on {hub}",
            named(&paths)
        )),
        count => {
            let count = counted(count as u64, "file");
            screen.status(format!("--prune deletes {count} of {id} on {hub}:"));
            let first = paths.iter().take(LISTED);
            first.for_each(|path| screen.status(format!("  {path}")));
            if let more @ 1.. = paths.len().saturating_sub(LISTED) {
                let more = counted(more as u64, "more file");
                screen.status(format!("  and {more}, which --json names"));
            }
        }
    }
    screen.json(&DeletionsEvent { paths });
}

/// Has the deletions of these plans of one repo agreed to, together. Where nobody has agreed on the command line, a person is asked.
///
/// # Errors
/// The answer is no (exit code 130), or nobody can be asked (exit code 2). Nothing was written then.
pub async fn confirm(plans: &[&Plan], options: &CopyOptions<'_>, screen: &Screen) -> CliResult<()> {
    let deletes = plans.iter().any(|plan| !plan.delete.is_empty());
    let (Some(first), true) = (plans.first(), deletes) else {
        return Ok(());
    };
    if options.yes || options.prune.is_some_and(|prune| prune.agreed) {
        return Ok(());
    }
    let destination = &first.destination;
    let (id, hub) = (&destination.id, destination.hub);
    let paths: Vec<String> = plans
        .iter()
        .flat_map(|plan| paths_of(plan, plans.len() > 1))
        .collect();
    // A plan from a file takes no option of `--prune`.
    let (refuse, agree) = match options.prune {
        Some(_) => ("without --prune the same command deletes nothing", AGREE),
        None => (
            "a plan that is made without --prune deletes nothing",
            "Give --yes to delete them, or make the plan again without --prune",
        ),
    };
    let question = format!("Delete {} of {id} on {hub}?", named(&paths));
    match options.budget.ask(&question, screen).await {
        Some(true) => Ok(()),
        Some(false) => Err(CliError::new(
            Exit::Interrupted,
            format!("not confirmed: nothing was written; {refuse}"),
        )),
        None => Err(CliError::usage(not_agreed(&paths, destination, agree))),
    }
}

/// The files that a plan deletes, with their branch where several are meant.
fn paths_of(plan: &Plan, several: bool) -> impl Iterator<Item = String> {
    let revision = &plan.destination.revision;
    plan.delete.iter().map(move |file| match several {
        true => format!("{} at {revision}", file.path),
        false => file.path.to_string(),
    })
}
