//! `migrate`: a whole repo in one worker, for a container that runs alone: plan, run, commit, verify, and nothing
//! kept anywhere.

use std::collections::HashMap;
use std::str::FromStr;

use hf2ms_hub::{
    Error, Hub, Kind, Listing, RepoAt, RepoId, RepoInfo, RepoKind, RepoPath, Result, Revision,
    Visibility,
};

use crate::context::{Context, open_source_by};
use crate::pipeline::creation::{create, stays_hidden};
use crate::plan::card::{self, CardPolicy};
use crate::plan::{Plan, PlanRequest};
use crate::protocol::{Chunking, Creation, Deletion, Event, Exit, Transport, WorkerOptions};
use crate::settings::{Access, Settings};
use crate::transfer::mover::move_blobs;
use crate::verbs::finalize::commit_and_verify;

/// `hf:owner/name` or `ms:owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoArg {
    /// Which hub.
    pub hub: Hub,
    /// Which repo there.
    pub id: RepoId,
}

impl FromStr for RepoArg {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let named = text
            .split_once(':')
            .and_then(|(prefix, id)| Some((Hub::by_prefix(prefix)?, id)));
        let (hub, id) = named.ok_or_else(|| {
            let forms = Hub::with_api().map(|hub| format!("{}:owner/name", hub.profile().prefix));
            format!("expected {}", forms.collect::<Vec<_>>().join(" or "))
        })?;
        Ok(Self {
            hub,
            id: id
                .parse()
                .map_err(|bad: hf2ms_hub::repo::BadRepoId| bad.to_string())?,
        })
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct MigrateRequest {
    /// Where from.
    pub source: RepoArg,
    /// Where to.
    pub destination: RepoArg,
    /// What the repo holds; looked for when absent.
    pub kind: Option<RepoKind>,
    /// Which branch, tag or commit of the source.
    pub revision: Revision,
    /// Who may see a repo that has to be created; the source's own when absent.
    pub visibility: Option<Visibility>,
    /// What is done about a card that the destination refuses.
    pub card: CardPolicy,
    /// How blobs travel.
    pub transport: Transport,
}

/// Both sides of a migration, before anything is opened for good.
pub struct Found {
    /// The source, at its commit.
    pub from: RepoAt,
    /// The destination.
    pub to: RepoAt,
    /// What the source's hub says of it.
    pub info: RepoInfo,
    /// How it is read.
    pub options: WorkerOptions,
}

/// Finds the source and pins its commit: both sides, and what the source's hub says of it.
///
/// # Errors
/// The source is not there, may not be read, or names no commit.
pub async fn find(request: &MigrateRequest, settings: &Settings) -> Result<Found> {
    let kinds = request.kind.map_or_else(
        || vec![RepoKind::Model, RepoKind::Dataset],
        |kind| vec![kind],
    );
    let mut absent = None;
    for kind in kinds {
        let at = repo_at(
            settings.access(request.source.hub),
            &request.source,
            kind,
            request.revision.clone(),
        );
        match describe(&at, request.transport, settings).await {
            Ok((info, options)) => {
                let unpinned = || {
                    Error::new(
                        Kind::Refused,
                        format!("{} does not say at which commit {} is", at.hub, at.id),
                    )
                };
                let tells_commits = at.hub.profile().abilities.tells_commits;
                let by_name = || (!tells_commits).then(|| at.revision.clone());
                let commit = info.commit.clone().or_else(by_name).ok_or_else(unpinned)?;
                let main = Revision::main_of(request.destination.hub);
                let to = repo_at(
                    settings.access_to(request.destination.hub),
                    &request.destination,
                    kind,
                    main,
                );
                if to.is_same_repo(&at) {
                    return Err(Error::new(
                        Kind::Usage,
                        format!("{} on {} is both source and destination", to.id, to.hub),
                    ));
                }
                return Ok(Found {
                    from: RepoAt {
                        revision: commit,
                        ..at
                    },
                    to,
                    info,
                    options,
                });
            }
            Err(error) if error.kind() == Kind::NotFound => absent = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(absent.unwrap_or_else(|| Error::new(Kind::NotFound, "there is no kind to look for")))
}

/// What a hub says of a repo, and how that was learned: by Git where the hub's API is locked.
async fn describe(
    at: &RepoAt,
    transport: Transport,
    settings: &Settings,
) -> Result<(RepoInfo, WorkerOptions)> {
    let options = WorkerOptions {
        transport,
        ..WorkerOptions::default()
    };
    let by = async |options: &WorkerOptions| {
        open_source_by(&settings.source(at), options, settings.http())?
            .describe()
            .await
    };
    match by(&options).await {
        Err(error) if error.kind() == Kind::Locked => {
            tracing::warn!("{error}: {} is read by Git", at.id);
            let options = WorkerOptions {
                transport: Transport::Git,
                ..options
            };
            Ok((by(&options).await?, options))
        }
        described => Ok((described?, options)),
    }
}

fn repo_at(access: &Access, place: &RepoArg, kind: RepoKind, revision: Revision) -> RepoAt {
    RepoAt {
        hub: place.hub,
        endpoint: access.endpoint.clone(),
        kind,
        id: place.id.clone(),
        revision,
    }
}

/// Moves the whole repo between the opened sides.
pub async fn migrate(context: &Context, found: &Found, request: &MigrateRequest) -> Exit {
    context.events.start("migrate", "alone", 0, 0, 0);
    match migrate_repo(context, found, request).await {
        Ok(exit) => exit,
        Err(error) => {
            context.events.verb_failed(&error);
            Exit::of(error.kind())
        }
    }
}

async fn migrate_repo(
    context: &Context,
    Found { from, to, info, .. }: &Found,
    request: &MigrateRequest,
) -> Result<Exit> {
    context.destination.account_if_told().await?;
    let visibility = request.visibility.unwrap_or(info.visibility);
    let found = context.destination.find().await?;
    found
        .iter()
        .try_for_each(|info| stays_hidden(visibility, info))?;
    let there = if found.is_some() {
        context.destination.list_branch().await?
    } else {
        Listing::default()
    };
    let order = PlanRequest {
        source: from.clone(),
        asked: request.revision.clone(),
        destination: to.clone(),
        creation: Creation {
            visibility,
            exists: found.is_some(),
            sdk: None,
        },
        chunking: Chunking::Even { containers: 1 },
        prune: None,
        options: context.options.clone(),
    };
    let placement = |path: &RepoPath, size| context.destination.placement(path, size);
    let mut plan = Plan::make(
        order,
        context.source.list().await?,
        &there,
        placement,
        &HashMap::new(),
    );
    plan.check_folder_limit(context.destination.limits().folder_entries)?;
    plan.card = request.card;
    card::mend(&mut plan, &context.reader(), context.destination.as_ref()).await?;
    plan.warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    if found.is_none() {
        create(&*context.destination, visibility).await?;
        plan.rebase_on(&context.destination.list_branch().await?);
    }
    context.events.say(&Event::Planned(plan.summary()));
    for number in 0..plan.chunks.len() {
        let chunk = u32::try_from(number)
            .ok()
            .and_then(|number| plan.chunk("alone", number));
        move_blobs(
            &context.transfer(),
            &chunk.map(|chunk| chunk.files).unwrap_or_default(),
        )
        .await;
    }
    let moved = context.events.receipt_so_far();
    commit_and_verify(
        context,
        &mut plan,
        "alone",
        vec![moved],
        Deletion::default(),
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_its_hub() {
        let place: RepoArg = "hf:org/name".parse().unwrap();
        assert_eq!(
            (place.hub, place.id.as_str()),
            (Hub::HuggingFace, "org/name")
        );
        assert_eq!(
            "modelscope:a1/b2".parse::<RepoArg>().unwrap().hub,
            Hub::ModelScope
        );
        for bad in ["org/name", "gh:org/name", "hf:name", "hf:"] {
            assert!(bad.parse::<RepoArg>().is_err(), "{bad}");
        }
    }
}
