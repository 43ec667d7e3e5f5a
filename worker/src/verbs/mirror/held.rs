//! Whether the target holds the history of its refs: Git's objects, as it gives them, and the content of each LFS object that they name.

use std::sync::Arc;

use hf2ms_hub::{BlobSource, Error, Refused, RepoAt, Result};

use super::{MirrorRepos, close_folder, fetch};
use crate::context::TransferContext;
use crate::events::Events;
use crate::pipeline::contents::{Pair, check_between};
use crate::protocol::{SampleChoice, SampleSize, Scan, ScanJob, Verification};
use crate::settings::Settings;

/// Fetches the target's history and reads its LFS objects as far as the job says. What the target lacks of Git's objects is unread.
pub(super) async fn read_target(
    job: &ScanJob,
    settings: &Settings,
    sides: &MirrorRepos,
    scan: &Scan,
    events: &Arc<Events>,
) -> Result<Verification> {
    let bare = fetch(&sides.to, job.scope, &job.folder).await?;
    let listed = async { Ok::<_, Error>((bare.pointers().await?, bare.extent().await?.0)) }.await;
    close_folder(bare, &job.folder);
    let (files, objects) = listed?;
    let branch = scan.branch.as_ref().unwrap_or(&job.destination.revision);
    let at = |side: &RepoAt, lfs: &str| RepoAt {
        endpoint: lfs.to_owned(),
        revision: branch.clone(),
        ..side.clone()
    };
    let (from, to) = (
        at(&job.source, &scan.lfs),
        at(&job.destination, &scan.lfs_there),
    );
    let context = TransferContext::open(&from, &to, settings, &job.options, events.clone())?;
    let there = sides.store(&sides.to_side, &scan.lfs_there, branch)?;
    let stores = (
        context.source.clone(),
        Arc::new(there) as Arc<dyn BlobSource>,
    );
    let checked = files.len() as u64;
    let mut found = Verification {
        checked,
        equal: checked,
        ..Verification::default()
    };
    let choice = SampleChoice {
        size: SampleSize::ALL,
        seed: None,
    };
    let pair = |file| Pair {
        wanted: file,
        there: file,
    };
    let pairs = files.iter().map(pair).collect();
    check_between(&context, stores, pairs, (job.contents, choice), &mut found).await;
    if objects < scan.objects {
        found.unread.push(Refused {
            path: "Git's objects".to_owned(),
            reason: format!("{objects} of {} are there", scan.objects),
        });
    }
    Ok(found)
}
