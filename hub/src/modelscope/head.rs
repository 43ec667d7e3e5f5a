//! Where the branch stands, in one request whatever the repo's size: Git's advertisement of refs. No other
//! route tells the commit.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::Repo;
use super::pin::is_commit;
use crate::http::Request;
use crate::{Result, Revision};

/// Refs of a repo with many thousands of branches.
const LONGEST: u64 = 8 << 20;

impl Repo {
    /// The commit of the branch; `None` where Git's door is closed to the token or tells something else.
    ///
    /// # Errors
    /// None today: whoever asks can always list instead.
    pub(super) async fn branch_head(&self) -> Result<Option<Revision>> {
        Ok(self.advertised().await.ok().and_then(|refs| head_of(&refs, self.at.revision.as_str())))
    }

    /// The commit of the branch, tag or commit that was asked for, where Git's door is open and shows it.
    pub(super) async fn advertised_commit(&self) -> Option<Revision> {
        let refs = self.advertised().await.ok()?;
        let asked = self.at.revision.as_str();
        commit_of(&refs, &format!("refs/heads/{asked}"))
            .or_else(|| commit_of(&refs, &format!("refs/tags/{asked}^{{}}")))
            .or_else(|| commit_of(&refs, &format!("refs/tags/{asked}")))
    }

    /// The address is the official client's for cloning (modelscope-hub 0.5.1, `_repository.py`), the
    /// user name its fixed one. Sent as a signed request: what Git's door says of the password, which may be another than
    /// the API's token, says nothing about the token.
    async fn advertised(&self) -> Result<String> {
        let name = format!("{}.git", self.at.id.name());
        let mut url = self.url(&[self.segment(), self.at.id.owner(), &name, "info", "refs"]);
        url.set_query(Some("service=git-upload-pack"));
        let mut request = Request::get(url).signed().once();
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, basic(token.expose()));
        }
        let body = self.http.send(request).await?.bytes(LONGEST).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

fn basic(token: &str) -> HeaderValue {
    let pair = BASE64_STANDARD.encode(format!("oauth2:{token}"));
    let mut value = HeaderValue::try_from(format!("Basic {pair}")).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The commit in the line of this branch.
fn head_of(refs: &str, branch: &str) -> Option<Revision> {
    commit_of(refs, &format!("refs/heads/{branch}"))
}

/// The commit in the line of this ref: `{length}{commit} {ref}`. An annotated tag's own line names the tag, and the one with `^{}`
/// its commit.
fn commit_of(refs: &str, name: &str) -> Option<Revision> {
    let name = format!(" {name}");
    let line = refs.lines().find_map(|line| line.split('\0').next()?.strip_suffix(&name))?;
    let commit = line.get(line.len().checked_sub(40)?..)?;
    is_commit(commit).then(|| commit.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "8f434346648f6b96df89dda901c5176b10a6d839";

    #[test]
    fn the_commit_of_the_branch_is_found_among_the_refs() {
        let other = "1".repeat(40);
        let refs = format!(
            "001e# service=git-upload-pack\n0000004e{other} HEAD\0symref=HEAD:refs/heads/main agent=x\n003d{other} refs/heads/main\n003f{COMMIT} refs/heads/master\n0045{other} refs/heads/not/master\n0000"
        );
        assert_eq!(head_of(&refs, "master").unwrap().as_str(), COMMIT);
        assert_eq!(head_of(&refs, "not/master").unwrap().as_str(), other);
        assert_eq!(head_of(&refs, "absent"), None);
    }

    #[test]
    fn the_first_line_may_be_the_branch_itself() {
        let refs = format!("001e# service=git-upload-pack\n000000b0{COMMIT} refs/heads/master\0report-status agent=x\n0000");
        assert_eq!(head_of(&refs, "master").unwrap().as_str(), COMMIT);
    }

    #[test]
    fn anything_else_is_no_answer() {
        for odd in ["", "<html>", "004e1234 refs/heads/master\n", " refs/heads/master"] {
            assert_eq!(head_of(odd, "master"), None, "{odd:?}");
        }
    }
}
