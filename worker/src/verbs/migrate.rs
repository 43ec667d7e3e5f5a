//! `migrate`: a whole repo in one worker, for a container that runs alone: plan, run, commit, verify, and nothing
//! kept anywhere.

use std::collections::HashMap;
use std::str::FromStr;

use hf2ms_hub::{
    Error, Hub, Kind, Listing, RepoAt, RepoId, RepoInfo, RepoKind, RepoPath, Result, Revision,
    Visibility,
};

use crate::context::{Work, open_source_by};
use crate::pipeline::creation::{create, stays_hidden};
use crate::plan::card::{self, Card};
use crate::plan::{Order, Plan};
use crate::protocol::{Chunking, Creation, Deletion, Event, Exit, Transport, WorkerOptions};
use crate::settings::{Access, Settings};
use crate::transfer::mover::move_blobs;
use crate::verbs::finalize::settle;

/// `hf:owner/name` or `ms:owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which hub.
    pub hub: Hub,
    /// Which repo there.
    pub id: RepoId,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (hub, id) = match text.split_once(':') {
            Some(("hf" | "huggingface", id)) => (Hub::HuggingFace, id),
            Some(("ms" | "modelscope", id)) => (Hub::ModelScope, id),
            _ => return Err("expected hf:owner/name or ms:owner/name".to_owned()),
        };
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
pub struct Wish {
    /// Where from.
    pub source: Place,
    /// Where to.
    pub destination: Place,
    /// What the repo holds; looked for when absent.
    pub kind: Option<RepoKind>,
    /// Which branch, tag or commit of the source.
    pub revision: Revision,
    /// Who may see a repo that has to be created; the source's own when absent.
    pub visibility: Option<Visibility>,
    /// What is done about a card that the destination refuses.
    pub card: Card,
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
pub async fn find(wish: &Wish, settings: &Settings) -> Result<Found> {
    let kinds = wish.kind.map_or_else(
        || vec![RepoKind::Model, RepoKind::Dataset],
        |kind| vec![kind],
    );
    let mut absent = None;
    for kind in kinds {
        let at = place_at(
            settings.access(wish.source.hub),
            &wish.source,
            kind,
            wish.revision.clone(),
        );
        match describe(&at, wish.transport, settings).await {
            Ok((info, options)) => {
                let unpinned = || {
                    Error::new(
                        Kind::Refused,
                        format!("{} does not say at which commit {} is", at.hub, at.id),
                    )
                };
                let by_name = || at.hub.may_tell_no_commit().then(|| at.revision.clone());
                let commit = info.commit.clone().or_else(by_name).ok_or_else(unpinned)?;
                let main = Revision::main_of(wish.destination.hub);
                let to = place_at(
                    settings.access_to(wish.destination.hub),
                    &wish.destination,
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

fn place_at(access: &Access, place: &Place, kind: RepoKind, revision: Revision) -> RepoAt {
    RepoAt {
        hub: place.hub,
        endpoint: access.endpoint.clone(),
        kind,
        id: place.id.clone(),
        revision,
    }
}

/// Moves the whole repo between the opened sides.
pub async fn migrate(work: &Work, found: &Found, wish: &Wish) -> Exit {
    work.events.start("migrate", "alone", 0, 0, 0);
    match carry_out(work, found, wish).await {
        Ok(exit) => exit,
        Err(error) => {
            work.events.gave_up(&error);
            Exit::of(error.kind())
        }
    }
}

async fn carry_out(work: &Work, Found { from, to, info, .. }: &Found, wish: &Wish) -> Result<Exit> {
    work.destination.account_if_told().await?;
    let visibility = wish.visibility.unwrap_or(info.visibility);
    let found = work.destination.describe().await?;
    found
        .iter()
        .try_for_each(|info| stays_hidden(visibility, info))?;
    let there = if found.is_some() {
        work.destination.list().await?
    } else {
        Listing::default()
    };
    let order = Order {
        source: from.clone(),
        asked: wish.revision.clone(),
        destination: to.clone(),
        creation: Creation {
            visibility,
            exists: found.is_some(),
            sdk: None,
        },
        chunking: Chunking::Even { containers: 1 },
        prune: None,
        options: work.options.clone(),
    };
    let placement = |path: &RepoPath, size| work.destination.placement(path, size);
    let mut plan = Plan::make(
        order,
        work.source.list().await?,
        &there,
        placement,
        &HashMap::new(),
    );
    plan.can_be_listed(work.destination.limits().folder_entries)?;
    plan.card = wish.card;
    card::mend(&mut plan, &work.reader(), work.destination.as_ref()).await?;
    plan.warnings
        .iter()
        .for_each(|warning| tracing::warn!("{warning}"));
    if found.is_none() {
        create(work, visibility).await?;
        plan.meet(&work.destination.list().await?);
    }
    work.events.say(&Event::Planned(plan.summary()));
    for number in 0..plan.chunks.len() {
        let chunk = u32::try_from(number)
            .ok()
            .and_then(|number| plan.chunk("alone", number));
        move_blobs(work, &chunk.map(|chunk| chunk.files).unwrap_or_default()).await;
    }
    let moved = work.events.receipt_so_far();
    settle(work, &mut plan, "alone", vec![moved], Deletion::default()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_its_hub() {
        let place: Place = "hf:org/name".parse().unwrap();
        assert_eq!(
            (place.hub, place.id.as_str()),
            (Hub::HuggingFace, "org/name")
        );
        assert_eq!(
            "modelscope:a1/b2".parse::<Place>().unwrap().hub,
            Hub::ModelScope
        );
        for bad in ["org/name", "gh:org/name", "hf:name", "hf:"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
