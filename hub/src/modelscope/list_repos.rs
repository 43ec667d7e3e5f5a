//! What an owner has: models and studios by the newer surface, datasets by the older one, which alone tells private ones. Facts:
//! modelscope-hub 0.5.1, `_openapi.py` (`list_models`), `_legacy_api.py` (`list_datasets`).

use reqwest::Url;
use serde_json::Value;

use super::ModelScopeRepo;
use super::repo::{gate_of, said_visibility};
use crate::http::Request;
use crate::list_repos::seconds_of;
use crate::{Error, Kind, OwnedRepo, OwnerRepos, RepoKind, Result};

/// Repos a page; what the hub gives at most is not published, so a shorter page does not mean the last one.
const PAGE: usize = 50;
/// `page_number * page_size` must not be above this on the newer surface.
const REACH: usize = 3_000;
const MOST_PAGES: usize = 2_000;

impl ModelScopeRepo {
    /// Every repo of this kind that this repo's owner has.
    ///
    /// # Errors
    /// The hub's; [`Kind::Refused`] where there are more than it lists.
    pub async fn list_repos(&self) -> Result<OwnerRepos> {
        let mut owned = OwnerRepos::default();
        for number in 1..=MOST_PAGES {
            let Some(url) = self.owned_page(number) else {
                return Err(Error::new(
                    Kind::Refused,
                    format!(
                        "{} has more repos than the {REACH} that are listed",
                        self.at.id.owner()
                    ),
                ));
            };
            if self.add_page(url, &mut owned).await? == 0 {
                return Ok(owned.whole());
            }
        }
        Err(Error::new(Kind::Refused, "the listing never ends"))
    }

    /// The repos of the first page.
    ///
    /// # Errors
    /// The hub's.
    pub async fn first_repos(&self) -> Result<OwnerRepos> {
        let mut owned = OwnerRepos::default();
        if let Some(url) = self.owned_page(1) {
            self.add_page(url, &mut owned).await?;
        }
        Ok(owned.whole())
    }

    /// Adds the repos of one page, and returns how many entries it has.
    async fn add_page(&self, url: Url, owned: &mut OwnerRepos) -> Result<usize> {
        let page = match self.ask(Request::get(url)).await {
            // So the older surface says that a page is beyond the last (`_legacy_api.py`, `list_datasets`).
            Err(error)
                if error.kind() == Kind::Invalid && error.message().contains("fromIndex") =>
            {
                Vec::new()
            }
            page => entries(page?)?,
        };
        page.iter()
            .for_each(|entry| add_entry(entry, self.at.id.owner(), owned));
        Ok(page.len())
    }

    /// The address of a page, from 1; none beyond what the hub gives.
    fn owned_page(&self, number: usize) -> Option<Url> {
        let (surface, page, size) = match self.at.kind {
            RepoKind::Dataset => ("api", "PageNumber", "PageSize"),
            RepoKind::Model | RepoKind::Space => ("openapi", "page_number", "page_size"),
        };
        let mut url = self.url(&[surface, "v1", self.segment()]);
        let (owner, number, asked) = (self.at.id.owner(), number.to_string(), PAGE.to_string());
        url.query_pairs_mut()
            .append_pair("owner", owner)
            .append_pair(page, &number)
            .append_pair(size, &asked);
        (surface == "api"
            || number
                .parse()
                .is_ok_and(|number: usize| number * PAGE <= REACH))
        .then_some(url)
    }
}

/// The repos of a page: all there is on the older surface, below the kind's name on the newer.
fn entries(data: Value) -> Result<Vec<Value>> {
    match data {
        Value::Array(entries) => Ok(entries),
        Value::Null => Ok(Vec::new()),
        Value::Object(mut named) => {
            let list = ["models", "datasets", "studios"]
                .iter()
                .find_map(|name| named.remove(*name));
            list.map_or_else(
                || Err(Error::new(Kind::Refused, "the listing of repos holds none")),
                entries,
            )
        }
        _ => Err(Error::new(Kind::Refused, "the listing of repos is none")),
    }
}

/// Adds a repo with what the list tells of it. Names of fields: `api.py`, `_repo_info_from_payload`; `LastUpdatedTime` is in seconds.
fn add_entry(entry: &Value, owner: &str, owned: &mut OwnerRepos) {
    let text = |names: &[&str]| names.iter().find_map(|name| entry.get(*name)?.as_str());
    let number = |names: [&str; 2]| names.iter().find_map(|name| entry.get(*name)?.as_u64());
    let whole = text(&["id"])
        .filter(|id| id.contains('/'))
        .map(ToOwned::to_owned);
    let parts = || {
        format!(
            "{}/{}",
            text(&["Namespace", "Owner", "Path", "owner"]).unwrap_or(""),
            text(&["Name", "name"]).unwrap_or("")
        )
    };
    let changed = text(&["last_modified", "LastModified", "updated_at", "UpdatedAt"]);
    owned.add(&whole.unwrap_or_else(parts), owner, |id| OwnedRepo {
        visibility: said_visibility(entry),
        gate: gate_of(entry),
        last_modified: changed
            .and_then(seconds_of)
            .or_else(|| number(["LastUpdatedTime", "last_updated_time"])),
        likes: number(["likes", "Likes"]),
        downloads: number(["downloads", "Downloads"]),
        ..OwnedRepo::named(id)
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::api::tests::{good, repo};
    use super::*;
    use crate::http::testing::Server;

    fn names(owned: &OwnerRepos) -> Vec<&str> {
        owned.repos.iter().map(|owned| owned.id.as_str()).collect()
    }

    #[tokio::test]
    async fn models_are_listed_by_the_newer_surface_until_a_page_is_empty() {
        let page = |ids: &[&str]| {
            good(
                json!({"models": ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>(), "total_count": 3}),
            )
        };
        let server = Server::scripted([
            page(&["org/b", "org/a"]),
            page(&["org/c", "other/x"]),
            page(&[]),
        ])
        .await;
        let owned = repo(&server, RepoKind::Model).list_repos().await.unwrap();
        assert_eq!(
            (names(&owned), owned.refused.len()),
            (vec!["org/a", "org/b", "org/c"], 1)
        );
        assert_eq!(
            server.lines()[1],
            "GET /openapi/v1/models?owner=org&page_number=2&page_size=50"
        );
    }

    #[tokio::test]
    async fn datasets_are_listed_by_the_older_surface_that_tells_private_ones() {
        let server = Server::scripted([
            good(
                json!([{"Namespace": "org", "Name": "a", "Id": 7}, {"Owner": "org", "Name": ".."}]),
            ),
            good(json!([])),
        ])
        .await;
        let owned = repo(&server, RepoKind::Dataset).list_repos().await.unwrap();
        assert_eq!((names(&owned), owned.refused.len()), (vec!["org/a"], 1));
        assert_eq!(
            server.lines()[0],
            "GET /api/v1/datasets?owner=org&PageNumber=1&PageSize=50"
        );
    }

    #[tokio::test]
    async fn either_surface_tells_who_may_see_a_repo_and_when_it_was_changed() {
        let newer = json!({"id": "org/a", "private": true, "gated": true, "likes": 2, "downloads": 5, "last_modified": "2026-11-20T09:40:00.000Z"});
        let older = json!({"Namespace": "org", "Name": "a", "Visibility": 1, "ProtectedMode": 1, "Likes": 2, "Downloads": 5, "LastUpdatedTime": 1_795_167_600});
        for (kind, page) in [
            (RepoKind::Model, json!({"models": [newer]})),
            (RepoKind::Dataset, json!([older])),
        ] {
            let server = Server::scripted([good(page), good(json!([]))]).await;
            let owned = repo(&server, kind).list_repos().await.unwrap();
            let expected = OwnedRepo {
                visibility: Some(crate::Visibility::Private),
                gate: crate::Gate::Gated(crate::GateMode::Manual),
                last_modified: Some(1_795_167_600),
                likes: Some(2),
                downloads: Some(5),
                ..OwnedRepo::named("org/a".parse().unwrap())
            };
            assert_eq!(owned.repos, [expected], "{kind}");
        }
    }

    #[tokio::test]
    async fn more_than_is_listed_is_an_error_and_no_short_list() {
        let server = Server::answering(|_| good(json!({"models": [{"id": "org/a"}]}))).await;
        assert_eq!(
            repo(&server, RepoKind::Model)
                .list_repos()
                .await
                .unwrap_err()
                .kind(),
            Kind::Refused
        );
        assert_eq!(server.seen().len(), REACH / PAGE);
    }
}
