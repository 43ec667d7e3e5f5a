//! What an owner has: pages of repos of one kind. Facts: huggingface_hub 2.4.0, `hf_api.py` (`list_models`, `list_datasets`),
//! `utils/_pagination.py`.

use std::collections::HashSet;

use serde::Deserialize;

use super::HuggingFaceRepo;
use super::api::{address, escaped};
use super::tree::next_page;
use crate::http::Request;
use crate::path::escape;
use crate::{Error, Kind, OwnerRepos, Refused, Result};

/// A page has a thousand repos at most, each with its tags.
const LONGEST_PAGE: u64 = 64 << 20;
const MOST_PAGES: usize = 1_000;

/// A repo in a listing. Other keys say more.
#[derive(Deserialize)]
struct Entry {
    id: String,
}

/// Every repo of this repo's kind and owner that the token may see.
pub(super) async fn list(repo: &HuggingFaceRepo) -> Result<OwnerRepos> {
    let author = escaped(repo.at.id.owner());
    let (mut owned, mut visited) = (OwnerRepos::default(), HashSet::new());
    let mut next = Some(address(&format!(
        "{}/api/{}?author={author}",
        repo.base,
        repo.kinds()
    ))?);
    while let Some(url) = next {
        if !visited.insert(url.clone()) || visited.len() > MOST_PAGES {
            return Err(Error::new(
                Kind::Refused,
                "the listing's pages go round in a circle, or never end",
            ));
        }
        let page = repo
            .ask::<Vec<Entry>>(LONGEST_PAGE, || Request::get(url.clone()))
            .await?;
        next = next_page(&page, &repo.http)?;
        page.value
            .into_iter()
            .for_each(|entry| check_entry(entry, repo.at.id.owner(), &mut owned));
    }
    owned.repos.sort();
    owned.repos.dedup();
    Ok(owned)
}

/// A repo that is whose it should be; anything else is not copied, and said.
fn check_entry(entry: Entry, owner: &str, owned: &mut OwnerRepos) {
    match entry.id.parse::<crate::RepoId>() {
        Ok(id) if id.owner().eq_ignore_ascii_case(owner) => owned.repos.push(id),
        Ok(_) => owned
            .refused
            .push(refused(&entry.id, format!("it is not {owner}'s"))),
        Err(error) => owned.refused.push(refused(&entry.id, error.to_string())),
    }
}

fn refused(id: &str, reason: String) -> Refused {
    Refused {
        path: escape(id).chars().take(200).collect(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{TOKEN, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};

    fn entries(ids: &[&str]) -> Value {
        ids.iter()
            .map(|id| json!({"id": id, "private": false, "tags": ["x"]}))
            .collect()
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
                .map(crate::RepoId::as_str)
                .collect::<Vec<_>>(),
            ["Org/a", "org/b", "org/c"]
        );
        assert_eq!(
            server.lines(),
            ["GET /api/datasets?author=org", "GET /api/datasets?cursor=2"]
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
            "</api/datasets?author=org>; rel=\"next\"".to_owned(),
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
