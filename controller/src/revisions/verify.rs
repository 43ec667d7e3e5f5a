//! The verification of all branches and tags of a repo: each that `--all-revisions` copies is compared with the one of its name at the
//! destination, as a run of its own.

use std::time::Instant;

use hf2ms_hub::Revision;
use hf2ms_worker::protocol::Exit;
use hf2ms_worker::revisions::targets::{DefaultBranches, RefMapping, RevisionTargets};

use super::summary::{RevisionRow, RevisionsSummary};
use super::survey::{check_names_no_revision, list_refs};
use crate::args::route::Route;
use crate::copy::inspect::{DestinationRepo, SourceRepo};
use crate::copy::plan::{FoundSides, Purpose, RepoPair, find, not_skipped};
use crate::copy::verify::options::VerifyOptions;
use crate::copy::verify::{VerifiedCopy, check_exists, verify_pair};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::log::Level;
use crate::ui::screen::Screen;

/// Verifies every branch and tag; `verified` is told of each. A revision that can't be read costs only itself.
///
/// # Errors
/// One of the repos can't be read, or there is no copy.
pub async fn verify_all(
    route: &Route,
    options: &VerifyOptions<'_>,
    screen: &Screen,
    verified: impl Fn(&VerifiedCopy, &Screen),
) -> CliResult<RevisionsSummary> {
    let (began, stop) = (Instant::now(), options.stop);
    check_names_no_revision(route)?;
    route.announce(screen);
    let (source, destination) = match stop
        .unless(find(route, Purpose::Read, options.settings))
        .await?
    {
        FoundSides::Both(both) => *both,
        FoundSides::Skip(reason) => return Err(not_skipped(route.source_id(), &reason)),
    };
    check_exists(&destination)?;
    let refs = list_refs(&source, &destination, options.settings);
    let (of_source, _, there) = stop.unless(refs).await?;
    let there = there.named();
    let defaults = DefaultBranches::of(source.repo.at.hub, destination.at.hub);
    let targets = RevisionTargets::of(&of_source, &there, &defaults);
    let pairs = RevisionPairs {
        source,
        destination,
        route,
        options,
    };
    // One of several repos has a line of its own at its end, and whatever is not equal before that.
    let is_one_of_many = screen.part().is_some();
    let mut summary = RevisionsSummary::new(pairs.destination.at.web_url());
    let all = targets.targets.iter().flat_map(|target| {
        let commit = &target.commit;
        target.refs().map(move |named| (named, commit))
    });
    for (named, commit) in all {
        let name = format!("{} {}", named.kind.name(), named.source);
        let screen = screen.of_revision(&name);
        let compared = match there.find(named.kind, &named.destination) {
            Some(_) => pairs.verify(named, commit, &screen).await,
            None => Err(absent(named, &pairs.destination)),
        };
        if let Ok(found) = &compared {
            match is_one_of_many && found.exit() == Exit::Done {
                true => screen.detail(Level::Info, found.line()),
                false => screen.status(found.line()),
            }
            verified(found, &screen);
        }
        let (row, size) = row(named, compared, &screen)?;
        summary.add(vec![row], size);
    }
    let refused = targets.refused.iter().map(RevisionRow::refused);
    summary.rows.extend(refused);
    if summary.rows.is_empty() {
        return Err(nothing_to_compare(&pairs.source));
    }
    summary.conclude(None, began);
    Ok(summary)
}

/// The row of a branch or tag, and its files and bytes.
fn row(
    named: &RefMapping,
    compared: CliResult<VerifiedCopy>,
    screen: &Screen,
) -> CliResult<(RevisionRow, (u64, u64))> {
    match compared {
        Ok(found) => {
            let size = found.plan.summary();
            let row = RevisionRow::verified(named, &found);
            Ok((row, (size.files, size.bytes)))
        }
        Err(failure) if failure.ends_all() || failure.exit() == Exit::Interrupted => Err(failure),
        Err(failure) => {
            screen.fail(&failure);
            Ok((RevisionRow::unverified(named, &failure), (0, 0)))
        }
    }
}

/// A source without a branch, whose refs may be told falsely: nothing was compared, and nothing is equal.
fn nothing_to_compare(source: &SourceRepo) -> CliError {
    let (id, hub) = (&source.repo.at.id, source.repo.at.hub);
    let line = format!(
        "{id} has no branch or tag on {hub}, so that nothing was compared: look at its page there"
    );
    CliError::new(Exit::Incomplete, line)
}

fn absent(named: &RefMapping, destination: &DestinationRepo) -> CliError {
    let (kind, name, id) = (named.kind.name(), &named.destination, &destination.at.id);
    let line = format!("{id} has no {kind} {name}: hf2ms migrate with --all-revisions brings it");
    CliError::new(Exit::Incomplete, line)
}

/// A source and its copy, of which each branch and tag is compared.
pub struct RevisionPairs<'a> {
    /// The source.
    pub source: SourceRepo,
    /// The copy.
    pub destination: DestinationRepo,
    /// Which files are meant.
    pub route: &'a Route,
    /// What is asked of each verification.
    pub options: &'a VerifyOptions<'a>,
}

impl RevisionPairs<'_> {
    /// Compares a branch or tag, at this commit of the source.
    ///
    /// # Errors
    /// One of the sides can't be read.
    pub async fn verify(
        &self,
        named: &RefMapping,
        commit: &Revision,
        screen: &Screen,
    ) -> CliResult<VerifiedCopy> {
        let settings = self.options.settings;
        let source = self.source.at_commit(commit, &named.source, settings)?;
        let there = &named.destination;
        let destination = self.destination.at_branch(there, None, settings)?;
        let listing = RepoPair::list(source, destination, settings);
        let sides = self.options.stop.unless(listing).await?;
        verify_pair(sides, self.route, self.options, screen).await
    }
}
