//! Where the branch stands, in one request whatever the repo's size: Git's advertisement of refs. No other
//! route tells the commit.

use reqwest::header::AUTHORIZATION;

use super::ModelScopeRepo;
use crate::git::Advertisement;
use crate::http::{Request, user_agent};
use crate::{Result, Revision};

/// Refs of a repo with many thousands of branches.
const LONGEST: u64 = 8 << 20;

impl ModelScopeRepo {
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

    /// A request to Git's door: by an agent that is let in there, and as a signed one, since what the door says of the password,
    /// which may be another than the API's token, says nothing about the token.
    pub(super) fn to_git(&self, request: Request) -> Request {
        let request = request.headers(user_agent::git()).signed().once();
        match &self.token {
            Some(token) => {
                request.header(AUTHORIZATION, token.basic(super::profile::PROFILE.git_user))
            }
            None => request,
        }
    }
}
