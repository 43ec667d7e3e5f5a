//! Where errors become words: one line that says what happened and what to do, and the exit code. Only this room
//! knows both the error's meaning and the command line.

use std::fmt;

use hf2ms_hub::{Error, Hub, Kind, RepoAt};
use hf2ms_worker::protocol::Exit;

use crate::settings::Access;

/// Why a verb ends early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    line: String,
    reach: Reach,
}

/// What a failure means for the other repos of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    One,
    All,
}

/// What a verb's steps give.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with its exit code and its line.
    pub fn new(exit: Exit, line: impl Into<String>) -> Self {
        Self {
            exit,
            line: line.into(),
            reach: Reach::One,
        }
    }

    /// The same, and no other repo of the command could do better.
    pub fn for_all(self) -> Self {
        Self {
            reach: Reach::All,
            ..self
        }
    }

    /// Whether no other repo could do better: a hub refuses the token, or can't be reached.
    pub fn ends_all(&self) -> bool {
        self.reach == Reach::All
    }

    /// The command line or an input file is wrong.
    pub fn usage(line: impl Into<String>) -> Self {
        Self::new(Exit::Usage, line)
    }

    /// A token, a permission or a name is refused.
    pub fn refused(line: impl Into<String>) -> Self {
        Self::new(Exit::Refused, line)
    }

    /// A signal asked to stop.
    pub fn interrupted() -> Self {
        Self::new(
            Exit::Interrupted,
            "stopped: run the same command again to go on",
        )
    }

    /// A file of this program's own can't be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Incomplete, format!("{}: {error}", path.display()))
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// What was being done with a repo when an error came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Reading the source.
    Reading,
    /// Looking at or writing the destination.
    Writing,
}

/// What makes a run wait for a hub instead of giving up.
pub const WAIT_LONGER: &str = "set HF2MS_LONGEST_WAIT=4000 (seconds) to have an hour waited for";

/// The page where a hub gives tokens.
pub fn token_page(hub: Hub, endpoint: &str) -> String {
    match hub {
        Hub::HuggingFace => format!("{endpoint}/settings/tokens"),
        Hub::ModelScope => format!("{endpoint}/my/myaccesstoken"),
        Hub::Git => "its host".to_owned(),
    }
}

/// The line for a token that is needed and not there.
pub fn token_missing(hub: Hub, access: &Access) -> Failure {
    Failure::refused(format!(
        "{} is not set: get one at {}",
        access.token_name,
        token_page(hub, &access.endpoint)
    ))
    .for_all()
}

/// Puts a hub's error into words, by how that hub was reached.
pub fn explain(error: &Error, at: &RepoAt, access: &Access, doing: Doing) -> Failure {
    let failure = Failure::new(Exit::of(error.kind()), line(error, at, access, doing));
    if matches!(error.kind(), Kind::Unauthorized | Kind::Unreachable) {
        failure.for_all()
    } else {
        failure
    }
}

fn line(error: &Error, at: &RepoAt, access: &Access, doing: Doing) -> String {
    let (hub, id, kind, token, has_token) = (
        at.hub,
        &at.id,
        at.kind,
        access.token_name,
        access.token.is_some(),
    );
    match error.kind() {
        Kind::Unauthorized if !has_token => token_missing(hub, access).to_string(),
        Kind::Unauthorized => {
            format!(
                "{hub} refuses {token}: it is wrong, expired or revoked; get a new one at {}",
                token_page(hub, &at.endpoint)
            )
        }
        Kind::NotFound if has_token => {
            format!(
                "{kind} {id} was not found on {hub}: check the id, and that the account of {token} may see it"
            )
        }
        Kind::NotFound => format!(
            "{kind} {id} was not found on {hub}: check the id, or set {token} if it is private"
        ),
        Kind::Gated if doing == Doing::Writing => {
            format!(
                "{id} on {hub} is another's, private or gated: use --dest with an owner of yours ({error})"
            )
        }
        Kind::Gated if !has_token => {
            format!(
                "{kind} {id} is gated or private: set {token} of an account that may read it, or ask for access at {}",
                at.web_url()
            )
        }
        Kind::Gated => {
            format!(
                "{kind} {id} is gated or private: ask for access at {} with the account of {token} ({error})",
                at.web_url()
            )
        }
        Kind::Disabled => format!(
            "{hub} has disabled {kind} {id}: nothing of it can be read ({})",
            error.message()
        ),
        Kind::Denied if doing == Doing::Writing => {
            format!(
                "{token} may not write to {id} on {hub}: give it write permission, or use --dest with an owner of yours ({error})"
            )
        }
        Kind::Denied => format!("{token} may not read {kind} {id} on {hub}: {error}"),
        Kind::Locked => format!("{hub} has locked its API for this account: {error}"),
        Kind::Full => {
            format!(
                "{hub} takes no more for {id}: make room there or leave files out (--exclude), then run the same command again ({error})"
            )
        }
        Kind::RateLimited => {
            format!(
                "{hub} asks to wait{}: run the same command again then, or {WAIT_LONGER} ({error})",
                wait(error)
            )
        }
        Kind::Unreachable => format!(
            "{hub} can't be reached at {}: check the network and {} ({error})",
            at.endpoint, access.endpoint_name
        ),
        Kind::Transient => format!("{hub} fails: run the same command again ({error})"),
        Kind::Policy => {
            format!(
                "{hub} rejects what was to be written to {id}: leave it out with --exclude, or run the same command again ({error})"
            )
        }
        Kind::BlobMissing => {
            format!(
                "{hub} lost content that it was sent for {id}: run the same command again, or give another --dest ({error})"
            )
        }
        Kind::Conflict => format!(
            "{id} on {hub} was changed by someone else meanwhile: run the same command again ({error})"
        ),
        _ => format!("{hub}: {error}"),
    }
}

fn wait(error: &Error) -> String {
    error
        .retry_after()
        .map(|wait| format!(" {} s", wait.as_secs()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hub: &str) -> RepoAt {
        let json = serde_json::json!({"hub": hub, "endpoint": "https://h", "kind": "model", "id": "org/name", "revision": "main"});
        serde_json::from_value(json).unwrap()
    }

    fn said(kind: Kind, hub: &str, has_token: bool, doing: Doing) -> (Exit, String) {
        let of_both = |name: &str| match name {
            "HF_ENDPOINT" | "MODELSCOPE_ENDPOINT" => Some("https://h".to_owned()),
            "HF_TOKEN" | "MODELSCOPE_TOKEN" => has_token.then(|| "t-1234567".to_owned()),
            _ => None,
        };
        let settings = crate::settings::Settings::read(&of_both).unwrap();
        let failure = explain(
            &Error::new(kind, "no"),
            &at(hub),
            settings.access(at(hub).hub),
            doing,
        );
        (failure.exit(), failure.to_string())
    }

    #[test]
    fn a_missing_token_is_named_with_the_page_that_gives_one() {
        let said = said(Kind::Unauthorized, "modelscope", false, Doing::Writing);
        assert_eq!(
            said,
            (
                Exit::Refused,
                "MODELSCOPE_TOKEN is not set: get one at https://h/my/myaccesstoken".to_owned()
            )
        );
    }

    #[test]
    fn what_may_pass_says_that_the_same_command_goes_on() {
        for (kind, words) in [
            (
                Kind::RateLimited,
                "asks to wait: run the same command again then",
            ),
            (
                Kind::Conflict,
                "changed by someone else meanwhile: run the same command again",
            ),
            (Kind::Policy, "or run the same command again"),
            (
                Kind::BlobMissing,
                "run the same command again, or give another --dest",
            ),
        ] {
            let (exit, line) = said(kind, "modelscope", true, Doing::Writing);
            assert!(
                exit == Exit::Incomplete && line.contains(words) && line.ends_with("(no)"),
                "{line}"
            );
        }
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for (kind, hub, doing, words) in [
            (
                Kind::Unauthorized,
                "huggingface",
                Doing::Reading,
                "refuses HF_TOKEN",
            ),
            (
                Kind::NotFound,
                "huggingface",
                Doing::Reading,
                "model org/name was not found",
            ),
            (
                Kind::Gated,
                "huggingface",
                Doing::Reading,
                "ask for access at https://h/org/name",
            ),
            (Kind::Denied, "modelscope", Doing::Writing, "use --dest"),
            (
                Kind::Gated,
                "modelscope",
                Doing::Writing,
                "is another's, private or gated: use --dest",
            ),
            (
                Kind::Disabled,
                "huggingface",
                Doing::Reading,
                "has disabled",
            ),
            (
                Kind::Full,
                "huggingface",
                Doing::Writing,
                "leave files out (--exclude)",
            ),
        ] {
            let (exit, line) = said(kind, hub, true, doing);
            assert_eq!(exit, Exit::Refused, "{line}");
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    }
}
