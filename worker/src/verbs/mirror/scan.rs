//! `scan`: fetches all history of a repo, and finds the LFS objects that it names and the destination lacks. Nothing is written to
//! either side.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use hf2ms_hub::git::{Advertisement, Bare, LfsStore, Relation, lfs_address};
use hf2ms_hub::{Blob, BlobStore, File, Kind, Missing, Result, Sha256};

use super::held::read_target;
use super::refs::main_branch;
use super::steps::Steps;
use super::{MirrorRepos, close_folder, exit_or_report};
use crate::events::{Events, total};
use crate::protocol::{
    Event, Exit, FailedFile, RefAt, Safeguard, Scan, ScanJob, ScanOutput, VerifyLevel,
};
use crate::settings::Settings;

/// Objects in a request, and requests at a time.
const A_CHECK: usize = 100;
const AT_ONCE: usize = 8;

/// Scans the source, and reports the result as an event.
pub async fn scan(job: &ScanJob, settings: &Settings, events: &Arc<Events>) -> Exit {
    events.start("scan", &job.run, 0, 0, 0);
    exit_or_report(events, scan_repo(job, settings, events).await)
}

async fn scan_repo(job: &ScanJob, settings: &Settings, events: &Arc<Events>) -> Result<Exit> {
    let sides = MirrorRepos::open(&job.source, &job.destination, settings, events)?;
    let about = |what: &'static str| move |error: hf2ms_hub::Error| error.about(what);
    let refs = sides.from.advertised().await.map_err(about("the source"))?;
    let there = job
        .scope
        .of(&sides.to.writable().await.map_err(about("the target"))?);
    let bare = sides.fetch(job.scope, &job.folder).await?;
    let found = found(job, &sides, &bare, &refs, there).await;
    close_folder(bare, &job.folder);
    let mut found = found?;
    if job.contents != VerifyLevel::Listing {
        let read = read_target(job, settings, &sides, &found, events).await;
        found.contents = Some(read.map_err(about("the target"))?);
    }
    let steps = (job.tell == ScanOutput::Steps).then(|| Steps::of(job, &found));
    events.say(&Event::Scanned(Box::new(found)));
    if let Some(steps) = steps.transpose()? {
        events.say(&Event::Planned(steps.plan.summary()));
        events.say(&steps.event(&job.run));
    }
    Ok(Exit::Done)
}

async fn found(
    job: &ScanJob,
    sides: &MirrorRepos,
    bare: &Bare,
    refs: &Advertisement,
    there: Vec<RefAt>,
) -> Result<Scan> {
    let files = bare.pointers().await?;
    let lfs = bare.lfs_address(&sides.from_url, refs.head()).await?;
    let lfs_there = lfs_address(&sides.to_url);
    let branch = main_branch(refs);
    let store = sides.store(
        &sides.to_side,
        &lfs_there,
        branch.as_ref().unwrap_or(&job.destination.revision),
    )?;
    let lacking = lacking(&store, &files)
        .await
        .map_err(|error| error.about("the target"))?;
    let wanted: HashSet<Sha256> = lacking.wanted.iter().map(|blob| blob.sha256).collect();
    let is_wanted = |file: &&File| {
        file.digest
            .sha256()
            .is_some_and(|sha256| wanted.contains(&sha256))
    };
    let missing: Vec<File> = files.iter().filter(is_wanted).cloned().collect();
    let (objects, git_bytes) = bare.extent().await?;
    // Last of all that is asked of the bare repository: the target's own objects may come into it.
    let related = is_related(job, sides, bare, &there).await?;
    Ok(Scan {
        refs: job.scope.of(refs),
        branch,
        related,
        there,
        objects,
        git_bytes,
        pointers: files.len() as u64,
        pointer_bytes: total(&files),
        missing_bytes: total(&missing),
        missing,
        lost: lacking.refused.iter().map(|(sha256, _)| *sha256).collect(),
        refused: refused(&files, &lacking),
        lfs: lfs.url,
        lfs_there,
        warnings: lfs.warning.into_iter().collect(),
        contents: None,
    })
}

/// Whether the destination has nothing that another repo's history could replace, or has some of this history. Where the user has
/// waived the answer, no objects are fetched for it.
async fn is_related(
    job: &ScanJob,
    sides: &MirrorRepos,
    bare: &Bare,
    there: &[RefAt],
) -> Result<bool> {
    let known = bare
        .known(there.iter().map(|found| found.oid.clone()).collect())
        .await?;
    if there.is_empty() || !known.is_empty() {
        return Ok(true);
    }
    if job.policy.safeguards.unrelated_target == Safeguard::Waived {
        return Ok(false);
    }
    let relation = bare
        .relation(&sides.to, job.scope.patterns())
        .await
        .map_err(|error| error.about("the target"))?;
    Ok(relation != Relation::Unrelated)
}

/// The objects that the server lacks. An object that it refuses only for now is among them, since its upload asks again.
pub(super) async fn lacking(store: &LfsStore, files: &[File]) -> Result<Missing> {
    let blobs: Vec<Blob> = files
        .iter()
        .filter_map(|file| {
            Some(Blob {
                sha256: file.digest.sha256()?,
                size: file.size,
            })
        })
        .collect();
    let questions = blobs.chunks(A_CHECK).map(|blobs| store.missing(blobs));
    let answers: Vec<Missing> = stream::iter(questions)
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let by_digest: HashMap<Sha256, Blob> = blobs.iter().map(|blob| (blob.sha256, *blob)).collect();
    let mut all = Missing::default();
    for answer in answers {
        all.wanted.extend(answer.wanted);
        for (sha256, error) in answer.refused {
            match error.kind() {
                Kind::Transient => all.wanted.extend(by_digest.get(&sha256)),
                _ => all.refused.push((sha256, error)),
            }
        }
    }
    Ok(all)
}

fn refused(files: &[File], lacking: &Missing) -> Vec<FailedFile> {
    let by_digest: HashMap<Sha256, &File> = files
        .iter()
        .filter_map(|file| Some((file.digest.sha256()?, file)))
        .collect();
    let failed = lacking
        .refused
        .iter()
        .filter_map(|(sha256, error)| Some((by_digest.get(sha256)?, error)));
    failed
        .map(|(file, error)| {
            FailedFile::new(file.path.to_string(), error.to_string(), error.kind())
        })
        .collect()
}
