//! What a space has beyond its files: secrets, whose values are never told, and variables.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::access;
use crate::accounts::Caller;
use crate::answer::{Answer, json as json_answer};
use crate::call::Call;
use crate::repo::{Repo, State};

/// Which of the two.
#[derive(Clone, Copy)]
pub enum Setting {
    /// Secrets.
    Secret,
    /// Variables.
    Variable,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
}

impl Setting {
    fn of(self, state: &mut State) -> &mut BTreeMap<String, String> {
        match self {
            Self::Secret => &mut state.secrets,
            Self::Variable => &mut state.variables,
        }
    }

    fn told(self, key: &str, value: &str) -> Value {
        match self {
            Self::Secret => json!({"key": key, "updatedAt": "2025-01-01T00:00:00.000Z"}),
            Self::Variable => {
                json!({"key": key, "value": value, "updatedAt": "2025-01-01T00:00:00.000Z"})
            }
        }
    }
}

/// `GET|POST|DELETE /api/spaces/{id}/secrets|variables`, for who may change the space.
pub async fn settings(mut call: Call, caller: Caller, repo: &Repo, setting: Setting) -> Answer {
    access::repo_writer(repo, caller)?;
    if call.method != "GET" {
        let pair: Pair = call
            .json()
            .await
            .map_err(|error| access::bad_request(&error))?;
        let mut state = repo.state();
        match call.method.as_str() {
            "DELETE" => drop(setting.of(&mut state).remove(&pair.key)),
            _ => drop(setting.of(&mut state).insert(pair.key, pair.value)),
        }
    }
    let mut state = repo.state();
    let all = setting
        .of(&mut state)
        .iter()
        .map(|(key, value)| (key.clone(), setting.told(key, value)));
    Ok(json_answer(200, &Value::Object(all.collect())))
}
