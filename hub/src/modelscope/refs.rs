//! Branches and tags. Git's advertisement tells both with their commits; where that door is closed, `revisions` names them and
//! `commits` tells each one's commit, where the hub has that route. Tags are made by the API. It has no way to make a branch (modelscope-hub 0.5.1 pushes them by
//! Git), so [`push`] says to Git's own door what a push says that brings no objects.

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::ModelScopeRepo;
use super::push::{Change, push};
use super::repo::read_exists;
use crate::http::Request;
use crate::refs::{RefKind, Refs};
use crate::repos::RefStore;
use crate::{Kind, Result, Revision};

/// Revisions whose commit is asked for at a time, where Git's door is closed.
const AT_ONCE: usize = 4;

#[async_trait]
impl RefStore for ModelScopeRepo {
    async fn refs(&self) -> Result<Refs> {
        match self.advertised().await {
            Ok(told) => told.branches_and_tags(),
            Err(_) => self.listed_refs().await,
        }
    }

    async fn make_branch(&self, name: &Revision, at: &Revision) -> Result<()> {
        push(self, name, &Change::Made(at)).await
    }

    /// `POST /api/v1/S/{id}/repo/tag` (`_legacy_api.py`, `create_tag`).
    async fn make_tag(&self, name: &Revision, at: &Revision) -> Result<()> {
        let request =
            Request::post(self.api(&["repo", "tag"])).json(&json!({"TagName": name, "Ref": at}))?;
        self.ask(request).await.map(drop).map_err(read_exists)
    }

    async fn delete_branch(&self, name: &Revision, at: &Revision) -> Result<()> {
        push(self, name, &Change::Deleted(at)).await
    }
}

impl ModelScopeRepo {
    /// `GET /api/v1/S/{id}/revisions` (`_legacy_api.py`, `list_revisions_detail`), and the commit of each.
    async fn listed_refs(&self) -> Result<Refs> {
        let data = self.ask(Request::get(self.api(&["revisions"]))).await?;
        let map = &data["RevisionMap"];
        let named = [
            (RefKind::Branch, names(&map["Branches"])),
            (RefKind::Tag, names(&map["Tags"])),
        ];
        let named = named
            .into_iter()
            .flat_map(|(kind, names)| names.into_iter().map(move |name| (kind, name)));
        let told = stream::iter(named).map(|(kind, name)| async move {
            let commit = self.commit_told(&name).await?;
            let is_there = match &commit {
                Some(_) => Ok(()),
                None => self.is_listed(&name).await,
            };
            match is_there {
                // A name that the hub itself does not find costs only itself.
                Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Invalid) => {
                    Ok((kind, Err(error), name))
                }
                is_there => is_there.map(|()| (kind, Ok(commit), name)),
            }
        });
        let mut told = told.buffered(AT_ONCE);
        let mut refs = Refs::default();
        while let Some((kind, commit, name)) = told.try_next().await? {
            match commit {
                Ok(None) => refs.add_by_name(kind, &name)?,
                commit => refs.add(
                    kind,
                    &name,
                    commit.ok().flatten().as_ref().map(Revision::as_str),
                )?,
            }
        }
        Ok(refs.sorted())
    }
}

fn names(told: &Value) -> Vec<String> {
    let entries = told.as_array().into_iter().flatten();
    entries
        .filter_map(|entry| entry["Revision"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::api::tests::{bad, good, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{Ref, RepoKind};

    fn commit(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn named(of: &[Ref]) -> Vec<(&str, &str)> {
        of.iter()
            .map(|found| (found.name.as_str(), &found.commit.as_str()[..1]))
            .collect()
    }

    fn advertisement(refs: &[(&str, &str)]) -> Reply {
        let lines: String = refs
            .iter()
            .map(|(id, name)| format!("{:04x}{id} {name}\n", 46 + name.len()))
            .collect();
        Reply::new(
            200,
            &[],
            format!("001e# service=git-upload-pack\n0000{lines}0000"),
        )
    }

    #[tokio::test]
    async fn one_request_tells_all_and_an_annotated_tag_names_its_commit() {
        let [a, b, c] = ['a', 'b', 'c'].map(commit);
        let told = [
            (a.as_str(), "HEAD"),
            (&a, "refs/heads/master"),
            (&b, "refs/heads/dev/x"),
            (&c, "refs/tags/v1"),
            (&a, "refs/tags/v1^{}"),
        ];
        let server = Server::scripted([advertisement(&told)]).await;
        let refs = repo(&server, RepoKind::Model).refs().await.unwrap();
        assert_eq!(
            (named(&refs.branches), named(&refs.tags)),
            (vec![("dev/x", "b"), ("master", "a")], vec![("v1", "a")])
        );
    }

    #[tokio::test]
    async fn where_gits_door_is_closed_the_commits_are_asked_for_and_without_any_the_names_stand_for_themselves()
     {
        let map = json!({"RevisionMap": {"Branches": [{"Revision": "master"}], "Tags": [{"Revision": "v 1"}, {"Revision": "v2"}, {"Revision": "v3"}]}});
        let server = Server::answering(move |seen| match seen.line() {
            line if line.contains("info/refs") => Reply::new(421, &[], ""),
            line if line.contains("/revisions") => good(map.clone()),
            line if line.contains("/commits?Ref=master") => {
                good(json!({"Commit": [{"Id": commit('d')}]}))
            }
            line if line.contains("/commits") => bad(404, 10_000_000_404, "page not found"),
            line if line.contains("Revision=v3") => good(json!({"Files": null})),
            _ => good(json!({"Files": []})),
        })
        .await;
        let refs = repo(&server, RepoKind::Model).refs().await.unwrap();
        let named_ones: Vec<_> = refs.by_name.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(
            (named(&refs.branches), named(&refs.tags), named_ones),
            (vec![("master", "d")], vec![], vec!["v2"])
        );
        assert_eq!(
            refs.refused
                .iter()
                .map(|refused| refused.path.as_str())
                .collect::<Vec<_>>(),
            ["tag v 1", "tag v3"]
        );
        let refs = refs.named();
        assert_eq!(
            (named(&refs.tags), refs.by_name.len()),
            (vec![("v2", "v")], 0)
        );
    }

    #[tokio::test]
    async fn a_tag_is_made_by_the_api_and_one_that_exists_is_a_conflict() {
        let exists = bad(400, 10_010_000_001, "Tag v1 already exists");
        let server = Server::scripted([good(json!({})), exists]).await;
        let (repo, v1, at) = (
            repo(&server, RepoKind::Dataset),
            "v1".parse().unwrap(),
            commit('a').parse().unwrap(),
        );
        repo.make_tag(&v1, &at).await.unwrap();
        assert_eq!(
            repo.make_tag(&v1, &at).await.unwrap_err().kind(),
            Kind::Conflict
        );
        let seen = &server.seen()[0];
        assert_eq!(seen.line(), "POST /api/v1/datasets/org/name/repo/tag");
        assert_eq!(seen.json(), json!({"TagName": "v1", "Ref": commit('a')}));
    }
}
