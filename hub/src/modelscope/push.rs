//! A push without objects: a branch is made at a commit that the hub has, or taken away. One request to Git's own door
//! (Git's `gitprotocol-pack`, "Reference Update Request and Packfile Transfer"); objects never pass here.

use super::ModelScopeRepo;
use crate::http::Request;
use crate::{Error, Kind, Result, Revision};

/// No commit: what a new branch stood at, and where one goes that is taken away.
const NONE: &str = "0000000000000000000000000000000000000000";
/// A pack of no objects, version 2, and its SHA-1. A push that makes a ref brings one.
const EMPTY_PACK: &[u8] = b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e";
/// The answer has a line a ref, and what a hook of the hub says.
const LONGEST: u64 = 1 << 20;
/// What Git says of a ref that is there already.
const EXISTS: [&str; 2] = ["already exists", "failed to update ref"];

/// What becomes of a branch.
pub(super) enum Change<'a> {
    /// It comes to be, at this commit.
    Made(&'a Revision),
    /// It goes; it stood at this commit.
    Deleted(&'a Revision),
}

impl Change<'_> {
    /// Where the branch stood, and where it is to stand.
    fn commits(&self) -> (&str, &str) {
        match self {
            Self::Made(at) => (NONE, at.as_str()),
            Self::Deleted(at) => (at.as_str(), NONE),
        }
    }

    fn body(&self, branch: &Revision) -> Vec<u8> {
        let (old, new) = self.commits();
        let command = format!("{old} {new} refs/heads/{branch}\0report-status agent=hf2ms");
        let mut body = format!("{:04x}{command}0000", command.len() + 4).into_bytes();
        if let Self::Made(_) = self {
            body.extend_from_slice(EMPTY_PACK);
        }
        body
    }
}

/// Makes or deletes a branch. Sent once: whoever asked looks whether it came to be.
///
/// # Errors
/// [`Kind::Conflict`] for a branch that exists; [`Kind::Denied`] where Git's door is closed to the token; what the hub complains of.
pub(super) async fn push(
    repo: &ModelScopeRepo,
    branch: &Revision,
    change: &Change<'_>,
) -> Result<()> {
    let request = Request::post(repo.git_url(&["git-receive-pack"]))
        .body(
            "application/x-git-receive-pack-request",
            change.body(branch),
        )
        .accept("application/x-git-receive-pack-result");
    let answer = repo.http.send(repo.to_git(request)).await.map_err(closed)?;
    check_report(
        &String::from_utf8_lossy(&answer.bytes(LONGEST).await?),
        branch,
    )
}

/// What Git's door says of the password, which may be another than the API's token, says nothing about the token.
fn closed(error: Error) -> Error {
    match error.status() {
        Some(401 | 403 | 404 | 405 | 421) => error
            .with_kind(Kind::Denied)
            .about("ModelScope makes branches by Git only, and its Git refuses"),
        _ => error,
    }
}

/// Reads `report-status`: `unpack ok`, then `ok REF` or `ng REF WHY`.
fn check_report(report: &str, branch: &Revision) -> Result<()> {
    let name = format!("refs/heads/{branch}");
    let word = |text: &str| report.contains(&format!("{text} {name}"));
    if word("ng") {
        let why = report
            .split(&format!("ng {name} "))
            .nth(1)
            .and_then(|rest| rest.lines().next())
            .unwrap_or("it says not why");
        let why: String = crate::path::escape(why).chars().take(300).collect();
        let kind = if EXISTS.iter().any(|words| why.contains(words)) {
            Kind::Conflict
        } else {
            Kind::Invalid
        };
        return Err(Error::new(
            kind,
            format!("Git refuses the branch {branch}: {why}"),
        ));
    }
    if report.contains("unpack ok") && word("ok") {
        return Ok(());
    }
    Err(Error::new(
        Kind::Refused,
        format!("Git does not say that the branch {branch} was written"),
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::super::api::tests::repo;
    use super::*;
    use crate::RepoKind;
    use crate::http::testing::{Reply, Server};

    fn name(text: &str) -> Revision {
        text.parse().unwrap()
    }

    fn git(folder: &Path, args: &[&str], input: &[u8]) -> String {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-C"])
            .arg(folder)
            .args(args);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn git_itself_takes_the_request_and_says_what_is_read_here() {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "-q"], b"");
        git(
            folder.path(),
            &["commit", "-q", "--allow-empty", "-m", "x"],
            b"",
        );
        let commit = name(git(folder.path(), &["rev-parse", "HEAD"], b"").trim());
        let branch = name("feat/x");
        let sent = |change: &Change<'_>| {
            check_report(
                &git(
                    folder.path(),
                    &["receive-pack", "--stateless-rpc", "."],
                    &change.body(&branch),
                ),
                &branch,
            )
        };
        let found = || {
            git(
                folder.path(),
                &[
                    "for-each-ref",
                    "--format=%(objectname)",
                    "refs/heads/feat/x",
                ],
                b"",
            )
        };
        sent(&Change::Made(&commit)).unwrap();
        assert_eq!(found().trim(), commit.as_str());
        assert_eq!(
            sent(&Change::Made(&commit)).unwrap_err().kind(),
            Kind::Conflict
        );
        sent(&Change::Deleted(&commit)).unwrap();
        assert_eq!(found(), "");
    }

    #[tokio::test]
    async fn the_password_goes_to_gits_door_and_a_closed_one_says_nothing_of_the_token() {
        let server = Server::scripted([
            Reply::new(401, &[], ""),
            Reply::new(200, &[], "000eunpack ok\n0012ok refs/heads/x\n0000"),
        ])
        .await;
        let (repo, at) = (repo(&server, RepoKind::Space), name(&"a".repeat(40)));
        let error = push(&repo, &name("x"), &Change::Made(&at))
            .await
            .unwrap_err();
        assert!(
            error.kind() == Kind::Denied && error.message().contains("by Git only"),
            "{error}"
        );
        push(&repo, &name("x"), &Change::Made(&at)).await.unwrap();
        let seen = &server.seen()[1];
        assert_eq!(seen.line(), "POST /studios/org/name.git/git-receive-pack");
        assert!(
            seen.header("authorization").unwrap().starts_with("Basic ")
                && seen.header("cookie").is_none()
        );
        assert!(
            seen.header("user-agent").unwrap().starts_with("git/"),
            "its edge lets no other in"
        );
    }

    #[test]
    fn what_a_hook_says_is_told_and_silence_is_no_success() {
        let branch = name("x");
        let error = check_report(
            "000eunpack ok\n0000ng refs/heads/x pre-receive hook declined\n",
            &branch,
        )
        .unwrap_err();
        assert!(
            error.kind() == Kind::Invalid && error.message().ends_with("pre-receive hook declined"),
            "{error}"
        );
        for silent in [
            "",
            "<html>",
            "unpack ok",
            "unpack ok\nok refs/heads/other\n",
            "unpack failed\nok refs/heads/x",
        ] {
            assert_eq!(
                check_report(silent, &branch).unwrap_err().kind(),
                Kind::Refused,
                "{silent}"
            );
        }
    }
}
