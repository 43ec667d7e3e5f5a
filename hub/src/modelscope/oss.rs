//! Datasets of the old kind keep their data beside their repo, in object storage: `oss/tree` lists it, each entry with an address of its
//! own and without a digest. Facts: modelscope 1.40.2, `hub/api.py` (`list_oss_dataset_objects`); recorded at the real hub.

use std::collections::HashSet;

use reqwest::Url;
use serde_json::Value;

use super::ModelScopeRepo;
use super::wire::Stored;
use crate::http::{Origin, Request};
use crate::path::escape;
use crate::{
    Digest, Error, File, Kind, Listed, Listing, Refused, RepoKind, RepoPath, Result, Sha256,
};

impl ModelScopeRepo {
    /// Adds to a dataset's listing what it keeps beside its repo, read and hashed. What the repo itself has by a name, counts.
    ///
    /// # Errors
    /// What the hub fails with for now.
    pub(super) async fn add_oss_files(&self, listing: &mut Listing) -> Result<()> {
        let listed = listing
            .files
            .iter()
            .map(|listed| listed.file.path.as_str().to_owned());
        let mut seen: HashSet<String> = listed
            .chain(listing.refused.iter().map(|refused| refused.path.clone()))
            .collect();
        let mut unhashed = Vec::new();
        for stored in self.oss_files().await? {
            if !seen.insert(stored.key.clone()) {
                continue;
            }
            match stored.key.parse::<RepoPath>() {
                Ok(path) => {
                    let file = File {
                        path,
                        size: stored.size,
                        digest: Digest::Sha256(Sha256::of(b"")),
                    };
                    unhashed.push(Listed { file, lfs: true });
                }
                Err(bad) => listing.refused.push(Refused {
                    path: escape(&stored.key),
                    reason: bad.to_string(),
                }),
            }
        }
        self.hash_all(unhashed, listing).await;
        Ok(())
    }

    /// Where a file is that a dataset keeps beside its repo; `None` when there is none of this name.
    pub(super) async fn oss_address(&self, file: &File) -> Result<Option<Url>> {
        let Some(stored) = self
            .oss_files()
            .await?
            .into_iter()
            .find(|stored| stored.key == file.path.as_str())
        else {
            return Ok(None);
        };
        let url: Url = stored
            .url
            .parse()
            .map_err(|_| refused("the hub names something that is no address"))?;
        if self.http.origin().is_downgraded_by(&Origin::of(&url)?) {
            return Err(refused("the hub names an address without encryption"));
        }
        Ok(Some(url))
    }

    /// All that is kept beside the repo: nothing where the hub has no such route or does not know the dataset by it.
    ///
    /// # Errors
    /// A refusal of the token, or an answer in an unknown form: the dataset may have data that would be left behind.
    async fn oss_files(&self) -> Result<Vec<Stored>> {
        if self.at.kind != RepoKind::Dataset {
            return Ok(Vec::new());
        }
        let mut url = self.api(&["oss", "tree"]);
        let query = [
            ("MaxLimit", "-1"),
            ("Revision", self.at.revision.as_str()),
            ("Recursive", "True"),
            ("FilterDir", "True"),
        ];
        url.query_pairs_mut().extend_pairs(query);
        match self.ask(Request::get(url)).await {
            Ok(Value::Array(entries)) => entries.into_iter().map(read).collect(),
            Ok(Value::Null) => Ok(Vec::new()),
            Ok(_) => Err(refused(
                "the hub lists data beside the repo in an unknown form",
            )),
            Err(error)
                if matches!(error.kind(), Kind::NotFound | Kind::Invalid | Kind::Refused) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }
}

fn read(entry: Value) -> Result<Stored> {
    serde_json::from_value(entry).map_err(|error| {
        refused(&format!(
            "the hub lists data beside the repo in an unknown form: {error}"
        ))
    })
}

fn refused(message: &str) -> Error {
    Error::new(Kind::Refused, message)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use serde_json::json;

    use super::super::api::tests::{bad, good, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{BlobSource, Repo};

    #[tokio::test]
    async fn what_an_old_dataset_keeps_beside_its_repo_is_listed_hashed_and_read() {
        let storage = Server::answering(|_| Reply::new(200, &[], "data")).await;
        let address = format!("{}/o?auth_key=1", storage.endpoint());
        let hub = Server::answering(move |seen| match seen.line() {
            line if line.contains("/oss/tree") => good(json!([
                {"Key": "d/a.zip", "Size": 4, "Url": address}, {"Key": "../evil", "Size": 4, "Url": address}
            ])),
            line if line.contains("/repo/tree") => good(json!({"Files": [], "TotalCount": 0})),
            _ => bad(200, 10_990_101_007, "no content"),
        })
        .await;
        let repo = repo(&hub, RepoKind::Dataset);
        let listing = Repo::list(&repo).await.unwrap();
        let [listed] = &listing.files[..] else {
            panic!("{listing:?}")
        };
        assert_eq!(
            (
                listed.file.path.as_str(),
                listed.file.digest.sha256(),
                listed.lfs
            ),
            ("d/a.zip", Some(Sha256::of(b"data")), true)
        );
        assert_eq!(listing.refused.len(), 1);
        let first = repo
            .read(&listed.file, 0..4)
            .await
            .unwrap()
            .next()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&first[..], b"data");
        assert!(
            storage
                .seen()
                .iter()
                .all(|seen| seen.header("authorization").is_none()
                    && seen.header("cookie").is_none())
        );
    }

    #[tokio::test]
    async fn other_datasets_have_nothing_beside_their_repo() {
        for told in [
            bad(404, 10_000_000_404, "page not found"),
            bad(200, 1, "no oss"),
            good(Value::Null),
            Reply::new(200, &[], "<html>"),
        ] {
            let hub = Server::answering(move |seen| {
                if seen.line().contains("/oss/") {
                    told.clone()
                } else {
                    good(json!({"Files": []}))
                }
            });
            assert_eq!(
                Repo::list(&repo(&hub.await, RepoKind::Dataset))
                    .await
                    .unwrap(),
                Listing::default()
            );
        }
    }

    #[tokio::test]
    async fn data_that_may_be_there_and_is_not_shown_is_no_empty_dataset() {
        for told in [
            bad(403, 403, "no permission"),
            good(json!({"Files": [{"Key": "a"}]})),
            good(json!([{"Name": "a"}])),
        ] {
            let hub = Server::answering(move |seen| {
                if seen.line().contains("/oss/") {
                    told.clone()
                } else {
                    good(json!({"Files": []}))
                }
            });
            Repo::list(&repo(&hub.await, RepoKind::Dataset))
                .await
                .unwrap_err();
        }
    }
}
