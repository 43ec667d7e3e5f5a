//! Tests of `tree.rs`.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::api::tests::{bad, good, repo, repo_with};
use super::*;
use crate::clock::tests::ManualClock;
use crate::http::testing::{Reply, Seen, Server};
use crate::{Committer, Repo, Sha256};

fn file(path: &str) -> Value {
    json!({"Path": path, "Name": "x", "Type": "blob", "Size": 1, "Sha256": Sha256::of(b"x").to_string(), "IsLFS": false})
}

fn query(seen: &Seen, name: &str) -> Option<String> {
    let url: reqwest::Url = format!("http://h{}", seen.target).parse().unwrap();
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// A hub as the real one: lists `paths` and their folders below `Root`, cut at 3,000.
fn files(paths: &[String], seen: &Seen) -> Reply {
    let root = query(seen, "Root").map_or(String::new(), |root| root + "/");
    let recursive = query(seen, "Recursive").unwrap() == "True";
    let mut folders = BTreeSet::new();
    let mut entries = Vec::new();
    for path in paths.iter().filter(|path| path.starts_with(&root)) {
        let slashes: Vec<_> = path
            .match_indices('/')
            .map(|(at, _)| at)
            .filter(|at| *at > root.len())
            .collect();
        for at in slashes.iter().take(if recursive { usize::MAX } else { 1 }) {
            if folders.insert(&path[..*at]) {
                entries.push(json!({"Path": path[..*at], "Type": "tree", "Size": 0}));
            }
        }
        if recursive || slashes.is_empty() {
            entries.push(file(path));
        }
    }
    entries.truncate(CUT_AT);
    good(json!({"Files": entries}))
}

fn page(paths: &[String], seen: &Seen) -> Reply {
    let number: usize = query(seen, "PageNumber").unwrap().parse().unwrap();
    let entries: Vec<_> = paths
        .iter()
        .skip((number - 1) * PAGE)
        .take(PAGE)
        .map(|path| file(path))
        .collect();
    good(json!({"Files": entries}))
}

fn paths(folders: &[(&str, usize)]) -> Vec<String> {
    folders
        .iter()
        .flat_map(|(folder, count)| (0..*count).map(move |n| format!("{folder}f{n}")))
        .collect()
}

fn listed(listing: &Listing) -> BTreeSet<String> {
    listing
        .files
        .iter()
        .map(|listed| listed.file.path.as_str().to_owned())
        .collect()
}

#[tokio::test]
async fn a_small_tree_takes_one_request() {
    let all = paths(&[("", 3), ("a/", 2)]);
    let expected = all.iter().cloned().collect();
    let server = Server::answering(move |seen| files(&all, seen)).await;
    assert_eq!(
        listed(&repo(&server, RepoKind::Model).list_all().await.unwrap()),
        expected
    );
    assert_eq!(
        server.lines(),
        ["GET /api/v1/models/org/name/repo/files?Revision=master&Recursive=True"]
    );
}

#[tokio::test]
async fn the_commits_first_digits_are_told_where_all_answers_agree() {
    let found = |second: &'static str| async move {
        let server = Server::answering(move |seen| {
            let (names, short): (&[&str], _) = match query(seen, "PageNumber").as_deref() {
                Some("1") => (&["a", "b"], "0123abcd"),
                Some("2") => (&["c", "d"], second),
                _ => (&[], "ffffffff"),
            };
            let entries: Vec<_> = names.iter().map(|name| file(name)).collect();
            good(json!({"Files": entries, "TotalCount": 4, "LatestCommitter": {"Id": "", "ShortId": short}}))
        })
        .await;
        let repo = repo(&server, RepoKind::Dataset);
        repo.list_branch().await.unwrap().commit_prefix
    };
    assert_eq!(found("0123abcd").await.as_deref(), Some("0123abcd"));
    assert_eq!(
        found("0123abce").await,
        None,
        "a commit fell between two pages"
    );
    assert_eq!(found("").await, None);
}

#[tokio::test]
async fn times_of_files_are_those_of_their_last_commits_where_they_are_told() {
    for kind in [RepoKind::Model, RepoKind::Dataset] {
        let entries = |path: &str| {
            let mut entry = file(path);
            if path == "a" {
                entry["CommittedDate"] = json!(1_746_797_585);
            }
            entry
        };
        let all = json!({"Files": [entries("a"), entries("b")], "TotalCount": 2});
        let server = Server::answering(move |_| good(all.clone())).await;
        let times = repo(&server, kind).file_times().await.unwrap().unwrap();
        assert_eq!(times, [("a".parse().unwrap(), 1_746_797_585)].into());
    }
}

#[tokio::test]
async fn a_listing_cut_silently_is_noticed_and_walked() {
    let all = paths(&[
        ("", 5),
        ("a/", 2_900),
        ("b/deep/x/", 2_000),
        ("b/deep/y z/", 2_000),
        ("c&d/", 1),
    ]);
    let expected: BTreeSet<_> = all.iter().cloned().collect();
    let server = Server::answering(move |seen| files(&all, seen)).await;
    let listing = repo(&server, RepoKind::Space).list_all().await.unwrap();
    assert_eq!(listing.files.len(), expected.len(), "each path once");
    assert!(
        listed(&listing) == expected,
        "other paths than those there are"
    );
    assert!(server.seen().len() <= 12, "{:?}", server.lines());
}

#[tokio::test]
async fn a_folder_too_full_to_be_listed_is_an_error_that_names_it() {
    let all = paths(&[("", 1), ("big/", 3_000)]);
    let server = Server::answering(move |seen| files(&all, seen)).await;
    let error = repo(&server, RepoKind::Model).list_all().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(
        error
            .to_string()
            .contains("the folder big holds 3000 or more"),
        "{error}"
    );
}

#[tokio::test]
async fn datasets_are_read_page_by_page_until_one_is_short() {
    for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 1] {
        let all = paths(&[("d/", count)]);
        let server = Server::answering(move |seen| page(&all, seen)).await;
        let listing = repo(&server, RepoKind::Dataset).list_all().await.unwrap();
        assert_eq!(listing.files.len(), count);
        assert!(
            server.lines()[0].contains("/api/v1/datasets/org/name/repo/tree?Revision=master&Recursive=True&PageNumber=1&PageSize=3000")
        );
    }
}

#[tokio::test]
async fn pages_smaller_than_asked_for_are_read_to_the_end() {
    for (counts, requests) in [(true, 5..=5), (false, 5..=8)] {
        let all = paths(&[("", 900)]);
        let server = Server::answering(move |seen| {
            let number: usize = query(seen, "PageNumber").unwrap().parse().unwrap();
            let page = all.iter().skip((number - 1) * 200).take(200);
            let entries: Vec<_> = page.map(|path| file(path)).collect();
            good(match counts {
                true => json!({"Files": entries, "TotalCount": all.len()}),
                false => json!({"Files": entries}),
            })
        })
        .await;
        let listing = repo(&server, RepoKind::Dataset).list_all().await.unwrap();
        assert_eq!(listing.files.len(), 900);
        assert!(
            requests.contains(&server.seen().len()),
            "{:?}",
            server.lines()
        );
    }
}

#[tokio::test]
async fn an_error_on_a_page_beyond_the_end_does_not_count() {
    let all = paths(&[("", PAGE + 50)]);
    let server = Server::answering(move |seen| match query(seen, "PageNumber").as_deref() {
        Some("1" | "2") => page(&all, seen),
        _ => bad(400, 1, "fromIndex > toIndex"),
    })
    .await;
    assert_eq!(
        repo(&server, RepoKind::Dataset)
            .list_all()
            .await
            .unwrap()
            .files
            .len(),
        PAGE + 50
    );
    let all = paths(&[("", 2 * PAGE)]);
    let server = Server::answering(move |seen| match query(seen, "PageNumber").as_deref() {
        Some(number @ ("1" | "2")) => {
            let first = (number.parse::<usize>().unwrap() - 1) * PAGE;
            let page = all[first..first + PAGE].iter().map(|path| file(path));
            good(json!({"Files": page.collect::<Vec<_>>(), "TotalCount": all.len()}))
        }
        _ => bad(400, 1, "fromIndex > toIndex"),
    })
    .await;
    let listing = repo(&server, RepoKind::Dataset).list_all().await.unwrap();
    assert_eq!(listing.files.len(), 2 * PAGE);
}

#[tokio::test]
async fn an_error_in_the_middle_is_no_end() {
    let all = paths(&[("", PAGE)]);
    let server = Server::answering(move |seen| match query(seen, "PageNumber").as_deref() {
        Some("1") => page(&all, seen),
        _ => bad(400, 1, "bad request"),
    })
    .await;
    let listed = repo(&server, RepoKind::Dataset).list_all().await;
    assert_eq!(listed.unwrap_err().kind(), Kind::Invalid);
}

#[tokio::test]
async fn pages_that_repeat_themselves_end_in_an_error() {
    let all = paths(&[("", PAGE)]);
    let server = Server::answering(move |_| {
        good(json!({"Files": all.iter().map(|path| file(path)).collect::<Vec<_>>()}))
    })
    .await;
    let error = repo(&server, RepoKind::Dataset)
        .list_all()
        .await
        .unwrap_err();
    assert!(
        error.kind() == Kind::Refused && error.to_string().contains("repeat"),
        "{error}"
    );
}

#[tokio::test]
async fn a_403_after_a_listing_succeeded_is_retried_and_before_is_believed() {
    let all = paths(&[("", PAGE + 50)]);
    let denied = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::answering(move |seen| {
        let second = query(seen, "PageNumber").as_deref() == Some("2");
        if second && denied.fetch_add(1, Ordering::Relaxed) < 2 {
            bad(403, 403, "access denied")
        } else {
            page(&all, seen)
        }
    })
    .await;
    let clock = ManualClock::new();
    assert_eq!(
        repo_with(&server, RepoKind::Dataset, &clock)
            .list_all()
            .await
            .unwrap()
            .files
            .len(),
        PAGE + 50
    );
    assert!(
        clock.slept.lock().unwrap().len() >= 2,
        "it waits between the tries"
    );

    let server = Server::answering(|_| bad(403, 403, "access denied")).await;
    let error = repo(&server, RepoKind::Dataset)
        .list_all()
        .await
        .unwrap_err();
    assert_eq!((error.kind(), server.seen().len()), (Kind::Denied, 1));
}

#[tokio::test]
async fn a_403_that_never_ends_is_given_up() {
    let all = paths(&[("", PAGE)]);
    let server = Server::answering(move |seen| match query(seen, "PageNumber").as_deref() {
        Some("1") => page(&all, seen),
        _ => bad(403, 403, "access denied"),
    })
    .await;
    let error = repo(&server, RepoKind::Dataset)
        .list_all()
        .await
        .unwrap_err();
    assert!(
        error.was_retried() && error.to_string().contains("access denied"),
        "{error}"
    );
    assert!(server.seen().len() <= 1 + 4 * PAGES_AT_ONCE);
}

#[tokio::test]
async fn a_200_that_is_no_listing_is_an_error() {
    for reply in [
        bad(200, 10_010_205_001, "record not found"),
        good(Value::Null),
        good(json!({})),
        Reply::json(&json!({})),
        Reply::new(200, &[], "<html>welcome</html>"),
    ] {
        let server = Server::scripted([reply]).await;
        assert!(repo(&server, RepoKind::Model).list_all().await.is_err());
    }
}

#[tokio::test]
async fn an_unknown_revision_is_not_found_where_it_is_read_and_holds_nothing_where_it_is_written() {
    for kind in [RepoKind::Model, RepoKind::Dataset, RepoKind::Space] {
        let server = Server::answering(|_| good(json!({"Files": null}))).await;
        let repo = repo(&server, kind);
        assert_eq!(Repo::list(&repo).await.unwrap_err().kind(), Kind::NotFound);
        assert!(
            Committer::list_branch(&repo)
                .await
                .unwrap()
                .files
                .is_empty()
        );
    }
    let server = Server::answering(|_| bad(404, 10_990_101_004, "no tree")).await;
    assert_eq!(
        Committer::list_branch(&repo(&server, RepoKind::Model))
            .await
            .unwrap_err()
            .kind(),
        Kind::NotFound
    );
}

#[tokio::test]
async fn pages_that_end_before_their_total_are_an_error() {
    for (count, total) in [(3, 3), (PAGE, PAGE), (PAGE, 2 * PAGE), (3, 4)] {
        let all = paths(&[("", count)]);
        let server = Server::answering(move |seen| {
            let number: usize = query(seen, "PageNumber").unwrap().parse().unwrap();
            let entries: Vec<_> = all
                .iter()
                .skip((number - 1) * PAGE)
                .take(PAGE)
                .map(|path| file(path))
                .collect();
            good(if entries.is_empty() {
                json!({"Files": null})
            } else {
                json!({"Files": entries, "TotalCount": total})
            })
        })
        .await;
        let listed = repo(&server, RepoKind::Dataset).list_all().await;
        assert_eq!(
            listed.as_ref().map(|listing| listing.files.len()).ok(),
            (count == total).then_some(count),
            "{listed:?}"
        );
    }
}

#[tokio::test]
async fn a_file_without_a_sha256_is_read_and_hashed_and_one_that_is_lost_costs_only_itself() {
    let server = Server::answering(|seen| match seen.line() {
        line if line.contains("FilePath=a.txt") => Reply::new(200, &[], "hello"),
        line if line.contains("FilePath=") => bad(200, 10_990_101_007, "no content"),
        _ => good(json!({"Files": [{"Path": "a.txt", "Size": 5}, {"Path": "lost", "Size": 5, "Sha256": ""}, file("b")]})),
    })
    .await;
    let listing = repo(&server, RepoKind::Model).list_all().await.unwrap();
    let digests: Vec<_> = listing
        .files
        .iter()
        .map(|listed| (listed.file.path.as_str(), listed.file.digest.sha256()))
        .collect();
    assert_eq!(
        digests,
        [
            ("b", Some(Sha256::of(b"x"))),
            ("a.txt", Some(Sha256::of(b"hello")))
        ]
    );
    let [refused] = &listing.refused[..] else {
        panic!("{listing:?}")
    };
    assert!(
        refused.path == "lost" && refused.reason.contains("no content"),
        "{refused:?}"
    );
}
