//! What an owner does with a whole repo: it is deleted, moved, made private; and what others have added to it. Facts: huggingface_hub
//! 2.4.0, `hf_api.py` (`delete_repo`, `move_repo`, `update_repo_settings`, `get_repo_discussions`). The number of likes stands in a
//! repo's description (recorded).

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::{address, api_url};
use super::repo::{LONGEST, renamed, seen_by};
use super::wire::RepoAnswer;
use super::{HuggingFaceRepo, quota};
use crate::http::Request;
use crate::repos::RepoAdmin;
use crate::{Community, Error, Kind, RepoAt, RepoId, Result, Visibility};

/// A page of discussions.
const LONGEST_PAGE: u64 = 8 << 20;
/// What a move to the id of another repo is refused with, whatever the status (tests of huggingface_hub).
const EXISTS: &str = "already exists";

/// What answers to an id now.
#[derive(Debug, PartialEq, Eq)]
enum Occupant {
    /// Nothing that the token may see.
    Nobody,
    /// A repo of this id, and who may see it where that is told.
    Repo(Option<Visibility>),
    /// A repo that had this id once.
    Former(RepoId),
}

impl HuggingFaceRepo {
    async fn occupant(&self, id: &RepoId) -> Result<Occupant> {
        let at = RepoAt {
            id: id.clone(),
            ..self.at.clone()
        };
        let url = api_url(&self.base, &at, "")?;
        match self
            .ask::<RepoAnswer>(LONGEST, || Request::get(url.clone()))
            .await
        {
            Ok(told) => Ok(match renamed(id, &told.value) {
                Some(now) => Occupant::Former(now),
                None => Occupant::Repo(seen_by(&told.value)),
            }),
            Err(error) if error.kind() == Kind::NotFound => Ok(Occupant::Nobody),
            Err(error) => Err(error),
        }
    }

    /// Sends a write once, now or not at all. `Ok` with an error where it may have been carried out although the answer says nothing of
    /// it.
    async fn write_once(&self, request: Request) -> Result<Option<Error>> {
        let sent = self.http.send(request.once().without_waiting()).await;
        match sent.map_err(quota::of_action) {
            Ok(_) => Ok(None),
            Err(error) if may_be_done(&error) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    }

    /// Why a write whose answer was lost is not known to be carried out; `found` is what the look for it saw.
    fn not_seen(&self, lost: Error, write: &str, found: Result<Occupant>) -> Error {
        let id = &self.at.id;
        let found = match found {
            Ok(Occupant::Nobody) => format!("no {} {id} is there any more", self.at.kind),
            Ok(Occupant::Repo(_)) => format!("{id} is still there"),
            Ok(Occupant::Former(now)) => format!("{id} is called {now} now"),
            Err(error) => format!("{id} could not be looked for: {error}"),
        };
        lost.about(format!(
            "the answer to the {write} of {id} was lost, and {found}"
        ))
        .with_kind(Kind::Transient)
        .unanswered_if(true)
        .after_retries()
    }

    /// How many discussions or pull requests there are, open and closed: the number that the listing of one type tells.
    async fn count_threads(&self, thread: Thread) -> Result<Option<u64>> {
        let url = self.api(&format!("/discussions?type={}&p=0", thread.word()))?;
        let page = self.ask::<ThreadPage>(LONGEST_PAGE, || Request::get(url.clone()));
        let page = untold_where_refused(page.await.map(|page| page.value))?;
        Ok(page.and_then(|page| page.total(thread)))
    }

    async fn likes(&self) -> Result<Option<u64>> {
        let url = self.api("")?;
        let told = self.ask::<Liked>(LONGEST, || Request::get(url.clone()));
        let told = untold_where_refused(told.await.map(|told| told.value))?;
        Ok(told.and_then(|told| told.likes))
    }
}

/// Whether the server may have carried a request out although it said that it failed, or nothing.
fn may_be_done(error: &Error) -> bool {
    let is_servers = error.status().is_some_and(|status| status >= 500);
    !error.is_unconnected() && (error.kind() == Kind::Transient || is_servers)
}

/// The answer; `None` where the hub tells this token nothing, or has no such route.
fn untold_where_refused<T>(told: Result<T>) -> Result<Option<T>> {
    match told {
        Err(error) if matches!(error.status(), Some(403 | 404 | 405 | 410 | 501)) => Ok(None),
        told => told.map(Some),
    }
}

/// The types by which discussions are listed (`constants.py`, `DISCUSSION_TYPES`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thread {
    Discussion,
    PullRequest,
}

impl Thread {
    fn word(self) -> &'static str {
        match self {
            Self::Discussion => "discussion",
            Self::PullRequest => "pull_request",
        }
    }
}

/// `GET /api/T/{id}/discussions`; `count` is of all pages.
#[derive(Debug, Deserialize)]
struct ThreadPage {
    count: Option<u64>,
    #[serde(default)]
    discussions: Vec<ThreadEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThreadEntry {
    is_pull_request: Option<bool>,
}

impl ThreadPage {
    /// The number of one type; `None` where the server lists the other one, too, or counts less than it lists.
    fn total(&self, thread: Thread) -> Option<u64> {
        let is_other = |entry: &ThreadEntry| {
            entry
                .is_pull_request
                .is_some_and(|is| is != (thread == Thread::PullRequest))
        };
        self.count.filter(|count| {
            *count >= self.discussions.len() as u64 && !self.discussions.iter().any(is_other)
        })
    }
}

/// A repo's description, as far as it is about its readers.
#[derive(Debug, Deserialize)]
struct Liked {
    likes: Option<u64>,
}

#[async_trait]
impl RepoAdmin for HuggingFaceRepo {
    async fn delete(&self) -> Result<()> {
        let id = &self.at.id;
        let repo = json!({"name": id.name(), "organization": id.owner(), "type": self.at.kind});
        let url = address(&format!("{}/api/repos/delete", self.base))?;
        let Some(lost) = self.write_once(Request::delete(url).json(&repo)?).await? else {
            return Ok(());
        };
        match self.occupant(id).await {
            Ok(Occupant::Nobody) => Ok(()),
            found => Err(self.not_seen(lost, "deletion", found)),
        }
    }

    /// The other id is looked at first: a repo that appears there later is the one that was moved.
    async fn rename(&self, to: &RepoId) -> Result<()> {
        if let Occupant::Repo(_) = self.occupant(to).await? {
            let words = format!("the {} {to} {EXISTS} on Hugging Face", self.at.kind);
            return Err(Error::new(Kind::Conflict, words));
        }
        let id = &self.at.id;
        let wanted = json!({"fromRepo": id, "toRepo": to, "type": self.at.kind});
        let url = address(&format!("{}/api/repos/move", self.base))?;
        let sent = self.write_once(Request::post(url).json(&wanted)?).await;
        let Some(lost) = sent.map_err(conflict)? else {
            return Ok(());
        };
        match (self.occupant(id).await, self.occupant(to).await) {
            (Ok(Occupant::Nobody), Ok(Occupant::Repo(_))) => Ok(()),
            (Ok(Occupant::Former(now)), _) if now == *to => Ok(()),
            (found, _) => Err(self.not_seen(lost, "move", found)),
        }
    }

    /// The repo is looked at afterwards, whatever the answer: a server may take the setting and leave the repo as it is.
    async fn make_private(&self) -> Result<()> {
        let settings: Value = json!({"visibility": "private"});
        let request = Request::put(self.api("/settings")?).json(&settings)?;
        let lost = self.write_once(request).await?;
        let id = &self.at.id;
        match (lost, self.occupant(id).await) {
            (_, Ok(Occupant::Repo(Some(Visibility::Private)))) => Ok(()),
            (Some(lost), found) => Err(self.not_seen(lost, "change of visibility", found)),
            (None, Ok(Occupant::Repo(Some(visibility)))) => Err(Error::new(
                Kind::Refused,
                format!("Hugging Face took the setting, and {id} is still {visibility}"),
            )),
            (None, Ok(_)) => Err(Error::new(
                Kind::Refused,
                format!("Hugging Face took the setting, and does not say that {id} is private"),
            )),
            (None, Err(error)) => Err(error.about(format!(
                "Hugging Face took the setting, and {id} could not be looked at"
            ))),
        }
    }

    async fn community(&self) -> Result<Community> {
        let (discussions, pull_requests, likes) = tokio::try_join!(
            self.count_threads(Thread::Discussion),
            self.count_threads(Thread::PullRequest),
            self.likes()
        )?;
        Ok(Community {
            discussions,
            pull_requests,
            likes,
        })
    }
}

/// The id is taken: said by words, at a status that was not recorded.
fn conflict(error: Error) -> Error {
    if error.kind() == Kind::Invalid && error.message().contains(EXISTS) {
        error.with_kind(Kind::Conflict)
    } else {
        error
    }
}

#[cfg(test)]
mod tests;
