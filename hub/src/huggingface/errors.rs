//! How Hugging Face says what is wrong: a code and a message in headers, or a JSON body. Facts:
//! huggingface_hub 2.4.0, `utils/_http.py` (`hf_raise_for_status`).

use std::borrow::Cow;

use serde_json::Value;

use crate::http::{ErrorDecoder, ErrorResponse};
use crate::{Kind, RepoAt};

/// What the API answers on every write and some reads while an account's storage is locked.
const LOCKED: [&str; 2] = ["storage limit reached", "storage patterns tripped"];
const BAD_TOKEN: &str = "Invalid credentials in Authorization header";
const DISABLED: &str = "Access to this resource is disabled";
/// Why a commit is refused with 400, and what that means (recorded at the real hub).
const REFUSED: [(&str, Kind); 3] = [
    ("storage limit reached", Kind::Full),
    ("contains too many files", Kind::Full),
    (
        "LFS pointer pointed to a file that does not exist",
        Kind::BlobMissing,
    ),
];
/// The commit holds binary files outside LFS, which it names.
pub(super) const BINARIES: &str = "contains binary files";
/// What stands before the names of files.
const OFFENDING: &str = "Offending file";

/// The errors of one repo, named in the words people use for it.
pub(super) struct HuggingFaceErrors {
    repo: String,
    revision: String,
    page: String,
    has_token: bool,
}

impl HuggingFaceErrors {
    pub(super) fn of(at: &RepoAt, has_token: bool) -> Self {
        let repo = format!("the {} {}", at.kind, at.id);
        Self {
            repo,
            revision: at.revision.to_string(),
            page: at.web_url(),
            has_token,
        }
    }

    fn of_code(&self, code: &str) -> Option<(Kind, String)> {
        let (repo, revision) = (&self.repo, &self.revision);
        match code {
            "GatedRepo" => Some((
                Kind::Gated,
                format!("{repo} is gated: ask for access at {}", self.page),
            )),
            "RevisionNotFound" => Some((
                Kind::NotFound,
                format!("the revision {revision} of {repo} does not exist on Hugging Face"),
            )),
            "EntryNotFound" => Some((
                Kind::NotFound,
                format!("there is no such file in {repo} at {revision}"),
            )),
            "RepoNotFound" => Some(self.not_found()),
            _ => None,
        }
    }

    /// A private repo and a missing one answer alike.
    fn not_found(&self) -> (Kind, String) {
        let whose = if self.has_token {
            "the token may not see it"
        } else {
            "it is private and no token was given"
        };
        (
            Kind::NotFound,
            format!("{} does not exist on Hugging Face, or {whose}", self.repo),
        )
    }

    fn of_status(&self, answer: &ErrorResponse<'_>, said: &str) -> Option<(Kind, String)> {
        match answer.status.as_u16() {
            401 if !self.has_token => Some(self.not_found()),
            401 => Some((
                Kind::Unauthorized,
                "Hugging Face refuses the token: it is wrong, expired or revoked".to_owned(),
            )),
            404 if said.is_empty() => Some((
                Kind::NotFound,
                format!("Hugging Face has no such page for {}", self.repo),
            )),
            _ if said.is_empty() => None,
            _ => Some((answer.kind(), format!("Hugging Face says: {said}"))),
        }
    }
}

impl ErrorDecoder for HuggingFaceErrors {
    fn public_origins(&self) -> &'static [&'static str] {
        &["https://huggingface.co"]
    }

    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
        let said = message_of(answer);
        let status = answer.status.as_u16();
        if status == 401 && self.has_token && said.contains(BAD_TOKEN) {
            return self.of_status(answer, &said);
        }
        if said.contains(DISABLED) {
            return Some((
                Kind::Disabled,
                format!("{} is disabled by Hugging Face", self.repo),
            ));
        }
        if status == 403 && LOCKED.iter().any(|words| said.contains(words)) {
            return Some((
                Kind::Locked,
                format!("Hugging Face has locked its API for this account: {said}"),
            ));
        }
        if let Some((_, kind)) = REFUSED
            .iter()
            .find(|(words, _)| status == 400 && said.contains(words))
        {
            return Some((*kind, format!("Hugging Face says: {said}")));
        }
        let code = answer
            .header("x-error-code")
            .and_then(|code| self.of_code(&code));
        code.or_else(|| self.of_status(answer, &said))
    }

    fn named_paths(&self, answer: &ErrorResponse<'_>) -> Vec<String> {
        // A header has no lines.
        let said =
            said_in_body(answer).or_else(|| answer.header("x-error-message").map(Cow::into_owned));
        said.filter(|_| answer.status == 400)
            .as_deref()
            .map(offending)
            .unwrap_or_default()
    }
}

/// The paths of a list, one a line or all in one: since a path can hold what divides them, a line counts whole and in its parts.
fn offending(said: &str) -> Vec<String> {
    let Some((_, list)) = said.split_once(OFFENDING) else {
        return Vec::new();
    };
    let entries = list
        .trim_start_matches(['s', ':'])
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "));
    let paths = entries.flat_map(|entry| std::iter::once(entry).chain(entry.split(" - ")));
    paths
        .map(|path| {
            path.split(" (ref: ")
                .next()
                .unwrap_or(path)
                .trim()
                .to_owned()
        })
        .collect()
}

/// `X-Error-Message`, else the body's `error` or `message`, or the first of its `errors`. Servers with the same API say it as
/// `detail` (KohakuHub, olah), as `msg` (CSGHub), or as nothing but a text (MatrixHub).
fn message_of(answer: &ErrorResponse<'_>) -> String {
    let header = answer.header("x-error-message").map(Cow::into_owned);
    let said = header.or_else(|| said_in_body(answer)).unwrap_or_default();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn said_in_body(answer: &ErrorResponse<'_>) -> Option<String> {
    words_of(&serde_json::from_slice(&answer.body).ok()?)
}

fn words_of(said: &Value) -> Option<String> {
    let of = |key: &str| said.get(key).and_then(words_of);
    match said {
        Value::String(words) => Some(words.clone()),
        Value::Array(all) => all.first().and_then(words_of),
        _ => ["error", "message", "errors", "detail", "msg"]
            .into_iter()
            .find_map(of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hub, RepoKind};
    use bytes::Bytes;
    use reqwest::StatusCode;

    fn read(
        has_token: bool,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> Option<(Kind, String)> {
        let at = RepoAt {
            hub: Hub::HuggingFace,
            endpoint: "https://huggingface.co".to_owned(),
            kind: RepoKind::Dataset,
            id: "org/name".parse().unwrap(),
            revision: "v9".parse().unwrap(),
        };
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        HuggingFaceErrors::of(&at, has_token).decode(&ErrorResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: &headers,
            body: Bytes::from(body),
        })
    }

    fn said(
        has_token: bool,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> (Kind, String) {
        read(has_token, status, headers, body).unwrap()
    }

    #[test]
    fn a_401_without_a_token_is_a_repo_that_is_missing_or_private() {
        let (kind, words) = said(
            false,
            401,
            &[
                ("x-error-code", "RepoNotFound"),
                ("x-error-message", "Invalid username or password."),
            ],
            "",
        );
        assert_eq!(kind, Kind::NotFound);
        assert_eq!(
            words,
            "the dataset org/name does not exist on Hugging Face, or it is private and no token was given"
        );
        assert_eq!(said(false, 401, &[], "").0, Kind::NotFound);
    }

    #[test]
    fn a_401_with_a_token_is_a_bad_token() {
        assert_eq!(
            said(true, 401, &[("x-error-message", BAD_TOKEN)], "").0,
            Kind::Unauthorized
        );
        assert_eq!(
            said(
                true,
                401,
                &[
                    ("x-error-code", "RepoNotFound"),
                    ("x-error-message", BAD_TOKEN)
                ],
                ""
            )
            .0,
            Kind::Unauthorized
        );
        assert_eq!(
            said(
                true,
                401,
                &[],
                r#"{"error":"Invalid username or password."}"#
            )
            .0,
            Kind::Unauthorized
        );
    }

    #[test]
    fn a_404_with_a_token_says_that_the_token_may_not_suffice() {
        let (kind, words) = said(true, 404, &[("x-error-code", "RepoNotFound")], "");
        assert_eq!(kind, Kind::NotFound);
        assert!(words.ends_with("or the token may not see it"), "{words}");
    }

    #[test]
    fn revisions_gates_and_locks_are_told_apart() {
        let (kind, words) = said(true, 404, &[("x-error-code", "RevisionNotFound")], "");
        assert_eq!(
            (kind, words.as_str()),
            (
                Kind::NotFound,
                "the revision v9 of the dataset org/name does not exist on Hugging Face"
            )
        );
        let (kind, words) = said(true, 403, &[("x-error-code", "GatedRepo")], "");
        assert!(
            kind == Kind::Gated && words.contains("https://huggingface.co/datasets/org/name"),
            "{words}"
        );
        assert_eq!(
            said(false, 401, &[("x-error-code", "GatedRepo")], "").0,
            Kind::Gated
        );
        assert_eq!(
            said(
                true,
                403,
                &[("x-error-message", "Access to this resource is disabled.")],
                ""
            )
            .0,
            Kind::Disabled
        );
        assert_eq!(
            said(
                true,
                403,
                &[],
                r#"{"error":"Private repository storage limit reached, upgrade"}"#
            )
            .0,
            Kind::Locked
        );
        assert_eq!(
            said(
                true,
                403,
                &[],
                r#"{"error":"Your storage patterns tripped our internal systems!"}"#
            )
            .0,
            Kind::Locked
        );
        assert_eq!(
            said(true, 403, &[], r#"{"error":"You may not"}"#),
            (Kind::Denied, "Hugging Face says: You may not".to_owned())
        );
    }

    #[test]
    fn servers_with_the_same_api_say_it_in_their_own_form() {
        for body in [
            r#"{"detail":{"error":"Storage quota exceeded","message":"m"}}"#,
            r#"{"detail":"Storage quota exceeded"}"#,
            r#"{"detail":[{"msg":"Storage quota exceeded","loc":["body"]}]}"#,
            r#"{"code":"REPO-ERR-1","msg":"Storage quota exceeded"}"#,
            r#""Storage quota exceeded""#,
            r#"{"errors":[{"message":"Storage quota exceeded"}]}"#,
        ] {
            assert_eq!(
                said(true, 413, &[], body).1,
                "Hugging Face says: Storage quota exceeded",
                "{body}"
            );
        }
        assert_eq!(read(true, 413, &[], r#"{"detail":7}"#), None);
    }

    #[test]
    fn why_a_commit_is_refused_is_told_by_its_words() {
        for (words, kind) in [
            (
                "Private storage limit reached for user someone, please upgrade your plan",
                Kind::Full,
            ),
            (
                "Your push was rejected because it contains too many files per directory. Offending directories: /data/",
                Kind::Full,
            ),
            (
                "Your push was rejected because it contains too many files. Your git repo would contain 1000009 files",
                Kind::Full,
            ),
            (
                "Your push was rejected because an LFS pointer pointed to a file that does not exist.",
                Kind::BlobMissing,
            ),
            (
                "Your push was rejected because it contains binary files.",
                Kind::Invalid,
            ),
        ] {
            let body: &'static str = format!(r#"{{"error":"{words}"}}"#).leak();
            assert_eq!(said(true, 400, &[], body).0, kind, "{words}");
        }
        assert_eq!(
            said(
                true,
                412,
                &[],
                r#"{"error":"A commit has happened since. Please refresh and try again."}"#
            )
            .0,
            Kind::Conflict
        );
        assert_eq!(
            said(true, 403, &[], r#"{"error":"no write access"}"#).0,
            Kind::Denied,
            "LFS and creation alike"
        );
    }

    #[test]
    fn offending_files_are_named_however_they_are_listed() {
        assert_eq!(
            offending("no.\nOffending files:\n  - assets/a.ply\n  - b - c.ply"),
            ["assets/a.ply", "assets/a.ply", "b - c.ply", "b", "c.ply"]
        );
        assert!(offending("Offending file: - data.parquet").contains(&"data.parquet".to_owned()));
        let secrets = offending(
            "Offending files: - .env (ref: refs/heads/main, token: '[REDACTED]') - b.py (ref: x)",
        );
        assert!(
            [".env", "b.py"]
                .iter()
                .all(|path| secrets.contains(&(*path).to_owned())),
            "{secrets:?}"
        );
        assert!(offending("too many files. Offending directories: /data/").is_empty());
    }

    #[test]
    fn what_says_nothing_is_left_to_its_status() {
        assert_eq!(read(true, 503, &[], "<html>"), None);
        assert_eq!(
            said(true, 429, &[], r#"{"error":"slow down"}"#).0,
            Kind::RateLimited
        );
    }
}
