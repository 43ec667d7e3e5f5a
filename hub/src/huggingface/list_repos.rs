//! What an owner has: pages of repos of one kind. Facts: huggingface_hub 2.4.0, `hf_api.py` (`list_models`, `list_datasets`,
//! `list_spaces`, and the `Expand..Property_T` of each), `utils/_pagination.py`.

use std::collections::HashSet;

use reqwest::Url;
use serde::Deserialize;

use super::HuggingFaceRepo;
use super::api::{address, escaped};
use super::tree::next_page;
use super::wire::Gated;
use crate::http::Request;
use crate::list_repos::seconds_of;
use crate::{
    Error, Gate, Kind, OwnedRepo, OwnerRepos, RepoId, RepoKind, Result, Revision, Visibility,
};

/// A page has a thousand repos at most, each with its tags where a mirror does not know `expand`.
const LONGEST_PAGE: u64 = 64 << 20;
const MOST_PAGES: usize = 1_000;

/// Properties that a listing tells of repos of every kind when it is asked to.
const OF_ALL: [&str; 6] = [
    "sha",
    "lastModified",
    "private",
    "likes",
    "usedStorage",
    "disabled",
];
/// Those of models and datasets only.
const OF_FILES: [&str; 2] = ["gated", "downloads"];

/// A repo in a listing. Other keys say more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    sha: Option<String>,
    last_modified: Option<String>,
    private: Option<bool>,
    gated: Option<Gated>,
    likes: Option<u64>,
    downloads: Option<u64>,
    used_storage: Option<u64>,
    disabled: Option<bool>,
}

impl Entry {
    fn told(self, kind: RepoKind, id: RepoId) -> OwnedRepo {
        let visibility = |private| match private {
            true => Visibility::Private,
            false => Visibility::Public,
        };
        let gate = match &self.gated {
            Some(gated) if gated.is_closed() => Gate::Gated(gated.mode()),
            None if kind != RepoKind::Space => Gate::Untold,
            _ => Gate::Open,
        };
        let head = self.sha.and_then(|sha| sha.parse().ok());
        OwnedRepo {
            id,
            visibility: self.private.map(visibility),
            gate,
            last_modified: self.last_modified.as_deref().and_then(seconds_of),
            head: head.filter(Revision::is_commit),
            likes: self.likes,
            downloads: self.downloads,
            is_disabled: self.disabled == Some(true),
            used_storage: self.used_storage,
        }
    }
}

/// Every repo of this repo's kind and owner that the token may see.
pub(super) async fn list(repo: &HuggingFaceRepo) -> Result<OwnerRepos> {
    match pages(repo, first_page(repo, Detail::Expanded)?).await {
        // A mirror may refuse properties that it does not know.
        Err(error) if error.kind() == Kind::Invalid => {
            pages(repo, first_page(repo, Detail::Usual)?).await
        }
        listed => listed,
    }
}

/// How much is asked of each repo.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Expanded,
    Usual,
}

fn first_page(repo: &HuggingFaceRepo, detail: Detail) -> Result<Url> {
    let author = escaped(repo.at.id.owner());
    let of_files = OF_FILES.iter().filter(|_| repo.at.kind != RepoKind::Space);
    let names = OF_ALL.iter().chain(of_files);
    let expand: String = names
        .filter(|_| detail == Detail::Expanded)
        .map(|name| format!("&expand={name}"))
        .collect();
    address(&format!(
        "{}/api/{}?author={author}{expand}",
        repo.base,
        repo.kinds()
    ))
}

async fn pages(repo: &HuggingFaceRepo, first: Url) -> Result<OwnerRepos> {
    let (mut owned, mut visited) = (OwnerRepos::default(), HashSet::new());
    let mut next = Some(first);
    while let Some(url) = next {
        if !visited.insert(url.clone()) || visited.len() > MOST_PAGES {
            return Err(Error::new(
                Kind::Refused,
                "the listing's pages go round in a circle, or never end",
            ));
        }
        next = add_page(repo, &url, &mut owned).await?;
    }
    Ok(owned.whole())
}

/// Adds the repos of one page, and returns the address of the next.
async fn add_page(
    repo: &HuggingFaceRepo,
    url: &Url,
    owned: &mut OwnerRepos,
) -> Result<Option<Url>> {
    let page = repo
        .ask::<Vec<Entry>>(LONGEST_PAGE, || Request::get(url.clone()))
        .await?;
    let next = next_page(&page, &repo.http)?;
    for mut entry in page.value {
        let id = std::mem::take(&mut entry.id);
        owned.add(&id, repo.at.id.owner(), |id| entry.told(repo.at.kind, id));
    }
    Ok(next)
}

/// The repos of the first page.
pub(super) async fn first(repo: &HuggingFaceRepo) -> Result<OwnerRepos> {
    let mut owned = OwnerRepos::default();
    let url = first_page(repo, Detail::Usual)?;
    add_page(repo, &url, &mut owned).await?;
    Ok(owned.whole())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{COMMIT, TOKEN, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};

    fn entries(ids: &[&str]) -> Value {
        ids.iter()
            .map(|id| json!({"id": id, "private": false, "tags": ["x"]}))
            .collect()
    }

    const EXPANDED: &str = "&expand=sha&expand=lastModified&expand=private&expand=likes&expand=usedStorage&expand=disabled&expand=gated&expand=downloads";

    #[tokio::test]
    async fn a_listing_tells_the_head_and_more_of_each_repo() {
        let told = json!([
            {"id": "org/a", "sha": COMMIT, "lastModified": "2026-11-20T09:40:00.000Z", "private": true, "gated": "auto", "likes": 3,
             "downloads": 70, "usedStorage": 9, "disabled": true},
            {"id": "org/b", "sha": null, "gated": false, "disabled": false},
        ]);
        let server = Server::scripted([Reply::json(&told)]).await;
        let owned = list(&repo(&server)).await.unwrap().repos;
        let first = OwnedRepo {
            id: "org/a".parse().unwrap(),
            visibility: Some(Visibility::Private),
            gate: Gate::Gated(crate::GateMode::Auto),
            last_modified: Some(1_795_167_600),
            head: Some(COMMIT.parse().unwrap()),
            likes: Some(3),
            downloads: Some(70),
            is_disabled: true,
            used_storage: Some(9),
        };
        let second = OwnedRepo {
            gate: Gate::Open,
            ..OwnedRepo::named("org/b".parse().unwrap())
        };
        assert_eq!(owned, [first, second]);
    }

    #[tokio::test]
    async fn a_mirror_that_refuses_properties_is_asked_without_them() {
        let refusal = Reply::new(400, &[], "{\"error\":\"Invalid option: expected one of\"}");
        let server = Server::scripted([refusal, Reply::json(&entries(&["org/a"]))]).await;
        let owned = list(&repo(&server)).await.unwrap();
        assert_eq!(owned.repos.len(), 1);
        assert_eq!(server.lines()[1], "GET /api/datasets?author=org");
    }

    #[tokio::test]
    async fn pages_are_followed_and_each_repo_is_named_once() {
        let first = Reply::new(
            200,
            &[("Link", "</api/datasets?cursor=2>; rel=\"next\"")],
            entries(&["org/b", "Org/a"]).to_string(),
        );
        let server = Server::scripted([first, Reply::json(&entries(&["org/c", "org/b"]))]).await;
        let owned = list(&repo(&server)).await.unwrap();
        assert_eq!(
            owned
                .repos
                .iter()
                .map(|owned| owned.id.as_str())
                .collect::<Vec<_>>(),
            ["Org/a", "org/b", "org/c"]
        );
        assert_eq!(
            server.lines(),
            [
                format!("GET /api/datasets?author=org{EXPANDED}"),
                "GET /api/datasets?cursor=2".to_owned()
            ]
        );
        assert_eq!(
            server.seen()[1].header("authorization"),
            Some(format!("Bearer {TOKEN}").as_str())
        );
    }

    #[tokio::test]
    async fn what_is_no_repo_or_someone_elses_is_left_out_and_said() {
        let server = Server::scripted([Reply::json(&entries(&[
            "org/a",
            "gpt2",
            "org/../x\u{1b}",
            "other/a",
        ]))])
        .await;
        let owned = list(&repo(&server)).await.unwrap();
        assert_eq!((owned.repos.len(), owned.refused.len()), (1, 3));
        assert!(
            owned.refused[1].path.contains("\\u{1b}")
                && owned.refused[2].reason == "it is not org's"
        );
    }

    #[tokio::test]
    async fn pages_that_go_round_or_elsewhere_stop() {
        let other = Server::scripted([]).await;
        for link in [
            format!("</api/datasets?author=org{EXPANDED}>; rel=\"next\""),
            format!("<{}x>; rel=\"next\"", other.url()),
        ] {
            let server =
                Server::answering(move |_| Reply::new(200, &[("Link", link.as_str())], "[]")).await;
            assert_eq!(
                list(&repo(&server)).await.unwrap_err().kind(),
                Kind::Refused
            );
            assert_eq!(server.seen().len(), 1);
        }
        assert!(other.seen().is_empty());
    }
}
