//! Branches and tags. Facts: huggingface_hub 2.4.0, `hf_api.py` (`list_repo_refs`, `create_branch`, `delete_branch`, `create_tag`,
//! `list_repo_commits`). The number of commits stands in a header, as the hub's client in JavaScript reads it (`countCommits`).

use async_trait::async_trait;
use reqwest::Url;
use reqwest::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::HuggingFaceRepo;
use super::api::escaped;
use super::tree::next_page;
use super::wire::{Count, Refs as RefsAnswer, RefsEntry};
use crate::http::{JsonResponse, Request};
use crate::refs::{RefKind, Refs};
use crate::repos::RefStore;
use crate::{Error, Kind, Result, Revision};

/// Refs of a repo with many thousands of branches.
const LONGEST: u64 = 8 << 20;
/// The most commits that the hub lists on a page.
const A_PAGE: u64 = 1_000;
/// More pages of commits are not counted.
const MOST_PAGES: usize = 100;

/// The same question, which no cache on the way may answer: where refs stand decides what is written and removed.
fn fresh(request: Request) -> Request {
    request.header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
}

impl HuggingFaceRepo {
    /// The hub's own list.
    pub(super) async fn told_refs(&self) -> Result<RefsAnswer> {
        let url = self.api("/refs")?;
        Ok(self
            .ask::<RefsAnswer>(LONGEST, || fresh(Request::get(url.clone())))
            .await?
            .value)
    }

    /// A page of commits; only how many it has is kept.
    async fn commits_page(&self, url: Url) -> Result<JsonResponse<Count>> {
        self.ask(LONGEST, || Request::get(url.clone())).await
    }

    /// The commits on all pages; `None` where there are too many pages.
    async fn commits_on_pages(&self, first: Url) -> Result<Option<u64>> {
        let (mut next, mut commits) = (Some(first), 0);
        for _ in 0..MOST_PAGES {
            let Some(url) = next else {
                return Ok(Some(commits));
            };
            let page = self.commits_page(url).await?;
            commits += page.value.0;
            next = next_page(&page, &self.http)?;
        }
        Ok(None)
    }

    async fn count_commits(&self, revision: &Revision) -> Result<Option<u64>> {
        let path = format!("/commits/{}", escaped(revision.as_str()));
        let page = self
            .commits_page(self.api(&format!("{path}?limit=1"))?)
            .await?;
        match total_of(&page.headers) {
            Some(total) => {
                let has_more = next_page(&page, &self.http)?.is_some();
                let least = page.value.0 + u64::from(has_more);
                Ok((total >= least).then_some(total))
            }
            None => {
                self.commits_on_pages(self.api(&format!("{path}?limit={A_PAGE}"))?)
                    .await
            }
        }
    }

    async fn make(&self, rest: &str, wanted: &Value) -> Result<()> {
        self.http
            .send(Request::post(self.api(rest)?).json(wanted)?)
            .await
            .map(drop)
    }
}

/// The number of all entries, of which an answer holds some.
fn total_of(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-total-count")?.to_str().ok()?.parse().ok()
}

fn add(refs: &mut Refs, kind: RefKind, told: &[RefsEntry]) -> Result<()> {
    told.iter()
        .try_for_each(|entry| refs.add(kind, &entry.name, entry.target_commit.as_deref()))
}

#[async_trait]
impl RefStore for HuggingFaceRepo {
    /// `refs/pr/*` are not asked for, and conversions only counted: both are the hub's own.
    async fn refs(&self) -> Result<Refs> {
        let told = self.told_refs().await?;
        let mut refs = Refs {
            others: told.converts.len(),
            ..Refs::default()
        };
        add(&mut refs, RefKind::Branch, &told.branches)?;
        add(&mut refs, RefKind::Tag, &told.tags)?;
        Ok(refs.sorted())
    }

    /// Servers with the same API may have no such route, and count nothing.
    async fn commit_count(&self, revision: &Revision) -> Result<Option<u64>> {
        match self.count_commits(revision).await {
            Err(error) if matches!(error.status(), Some(403 | 404 | 405 | 410 | 501)) => Ok(None),
            counted => counted,
        }
    }

    async fn make_branch(&self, name: &Revision, at: &Revision) -> Result<()> {
        self.make(
            &format!("/branch/{}", escaped(name.as_str())),
            &json!({"startingPoint": at}),
        )
        .await
    }

    async fn make_tag(&self, name: &Revision, at: &Revision) -> Result<()> {
        self.make(
            &format!("/tag/{}", escaped(at.as_str())),
            &json!({"tag": name}),
        )
        .await
    }

    async fn delete_branch(&self, name: &Revision, _: &Revision) -> Result<()> {
        match self
            .http
            .send(Request::delete(
                self.api(&format!("/branch/{}", escaped(name.as_str())))?,
            ))
            .await
        {
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            sent => sent.map(drop).map_err(|error: Error| error.about(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{COMMIT, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};

    fn revision(name: &str) -> Revision {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn branches_and_tags_are_told_apart_and_conversions_counted() {
        let at = |name: &str| json!({"name": name, "ref": format!("refs/x/{name}"), "targetCommit": COMMIT});
        let told = json!({"branches": [at("main"), at("dev/x"), at("a b")], "tags": [at("v1")], "converts": [at("parquet")]});
        let server = Server::scripted([Reply::json(&told)]).await;
        let refs = repo(&server).refs().await.unwrap();
        let names = |of: &[crate::Ref]| {
            of.iter()
                .map(|found| found.name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (names(&refs.branches), names(&refs.tags)),
            (
                vec!["dev/x".to_owned(), "main".into()],
                vec!["v1".to_owned()]
            )
        );
        assert_eq!((refs.others, refs.refused.len()), (1, 1));
        assert_eq!(
            refs.find(RefKind::Tag, &revision("v1")),
            Some(&revision(COMMIT))
        );
        assert_eq!(server.lines(), ["GET /api/datasets/org/name/refs"]);
    }

    #[tokio::test]
    async fn refs_are_made_and_taken_away_as_the_official_client_does() {
        let server = Server::answering(|_| Reply::new(200, &[], "")).await;
        let repo = repo(&server);
        repo.make_branch(&revision("dev/x"), &revision(COMMIT))
            .await
            .unwrap();
        repo.make_tag(&revision("v1"), &revision(COMMIT))
            .await
            .unwrap();
        repo.delete_branch(&revision("dev/x"), &revision(COMMIT))
            .await
            .unwrap();
        let seen = server.seen();
        assert_eq!(seen[0].line(), "POST /api/datasets/org/name/branch/dev%2Fx");
        assert_eq!(seen[0].json(), json!({"startingPoint": COMMIT}));
        assert_eq!(
            (seen[1].line(), seen[1].json()),
            (
                format!("POST /api/datasets/org/name/tag/{COMMIT}"),
                json!({"tag": "v1"})
            )
        );
        assert_eq!(
            seen[2].line(),
            "DELETE /api/datasets/org/name/branch/dev%2Fx"
        );
    }

    #[tokio::test]
    async fn what_exists_is_a_conflict_and_what_is_gone_no_error() {
        let server = Server::scripted([
            Reply::new(409, &[], r#"{"error":"Reference already exists"}"#),
            Reply::new(404, &[], ""),
        ])
        .await;
        let repo = repo(&server);
        assert_eq!(
            repo.make_branch(&revision("x"), &revision(COMMIT))
                .await
                .unwrap_err()
                .kind(),
            Kind::Conflict
        );
        repo.delete_branch(&revision("x"), &revision(COMMIT))
            .await
            .unwrap();
    }

    fn commits(count: usize, headers: &[(&str, &str)]) -> Reply {
        let all = vec![json!({"id": COMMIT}); count];
        Reply::new(200, headers, json!(all).to_string())
    }

    #[tokio::test]
    async fn commits_are_counted_by_the_header_of_one_answer() {
        let server = Server::scripted([commits(1, &[("X-Total-Count", "61")])]).await;
        let count = repo(&server).commit_count(&revision("dev/x")).await;
        assert_eq!(count.unwrap(), Some(61));
        let line = "GET /api/datasets/org/name/commits/dev%2Fx?limit=1";
        assert_eq!(server.lines(), [line]);
    }

    #[tokio::test]
    async fn where_no_header_counts_the_pages_do() {
        let next = "</api/datasets/org/name/commits/main?limit=1000&p=1>; rel=\"next\"";
        let server = Server::scripted([
            commits(1, &[]),
            commits(3, &[("Link", next)]),
            commits(2, &[]),
        ])
        .await;
        let count = repo(&server).commit_count(&revision("main")).await;
        assert_eq!(count.unwrap(), Some(5));
    }

    #[tokio::test]
    async fn a_count_that_can_not_be_is_none() {
        let next = (
            "Link",
            "</api/datasets/org/name/commits/main?p=1>; rel=\"next\"",
        );
        for reply in [
            commits(2, &[("X-Total-Count", "1")]),
            commits(1, &[("X-Total-Count", "1"), next]),
            Reply::new(404, &[], ""),
            Reply::new(403, &[], ""),
        ] {
            let server = Server::scripted([reply]).await;
            let count = repo(&server).commit_count(&revision("main")).await;
            assert_eq!(count.unwrap(), None);
        }
        let server = Server::answering(move |_| commits(1, &[next])).await;
        let count = repo(&server).commit_count(&revision("main")).await;
        assert_eq!(
            (count.unwrap(), server.lines().len()),
            (None, MOST_PAGES + 1)
        );
    }
}
