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
            gate: None,
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
fn a_plan_of_another_version_is_refused_by_name_whatever_its_shape() {
    let refusal = |json: &str| Plan::read(json.as_bytes()).unwrap_err().to_string();
    let line = refusal(r#"{"version":2,"written_by":"9.8.7","other":"shape"}"#);
    assert!(
        line.contains("of version 2, written by hf2ms 9.8.7, and hf2ms 0.")
            && line.contains("make it anew"),
        "{line}"
    );
    assert!(refusal(r#"{"version":0}"#).contains("of version 0, and hf2ms 0."));
    assert!(refusal(r#"{"version":1}"#).contains("missing field"));
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
    assert!(broken(|plan| plan.version = 9).contains("version 9, written by hf2ms 0."));
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

#[test]
fn the_chunk_of_files_outside_lfs_stands_where_its_weight_belongs() {
    let place = |small: u8, large: u8, chunking| {
        let small = (0..small).map(|n| listed(&format!("s{n}.bin"), &[n; 900], false));
        let large = (0..large).map(|n| listed(&format!("l{n}.bin"), &[n; 900], true));
        let mut made = plan(small.chain(large).collect(), vec![], None);
        made.options.transport = Transport::Git;
        made.rechunk(chunking);
        assert_eq!(made.check(), Ok(()));
        let holds = |chunk: &Vec<u32>| by_git::is_outside(&made.files[chunk[0] as usize]);
        let place = made.chunks.iter().position(holds);
        (place, made.chunks.iter().map(Vec::len).collect::<Vec<_>>())
    };
    let even = |containers| Chunking::Even { containers };
    assert_eq!(place(9, 4, even(2)), (Some(0), vec![9, 2, 2]));
    assert_eq!(place(2, 4, even(3)), (Some(1), vec![2, 2, 1, 1]));
    assert_eq!(
        place(2, 6, even(3)),
        (Some(3), vec![2; 4]),
        "equal ones before"
    );
    assert_eq!(place(0, 4, even(2)), (None, vec![2, 2]));
    assert_eq!(place(3, 0, even(2)), (Some(0), vec![3]));
    assert_eq!(
        place(3, 2, even(1)),
        (None, vec![5]),
        "one container has one chunk"
    );
    let (bytes, at_most) = (u64::MAX, 9);
    let shared = Chunking::Shared { bytes, at_most };
    assert_eq!(place(3, 2, shared), (Some(0), vec![3, 2]));
}

#[test]
fn a_change_can_be_left_with_these_files_and_deletions_alone() {
    let mut change = mixed().change(&[]);
    let (files, delete) = (change.files.clone(), change.delete.clone());
    let path = files[0].file.path.to_string();
    change.keep_only(&[path].into());
    assert!(change.files == files[..1] && change.delete.is_empty());
    change.delete.clone_from(&delete);
    change.keep_only(&[delete[0].path.to_string()].into());
    assert!(change.files.is_empty() && change.delete == delete);
}

#[test]
fn each_file_takes_memory_and_only_a_deep_verification_reads_what_is_there() {
    let mut made = mixed();
    let files = made.files.len() as u64;
    assert!(files > 0 && made.files_memory() == files * BYTES_A_FILE);
    for (level, reads) in [
        (VerifyLevel::Listing, false),
        (VerifyLevel::Sample, false),
        (VerifyLevel::Deep, true),
    ] {
        made.options.verify = level;
        assert_eq!(made.reads_contents(), reads, "{level:?}");
    }
}

#[test]
fn a_change_without_files_and_deletions_is_empty() {
    let change = || plan(vec![], vec![], None).change(&[]);
    let written = mixed().change(&[]).files;
    assert!(!written.is_empty() && change().is_empty());
    let files = Changeset {
        files: written,
        ..change()
    };
    let delete = Changeset {
        delete: mixed().delete,
        ..change()
    };
    assert!(!files.is_empty() && !delete.is_empty());
}

/// Files of every step: one that moves, its duplicate, an inline one, one that stands there; a deletion and a refused entry beside.
fn mixed() -> Plan {
    let mut source = listing(vec![
        listed("a.bin", b"four", true),
        listed("b.bin", b"four", true),
        listed("note.txt", b"hello", false),
        there("same.bin", b"x", true),
    ]);
    let destination = listing(vec![
        there("same.bin", b"x", true),
        there("note.txt", b"old", false),
        there("old", b"1", false),
    ]);
    let mut made = Plan::make(
        order(Some(MaxDelete::default())),
        source.clone(),
        &destination,
        by_suffix,
        &DigestCache::new(),
    );
    source.refused = vec![refused("link"), refused("module")];
    made.refused = source.refused;
    made
}

fn refused(path: &str) -> Refused {
    Refused {
        path: path.into(),
        reason: "a symbolic link".into(),
    }
}

#[test]
fn a_summary_counts_each_file_by_its_step() {
    let mut made = mixed();
    let wanted = PlanSummary {
        files: 4,
        bytes: 14,
        blobs: 1,
        blob_bytes: 4,
        duplicates: 1,
        inline: 1,
        unchanged: 1,
        deletes: 1,
        refused: 2,
        chunks: 1,
    };
    assert_eq!(made.summary(), wanted);
    made.files[0].step = Step::Shared;
    made.files[3].step = Step::Stream;
    let wanted = PlanSummary {
        blob_bytes: 1,
        duplicates: 2,
        unchanged: 0,
        ..wanted
    };
    assert_eq!(made.summary(), wanted);
}

#[test]
fn a_plan_is_done_when_nothing_is_to_be_made_written_or_deleted() {
    let done = plan(
        vec![there("a", b"1", false)],
        vec![there("a", b"1", false)],
        None,
    );
    assert!(done.is_done());
    let is_done = |change: fn(&mut Plan)| {
        let mut plan = done.clone();
        change(&mut plan);
        plan.is_done()
    };
    assert!(!is_done(|plan| plan.creation.exists = false));
    assert!(!is_done(|plan| plan.delete = mixed().delete));
    assert!(!is_done(|plan| plan.files[0].step = Step::Inline));
}

#[test]
fn entries_refused_and_deletions_withheld_are_each_left_out() {
    let leaves_out = |change: fn(&mut Plan)| {
        let mut plan = plan(vec![there("a", b"1", false)], vec![], None);
        change(&mut plan);
        plan.leaves_out()
    };
    assert!(!leaves_out(|_| ()));
    assert!(leaves_out(|plan| plan.refused.push(refused("link"))));
    assert!(leaves_out(|plan| plan.withheld.push(WithheldDeletions {
        reason: "too many".into(),
        paths: vec![]
    })));
}

#[test]
fn the_same_work_is_cut_anew_and_a_plan_of_blobs_is_cut_at_once() {
    let files = || (0..6_u8).map(|n| listed(&format!("{n}.bin"), &[n], true));
    let mut made = plan(files().collect(), vec![], None);
    assert_eq!(made.chunks.len(), 2);
    made.rechunk(Chunking::Even { containers: 3 });
    assert_eq!((made.chunks.len(), made.check()), (3, Ok(())));
    let blobs = Plan::of_blobs(
        made.source.clone(),
        made.destination.clone(),
        files().map(|listed| listed.file).collect(),
        Chunking::Even { containers: 3 },
    );
    assert_eq!((&blobs.chunks, blobs.check()), (&made.chunks, Ok(())));
}

#[test]
fn a_later_listing_withholds_what_was_rewritten_and_changes_nothing_that_was_seen() {
    let mut made = plan(
        vec![there("a", b"1", false), there("same", b"1", false)],
        vec![
            there("a", b"old", false),
            there("gone", b"1", false),
            there("new", b"1", false),
            there("same", b"1", false),
        ],
        Some(MaxDelete::Percent(100)),
    );
    assert_eq!(made.delete.len(), 2);
    let before = made.files.clone();
    let mut now = listing(vec![
        there("new", b"2", false),
        there("same", b"other", false),
    ]);
    now.commit = Some("b".repeat(40).parse().unwrap());
    made.rebase_on(&now);
    assert_eq!(
        (made.files, made.delete, made.parent),
        (before, vec![], None)
    );
    assert_eq!(made.withheld[0].paths, ["new".parse().unwrap()]);
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
