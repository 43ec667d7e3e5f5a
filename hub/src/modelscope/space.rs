//! Studios beyond their files. Facts: modelscope-hub 0.5.1, `_openapi.py` (`create_studio`, `get_studio`, `list_studio_secrets`,
//! `list_studio_variables`), `api.py` (`create_repo`).

use async_trait::async_trait;
use serde_json::{Value, json};

use super::ModelScopeRepo;
use super::repo::read_exists;
use crate::http::Request;
use crate::repos::Spaces;
use crate::space::{Sdk, SpaceVariables};
use crate::{Result, Visibility};

impl ModelScopeRepo {
    /// `{endpoint}/openapi/v1/studios/{owner}/{name}/{rest}`
    fn studio(&self, rest: &[&str]) -> reqwest::Url {
        self.url(
            &[
                &[
                    "openapi",
                    "v1",
                    "studios",
                    self.at.id.owner(),
                    self.at.id.name(),
                ],
                rest,
            ]
            .concat(),
        )
    }

    async fn keys_in(&self, what: &str) -> Option<Vec<String>> {
        let data = self.ask(Request::get(self.studio(&[what]))).await.ok()?;
        // The list itself, or below its name (`api.py`, `_unwrap_list`).
        let list = [what, "items", "list"]
            .iter()
            .find_map(|key| data.get(*key))
            .unwrap_or(&data)
            .as_array()?
            .clone();
        Some(
            list.iter()
                .filter_map(|entry| entry["key"].as_str().map(str::to_owned))
                .collect(),
        )
    }
}

/// A studio has no "internal": the narrower word is sent. `private` goes along for servers that know no `visibility`.
fn seen_by(visibility: Visibility) -> (&'static str, bool) {
    match visibility {
        Visibility::Public => ("public", false),
        Visibility::Protected => ("protected", false),
        Visibility::Internal | Visibility::Private => ("private", true),
    }
}

#[async_trait]
impl Spaces for ModelScopeRepo {
    async fn sdk(&self) -> Result<Option<String>> {
        let about = self.ask(Request::get(self.about())).await?;
        Ok(about
            .get("sdk_type")
            .and_then(Value::as_str)
            .map(str::to_owned))
    }

    async fn variables(&self) -> SpaceVariables {
        let (secrets, variables) = tokio::join!(self.keys_in("secrets"), self.keys_in("variables"));
        SpaceVariables { secrets, variables }
    }

    async fn create_space(&self, visibility: Visibility, sdk: Sdk) -> Result<()> {
        let (owner, name) = (self.at.id.owner(), self.at.id.name());
        let (word, private) = seen_by(visibility);
        let wanted = json!({"owner": owner, "repo_name": name, "visibility": word, "private": private, "sdk_type": sdk});
        let request = Request::post(self.url(&["openapi", "v1", "studios"])).json(&wanted)?;
        self.ask(request).await.map(drop).map_err(read_exists)
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::tests::{bad, repo};
    use super::*;
    use crate::http::testing::{Reply, Server};
    use crate::{Kind, RepoKind};

    #[tokio::test]
    async fn a_studio_is_created_as_the_official_client_does() {
        for (visibility, word, private) in [
            (Visibility::Public, "public", false),
            (Visibility::Protected, "protected", false),
            (Visibility::Internal, "private", true),
        ] {
            let server = Server::scripted([Reply::json(
                &json!({"success": true, "data": {"id": "org/name"}}),
            )])
            .await;
            repo(&server, RepoKind::Space)
                .create_space(visibility, Sdk::Gradio)
                .await
                .unwrap();
            assert_eq!(server.lines(), ["POST /openapi/v1/studios"]);
            let expected = json!({"owner": "org", "repo_name": "name", "visibility": word, "private": private, "sdk_type": "gradio"});
            assert_eq!(server.seen()[0].json(), expected);
        }
        let server = Server::scripted([bad(409, 1, "the studio already exists")]).await;
        let error = repo(&server, RepoKind::Space)
            .create_space(Visibility::Public, Sdk::Static)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
    }

    #[tokio::test]
    async fn keys_are_read_in_either_form() {
        let server = Server::answering(|seen| {
            let data = if seen.line().ends_with("/secrets") {
                json!([{"key": "TOKEN"}])
            } else {
                json!({"variables": [{"key": "A", "value": "v"}]})
            };
            Reply::json(&json!({"success": true, "data": data}))
        })
        .await;
        let found = repo(&server, RepoKind::Space).variables().await;
        assert_eq!(
            found,
            SpaceVariables {
                secrets: Some(vec!["TOKEN".to_owned()]),
                variables: Some(vec!["A".to_owned()])
            }
        );
    }
}
