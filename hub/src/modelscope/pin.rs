//! The repo as a source: what it is, and the commit that the asked revision stands at. Git's advertisement tells it
//! ([`super::head`]); where that door is closed, the listing names the commit that it lists.

use serde_json::Value;

use super::Repo;
use super::repos::{gate_of, said_visibility};
use crate::http::Request;
use crate::{Error, Kind, RepoInfo, RepoKind, Result, Revision, Visibility};

impl Repo {
    /// What the hub knows of the repo, its commit with it.
    ///
    /// # Errors
    /// [`Kind::NotFound`] when the repo or the revision is not there; [`Kind::Refused`] when nothing tells the commit.
    pub(super) async fn look_up_pinned(&self) -> Result<RepoInfo> {
        let info = self.ask(Request::get(self.about())).await?;
        // What is not said to be public must not become so.
        let visibility = said_visibility(&info).unwrap_or(Visibility::Private);
        Ok(RepoInfo { commit: Some(self.pinned().await?), visibility, gate: gate_of(&info), renamed: None })
    }

    async fn pinned(&self) -> Result<Revision> {
        if let Some(commit) = self.advertised_commit().await {
            return Ok(commit);
        }
        let listed = self.listed_commit().await?;
        let asked = &self.at.revision;
        // A commit asked for by its id needs no other name.
        listed
            .or_else(|| asked.is_commit().then(|| asked.clone()))
            .ok_or_else(|| Error::new(Kind::Refused, format!("ModelScope does not say at which commit {} of {} is", asked, self.at.id)))
    }

    /// The commit that a listing of the smallest size names (`Data.LatestCommitter.Id`); an error when there is no such revision.
    async fn listed_commit(&self) -> Result<Option<Revision>> {
        self.commit_listed_at(self.at.revision.as_str()).await
    }

    /// The same for another revision.
    pub(super) async fn commit_listed_at(&self, revision: &str) -> Result<Option<Revision>> {
        let route = if self.at.kind == RepoKind::Dataset { "tree" } else { "files" };
        let mut url = self.api(&["repo", route]);
        url.query_pairs_mut()
            .append_pair("Revision", revision)
            .append_pair("Recursive", "False")
            .append_pair("PageNumber", "1")
            .append_pair("PageSize", "1");
        let data = self.ask(Request::get(url)).await?;
        Ok(commit_in(&data))
    }
}

fn commit_in(data: &Value) -> Option<Revision> {
    data.get("LatestCommitter")?.get("Id")?.as_str()?.parse().ok().filter(Revision::is_commit)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::ask::tests::{bad, good, repo};
    use super::*;
    use crate::Source;
    use crate::http::testing::{Reply, Server};

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn refs() -> Reply {
        Reply::new(200, &[], format!("001e# service=git-upload-pack\n0000003f{COMMIT} refs/heads/master\n0000"))
    }

    #[tokio::test]
    async fn the_commit_comes_from_git_or_else_from_the_listing() {
        let server = Server::scripted([good(json!({"Visibility": 5})), refs()]).await;
        let info = Source::describe(&repo(&server, RepoKind::Model)).await.unwrap();
        assert_eq!((info.commit.unwrap().as_str(), info.visibility), (COMMIT, Visibility::Public));
        let listed = good(json!({"Files": [], "LatestCommitter": {"Id": COMMIT}}));
        let server = Server::scripted([good(json!({"Visibility": 1})), Reply::new(401, &[], ""), listed]).await;
        let info = Source::describe(&repo(&server, RepoKind::Model)).await.unwrap();
        assert_eq!((info.commit.unwrap().as_str(), info.visibility), (COMMIT, Visibility::Private));
    }

    #[tokio::test]
    async fn a_source_that_says_nothing_of_who_may_see_it_counts_as_private() {
        let server = Server::scripted([good(json!({})), refs()]).await;
        assert_eq!(Source::describe(&repo(&server, RepoKind::Model)).await.unwrap().visibility, Visibility::Private);
    }

    #[tokio::test]
    async fn an_absent_repo_or_revision_is_not_found_and_an_unnamed_commit_refused() {
        let server = Server::scripted([bad(404, 10_010_205_001, "not found")]).await;
        assert_eq!(Source::describe(&repo(&server, RepoKind::Model)).await.unwrap_err().kind(), Kind::NotFound);
        let closed = || Reply::new(403, &[], "");
        let server = Server::scripted([good(json!({})), closed(), bad(404, 10_010_205_010, "revision not found")]).await;
        assert_eq!(Source::describe(&repo(&server, RepoKind::Model)).await.unwrap_err().kind(), Kind::NotFound);
        let server = Server::scripted([good(json!({})), closed(), good(json!({"Files": []}))]).await;
        assert_eq!(Source::describe(&repo(&server, RepoKind::Model)).await.unwrap_err().kind(), Kind::Refused);
    }
}
