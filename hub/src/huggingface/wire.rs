//! The JSON of Hugging Face's API, as far as it is read here. Facts: huggingface_hub 2.4.0, `hf_api.py`,
//! `lfs.py`. Unknown fields are ignored.

use serde::{Deserialize, Serialize};

use crate::{GateMode, RepoId, RepoKind};

/// `GET /api/whoami-v2`. The client hands it on as it came; the keys below `orgs` and `accessToken` are those of answers that
/// other projects recorded and of `_oauth.py`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WhoAmI {
    pub(super) name: String,
    pub(super) is_pro: Option<bool>,
    pub(super) orgs: Option<Vec<Organisation>>,
    pub(super) auth: Option<Auth>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organisation {
    pub(super) name: String,
    pub(super) role_in_org: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Auth {
    pub(super) access_token: Option<AccessToken>,
}

/// `role` is `read`, `write` or `fineGrained`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessToken {
    pub(super) role: Option<String>,
    pub(super) fine_grained: Option<FineGrained>,
}

/// The permissions of a fine-grained token.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FineGrained {
    pub(super) can_read_gated_repos: Option<bool>,
    pub(super) global: Option<Vec<String>>,
    pub(super) scoped: Option<Vec<Scoped>>,
}

/// Permissions such as `repo.write` on an entity.
#[derive(Debug, Deserialize)]
pub(super) struct Scoped {
    pub(super) entity: Option<Entity>,
    pub(super) permissions: Option<Vec<String>>,
}

/// `type` is `user`, `org`, `model`, `dataset`, `space`, or what holds no repo by its name.
#[derive(Debug, Deserialize)]
pub(super) struct Entity {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
}

/// `GET /api/T/{id}/revision/{rev}`.
#[derive(Debug, Deserialize)]
pub(super) struct RepoAnswer {
    pub(super) id: Option<String>,
    pub(super) sha: Option<String>,
    pub(super) private: Option<bool>,
    pub(super) visibility: Option<String>,
    pub(super) gated: Option<Gated>,
    pub(super) disabled: Option<bool>,
    pub(super) siblings: Option<Count>,
}

/// How many entries a list has, of which nothing else is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(list: D) -> Result<Self, D::Error> {
        let entries: Vec<serde::de::IgnoredAny> = Deserialize::deserialize(list)?;
        Ok(Self(entries.len() as u64))
    }
}

/// `false`, or how access is granted: `"auto"` or `"manual"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Gated {
    Switch(bool),
    How(String),
}

impl Gated {
    /// Whether there is a gate at all.
    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Switch(closed) => *closed,
            Self::How(how) => !how.is_empty(),
        }
    }

    /// How access is granted.
    pub(super) fn mode(&self) -> GateMode {
        match self {
            Self::How(how) if how == "auto" => GateMode::Auto,
            _ => GateMode::Manual,
        }
    }
}

/// One entry of `GET /api/T/{id}/tree/{rev}`, or of the answer of `paths-info`. `xet_hash` names an LFS file in Xet's storage.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) path: String,
    pub(super) size: Option<i64>,
    pub(super) oid: Option<String>,
    pub(super) lfs: Option<Lfs>,
    #[serde(rename = "xetHash")]
    pub(super) xet_hash: Option<String>,
    /// With `expand=true` alone.
    #[serde(rename = "lastCommit")]
    pub(super) last_commit: Option<LastCommit>,
}

/// The last commit that changed a path (`hf_api.py`, `LastCommitInfo`).
#[derive(Debug, Deserialize)]
pub(super) struct LastCommit {
    pub(super) date: Option<String>,
}

/// What is posted to `/api/T/{id}/paths-info/{rev}`.
#[derive(Debug, Serialize)]
pub(super) struct Paths<'a> {
    pub(super) paths: &'a [&'a str],
}

/// What is posted to `/api/T/{id}/lfs-files/duplicate` of the source.
#[derive(Debug, Serialize)]
pub(super) struct Duplication<'a> {
    pub(super) target: DuplicationTarget<'a>,
    pub(super) files: Vec<DuplicatedFile<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct DuplicationTarget<'a> {
    #[serde(rename = "type")]
    pub(super) kind: RepoKind,
    pub(super) name: &'a RepoId,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DuplicatedFile<'a> {
    pub(super) xet_hash: String,
    pub(super) sha256: String,
    pub(super) filename: &'a str,
}

/// Its answer: what it names was not copied. The official client takes an answer without the list for success.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DuplicationAnswer {
    pub(super) failed: Option<Vec<NotDuplicated>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NotDuplicated {
    pub(super) sha256: String,
    pub(super) error: Option<String>,
}

/// `oid` is the SHA-256, `size` the content's (not the pointer's).
#[derive(Debug, Deserialize)]
pub(super) struct Lfs {
    #[serde(alias = "sha256")]
    pub(super) oid: String,
    pub(super) size: i64,
}

/// `GET /api/T/{id}/refs`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refs {
    pub(super) branches: Vec<RefsEntry>,
    #[serde(default)]
    pub(super) tags: Vec<RefsEntry>,
    #[serde(default)]
    pub(super) converts: Vec<RefsEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefsEntry {
    pub(super) name: String,
    pub(super) target_commit: Option<String>,
}

/// What is posted to `preupload`.
#[derive(Debug, Serialize)]
pub(super) struct Candidates<'a> {
    pub(super) files: Vec<Candidate<'a>>,
}

/// `sample` is how the file begins, in base64.
#[derive(Debug, Serialize)]
pub(super) struct Candidate<'a> {
    pub(super) path: &'a str,
    pub(super) size: u64,
    pub(super) sample: String,
}

/// Its answer.
#[derive(Debug, Deserialize)]
pub(super) struct Modes {
    pub(super) files: Vec<Mode>,
}

/// `upload_mode` is `lfs` or `regular`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mode {
    pub(super) path: String,
    pub(super) upload_mode: String,
}

/// One line of a commit.
#[derive(Debug, Serialize)]
#[serde(tag = "key", content = "value", rename_all = "camelCase")]
pub(super) enum Line<'a> {
    #[serde(rename_all = "camelCase")]
    Header {
        summary: &'a str,
        description: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        parent_commit: Option<&'a str>,
    },
    File {
        path: &'a str,
        content: String,
        encoding: &'static str,
    },
    LfsFile {
        path: &'a str,
        algo: &'static str,
        oid: String,
        size: u64,
    },
    DeletedFile {
        path: &'a str,
    },
}

/// A commit's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Committed {
    pub(super) commit_oid: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gated_is_a_switch_or_a_word() {
        let closed = |json: &str| {
            serde_json::from_str::<RepoAnswer>(json)
                .unwrap()
                .gated
                .is_some_and(|gated| gated.is_closed())
        };
        assert!(!closed(r#"{"gated":false}"#) && !closed("{}") && !closed(r#"{"gated":null}"#));
        assert!(
            closed(r#"{"gated":"auto"}"#)
                && closed(r#"{"gated":"manual"}"#)
                && closed(r#"{"gated":true}"#)
        );
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let json = r#"{"type":"file","path":"a","size":3,"oid":"x","unknown":"y","lfs":{"oid":"z","size":3,"pointerSize":9}}"#;
        let entry: Entry = serde_json::from_str(json).unwrap();
        assert_eq!(
            (entry.kind.as_str(), entry.lfs.unwrap().oid.as_str()),
            ("file", "z")
        );
    }
}
