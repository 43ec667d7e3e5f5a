//! `hf2ms inventory`: what owners have, and how the copies stand.

use std::path::PathBuf;

use hf2ms_worker::protocol::Exit;

use crate::copy::proofs::Proofs;
use crate::inventory::contents::ContentReader;
use crate::inventory::depth::{ContentUse, InspectionDepth, RefCount};
use crate::inventory::inspect::Inspector;
use crate::inventory::output::{self, Format, InventoryDocument, SortKey};
use crate::inventory::repos::{self, OwnersArgs};
use crate::inventory::row::{InventoryRow, RowFilter};
use crate::inventory::saved::SavedRows;
use crate::inventory::summary::{InventoryTotals, SummaryInput};
use crate::runs::Runs;
use crate::settings::{self, writable_state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::counted;
use crate::ui::screen::Screen;
use crate::ui::stdout;

/// List what owners have, and how the copy of each repo stands
///
/// Each repo has a row: its files and bytes, who may see it, when it was changed, and the state of its copy. Where a run has verified
/// both sides as they stand, nothing is listed. Else each side is listed once, and the listings are compared. Files of which the hubs
/// list different kinds of digests are compared by their sizes, unless --deep reads them. What is found is kept: the same command
/// goes on after a kill, and asks only for what has changed since. Nothing is written to either hub.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    owners: OwnersArgs,
    /// Compare every file by a digest: a worker reads those that the listings can't compare
    #[arg(long)]
    deep: bool,
    /// Count branches and tags of the sources, too, by a request more a repo
    #[arg(long)]
    refs: bool,
    /// Print the totals only, and what it would take to finish: bytes, time, dollars, and room for private repos where it is known
    #[arg(long)]
    summary: bool,
    /// Show and write repos of these states only, or those whose copy shows more than its source (exposed)
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    only: Vec<RowFilter>,
    /// The order of the rows
    #[arg(long, value_name = "KEY", default_value = "name")]
    sort: SortKey,
    /// The form of the result
    #[arg(
        long,
        value_name = "FORM",
        default_value = "table",
        conflicts_with = "json"
    )]
    format: Format,
    /// Write a list of the repos to this file, as batch --file takes it: source, destination, and the state as a comment
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// End with exit code 1 only where a copy has one of these states, or shows more than its source (exposed) [default: all but equal and
    /// equal-by-size]
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    fail_on: Vec<RowFilter>,
    /// Print NDJSON and nothing else: an event a repo, and the totals last
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms inventory org                              how do the copies of org on ModelScope stand?
  hf2ms inventory org --against ms:me --summary    what is left to copy, and what it would take
  hf2ms inventory ms:org --against hf:org          the other way
  hf2ms inventory org --only none,partial --write repos.txt
  hf2ms batch --file repos.txt --force             copies what they lack
  hf2ms inventory org --format csv > org.csv";

/// Looks at all repos and prints how they stand.
///
/// # Errors
/// The command line is wrong, an owner has no repo, or a hub refuses the token.
pub async fn run(args: Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    args.fit()?;
    let (settings, state) = (settings::load()?, writable_state_dir()?);
    let runs = Runs::new(&state);
    let owners = args.owners.owners.join(", ");
    screen.looking(format!(
        "looking at all that {owners} has, and at the copies"
    ));
    let found = stop.unless(repos::find(&args.owners, &settings)).await?;
    for line in &found.warnings {
        screen.warn(line);
    }
    for refused in &found.refused {
        screen.warn(format!("{} is left out: {}", refused.path, refused.reason));
    }
    screen.looking(format!(
        "{} to look at",
        counted(found.entries.len() as u64, "repo")
    ));
    let inspector = Inspector {
        settings: &settings,
        proofs: Proofs::of(&runs),
        saved: SavedRows::open(&state)?,
        depth: args.depth(),
        contents: ContentReader::new(&runs, &settings, screen, stop),
    };
    let is_shown = |row: &InventoryRow| !args.summary && args.is_meant(row);
    let rows = crate::inventory::run(&found.entries, &inspector, is_shown, screen, stop).await?;
    inspector.saved.tidy()?;
    let totals = InventoryTotals::of(&SummaryInput {
        rows: &rows,
        entries: &found.entries,
        at_destination: &found.at_destination,
        to: found.to,
        left_out: found.left_out(),
        runs: &runs,
    });
    let exit = args.exit(&rows, found.left_out());
    args.print(rows, &totals, exit, screen)?;
    Ok(exit)
}

impl Args {
    fn depth(&self) -> InspectionDepth {
        InspectionDepth {
            contents: match self.deep {
                true => ContentUse::Read,
                false => ContentUse::Sizes,
            },
            refs: match self.refs {
                true => RefCount::Counted,
                false => RefCount::Left,
            },
        }
    }

    /// Refuses what can't be printed or written, before anything is asked.
    fn fit(&self) -> CliResult<()> {
        if self.summary && self.format == Format::Csv {
            return Err(CliError::usage(
                "--summary has no rows, and CSV has nothing else: leave one of them out",
            ));
        }
        self.write.as_deref().map_or(Ok(()), output::check_file)
    }

    /// Whether a row is asked for.
    fn is_meant(&self, row: &InventoryRow) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one.is_met_by(row))
    }

    /// What is left out has no state: it fails where no states are named.
    fn exit(&self, rows: &[InventoryRow], left_out: usize) -> Exit {
        let is_bad =
            |row: &InventoryRow| !row.state.is_whole() || RowFilter::Exposed.is_met_by(row);
        let is_named = |row: &InventoryRow| self.fail_on.iter().any(|one| one.is_met_by(row));
        let fails = match self.fail_on.is_empty() {
            true => left_out > 0 || rows.iter().any(is_bad),
            false => rows.iter().any(is_named),
        };
        match fails {
            true => Exit::Incomplete,
            false => Exit::Done,
        }
    }

    fn print(
        &self,
        mut rows: Vec<InventoryRow>,
        totals: &InventoryTotals,
        exit: Exit,
        screen: &Screen,
    ) -> CliResult<()> {
        let (line, summary) = (totals.line(&rows), totals.readable(&rows));
        rows.retain(|row| self.is_meant(row));
        self.sort.sort(&mut rows);
        let shown: &[InventoryRow] = if self.summary { &[] } else { &rows };
        match (self.format, self.summary) {
            (Format::Table, true) => screen.print(summary),
            (Format::Table, false) => screen.print(output::table(shown, &line)),
            (Format::Md, true) => screen.print(&line),
            (Format::Md, false) => screen.print(output::markdown(shown, &line)),
            (Format::Csv, _) => screen.print(output::csv(shown)),
            (Format::Json, _) => {
                let repos = shown;
                let document = InventoryDocument { repos, totals };
                print_json(&document)?;
            }
        }
        if let Some(path) = &self.write {
            output::write_list(path, &rows)?;
            let repos = counted(rows.len() as u64, "repo");
            screen.note(format!("{repos} written to {}", path.display()));
        }
        screen.json(&totals.event(exit as u8));
        Ok(())
    }
}

/// Prints a document.
fn print_json(document: &InventoryDocument<'_>) -> CliResult<()> {
    let text = serde_json::to_string_pretty(document).map_err(|error| {
        CliError::usage(format!(
            "the result can't be written: {error}; use --format csv"
        ))
    })?;
    stdout::line(&text);
    Ok(())
}
