//! `migrate`: a whole repo in one worker, for a container that runs alone. No state is kept anywhere.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hf2ms_hub::{
    Destination, Error, Hub, Kind, Listing, RepoAt, RepoId, RepoKind, RepoPath, Result, Revision,
    open_destination_over,
};

use crate::commit::{Precedence, check_backup};
use crate::context::Context;
use crate::events::Events;
use crate::pipeline::creation::{
    Created, Readers, VisibilityRequest, check_not_exposed, create, create_or_adopt,
    readers_of_copy,
};
use crate::pipeline::finish::commit_and_verify;
use crate::pipeline::planning::{GitUse, Listings, PlanPolicy, Trust, make_plan};
use crate::pipeline::source::PinnedSource;
use crate::plan::{
    AGREE, BACKUP_PREFIX, BackupRequest, BackupTag, CardPolicy, Plan, PlanRequest, PruneRequest,
    not_agreed,
};
use crate::protocol::{
    Bandwidth, Chunking, Creation, Deadline, Deletion, Event, Exit, FailedFile, RunLimits,
    Transport, VerifyLevel, WorkerOptions,
};
use crate::repo_ref::{BadRepoRef, DestinationRef, HubSites, RepoRef, direction};
use crate::settings::{Access, Settings};
use crate::transfer::mover::move_blobs;

/// A repo of one side, whatever its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoArg {
    /// Which hub.
    pub hub: Hub,
    /// Which repo there.
    pub id: RepoId,
}

impl RepoArg {
    /// The repo of this id as a repo of this kind, at this revision.
    fn repo(&self, access: &Access, kind: RepoKind, revision: Revision) -> RepoAt {
        RepoAt {
            hub: self.hub,
            endpoint: access.endpoint.clone(),
            kind,
            id: self.id.clone(),
            revision,
        }
    }
}

/// Both sides as the command line names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSides {
    /// The source.
    pub source: RepoArg,
    /// The destination.
    pub destination: RepoArg,
    /// The kind of repo, where a name or `--repo-type` tells.
    pub kind: Option<RepoKind>,
    /// The revision, where the source's address names one.
    pub revision: Option<Revision>,
}

impl NamedSides {
    /// Reads both names; `kind` is that of `--repo-type`.
    ///
    /// # Errors
    /// A name is none, a kind contradicts another, or a Space is named.
    pub fn parse(
        source: &str,
        destination: &str,
        kind: Option<RepoKind>,
        settings: &Settings,
    ) -> std::result::Result<Self, BadRepoRef> {
        let source = RepoRef::parse(source, HubSites::read(settings))?;
        let destination = DestinationRef::parse(destination, settings)?;
        let (from, to) = direction(source.hub, destination.hub);
        let named: Vec<RepoKind> = [source.kind, kind, destination.kind]
            .into_iter()
            .flatten()
            .collect();
        if let Some(other) = named.iter().find(|kind| **kind != named[0]) {
            let first = named[0];
            return Err(BadRepoRef::new(format!(
                "a {first} and a {other} are named: name one kind"
            )));
        }
        if named.contains(&RepoKind::Space) {
            return Err(BadRepoRef::new(
                "a Space is named: hf2ms migrate --spaces-as copies Spaces",
            ));
        }
        let id = destination
            .id(&source.id)?
            .unwrap_or_else(|| source.id.clone());
        Ok(Self {
            source: RepoArg {
                hub: from,
                id: source.id,
            },
            destination: RepoArg { hub: to, id },
            kind: named.first().copied(),
            revision: source.revision,
        })
    }
}

/// The request to copy one repo.
#[derive(Debug, Clone)]
pub struct MigrateRequest {
    /// The source.
    pub source: RepoArg,
    /// The destination.
    pub destination: RepoArg,
    /// The kind of repo; `None` tries a model, then a dataset.
    pub kind: Option<RepoKind>,
    /// A branch, tag or commit of the source.
    pub revision: Revision,
    /// Who may read a repo that has to be created.
    pub visibility: VisibilityRequest,
    /// What is done about a card that the destination refuses.
    pub card: CardPolicy,
    /// Whether files are written that someone else has changed at the destination meanwhile.
    pub overwrite: bool,
    /// Whether files that only the destination has are deleted, and how many at most; they stay without it.
    pub prune: Option<PruneRequest>,
    /// Blobs that move at a time; as many as make it faster where this is absent.
    pub streams: Option<usize>,
    /// How blobs are read and stored.
    pub transport: Transport,
    /// How the copy is verified.
    pub verify: VerifyLevel,
    /// Whether what is replaced or deleted is kept by a tag.
    pub backup: BackupRequest,
    /// How much is moved, and for how long files are begun.
    pub limits: RunLimits,
    /// The most bytes a second that are sent.
    pub bandwidth: Option<Bandwidth>,
}

impl MigrateRequest {
    /// The source, pinned to its commit, and the destination, as which the same kind of repo is written.
    ///
    /// # Errors
    /// The source is absent, may not be read, or names no commit; [`Kind::Usage`] where it is the destination, too.
    pub async fn resolve(&self, settings: &Settings) -> Result<(PinnedSource, RepoAt)> {
        let kinds = match self.kind {
            Some(kind) => vec![kind],
            None => vec![RepoKind::Model, RepoKind::Dataset],
        };
        let access = settings.access(self.source.hub);
        let candidates = kinds
            .into_iter()
            .map(|kind| self.source.repo(access, kind, self.revision.clone()));
        let source = PinnedSource::find(candidates, self.transport, settings).await?;
        let main = Revision::main_of(self.destination.hub);
        let access = settings.access_to(self.destination.hub);
        let to = self.destination.repo(access, source.at.kind, main);
        if to.is_same_repo(&source.at) {
            let message = format!("{} on {} is both source and destination", to.id, to.hub);
            return Err(Error::new(Kind::Usage, message));
        }
        Ok((source, to))
    }
}

/// Copies the whole repo, and reports each step as an event.
pub async fn migrate(
    request: &MigrateRequest,
    (source, to): (PinnedSource, RepoAt),
    settings: &Settings,
    events: &Arc<Events>,
) -> Exit {
    events.start("migrate", "alone", 0, 0, 0);
    let settings = settings
        .clone()
        .with_http(events.with_retry_events(settings.http()));
    match copy(request, source, to, &settings, events).await {
        Ok(exit) => exit,
        Err(error) => {
            events.verb_failed(&error);
            Exit::of(error.kind())
        }
    }
}

async fn copy(
    request: &MigrateRequest,
    mut source: PinnedSource,
    to: RepoAt,
    settings: &Settings,
    events: &Arc<Events>,
) -> Result<Exit> {
    let destination = open_destination_over(
        &settings.destination(&to)?,
        settings.http(),
        request.transport.of_blobs(),
    )?;
    destination.account_if_told().await?;
    let mut plan =
        make_whole_plan(request, &mut source, to, destination.as_ref(), settings).await?;
    check_backup(&plan, destination.clone()).await?;
    if !plan.creation.exists {
        let wanted = Readers::from(plan.creation);
        let creation = create(destination.as_ref(), wanted);
        let listing = destination.list_branch();
        match create_or_adopt(destination.as_ref(), wanted, creation, listing).await? {
            (Created::New(_), listing) => plan.adopt_new(&listing?),
            (Created::Before { .. }, listing) => plan.rebase_on(&listing?),
        }
    }
    let context = &Context::open(
        &plan.source,
        &plan.destination,
        settings,
        &plan.options,
        events.clone(),
    )?;
    context.events.say(&Event::Planned(plan.summary()));
    let postponed = plan.files.iter().filter(|planned| planned.left);
    for planned in postponed {
        let error = Error::new(Kind::Transient, FailedFile::LEFT_BY_TRANSFER);
        context.events.failed(&planned.file.path, &error);
    }
    for number in 0..plan.chunks.len() {
        let chunk = u32::try_from(number)
            .ok()
            .and_then(|number| plan.chunk("alone", number));
        move_blobs(
            &context.transfer,
            &chunk.map(|chunk| chunk.files).unwrap_or_default(),
        )
        .await;
    }
    let moved = context.events.receipt_so_far();
    let ended = commit_and_verify(
        context,
        &mut plan,
        "alone",
        vec![moved],
        Deletion::default(),
        Precedence::First,
    );
    Ok(ended.await?.exit)
}

/// The plan of one worker that copies all.
async fn make_whole_plan(
    request: &MigrateRequest,
    source: &mut PinnedSource,
    to: RepoAt,
    destination: &dyn Destination,
    settings: &Settings,
) -> Result<Plan> {
    let readers = readers_of_copy(&source.info, request.visibility);
    let existing = destination.find().await?;
    if let Some(info) = &existing {
        check_not_exposed(readers, info)?;
    }
    let current = async {
        match &existing {
            Some(_) => destination.list_branch().await,
            None => Ok(Listing::default()),
        }
    };
    let (listing, current) = futures_util::try_join!(source.list(settings), current)?;
    let creation = Creation {
        visibility: readers.visibility,
        gate: readers.gate,
        exists: existing.is_some(),
        sdk: None,
    };
    let plan_request = plan_request(request, source, to, creation);
    let chunking = plan_request.chunking;
    let listings = Listings {
        source: listing,
        destination: &current,
        digests: &HashMap::new(),
    };
    let policy = PlanPolicy {
        card: request.card,
        git: GitUse::WhenLocked,
        chunking: &|_| chunking,
        // A worker alone keeps nothing of earlier runs.
        trust: &Trust::BlobCheck(HashSet::new()),
    };
    let plan = make_plan(
        plan_request,
        listings,
        policy,
        source,
        destination,
        settings,
    )
    .await?;
    let plan = on_terms(request, plan, chunking)?;
    plan.check_folder_limit(destination.limits().folder_entries)?;
    check_agreed(request, &plan)?;
    let of_gate = source
        .gate_warning
        .iter()
        .filter(|_| readers.gate.is_none());
    let warnings = source.warnings.iter().chain(of_gate).chain(&plan.warnings);
    warnings.for_each(|warning| tracing::warn!("{warning}"));
    Ok(plan)
}

/// Refuses deletions to which the command line has not agreed: a worker alone has nobody to ask.
fn check_agreed(request: &MigrateRequest, plan: &Plan) -> Result<()> {
    let agreed = request.prune.is_some_and(|prune| prune.agreed);
    if agreed || plan.delete.is_empty() {
        return Ok(());
    }
    let paths: Vec<&RepoPath> = plan.delete.iter().map(|file| &file.path).collect();
    let message = not_agreed(&paths, &plan.destination, AGREE);
    Err(Error::new(Kind::Usage, message))
}

/// The plan on the terms of the command line: what may be overwritten, what is kept, and how much is moved.
///
/// # Errors
/// Nothing fits into the limit of bytes.
fn on_terms(request: &MigrateRequest, mut plan: Plan, chunking: Chunking) -> Result<Plan> {
    plan.overwrite = request.overwrite;
    let backup = backup_of(request, &plan);
    let mut plan = plan.with_backup(backup).with_limits(request.limits);
    keep_to_limit(&mut plan, chunking)?;
    Ok(plan)
}

/// The tag of what is replaced or deleted. A worker alone keeps no run's id: the source's commit makes the name, so that a copy that was
/// interrupted keeps the tag that it made before.
fn backup_of(request: &MigrateRequest, plan: &Plan) -> Option<BackupTag> {
    let by_default = request.prune.is_some() || request.overwrite;
    let tag = request.backup.tag(by_default)?;
    let source = &plan.source.revision;
    let commit = match source.is_commit() {
        true => source,
        false => plan.parent.as_ref().unwrap_or(source),
    };
    let commit: String = commit.as_str().chars().take(12).collect();
    let name = tag
        .name
        .or_else(|| format!("{BACKUP_PREFIX}{commit}").parse().ok());
    Some(BackupTag { name, ..tag })
}

/// Leaves what a limit of bytes does not allow to the next run.
///
/// # Errors
/// [`Kind::Transient`] where nothing more fits, so that the same command would not go on.
fn keep_to_limit(plan: &mut Plan, chunking: Chunking) -> Result<()> {
    let Some(limit) = plan.limits.max_transfer else {
        return Ok(());
    };
    let share = plan.leave_above(limit, &HashSet::new());
    if let Some(least) = share.in_vain() {
        let message = format!(
            "no file fits into --max-transfer: the smallest of those that are left has {least} bytes; give more"
        );
        return Err(Error::new(Kind::Transient, message));
    }
    plan.rechunk_if_cut(|_| chunking);
    Ok(())
}

/// What is asked of the plan.
fn plan_request(
    request: &MigrateRequest,
    source: &PinnedSource,
    destination: RepoAt,
    creation: Creation,
) -> PlanRequest {
    PlanRequest {
        source: source.at.clone(),
        asked: source.asked.clone(),
        destination,
        creation,
        chunking: Chunking::Even { containers: 1 },
        prune: request.prune.map(|prune| prune.max),
        options: WorkerOptions {
            streams: request.streams,
            transport: source.transport,
            verify: request.verify,
            deadline: request.limits.max_duration.map(Deadline::after),
            bandwidth: request.bandwidth.clone(),
            ..WorkerOptions::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_named_as_for_the_controller() {
        let settings = Settings::read(&|_| None).unwrap();
        let read = |source: &str, destination: &str, kind| {
            let sides = NamedSides::parse(source, destination, kind, &settings)?;
            let show = |side: &RepoArg| format!("{}:{}", side.hub.profile().prefix, side.id);
            let (from, to) = (show(&sides.source), show(&sides.destination));
            std::result::Result::<_, BadRepoRef>::Ok((format!("{from} {to}"), sides.kind))
        };
        let (model, dataset) = (Some(RepoKind::Model), Some(RepoKind::Dataset));
        for (source, destination, kind, route, found) in [
            ("hf:a/b", "modelscope:c/d", None, "hf:a/b ms:c/d", None),
            ("a/b", "hf:", None, "ms:a/b hf:a/b", None),
            ("a/b", "c/d", model, "hf:a/b ms:c/d", model),
            (
                "https://huggingface.co/datasets/a/b/tree/v1",
                "ms:me/",
                None,
                "hf:a/b ms:me/b",
                dataset,
            ),
        ] {
            assert_eq!(
                read(source, destination, kind),
                Ok((route.to_owned(), found))
            );
        }
        for (source, destination, kind) in [
            ("gh:a/b", "ms:", None),
            ("hf:a", "ms:", None),
            ("hf:datasets/a/b", "ms:", model),
            ("hf:datasets/a/b", "ms:models/c/d", None),
            ("hf:spaces/a/b", "ms:", None),
        ] {
            assert!(read(source, destination, kind).is_err(), "{source}");
        }
    }
}
