//! The steps after a scan: the chunks of LFS objects and the push, or the reason why there is none. Pure.

use hf2ms_hub::{Error, File, Kind, RepoAt};

use super::refs::updates;
use crate::plan::Plan;
use crate::protocol::{
    Event, LfsPolicy, PushJob, Safeguard, Safeguards, Scan, ScanJob, VERSION, is_plain,
};

/// The steps after a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// The LFS objects that move, each in one chunk; empty if none moves.
    pub plan: Plan,
    /// The push after the chunks, without their receipts; `None` if no ref changes.
    pub push: Option<PushJob>,
}

/// Why the mirror stops after the scan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorRefused {
    /// The source has no branch and no tag, and the destination has refs: the source's address, then the destination's.
    #[error(
        "the source {0} has no branch or tag, and the target {1} has refs: check the source, or give --allow-empty-source"
    )]
    EmptySource(String, String),
    /// The destination's refs are of another history.
    #[error(
        "the target {0} is not empty and has nothing in common with the source: check its address, or give --allow-unrelated to replace its refs"
    )]
    Unrelated(String),
    /// Pointers would name LFS objects that the destination lacks.
    #[error(
        "the target {0} lacks {1} LFS objects: leave GIT_LFS_SKIP_SMUDGE out to move them, or give --allow-missing"
    )]
    Lacking(String, usize),
}

impl From<MirrorRefused> for Error {
    fn from(stopped: MirrorRefused) -> Self {
        Self::new(Kind::Denied, stopped.to_string())
    }
}

impl Steps {
    /// The steps after a scan with this result.
    ///
    /// # Errors
    /// [`MirrorRefused`]
    pub fn of(job: &ScanJob, scan: &Scan) -> Result<Self, MirrorRefused> {
        may_follow(job, scan)?;
        let moving = if job.policy.lfs == LfsPolicy::Moved {
            scan.missing.clone()
        } else {
            Vec::new()
        };
        let awaited = moving
            .iter()
            .filter_map(|file| file.digest.sha256())
            .collect();
        let updates = updates(&scan.refs, &scan.there, job.scope);
        let push = (!updates.is_empty()).then(|| PushJob {
            version: VERSION,
            run: job.run.clone(),
            source: job.source.clone(),
            destination: of_branch(&job.destination, scan),
            scope: job.scope,
            updates,
            force: job.policy.force,
            lfs: job.policy.lfs,
            safeguards: job.policy.safeguards,
            lost: scan.lost.clone(),
            awaited,
            receipts: Vec::new(),
            folder: job.folder.clone(),
            options: job.options.clone(),
        });
        Ok(Self {
            plan: plan(job, scan, moving),
            push,
        })
    }

    /// The steps as an event that holds whole jobs, for a caller that hands them on.
    pub(super) fn event(self, run: &str) -> Event {
        let numbers = 0..u32::try_from(self.plan.chunks.len()).unwrap_or(u32::MAX);
        Event::Steps {
            chunks: numbers
                .filter_map(|number| self.plan.chunk(run, number))
                .collect(),
            push: self.push.map(Box::new),
        }
    }
}

fn plan(job: &ScanJob, scan: &Scan, moving: Vec<File>) -> Plan {
    let at = |side: &RepoAt, lfs: &str| RepoAt {
        endpoint: lfs.to_owned(),
        ..of_branch(side, scan)
    };
    Plan::of_blobs(
        at(&job.source, &scan.lfs),
        at(&job.destination, &scan.lfs_there),
        moving,
        job.policy.chunking,
    )
}

/// The repo at the source's main branch, where it has one.
fn of_branch(side: &RepoAt, scan: &Scan) -> RepoAt {
    RepoAt {
        revision: scan.branch.clone().unwrap_or_else(|| side.revision.clone()),
        ..side.clone()
    }
}

/// Nothing that the destination has is lost for an empty source, or for another repo's history.
///
/// # Errors
/// [`MirrorRefused::EmptySource`] and [`MirrorRefused::Unrelated`], unless the user waived that.
pub fn spares_target(job: &ScanJob, scan: &Scan) -> Result<(), MirrorRefused> {
    let Safeguards {
        empty_source,
        unrelated_target,
        ..
    } = job.policy.safeguards;
    let url = |side: &RepoAt| side.endpoint.clone();
    let is_empty = !scan.refs.iter().any(|found| is_plain(&found.name));
    if is_empty && !scan.there.is_empty() && empty_source == Safeguard::Kept {
        return Err(MirrorRefused::EmptySource(
            url(&job.source),
            url(&job.destination),
        ));
    }
    if !is_empty && !scan.related && unrelated_target == Safeguard::Kept {
        return Err(MirrorRefused::Unrelated(url(&job.destination)));
    }
    Ok(())
}

fn may_follow(job: &ScanJob, scan: &Scan) -> Result<(), MirrorRefused> {
    spares_target(job, scan)?;
    let url = || job.destination.endpoint.clone();
    match (job.policy.lfs, scan.missing.len()) {
        (LfsPolicy::Expected, lacks @ 1..) => Err(MirrorRefused::Lacking(url(), lacks)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Digest, Sha256};

    use super::*;
    use crate::protocol::{
        Chunking, Force, MirrorPolicy, RefAt, RefScope, ScanOutput, ScratchFolder, VerifyLevel,
        WorkerOptions,
    };

    fn job(force: Force, lfs: LfsPolicy) -> ScanJob {
        let at = |name: &str| {
            let endpoint = format!("https://h/o/{name}.git");
            serde_json::from_value(
                serde_json::json!({"hub": "git", "endpoint": endpoint, "kind": "model", "id": "o/n", "revision": "main"}),
            )
        };
        ScanJob {
            version: VERSION,
            run: "r".to_owned(),
            source: at("a").unwrap(),
            destination: at("b").unwrap(),
            scope: RefScope::Branches,
            policy: MirrorPolicy {
                force,
                lfs,
                chunking: Chunking::Sized {
                    bytes: 1,
                    at_most: 100,
                },
                safeguards: Safeguards::default(),
            },
            tell: ScanOutput::Steps,
            folder: ScratchFolder::default(),
            options: WorkerOptions::default(),
            contents: VerifyLevel::Listing,
        }
    }

    /// Two objects are missing, and one ref differs.
    fn scan() -> Scan {
        let file = |name: &str| File {
            path: name.parse().unwrap(),
            size: 5,
            digest: Digest::Sha256(Sha256::of(name.as_bytes())),
        };
        let main = |oid: &str| {
            vec![RefAt {
                name: "refs/heads/main".to_owned(),
                oid: oid.to_owned(),
            }]
        };
        Scan {
            refs: main("2"),
            branch: Some("trunk".parse().unwrap()),
            there: main("1"),
            related: true,
            objects: 9,
            git_bytes: 99,
            pointers: 3,
            pointer_bytes: 15,
            missing: vec![file("x.bin"), file("y.bin")],
            refused: Vec::new(),
            missing_bytes: 10,
            lost: vec![Sha256::of(b"z.bin")],
            lfs: "https://h/o/a.git/info/lfs".to_owned(),
            lfs_there: "https://h/o/b.git/info/lfs".to_owned(),
            warnings: Vec::new(),
            contents: None,
        }
    }

    #[test]
    fn what_is_missing_moves_in_chunks_and_the_push_awaits_it() {
        let steps = Steps::of(&job(Force::Always, LfsPolicy::Moved), &scan()).unwrap();
        let push = steps.push.clone().unwrap();
        assert_eq!(
            (push.awaited.len(), push.lost.len(), push.updates.len()),
            (2, 1, 1)
        );
        let Event::Steps { chunks, push } = steps.event("r") else {
            panic!("not its event")
        };
        assert_eq!(chunks.len(), 2);
        assert_eq!((chunks[1].chunk, chunks[1].chunks), (1, 2));
        assert_eq!(
            (chunks[0].source.endpoint.as_str(), chunks[0].files.len()),
            ("https://h/o/a.git/info/lfs", 1)
        );
        let branches = [
            &chunks[0].source,
            &chunks[0].destination,
            &push.unwrap().destination,
        ]
        .map(|side| side.revision.to_string());
        assert_eq!(
            branches,
            ["trunk", "trunk", "trunk"],
            "LFS servers are asked in its name"
        );
    }

    #[test]
    fn nothing_is_pushed_where_nothing_differs_and_nothing_moves_that_should_not() {
        let same = Scan {
            there: scan().refs,
            ..scan()
        };
        assert_eq!(
            Steps::of(&job(Force::Always, LfsPolicy::Moved), &same)
                .unwrap()
                .push,
            None
        );
        let missing = Steps::of(&job(Force::Always, LfsPolicy::Missing), &scan()).unwrap();
        assert!(missing.plan.chunks.is_empty() && missing.push.unwrap().awaited.is_empty());
    }

    #[test]
    fn what_would_be_lost_or_lead_to_nothing_stops_it() {
        let stopped = |job: &ScanJob, scan: &Scan| Steps::of(job, scan).unwrap_err().to_string();
        let unrelated = Scan {
            related: false,
            ..scan()
        };
        let waived = |empty_source, unrelated_target| {
            let mut job = job(Force::Always, LfsPolicy::Moved);
            job.policy.safeguards = Safeguards {
                empty_source,
                unrelated_target,
                ..Safeguards::default()
            };
            job
        };
        let (kept, waiver) = (Safeguard::Kept, Safeguard::Waived);
        for force in [Force::Never, Force::Always] {
            let said = stopped(&job(force, LfsPolicy::Moved), &unrelated);
            assert!(said.contains("nothing in common") && said.contains("--allow-unrelated"));
        }
        assert!(Steps::of(&waived(kept, waiver), &unrelated).is_ok());
        let empty = Scan {
            refs: Vec::new(),
            ..unrelated.clone()
        };
        assert!(stopped(&waived(kept, waiver), &empty).contains("--allow-empty-source"));
        assert!(Steps::of(&waived(waiver, kept), &empty).is_ok());
        let both = Scan {
            there: Vec::new(),
            related: true,
            ..empty
        };
        assert!(
            Steps::of(&waived(kept, kept), &both).is_ok(),
            "there is nothing to lose"
        );
        assert!(
            stopped(&job(Force::Always, LfsPolicy::Expected), &scan())
                .contains("lacks 2 LFS objects")
        );
    }
}
