//! A hub's error as a line for the user: what happened, then what to do, which is a row of [`super::remedies`].

use hf2ms_hub::{Error, Hub, Kind, RepoAt};
use hf2ms_worker::protocol::Exit;

pub use crate::settings::remedies::{AccessMode, WAIT_LONGER};
use crate::settings::remedies::{ErrorContext, remedy_at};
use crate::settings::{Access, Settings, named};
use crate::ui::errors::{Absent, CliError};

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
        AccessMode::Read | AccessMode::Remove => settings.access(at.hub),
        AccessMode::ReadDestination | AccessMode::Account | AccessMode::Write => {
            settings.access_to(at.hub)
        }
    };
    explain(error, at, access, mode)
}

/// The error of a command for a hub's error: `access` says which token and endpoint were used.
pub fn explain(error: &Error, at: &RepoAt, access: &Access, mode: AccessMode) -> CliError {
    let failure = CliError::new(Exit::of(error.kind()), line(error, at, access, mode));
    match (error.kind(), mode) {
        (Kind::Unauthorized | Kind::Unreachable | Kind::Usage, _) => failure.for_all(),
        (Kind::NotFound, AccessMode::Read) => failure.about_absent(Absent::Repo(at.clone())),
        _ => failure,
    }
}

fn line(error: &Error, at: &RepoAt, access: &Access, mode: AccessMode) -> String {
    let (has_token, kind) = (access.token.is_some(), error.kind());
    if kind == Kind::Unauthorized && !has_token {
        return token_missing(at.hub, access).to_string();
    }
    let token = named(access.token_name);
    let context = ErrorContext {
        at,
        mode,
        token: &token,
        has_token,
        token_page: &token_page(at.hub, &at.endpoint),
        endpoint_name: access.endpoint_name,
    };
    let todo = remedy_at(kind, &context);
    match refusal(error, &context).or_else(|| failure(error, at)) {
        Some(happened) if says_hubs_words(kind, &context) => {
            format!("{happened}: {todo} ({})", hubs_words(error))
        }
        Some(happened) => format!("{happened}: {todo}"),
        None => format!("{}: {error}; {todo}", at.hub),
    }
}

/// Whether the hub's own words help beside ours.
fn says_hubs_words(kind: Kind, context: &ErrorContext<'_>) -> bool {
    match kind {
        Kind::Unauthorized | Kind::NotFound => false,
        Kind::Gated => context.has_token || context.mode == AccessMode::Write,
        _ => true,
    }
}

fn hubs_words(error: &Error) -> String {
    match error.kind() {
        Kind::Disabled => error.message().to_owned(),
        _ => error.to_string(),
    }
}

/// What happened, where a hub refuses the account or does not show the repo to it.
fn refusal(error: &Error, context: &ErrorContext<'_>) -> Option<String> {
    let ErrorContext {
        at,
        mode,
        token,
        has_token,
        ..
    } = context;
    let (hub, id, kind) = (at.hub, &at.id, at.kind);
    Some(match (error.kind(), mode) {
        (Kind::Unauthorized, _) => {
            format!("{hub} refuses {token}")
        }
        (Kind::NotFound, _) => format!("{kind} {id} was not found on {hub}"),
        (Kind::Gated | Kind::Denied, AccessMode::Remove) => {
            format!("{token} may not remove {kind} {id} on {hub}")
        }
        (Kind::Gated, AccessMode::Write) => {
            format!("{id} on {hub} is another's, private or gated")
        }
        (Kind::Gated, _) => format!("{kind} {id} is gated or private"),
        (Kind::Disabled, _) => {
            format!("{hub} has disabled {kind} {id}")
        }
        (Kind::Denied, AccessMode::Write) => format!("{token} may not write to {id} on {hub}"),
        (Kind::Denied, AccessMode::Account) => format!("{hub} does not say whose {token} is"),
        (Kind::Denied, _) if !has_token => {
            format!("{hub} does not give {kind} {id} to everyone")
        }
        (Kind::Denied, _) => format!("{token} may not read {kind} {id} on {hub}"),
        _ => return None,
    })
}

/// What happened, where a hub fails, is full or locked, or limits requests.
fn failure(error: &Error, at: &RepoAt) -> Option<String> {
    let (hub, id) = (at.hub, &at.id);
    Some(match error.kind() {
        Kind::Full => format!("{hub} takes no more for {id}"),
        Kind::RateLimited => format!("{hub} asks to wait{}", wait(error)),
        Kind::Unreachable => format!("{hub} can't be reached at {}", at.endpoint),
        Kind::Transient => format!("{hub} fails"),
        Kind::Policy => format!("{hub} rejects what was to be written to {id}"),
        Kind::BlobMissing => format!("{hub} lost content that it was sent for {id}"),
        Kind::Conflict => format!("{id} on {hub} was changed by someone else meanwhile"),
        Kind::Locked => format!("{hub} has locked its API for this account"),
        _ => return None,
    })
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
        let modes = [
            AccessMode::Read,
            AccessMode::ReadDestination,
            AccessMode::Account,
            AccessMode::Write,
            AccessMode::Remove,
        ];
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

    /// The table for people, in docs/troubleshooting.md; `HF2MS_WRITE_REFERENCE=1` writes it anew.
    #[test]
    fn the_page_has_a_row_for_every_kind_and_side() {
        const BEGIN: &str = "<!-- table of the code -->\n";
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/troubleshooting.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, rest) = page.split_once(BEGIN).unwrap();
        let (_, tail) = rest.split_once(BEGIN).unwrap();
        let written = format!("{head}{BEGIN}{}{BEGIN}{tail}", table());
        if std::env::var_os("HF2MS_WRITE_REFERENCE").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        assert!(
            page == written || std::env::var_os("HF2MS_WRITE_REFERENCE").is_some(),
            "docs/troubleshooting.md is stale; run HF2MS_WRITE_REFERENCE=1 cargo test --workspace --features hf2ms-sandbox/xet --lib -- hub_errors"
        );
    }

    fn table() -> String {
        let mut rows =
            String::from("| kind | reading | writing the destination |\n|---|---|---|\n");
        for kind in every_kind() {
            let name = serde_json::to_value(kind).unwrap();
            let [read, write] = [AccessMode::Read, AccessMode::Write].map(|mode| {
                let (_, line) = said(kind, "huggingface", true, mode);
                let line = line.replace("https://h", "https://huggingface.co");
                let line = line.replace(": no;", ": what it said;");
                line.trim_end_matches(" (no)").to_owned()
            });
            let write = match read == write {
                true => "the same".to_owned(),
                false => write,
            };
            rows += &format!("| `{}` | {read} | {write} |\n", name.as_str().unwrap());
        }
        rows
    }

    #[test]
    fn a_refusal_is_about_what_was_tried() {
        for (kind, hub, mode, words) in [
            (
                Kind::Denied,
                "modelscope",
                AccessMode::ReadDestination,
                "MODELSCOPE_TOKEN may not read model org/name on ModelScope: use the token of an account that may",
            ),
            (
                Kind::Gated,
                "modelscope",
                AccessMode::ReadDestination,
                "model org/name is gated or private: ask for access at",
            ),
            (
                Kind::Denied,
                "modelscope",
                AccessMode::Account,
                "ModelScope does not say whose MODELSCOPE_TOKEN is: use another token, or give this one the permission",
            ),
            (
                Kind::Denied,
                "huggingface",
                AccessMode::Remove,
                "may not remove model org/name on Hugging Face: use the token of an account that may, or give this one write permission",
            ),
        ] {
            let (_, line) = said(kind, hub, true, mode);
            assert!(line.contains(words) && !line.contains("--dest"), "{line}");
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
                Kind::Denied,
                "huggingface",
                AccessMode::Write,
                "give it write permission (repo.write for org) at https://h/settings/tokens",
            ),
            (
                Kind::Denied,
                "huggingface",
                AccessMode::Read,
                "give this one the permission at https://h/settings/tokens",
            ),
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
