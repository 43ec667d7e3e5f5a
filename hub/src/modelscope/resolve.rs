//! What the repo is, and the commit that the asked revision stands at. Git's advertisement of refs tells it in one request whatever the
//! repo's size, or else the route `commits`. Where neither does, there is none: the listing's SHA-256 digests pin what is read by the branch's name.

use reqwest::header::AUTHORIZATION;
use serde_json::Value;

use super::ModelScopeRepo;
use super::repo::{gate_of, said_visibility};
use crate::git::Advertisement;
use crate::http::{Request, user_agent};
use crate::{FileCount, Kind, RepoInfo, RepoKind, Result, Revision, Visibility};

/// Refs of a repo with many thousands of branches.
const LONGEST: u64 = 8 << 20;

impl ModelScopeRepo {
    /// What the hub knows of the repo, with its commit where that is told.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the repo or the revision is not there.
    pub(super) async fn look_up_pinned(&self) -> Result<RepoInfo> {
        let info = self.ask(Request::get(self.about())).await?;
        // What is not said to be public must not become so.
        let visibility = said_visibility(&info).unwrap_or(Visibility::Private);
        Ok(RepoInfo {
            commit: self.pinned().await?,
            visibility,
            gate: gate_of(&info),
            renamed: None,
            files: FileCount::Untold,
        })
    }

    /// The commit of the branch or tag: by Git, or else by the route `commits`; `None` where neither tells it.
    ///
    /// # Errors
    /// What that route fails with for now.
    pub(super) async fn branch_head(&self) -> Result<Option<Revision>> {
        match self.advertised_commit().await {
            None => self.commit_told(self.at.revision.as_str()).await,
            told => Ok(told),
        }
    }

    /// The commit of the branch, tag or commit that was asked for, where Git's door is open and shows it.
    pub(super) async fn advertised_commit(&self) -> Option<Revision> {
        self.advertised()
            .await
            .ok()?
            .commit(self.at.revision.as_str())
            .cloned()
    }

    /// What Git's door says of all refs.
    pub(super) async fn advertised(&self) -> Result<Advertisement> {
        let mut url = self.git_url(&["info", "refs"]);
        url.set_query(Some("service=git-upload-pack"));
        let body = self
            .http
            .send(self.to_git(Request::get(url)))
            .await?
            .bytes(LONGEST)
            .await?;
        Advertisement::parse(&body)
    }

    /// A request to Git's door, by an agent that is let in there. It counts as signed: the door's answer about the password, which
    /// may be another than the API's token, says nothing about the token.
    pub(super) fn to_git(&self, request: Request) -> Request {
        let request = request.headers(user_agent::git()).signed().once();
        match &self.token {
            Some(token) => {
                request.header(AUTHORIZATION, token.basic(super::profile::PROFILE.git_user))
            }
            None => request,
        }
    }

    async fn pinned(&self) -> Result<Option<Revision>> {
        let asked = &self.at.revision;
        if let Some(commit) = self.advertised_commit().await {
            return Ok(Some(commit));
        }
        // A commit asked for by its id needs no other name.
        if !asked.is_commit()
            && let Some(commit) = self.commit_told(asked.as_str()).await?
        {
            return Ok(Some(commit));
        }
        self.is_listed(asked.as_str()).await?;
        Ok(asked.is_commit().then(|| asked.clone()))
    }

    /// Where a branch or tag stands, by `GET /api/v1/S/{id}/commits?Ref=`; `None` where the hub has no such route, or no such ref. A
    /// parameter's name that is misspelt would mean the main branch (recorded at the real hub).
    pub(super) async fn commit_told(&self, name: &str) -> Result<Option<Revision>> {
        let ask = |segment| {
            let mut url = self.api_of(segment, &["commits"]);
            url.query_pairs_mut()
                .append_pair("Ref", name)
                .append_pair("PageNumber", "1")
                .append_pair("PageSize", "1");
            self.ask(Request::get(url))
        };
        match self.by_either_route(ask).await {
            Ok(data) => Ok(newest_in(&data)),
            Err(error)
                if matches!(
                    error.kind(),
                    Kind::NotFound | Kind::Denied | Kind::Invalid | Kind::Refused
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is such a revision, by a listing of the smallest size.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when there is none.
    pub(super) async fn is_listed(&self, revision: &str) -> Result<()> {
        let route = if self.at.kind == RepoKind::Dataset {
            "tree"
        } else {
            "files"
        };
        let query = [
            ("Recursive", "False"),
            ("PageNumber", "1"),
            ("PageSize", "1"),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        self.entries_at(revision, route, &query).await.map(drop)
    }
}

fn newest_in(data: &Value) -> Option<Revision> {
    data.get("Commit")?
        .get(0)?
        .get("Id")?
        .as_str()?
        .parse()
        .ok()
        .filter(Revision::is_commit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::api::tests::{bad, good, repo};
    use super::*;
    use crate::Repo;
    use crate::http::testing::{Reply, Server};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn refs() -> Reply {
        Reply::new(
            200,
            &[],
            format!("001e# service=git-upload-pack\n0000003f{COMMIT} refs/heads/master\n0000"),
        )
    }

    fn told(commit: Value) -> Reply {
        good(json!({"Commit": commit, "TotalCount": 1}))
    }

    async fn found(kind: RepoKind, replies: Vec<Reply>) -> (Result<RepoInfo>, Vec<String>) {
        let server =
            Server::scripted([vec![good(json!({"Visibility": 1}))], replies].concat()).await;
        let info = Repo::describe(&repo(&server, kind)).await;
        (info, server.lines())
    }

    #[tokio::test]
    async fn the_commit_comes_from_git_or_else_from_the_commits_or_else_there_is_none() {
        let shut = || {
            Reply::new(
                421,
                &[],
                r#"{"message":"mirror self-forwarded loop detected"}"#,
            )
        };
        let commit = |info: Result<RepoInfo>| {
            info.unwrap()
                .commit
                .map(|commit| commit.as_str().to_owned())
        };
        assert_eq!(
            commit(found(RepoKind::Model, vec![refs()]).await.0).as_deref(),
            Some(COMMIT)
        );
        let (info, asked) =
            found(RepoKind::Model, vec![shut(), told(json!([{"Id": COMMIT}]))]).await;
        assert_eq!(
            (commit(info).as_deref(), asked.len()),
            (Some(COMMIT), 3),
            "{asked:?}"
        );
        assert_eq!(
            asked[2],
            "GET /api/v1/models/org/name/commits?Ref=master&PageNumber=1&PageSize=1"
        );
        let listed =
            || good(json!({"Files": [], "LatestCommitter": {"Id": "", "ShortId": &COMMIT[..8]}}));
        for reply in [
            told(Value::Null),
            bad(404, 10_000_000_404, "page not found"),
            told(json!([{"Id": ""}])),
        ] {
            assert_eq!(
                commit(
                    found(RepoKind::Dataset, vec![shut(), reply, listed()])
                        .await
                        .0
                ),
                None
            );
        }
    }

    #[tokio::test]
    async fn a_source_that_says_nothing_of_who_may_see_it_counts_as_private() {
        let server = Server::scripted([good(json!({})), refs()]).await;
        assert_eq!(
            Repo::describe(&repo(&server, RepoKind::Model))
                .await
                .unwrap()
                .visibility,
            Visibility::Private
        );
    }

    #[tokio::test]
    async fn an_absent_repo_or_revision_is_not_found() {
        let server = Server::scripted([bad(404, 10_010_205_001, "not found")]).await;
        assert_eq!(
            Repo::describe(&repo(&server, RepoKind::Model))
                .await
                .unwrap_err()
                .kind(),
            Kind::NotFound
        );
        for listed in [
            bad(404, 10_990_101_004, "no tree"),
            good(json!({"Files": null})),
        ] {
            let (info, _) = found(
                RepoKind::Model,
                vec![Reply::new(403, &[], ""), told(Value::Null), listed],
            )
            .await;
            assert_eq!(info.unwrap_err().kind(), Kind::NotFound);
        }
    }

    #[tokio::test]
    async fn a_studio_is_read_by_either_of_its_routes() {
        let absent = || bad(404, 10_000_000_404, "page not found");
        let replies = vec![
            Reply::new(403, &[], ""),
            absent(),
            absent(),
            absent(),
            good(json!({"Files": []})),
        ];
        let (info, asked) = found(RepoKind::Space, replies).await;
        assert_eq!(info.unwrap().commit, None);
        let route = |line: &String| {
            line.split('?')
                .next()
                .unwrap_or_default()
                .rsplit("/api/v1/")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let routes: Vec<_> = asked[2..].iter().map(route).collect();
        let expected = [
            "studio/org/name/commits",
            "studios/org/name/commits",
            "studio/org/name/repo/files",
            "studios/org/name/repo/files",
        ];
        assert_eq!(routes, expected);
    }
}
