//! Plans of small listings, and the listings that other tests of plans are made of.

use hf2ms_hub::{Digest, Listed, Visibility};
use proptest::prelude::*;

use super::*;
use crate::protocol::Transport;

pub(crate) fn listed(path: &str, content: &[u8], lfs: bool) -> Listed {
    let digest = if lfs {
        Digest::Sha256(Sha256::of(content))
    } else {
        Digest::GitSha1(GitSha1::of(content))
    };
    Listed {
        file: File {
            path: path.parse().unwrap(),
            size: content.len() as u64,
            digest,
        },
        lfs,
    }
}

/// As ModelScope lists: a SHA-256 for every file.
pub(crate) fn there(path: &str, content: &[u8], lfs: bool) -> Listed {
    Listed {
        lfs,
        ..listed(path, content, true)
    }
}

pub(crate) fn listing(files: Vec<Listed>) -> Listing {
    Listing {
        files,
        ..Listing::default()
    }
}

pub(crate) fn order(prune: Option<MaxDelete>) -> PlanRequest {
    let at = |hub: &str, revision: &str| {
        serde_json::from_str(&format!(
            r#"{{"hub":"{hub}","endpoint":"http://h","kind":"model","id":"org/name","revision":"{revision}"}}"#
        ))
        .unwrap()
    };
    PlanRequest {
        source: at("huggingface", &"a".repeat(40)),
        asked: "main".parse().unwrap(),
        destination: at("modelscope", "master"),
        creation: Creation {
            visibility: Visibility::Public,
            exists: true,
            sdk: None,
        },
        chunking: Chunking::Even { containers: 2 },
        prune,
        options: WorkerOptions::default(),
    }
}

pub(crate) fn by_suffix(path: &RepoPath, size: u64) -> Placement {
    if path.suffix() == ".bin" && size > 0 {
        Placement::Blob
    } else {
        Placement::Inline
    }
}

pub(crate) fn plan(
    source: Vec<Listed>,
    destination: Vec<Listed>,
    prune: Option<MaxDelete>,
) -> Plan {
    Plan::make(
        order(prune),
        listing(source),
        &listing(destination),
        by_suffix,
        &DigestCache::new(),
    )
}

#[test]
fn a_plan_survives_json_and_its_own_check() {
    let made = plan(
        vec![listed("b.bin", b"1", true), listed("a.txt", b"x", false)],
        vec![there("b.bin", b"old", true), there("extra", b"e", false)],
        Some(MaxDelete::default()),
    );
    let json = serde_json::to_string(&made).unwrap();
    let read: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.check(), Ok(()));
    assert_eq!(made.delete[0].path.as_str(), "extra");
}

#[test]
fn nothing_is_deleted_unless_asked() {
    assert!(
        plan(vec![], vec![there("x", b"1", false)], None)
            .delete
            .is_empty()
    );
}

#[test]
fn a_plan_that_contradicts_itself_is_refused() {
    let good = plan(
        vec![listed("a.bin", b"1", true), listed("b.bin", b"2", true)],
        vec![],
        None,
    );
    let broken = |change: fn(&mut Plan)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad.check().unwrap_err().to_string()
    };
    assert!(broken(|plan| plan.version = 9).contains("version 9"));
    assert!(broken(|plan| plan.source.revision = "main".parse().unwrap()).contains("pinned"));
    assert!(broken(|plan| plan.chunks[0] = vec![7]).contains("file 7"));
    assert!(broken(|plan| plan.chunks.truncate(1)).contains("no chunk"));
    assert!(broken(|plan| plan.chunks.push(vec![0])).contains("in two"));
    assert!(broken(|plan| plan.files.swap(0, 1)).contains("out of order"));
}

#[test]
fn by_git_files_outside_lfs_share_one_chunk() {
    let source = || {
        let small = (0..9_u8).map(|n| listed(&format!("s{n}.bin"), &[n; 3], false));
        small
            .chain((0..9_u8).map(|n| listed(&format!("l{n}.bin"), &[n; 900], true)))
            .collect::<Vec<_>>()
    };
    let with_small = |transport| {
        let options = WorkerOptions {
            transport,
            ..WorkerOptions::default()
        };
        let made = Plan::make(
            PlanRequest {
                options,
                ..order(None)
            },
            listing(source()),
            &listing(vec![]),
            by_suffix,
            &DigestCache::new(),
        );
        assert_eq!(made.check(), Ok(()));
        let holds = |chunk: &&Vec<u32>| {
            chunk
                .iter()
                .any(|index| by_git::is_outside(&made.files[*index as usize]))
        };
        (made.chunks.iter().filter(holds).count(), made.chunks.len())
    };
    assert_eq!(with_small(Transport::Auto), (2, 2));
    assert_eq!(with_small(Transport::Git), (1, 3));
}

fn any_file() -> impl Strategy<Value = (String, u8, bool)> {
    ("[a-c]{1,2}(\\.bin)?", 0..6_u8, any::<bool>())
}

proptest! {
    #[test]
    fn listings_in_any_order_give_one_plan(files in proptest::collection::btree_map("[a-c]{1,3}(\\.bin)?", (0..6_u8, any::<bool>()), 0..40),
                                           has in proptest::collection::vec(any_file(), 0..20)) {
        let content = |n: u8| vec![n; usize::from(n) * 10];
        let mut source: Vec<_> = files.iter().map(|(path, (n, lfs))| listed(path, &content(*n), *lfs)).collect();
        let mut there_: Vec<_> = has.iter().map(|(path, n, lfs)| there(path, &content(*n), *lfs)).collect();
        there_.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        there_.dedup_by(|a, b| a.file.path == b.file.path);
        let forth = plan(source.clone(), there_.clone(), Some(MaxDelete::default()));
        source.reverse();
        there_.reverse();
        let back = plan(source, there_, Some(MaxDelete::default()));
        prop_assert_eq!(forth.check(), Ok(()));
        prop_assert_eq!(forth.files.len(), files.len());
        prop_assert_eq!(forth, back);
    }
}
