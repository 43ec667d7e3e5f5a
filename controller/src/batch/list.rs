//! The repos of a batch, from the command line, a file, or the listing of an owner. All are read and checked before any copy begins.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use hf2ms_hub::path::escape;
use hf2ms_hub::{Hub, Refused, RepoAt, RepoId, RepoKind};
use hf2ms_worker::repo_ref::{DestinationRef, HubSites, RepoRef};

use crate::args::revisions::RevisionScope;
use crate::args::route::{self, Route, RouteArgs};
use crate::revisions::survey::check_names_no_revision;
use crate::settings::Settings;
use crate::settings::account::{owned_repos, owns_nothing};
use crate::settings::hub_errors::{AccessMode, hub_error};
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// One repo of a batch.
pub struct BatchEntry {
    /// The name for people: the source's id, and its kind if that was given.
    pub name: String,
    /// The source and the destination.
    pub route: Route,
    /// The destination's id.
    pub destination: RepoId,
    /// Whether somebody has named the destination's owner: the list, or an option.
    pub names_owner: bool,
    /// One revision, or all.
    pub revisions: RevisionScope,
    origin: EntryOrigin,
    /// The source, as far as it is known without a request.
    pub from: RepoAt,
    /// The destination, likewise.
    pub to: RepoAt,
    /// The destination's kind, if it is known without a request.
    kind: Option<RepoKind>,
}

/// A source as it was written, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    origin: EntryOrigin,
    source: String,
    destination: Option<String>,
}

/// Where a source was written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum EntryOrigin {
    /// On the command line, or in the listing of an owner.
    Itself(String),
    /// In this file, on this line.
    Line(String, usize),
}

impl fmt::Display for EntryOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Itself(source) => f.write_str(&escape(source)),
            Self::Line(file, number) => write!(f, "{file}:{number}"),
        }
    }
}

impl SourceLine {
    /// A source of the command line.
    pub fn plain(source: &str) -> Self {
        Self {
            origin: EntryOrigin::Itself(source.to_owned()),
            source: source.to_owned(),
            destination: None,
        }
    }
}

/// Refuses lines with addresses of other sites than those that are asked. A line that is wrong is left to its reader.
///
/// # Errors
/// The first such line, with its place.
pub fn check_sites(lines: &[Line], settings: &Settings) -> CliResult<()> {
    lines.iter().flatten().try_for_each(|line| {
        let destination = line.destination.as_deref();
        let checked = route::check_sites(&line.source, destination, settings);
        checked.map_err(|bad| at(&line.origin, &bad))
    })
}

/// The sources and destinations that a list names, for verbs that find the repos in another way.
///
/// # Errors
/// A line is wrong, with its file and number.
pub fn named_pairs(
    lines: Vec<Line>,
    settings: &Settings,
) -> CliResult<Vec<(RepoRef, DestinationRef)>> {
    parsed(lines, |source, destination| {
        let source = RepoRef::parse(source, HubSites::read(settings))?;
        let destination = match destination {
            Some(text) => DestinationRef::parse(text, settings)?,
            None => DestinationRef::default(),
        };
        Ok((source, destination))
    })
}

/// What `parse` makes of each line's source and destination.
///
/// # Errors
/// A line is wrong, with its file and number.
pub fn parsed<T>(
    lines: Vec<Line>,
    parse: impl Fn(&str, Option<&str>) -> CliResult<T>,
) -> CliResult<Vec<T>> {
    let one = |line: Line| {
        let line = line?;
        let parsed = parse(&line.source, line.destination.as_deref());
        parsed.map_err(|bad| at(&line.origin, &bad))
    };
    all_or_first(lines.into_iter().map(one).collect())
}

/// One line of a list, or why it is wrong.
pub type Line = CliResult<SourceLine>;

/// Reads a list with one repo on a line: its source and, optionally, its destination. A `#` begins a comment. `-` is stdin.
///
/// # Errors
/// It can't be read, or it names no repo: whoever wrote it has failed.
pub fn read_file(path: &Path) -> CliResult<Vec<Line>> {
    let lines = read_pairs(path)?;
    match lines.is_empty() {
        true => Err(CliError::usage(format!(
            "the list {} names no repo: add one a line",
            path.display()
        ))),
        false => Ok(lines),
    }
}

/// The same of a list that may be empty.
///
/// # Errors
/// It can't be read.
pub fn read_pairs(path: &Path) -> CliResult<Vec<Line>> {
    let name = path.display().to_string();
    let bad = |error: std::io::Error| {
        CliError::usage(format!(
            "{name}: {error}; check the path of the list, or give - to read standard input"
        ))
    };
    let mut text = String::new();
    if name == "-" {
        std::io::stdin().read_to_string(&mut text).map_err(bad)?;
    } else {
        text = std::fs::read_to_string(path).map_err(bad)?;
    }
    Ok(parse(&text, &name))
}

fn parse(text: &str, file: &str) -> Vec<Line> {
    let lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, words(line)));
    let lines = lines.filter(|(_, words)| !words.is_empty());
    lines
        .map(|(number, words)| named(&words, EntryOrigin::Line(file.to_owned(), number)))
        .collect()
}

/// The words before a comment. A `#` inside a word is part of an address.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace()
        .take_while(|word| !word.starts_with('#'))
        .collect()
}

fn named(words: &[&str], origin: EntryOrigin) -> Line {
    let destination = match words {
        [_] => None,
        [_, to] => Some((*to).to_owned()),
        _ => {
            let why =
                "more than a source and a destination: what is meant as a comment begins with #";
            return Err(at(&origin, &CliError::usage(why)));
        }
    };
    let source = words.first().copied().unwrap_or_default().to_owned();
    Ok(SourceLine {
        origin,
        source,
        destination,
    })
}

fn at(origin: &EntryOrigin, why: &CliError) -> CliError {
    match origin {
        // An empty word would leave nothing before the colon.
        EntryOrigin::Itself(source) if source.is_empty() => why.clone(),
        _ => CliError::new(why.exit(), format!("{origin}: {why}")),
    }
}

/// All values, or the first error and the number of the others.
fn all_or_first<T>(all: Vec<CliResult<T>>) -> CliResult<Vec<T>> {
    let bad = all.iter().filter(|one| one.is_err()).count();
    let all: CliResult<Vec<T>> = all.into_iter().collect();
    all.map_err(|first| match bad {
        1 => first,
        _ => CliError::new(
            first.exit(),
            format!("{first} (and {} more are wrong)", bad - 1),
        ),
    })
}

/// All repos of an owner at the source: models, datasets and, with `--spaces-as`, Spaces; or those of `--repo-type`. `owner` may
/// have a hub's prefix.
///
/// # Errors
/// `owner` is no name; the hub's; the owner has no repo.
pub async fn of_owner(
    owner: &str,
    args: &RouteArgs,
    settings: &Settings,
) -> CliResult<(Vec<Line>, Vec<Refused>)> {
    let (source_of_any, same) = (format!("{owner}/any"), DestinationRef::default());
    let any = Route::resolve(&source_of_any, &same, args, settings)
        .map_err(|bad| CliError::usage(format!("--owner: {bad}")))?;
    let all = [RepoKind::Model, RepoKind::Dataset]
        .into_iter()
        .chain(args.spaces_as.map(|_| RepoKind::Space));
    let kinds = args
        .repo_type
        .map_or_else(|| all.collect(), |kind| vec![kind]);
    let (mut named, mut refused) = (Vec::new(), Vec::new());
    for kind in &kinds {
        let at = any.source_at(settings, *kind, any.asked());
        let explained = |error| hub_error(&error, &at, settings, AccessMode::Read);
        let owned = owned_repos(&at, AccessMode::Read, settings).await;
        let owned = owned.map_err(explained)?;
        named.extend(
            owned
                .repos
                .iter()
                .map(|owned| Ok(SourceLine::plain(&source(at.hub, *kind, &owned.id)))),
        );
        refused.extend(owned.refused);
    }
    if named.is_empty() && refused.is_empty() {
        let kind = kinds.first().copied().unwrap_or(RepoKind::Model);
        let at = any.source_at(settings, kind, any.asked());
        return Err(owns_nothing(&at, &kinds));
    }
    Ok((named, refused))
}

/// The source of a repo of a known hub and kind.
pub fn source(hub: Hub, kind: RepoKind, id: &RepoId) -> String {
    format!("{}:{kind}s/{id}", hub.profile().prefix)
}

/// The routes of all lines. A source without a destination of its own goes to `to_owner`, if there is one.
///
/// # Errors
/// A line or a source is wrong, with its file and number; two repos have the same destination.
pub fn entries(
    named: Vec<Line>,
    args: &RouteArgs,
    to_owner: Option<&str>,
    settings: &Settings,
    screen: &Screen,
) -> CliResult<Vec<BatchEntry>> {
    let entry = |named: Line| {
        let named = named?;
        let origin = named.origin.clone();
        entry(named, args, to_owner, settings).map_err(|why| at(&origin, &why))
    };
    distinct(
        all_or_first(named.into_iter().map(entry).collect())?,
        screen,
    )
}

fn entry(
    named: SourceLine,
    args: &RouteArgs,
    to_owner: Option<&str>,
    settings: &Settings,
) -> CliResult<BatchEntry> {
    let mut destination = match &named.destination {
        Some(text) => DestinationRef::parse(text, settings)
            .map_err(|bad| CliError::usage(format!("the destination: {bad}")))?,
        None => DestinationRef::default(),
    };
    if let Some(owner) = to_owner {
        let bad = |bad| CliError::usage(format!("--to-owner: {bad}"));
        destination = destination.at_owner(owner).map_err(bad)?;
    }
    let route = Route::resolve(&named.source, &destination, args, settings)?;
    let kind = route.kinds().first().copied().unwrap_or(RepoKind::Model);
    let from = route.source_at(settings, kind, route.asked());
    let to = route.destination_at(settings, kind);
    let is_known =
        route.kinds().len() == 1 || args.repo_type.is_some() || destination.kind.is_some();
    let kind = is_known.then_some(to.kind);
    let folder = if from.kind == RepoKind::Model {
        String::new()
    } else {
        format!("{}s/", from.kind)
    };
    Ok(BatchEntry {
        name: format!("{folder}{}", from.id),
        destination: to.id.clone(),
        names_owner: args.dest.is_some() || destination.id(route.source_id())?.is_some(),
        revisions: RevisionScope::One,
        route,
        origin: named.origin,
        from,
        to,
        kind,
    })
}

/// Each destination once. A repo that is named twice is copied once; two repos with the same destination are an error.
fn distinct(entries: Vec<BatchEntry>, screen: &Screen) -> CliResult<Vec<BatchEntry>> {
    let mut kept: Vec<BatchEntry> = Vec::with_capacity(entries.len());
    let mut by_destination: HashMap<(String, String), Vec<usize>> = HashMap::new();
    for entry in entries {
        let same = by_destination
            .entry((entry.to.endpoint.clone(), entry.to.id.to_string()))
            .or_default();
        match same
            .iter()
            .map(|index| &kept[*index])
            .find(|other| other.may_be(entry.kind))
        {
            Some(other) if other.from == entry.from && other.kind == entry.kind => {
                let (origin, first) = (&entry.origin, &other.origin);
                let told = if origin == first {
                    String::new()
                } else {
                    format!("{origin}: ")
                };
                screen.warn(format!(
                    "{told}{} is named twice: it is taken once",
                    entry.name
                ));
            }
            Some(other) => {
                return Err(CliError::usage(format!(
                    "{}: {} has the destination {}, as {} from {}: name another destination or, if one is a model and one a dataset, \
                     write models/ or datasets/ before each",
                    entry.origin, entry.name, entry.destination, other.name, other.origin
                )));
            }
            None => {
                same.push(kept.len());
                kept.push(entry);
            }
        }
    }
    Ok(kept)
}

impl BatchEntry {
    /// Sets which of its revisions are meant.
    ///
    /// # Errors
    /// All are, and the source names one, with its file and line.
    pub fn set_revisions(&mut self, scope: RevisionScope) -> CliResult<()> {
        self.revisions = scope;
        match scope {
            RevisionScope::One => Ok(()),
            RevisionScope::All => {
                check_names_no_revision(&self.route).map_err(|why| at(&self.origin, &why))
            }
        }
    }

    /// Refuses a source that names a revision, for verbs that are about the whole repo.
    ///
    /// # Errors
    /// The source names a revision, with its file and line.
    pub fn check_is_whole_repo(&self) -> CliResult<()> {
        check_names_no_revision(&self.route).map_err(|_| {
            let why =
                "SOURCE names a revision, and a cleanup is about the whole repo: leave it out";
            at(&self.origin, &CliError::usage(why))
        })
    }

    /// Whether the destination may be of this kind.
    fn may_be(&self, kind: Option<RepoKind>) -> bool {
        self.kind.is_none() || kind.is_none() || self.kind == kind
    }
}

#[cfg(test)]
mod tests;
