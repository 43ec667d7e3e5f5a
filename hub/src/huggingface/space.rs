//! Spaces beyond their files. Facts: huggingface_hub 2.4.0, `hf_api.py` (`space_info`, `create_repo`, `get_space_secrets`,
//! `get_space_variables`).

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use super::{HuggingFaceRepo, repo};
use crate::http::Request;
use crate::repos::Spaces;
use crate::space::{Sdk, SpaceVariables};
use crate::{Result, Visibility};

/// Names and values of a Space's variables.
const LONGEST: u64 = 4 << 20;

/// `GET /api/spaces/{id}`, as far as it is about the app.
#[derive(Deserialize)]
struct App {
    sdk: Option<String>,
}

impl HuggingFaceRepo {
    /// The names in a mapping by name. Who may not change the Space may not see them.
    async fn names_in(&self, what: &str) -> Option<Vec<String>> {
        let url = self.api(what).ok()?;
        let told = self
            .ask::<BTreeMap<String, IgnoredAny>>(LONGEST, || Request::get(url.clone()))
            .await
            .ok()?;
        Some(told.value.into_keys().collect())
    }
}

#[async_trait]
impl Spaces for HuggingFaceRepo {
    async fn sdk(&self) -> Result<Option<String>> {
        let url = self.api("")?;
        Ok(self
            .ask::<App>(repo::LONGEST, || Request::get(url.clone()))
            .await?
            .value
            .sdk)
    }

    async fn variables(&self) -> SpaceVariables {
        if self.account.is_none() {
            return SpaceVariables::default();
        }
        let (secrets, variables) =
            tokio::join!(self.names_in("/secrets"), self.names_in("/variables"));
        SpaceVariables { secrets, variables }
    }

    async fn create_space(&self, visibility: Visibility, sdk: Sdk) -> Result<()> {
        let word = match visibility {
            Visibility::Public => "public",
            Visibility::Protected => "protected",
            Visibility::Internal | Visibility::Private => "private",
        };
        let id = &self.at.id;
        let wanted = json!({"name": id.name(), "organization": id.owner(), "type": "space", "visibility": word, "sdk": sdk});
        repo::ask_for(self, &wanted).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{anonymous, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};

    #[tokio::test]
    async fn only_names_are_read_and_what_may_not_be_seen_is_unknown() {
        let server = Server::answering(|seen| match seen.line().contains("/variables") {
            true => Reply::json(
                &json!({"B": {"value": "secret-value"}, "A": {"value": "x", "description": null}}),
            ),
            false => Reply::new(403, &[], ""),
        })
        .await;
        let found = repo(&server).variables().await;
        assert_eq!(
            found,
            SpaceVariables {
                secrets: None,
                variables: Some(vec!["A".to_owned(), "B".to_owned()])
            }
        );
        let server = Server::scripted([]).await;
        assert_eq!(
            anonymous(&server).variables().await,
            SpaceVariables::default(),
            "nobody is asked without a token"
        );
    }

    #[tokio::test]
    async fn a_space_is_created_with_its_sdk_and_what_may_be_seen_of_it() {
        for (visibility, word) in [
            (Visibility::Public, "public"),
            (Visibility::Protected, "protected"),
            (Visibility::Internal, "private"),
        ] {
            let server = Server::scripted([Reply::json(&json!({"url": "x"}))]).await;
            repo(&server)
                .create_space(visibility, Sdk::Docker)
                .await
                .unwrap();
            let seen = &server.seen()[0];
            assert_eq!(seen.line(), "POST /api/repos/create");
            let expected = json!({"name": "name", "organization": "org", "type": "space", "visibility": word, "sdk": "docker"});
            assert_eq!(seen.json(), expected);
        }
    }
}
