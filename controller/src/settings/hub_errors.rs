//! A hub's error as a line for the user: what happened, what to do, and which variable or page helps.

use hf2ms_hub::{Error, Hub, Kind, RepoAt};
use hf2ms_worker::protocol::Exit;

use crate::settings::remedies::remedy;
use crate::settings::{Access, Settings, named};
use crate::ui::errors::CliError;

/// The access to a repo for which its hub returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// Reading the source.
    Read,
    /// Reading or writing the destination.
    Write,
}

/// How the user makes a run wait longer for a hub that limits requests.
pub const WAIT_LONGER: &str = "set HF2MS_LONGEST_WAIT=4000 (seconds) to have an hour waited for";

/// The page where a hub gives tokens.
pub fn token_page(hub: Hub, endpoint: &str) -> String {
    match hub.profile().token_page {
        Some(page) => format!("{endpoint}{page}"),
        None => "its host".to_owned(),
    }
}

/// The error for a token that is needed and not set.
pub fn token_missing(hub: Hub, access: &Access) -> CliError {
    let profile = hub.profile();
    let then = match access.token_name == profile.variables.token_name() {
        true => format!(", then hf2ms login {}", profile.prefix),
        false => String::new(),
    };
    CliError::refused(format!(
        "{} is not set: get one at {}{then}",
        access.token_name,
        token_page(hub, &access.endpoint)
    ))
    .for_all()
}

/// The error of a command for a hub's error about the repo at `at`, with the variable or page that helps.
pub fn hub_error(error: &Error, at: &RepoAt, settings: &Settings, mode: AccessMode) -> CliError {
    let access = match mode {
        AccessMode::Read => settings.access(at.hub),
        AccessMode::Write => settings.access_to(at.hub),
    };
    explain(error, at, access, mode)
}

/// The error of a command for a hub's error: `access` says which token and endpoint were used.
pub fn explain(error: &Error, at: &RepoAt, access: &Access, mode: AccessMode) -> CliError {
    let failure = CliError::new(Exit::of(error.kind()), line(error, at, access, mode));
    if matches!(error.kind(), Kind::Unauthorized | Kind::Unreachable) {
        failure.for_all()
    } else {
        failure
    }
}

fn line(error: &Error, at: &RepoAt, access: &Access, mode: AccessMode) -> String {
    refusal(error, at, access, mode).unwrap_or_else(|| failure(error, at, access))
}

/// The line for a hub that refuses the account, or does not show the repo to it.
fn refusal(error: &Error, at: &RepoAt, access: &Access, mode: AccessMode) -> Option<String> {
    let (hub, id, kind, token, has_token) = (
        at.hub,
        &at.id,
        at.kind,
        &named(access.token_name),
        access.token.is_some(),
    );
    Some(match error.kind() {
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
        Kind::Gated if mode == AccessMode::Write => {
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
            "{hub} has disabled {kind} {id}: nothing of it can be read, and only its support can help ({})",
            error.message()
        ),
        Kind::Denied if mode == AccessMode::Write => {
            format!(
                "{token} may not write to {id} on {hub}: give it write permission, or use --dest with an owner of yours ({error})"
            )
        }
        Kind::Denied if !has_token => format!(
            "{hub} does not give {kind} {id} to everyone: set {token} of an account that may read it ({error})"
        ),
        Kind::Denied => format!(
            "{token} may not read {kind} {id} on {hub}: use the token of an account that may ({error})"
        ),
        _ => return None,
    })
}

/// The line for a hub that fails, is full or locked, or limits requests.
fn failure(error: &Error, at: &RepoAt, access: &Access) -> String {
    let (hub, id) = (at.hub, &at.id);
    match error.kind() {
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
        Kind::Locked => format!(
            "{hub} has locked its API for this account: read by --use-git, or free storage on its pages ({error})"
        ),
        kind => format!("{hub}: {error}; {}", remedy(kind)),
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
    use crate::settings::remedies::every_kind;
    use crate::ui::errors::says_what_to_do;

    fn at(hub: &str) -> RepoAt {
        let json = serde_json::json!({"hub": hub, "endpoint": "https://h", "kind": "model", "id": "org/name", "revision": "main"});
        serde_json::from_value(json).unwrap()
    }

    fn settings(has_token: bool) -> Settings {
        let of_both = |name: &str| match name {
            "HF_ENDPOINT" | "MODELSCOPE_ENDPOINT" => Some("https://h".to_owned()),
            "HF_TOKEN" | "MODELSCOPE_TOKEN" => has_token.then(|| "t-1234567".to_owned()),
            _ => None,
        };
        Settings::read(&of_both).unwrap()
    }

    fn said(kind: Kind, hub: &str, has_token: bool, mode: AccessMode) -> (Exit, String) {
        let failure = explain(
            &Error::new(kind, "no"),
            &at(hub),
            settings(has_token).access(at(hub).hub),
            mode,
        );
        (failure.exit(), failure.to_string())
    }

    #[test]
    fn a_missing_token_is_named_with_the_page_that_gives_one() {
        let said = said(Kind::Unauthorized, "modelscope", false, AccessMode::Write);
        assert_eq!(
            said,
            (
                Exit::Refused,
                "MODELSCOPE_TOKEN is not set: get one at https://h/my/myaccesstoken, then hf2ms login ms".to_owned()
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
            let (exit, line) = said(kind, "modelscope", true, AccessMode::Write);
            assert!(
                exit == Exit::Incomplete && line.contains(words) && line.ends_with("(no)"),
                "{line}"
            );
        }
    }

    #[test]
    fn no_kind_of_error_is_without_a_remedy() {
        let modes = [AccessMode::Read, AccessMode::Write];
        for kind in every_kind() {
            for hub in Hub::with_api() {
                for (has_token, mode) in [true, false]
                    .into_iter()
                    .flat_map(|has| modes.map(|mode| (has, mode)))
                {
                    let (_, line) = said(kind, hub.profile().id, has_token, mode);
                    assert!(
                        says_what_to_do(&line) && line.lines().count() == 1,
                        "{hub} {kind:?}: {line}"
                    );
                    assert!(
                        line.contains(&hub.to_string())
                            || line.contains("org/name")
                            || line.contains(settings(has_token).access(hub).token_name),
                        "{hub} {kind:?} names neither hub, repo nor token: {line}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        for (kind, hub, mode, words) in [
            (
                Kind::Unauthorized,
                "huggingface",
                AccessMode::Read,
                "refuses HF_TOKEN",
            ),
            (
                Kind::NotFound,
                "huggingface",
                AccessMode::Read,
                "model org/name was not found",
            ),
            (
                Kind::Gated,
                "huggingface",
                AccessMode::Read,
                "ask for access at https://h/org/name",
            ),
            (Kind::Denied, "modelscope", AccessMode::Write, "use --dest"),
            (
                Kind::Gated,
                "modelscope",
                AccessMode::Write,
                "is another's, private or gated: use --dest",
            ),
            (
                Kind::Disabled,
                "huggingface",
                AccessMode::Read,
                "has disabled",
            ),
            (
                Kind::Full,
                "huggingface",
                AccessMode::Write,
                "leave files out (--exclude)",
            ),
        ] {
            let (exit, line) = said(kind, hub, true, mode);
            assert_eq!(exit, Exit::Refused, "{line}");
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    }
}
