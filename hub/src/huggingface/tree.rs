//! The listing: pages of entries, whose files [`super::entries`] reads. Facts: huggingface_hub 2.4.0, `hf_api.py`
//! (`list_repo_tree`), `utils/_pagination.py`.
//!
//! The tree shows no file modes: a symlink can't be told from the small file that holds its target, and is
//! listed as that file. A submodule is shown as of type `unknown`.

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};
use serde_json::Value;

use super::entries::Walk;
use super::{HuggingFaceRepo, siblings};
use crate::http::{Http, JsonResponse, Origin, Request, address_of};
use crate::{Error, FileCount, FileTimes, Kind, Listing, Result, Revision};

/// A page of 1,000 entries has about 1 MiB.
const LONGEST_PAGE: u64 = 32 << 20;
/// Entries of a full page (recorded at the real hub).
const FULL_PAGE: usize = 1_000;

/// Every file at the repo's own revision.
pub(super) async fn list(repo: &HuggingFaceRepo) -> Result<Listing> {
    list_at(repo, &repo.at.revision).await
}

/// Every file at a revision.
pub(super) async fn list_at(repo: &HuggingFaceRepo, revision: &Revision) -> Result<Listing> {
    let Some((walk, last)) = walk(repo, revision, Detail::Files).await? else {
        let circle = |error: Error| error.about(GOES_ROUND).with_kind(Kind::Refused);
        return siblings::list(repo, revision).await.map_err(circle);
    };
    let listing = walk.ended();
    // A full last page may be one whose link to the next was lost.
    if last >= FULL_PAGE {
        check_count(repo, revision, &listing).await?;
    }
    Ok(listing)
}

/// When each file was changed last. The hub looks its commit up, and gives 50 entries a page (`hf_api.py`, `list_repo_tree`).
pub(super) async fn times(repo: &HuggingFaceRepo) -> Result<FileTimes> {
    let walk = walk(repo, &repo.at.revision, Detail::Commits).await?;
    let (walk, _) = walk.ok_or_else(|| Error::new(Kind::Refused, GOES_ROUND))?;
    Ok(walk.into_times())
}

const GOES_ROUND: &str = "the listing's pages go round in a circle";

/// What a listing tells of each entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The file alone.
    Files,
    /// Its last commit, too.
    Commits,
}

/// Reads page after page, and the number of entries on the last; `None` where they go round in a circle.
async fn walk(
    repo: &HuggingFaceRepo,
    revision: &Revision,
    detail: Detail,
) -> Result<Option<(Walk, usize)>> {
    let (mut walk, mut last) = (Walk::default(), 0);
    let mut next = Some(repo.api(&format!(
        "/tree/{}?recursive=true&expand={}",
        super::api::escaped(revision.as_str()),
        detail == Detail::Commits
    ))?);
    while let Some(url) = next {
        if !walk.enter(&url)? {
            return Ok(None);
        }
        let page = page(repo, &url, &walk).await?;
        next = next_page(&page, &repo.http)?;
        last = page.value.len();
        walk.take(page.value)?;
    }
    Ok(Some((walk, last)))
}

/// Compares a listing with the number of files that the repo's description tells.
///
/// # Errors
/// [`Kind::Refused`] where it tells more, or nothing.
async fn check_count(repo: &HuggingFaceRepo, revision: &Revision, listing: &Listing) -> Result<()> {
    match super::repo::count_of(repo, revision).await? {
        FileCount::Untold => Err(Error::new(
            Kind::Refused,
            "the listing ends with a full page, and the hub does not say how many files there are",
        )),
        count => listing.check_count(count),
    }
}

/// One page. Once a page was answered, a 403 on a later one is a whim that passes.
async fn page(repo: &HuggingFaceRepo, url: &Url, walk: &Walk) -> Result<JsonResponse<Vec<Value>>> {
    let mut attempts = repo.http.options().attempts().at_most(3);
    loop {
        match repo.ask(LONGEST_PAGE, || Request::get(url.clone())).await {
            Err(error) => {
                let may_pass = error.kind() == Kind::Denied && walk.is_beyond_the_first();
                attempts.wait_after_if(may_pass, error).await?;
            }
            answered => return answered,
        }
    }
}

/// The page after this one, if it says so. It is asked where this one was, by whatever name the server calls itself: one behind a
/// proxy does not know its address.
pub(super) fn next_page<T>(page: &JsonResponse<T>, hub: &Http) -> Result<Option<Url>> {
    let Some(link) = next_link(&page.headers) else {
        return Ok(None);
    };
    let next = page
        .url
        .join(&link)
        .map_err(|_| Error::new(Kind::Refused, "the listing's next page is no address"))?;
    let next = hub.own(next);
    let there = Origin::of(&next)?;
    if there == *hub.origin() {
        return Ok(Some(next));
    }
    if !page.url.path().ends_with(next.path()) {
        return Err(Error::new(
            Kind::Refused,
            format!("the listing's next page is on another host, {there}"),
        ));
    }
    let mut here = page.url.clone();
    here.set_query(next.query());
    Ok(Some(here))
}

/// The address with `rel="next"` in the Link headers (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    let texts = headers.get_all(LINK).iter().map(address_of);
    texts.into_iter().find_map(|text| {
        let mut links = text
            .split('<')
            .skip(1)
            .filter_map(|link| link.split_once('>'));
        links
            .find(|(_, parameters)| parameters.split([';', ',']).any(is_next))
            .map(|(url, _)| url.trim().to_owned())
    })
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let is_rel = name.trim().eq_ignore_ascii_case("rel");
    is_rel
        && value
            .trim()
            .trim_matches('"')
            .split(' ')
            .any(|rel| rel.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;
    use serde_json::json;

    use super::super::testing::{COMMIT, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{Digest, GitSha1, Repo, Sha256};

    fn entry(path: &str) -> Value {
        json!({"type": "file", "path": path, "size": 3, "oid": GitSha1::of(b"abc").to_string()})
    }

    fn linked(link: &str, entries: &Value) -> Reply {
        Reply::new(200, &[("Link", link)], entries.to_string())
    }

    fn judged(entries: Vec<Value>) -> Listing {
        let mut walk = Walk::default();
        walk.take(entries).unwrap();
        walk.ended()
    }

    fn reason(entry: Value) -> String {
        judged(vec![entry]).refused.pop().unwrap().reason
    }

    #[test]
    fn plain_and_lfs_files_have_their_own_digests_and_sizes() {
        let sha256 = Sha256::of(b"large").to_string();
        let lfs = json!({"type": "file", "path": "b", "size": 9, "oid": "0".repeat(40), "xetHash": "f",
            "lfs": {"oid": sha256, "size": 5_000_000_000_u64, "pointerSize": 135}});
        let folder = json!({"type": "directory", "path": "d", "size": 0, "oid": "0".repeat(40)});
        let listing = judged(vec![entry("a"), folder, lfs]);
        assert_eq!(
            listing.files[0].file.digest,
            Digest::GitSha1(GitSha1::of(b"abc"))
        );
        assert!(!listing.files[0].lfs && listing.files[1].lfs);
        assert_eq!(
            (listing.files[1].file.size, listing.files[1].file.digest),
            (5_000_000_000, Digest::Sha256(Sha256::of(b"large")))
        );
        assert!(listing.refused.is_empty());
    }

    #[test]
    fn paths_that_leave_the_repo_cost_only_themselves() {
        let bad = [
            "../x",
            "/etc/passwd",
            "a\\b",
            ".git/config",
            "C:/x",
            "a\u{0}b",
            "",
            "a//b",
        ];
        let listing = judged(
            bad.iter()
                .map(|path| entry(path))
                .chain([entry("good")])
                .collect(),
        );
        assert_eq!(listing.files.len(), 1);
        assert_eq!(listing.refused.len(), bad.len());
        assert_eq!(
            listing.refused[5].path, "a\\u{0}b",
            "escaped for the screen"
        );
    }

    #[test]
    fn submodules_and_unknown_things_are_reported() {
        assert!(
            reason(json!({"type": "unknown", "path": "sub", "oid": "0".repeat(40)}))
                .contains("submodule")
        );
        assert!(
            reason(json!({"type": "por\u{1b}tal", "path": "p"}))
                .contains("unknown type 'por\\u{1b}tal'")
        );
        assert!(reason(json!({"path": "p"})).contains("oddly"));
        assert!(reason(json!(17)).contains("oddly"));
    }

    #[test]
    fn sizes_and_digests_that_cannot_be_are_refused() {
        let with = |key: &str, value: Value| {
            let mut entry = entry("a");
            entry[key] = value;
            reason(entry)
        };
        assert!(with("size", json!(-1)).contains("can't be"));
        assert!(with("size", json!(1_u64 << 60)).contains("can't be"));
        assert!(with("size", json!(1e30)).contains("oddly"));
        assert!(with("size", Value::Null).contains("does not tell its size"));
        assert!(with("oid", json!("xyz")).contains("digest"));
        assert!(with("lfs", json!({"oid": "0".repeat(40), "size": 3})).contains("digest"));
        assert!(with("lfs", json!({"oid": "0".repeat(64), "size": -3})).contains("can't be"));
    }

    #[test]
    fn a_blank_entry_is_a_folder_and_one_that_only_lacks_its_path_is_none() {
        let blank = json!({"oid": "", "path": "", "type": "", "size": 0});
        assert!(judged(vec![blank.clone(), entry("a")]).refused.is_empty());
        let mut file = blank;
        file["type"] = json!("file");
        assert_eq!(judged(vec![file]).refused.len(), 1);
    }

    #[test]
    fn a_path_listed_twice_is_taken_once() {
        let listing = judged(["b", "a", "b", "c", "b"].map(entry).to_vec());
        let paths: Vec<_> = listing
            .files
            .iter()
            .map(|listed| listed.file.path.as_str())
            .collect();
        assert_eq!(paths, ["b", "a", "c"]);
        assert_eq!(listing.refused.len(), 2);
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        let next = |link: &str| next_link(&[(LINK, link.parse().unwrap())].into_iter().collect());
        assert_eq!(
            next(r#"<https://h/a?x=1,2&cursor=b>; rel="next""#).unwrap(),
            "https://h/a?x=1,2&cursor=b"
        );
        assert_eq!(
            next(r#"</first>; rel="first", </n>; rel=next"#).unwrap(),
            "/n"
        );
        assert_eq!(next(r#"</prev>; rel="prev""#), None);
        assert_eq!(next("garbage"), None);
    }

    #[tokio::test]
    async fn pages_are_followed_to_the_end() {
        let first = linked("</api/next?cursor=2>; rel=\"next\"", &json!([entry("a")]));
        let server = Server::scripted([first, Reply::json(&json!([entry("b")]))]).await;
        let listing = repo(&server).list().await.unwrap();
        assert_eq!(listing.files.len(), 2);
        let tree = format!("GET /api/datasets/org/name/tree/{COMMIT}?recursive=true&expand=false");
        assert_eq!(server.lines(), [tree, "GET /api/next?cursor=2".to_owned()]);
    }

    #[tokio::test]
    async fn times_of_files_come_by_a_listing_that_tells_commits() {
        let timed = |path: &str, commit: Value| {
            let mut entry = entry(path);
            entry["lastCommit"] = commit;
            entry
        };
        let first = json!([
            timed(
                "a",
                json!({"id": COMMIT, "title": "t", "date": "2024-02-29T12:34:56.789Z"})
            ),
            timed("b", Value::Null),
        ]);
        let second = json!([timed("c", json!({"date": "yesterday"}))]);
        let link = "</api/next?cursor=2>; rel=\"next\"";
        let server = Server::scripted([linked(link, &first), Reply::json(&second)]).await;
        let times = repo(&server).file_times().await.unwrap().unwrap();
        let expected = [("a".parse().unwrap(), 1_709_210_096)];
        assert_eq!(times, expected.into());
        let tree = format!("GET /api/datasets/org/name/tree/{COMMIT}?recursive=true&expand=true");
        assert_eq!(server.lines(), [tree, "GET /api/next?cursor=2".to_owned()]);
    }

    #[tokio::test]
    async fn a_full_page_without_a_link_to_the_next_is_doubted() {
        let full: Vec<Value> = (0..1_000)
            .map(|number| entry(&format!("{number}")))
            .collect();
        let count = |count: usize| json!({"sha": COMMIT, "siblings": vec![json!({"rfilename": "x"}); count]});
        for (described, fits) in [
            (count(1_000), true),
            (count(1_500), false),
            (json!({"sha": COMMIT}), false),
        ] {
            let server =
                Server::scripted([Reply::json(&full.clone().into()), Reply::json(&described)])
                    .await;
            let listed = repo(&server).list().await;
            assert_eq!(listed.is_ok(), fits, "{listed:?}");
            if let Err(error) = listed {
                let is_counted = described.get("siblings").is_some();
                let doubted = [Kind::Refused, Kind::Transient][usize::from(is_counted)];
                assert_eq!(error.kind(), doubted);
            }
            assert_eq!(
                server.lines()[1],
                format!("GET /api/datasets/org/name/revision/{COMMIT}")
            );
        }
    }

    #[tokio::test]
    async fn an_empty_repo_is_listed_as_such() {
        let server = Server::scripted([Reply::json(&json!([]))]).await;
        assert_eq!(repo(&server).list().await.unwrap(), Listing::default());
    }

    #[tokio::test]
    async fn a_next_page_on_another_host_is_not_asked() {
        let other = Server::scripted([]).await;
        let link = format!("<{}x>; rel=\"next\"", other.url());
        let server = Server::scripted([linked(&link, &json!([entry("a")]))]).await;
        assert_eq!(
            repo(&server).list().await.unwrap_err().kind(),
            Kind::Refused
        );
        assert!(other.seen().is_empty());
    }

    #[tokio::test]
    async fn the_next_page_is_asked_here_whatever_the_server_calls_itself() {
        for name in ["https://huggingface.co", "http://hub.internal:48888"] {
            let link = format!(
                "<{name}/api/datasets/org/name/tree/{COMMIT}?recursive=true&cursor=a%3D>; rel=\"next\""
            );
            let server = Server::scripted([
                linked(&link, &json!([entry("a")])),
                Reply::json(&json!([entry("b")])),
            ])
            .await;
            assert_eq!(repo(&server).list().await.unwrap().files.len(), 2, "{name}");
            let next = &server.seen()[1];
            assert_eq!(
                next.line(),
                format!("GET /api/datasets/org/name/tree/{COMMIT}?recursive=true&cursor=a%3D")
            );
            assert!(next.header("authorization").is_some());
        }
    }

    #[tokio::test]
    async fn pages_that_go_round_in_a_circle_stop() {
        let server = Server::answering(|_| linked("</api/again>; rel=\"next\"", &json!([]))).await;
        let error = repo(&server).list().await.unwrap_err();
        assert!(
            error.kind() == Kind::Refused && error.message().contains("circle"),
            "{error}"
        );
        assert_eq!(server.seen().len(), 3, "and the description, which is none");
    }

    #[tokio::test]
    async fn a_page_cut_short_is_asked_again_and_a_whim_of_a_later_one_too() {
        let first = || linked("</api/next>; rel=\"next\"", &json!([entry("a")]));
        let cut = Reply::headed(200, &[("Content-Length", "500")], "[").reset();
        let server = Server::scripted([
            cut,
            first(),
            Reply::new(403, &[], ""),
            Reply::json(&json!([entry("b")])),
        ])
        .await;
        assert_eq!(repo(&server).list().await.unwrap().files.len(), 2);
        let server = Server::answering(|_| Reply::new(403, &[], "")).await;
        assert_eq!(repo(&server).list().await.unwrap_err().kind(), Kind::Denied);
        assert_eq!(server.seen().len(), 1, "at the first page it is meant");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_link_header_names_a_next_page_or_none(bytes in vec(any::<u8>(), 0..80), near in "(<|>|;|,| |=|rel|\"next\"|next|http://h/x){0,20}") {
            for value in [HeaderValue::from_bytes(&bytes), near.parse()].into_iter().flatten() {
                let length = value.len();
                let found = next_link(&[(LINK, value)].into_iter().collect());
                // A byte is written as three at most.
                prop_assert!(found.is_none_or(|link| link.len() <= 3 * length));
            }
        }

        #[test]
        fn a_next_page_is_found_wherever_it_stands(page in "/[a-z0-9/?=&%]{1,60}", others in vec("(first|last|prev)", 0..4), at in 0..4_usize) {
            let mut links: Vec<_> = others.iter().map(|rel| format!("</other>; rel=\"{rel}\"")).collect();
            links.insert(at.min(links.len()), format!("<{page}>; rel=\"next\""));
            let headers = [(LINK, links.join(", ").parse().unwrap())].into_iter().collect();
            prop_assert_eq!(next_link(&headers), Some(page));
        }

        #[test]
        fn any_page_costs_only_its_odd_entries(odd in vec(any_entry(), 0..12), names in btree_set("[a-z]{1,8}(/[a-zé ]{1,8})?", 0..12)) {
            let entries: Vec<_> = names.iter().map(|name| entry(name)).collect();
            let mut walk = Walk::default();
            walk.take(odd.clone()).unwrap();
            walk.take(entries).unwrap();
            let listing = walk.ended();
            let paths: HashSet<_> = listing.files.iter().map(|listed| listed.file.path.as_str().to_owned()).collect();
            let of_odd = |name: &&String| odd.iter().any(|entry| entry["path"] == **name);
            prop_assert!(names.iter().filter(|name| !of_odd(name)).all(|name| paths.contains(name)));
            prop_assert!(listing.files.len() + listing.refused.len() <= odd.len() + names.len());
        }
    }

    /// An entry that is nearly one.
    fn any_entry() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "(file|directory|unknown|[0-9a-f]{40,64}|\\.\\./x|a/b)"
        ];
        let value = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        let lfs = btree_map("(oid|sha256|size)", value.clone(), 0..3).prop_map(|map| json!(map));
        let value = prop_oneof![4 => value, 1 => lfs];
        let keys = "(type|path|size|oid|lfs|xetHash)";
        btree_map(keys, value, 0..6).prop_map(|map| json!(map))
    }
}
