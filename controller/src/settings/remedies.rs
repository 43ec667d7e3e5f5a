//! What a person does about each kind of error, and whether the same command may help: the one table of hints. A hint is one of the
//! kind alone ([`remedy`]), or also of the side, the hub and the token ([`remedy_at`]).

use hf2ms_hub::{Kind, RepoAt};

/// The access to a repo for which its hub returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessMode {
    /// Reading the source.
    Read,
    /// Reading the destination.
    ReadDestination,
    /// Asking whose the destination's token is.
    Account,
    /// Writing the destination.
    Write,
    /// Deleting, renaming or hiding the source.
    Remove,
}

/// The circumstances of a hub's error about a repo, by which the hint differs.
#[derive(Debug, Clone, Copy)]
pub struct ErrorContext<'a> {
    /// The repo.
    pub at: &'a RepoAt,
    /// What was done with it.
    pub mode: AccessMode,
    /// The token's name for the user.
    pub token: &'a str,
    /// Whether there is a token.
    pub has_token: bool,
    /// The page where the hub gives and changes tokens.
    pub token_page: &'a str,
    /// The variable with the hub's address.
    pub endpoint_name: &'a str,
}

/// How the user makes a run wait longer for a hub that limits requests.
pub const WAIT_LONGER: &str = "set HF2MS_LONGEST_WAIT=4000 (seconds) to have an hour waited for";

/// What to do about a hub's error about a repo, with the token, page or option that helps.
pub fn remedy_at(kind: Kind, context: &ErrorContext<'_>) -> String {
    let ErrorContext {
        at,
        mode,
        token,
        has_token,
        token_page,
        endpoint_name,
    } = *context;
    match (kind, mode) {
        (Kind::Unauthorized, _) => {
            format!("it is wrong, expired or revoked; get a new one at {token_page}")
        }
        (Kind::NotFound, _) if has_token => {
            format!("check the id, and that the account of {token} may see it")
        }
        (Kind::NotFound, _) => format!("check the id, or set {token} if it is private"),
        (Kind::Gated, AccessMode::Remove) => remedy_of_denial(context),
        (Kind::Gated, AccessMode::Write) => "use --dest with an owner of yours".to_owned(),
        (Kind::Gated, _) if !has_token => format!(
            "set {token} of an account that may read it, or ask for access at {}",
            at.web_url()
        ),
        (Kind::Gated, _) => format!(
            "ask for access at {} with the account of {token}",
            at.web_url()
        ),
        (Kind::Disabled, _) => {
            "nothing of it can be read, and only its support can help".to_owned()
        }
        (Kind::Denied, _) => remedy_of_denial(context),
        (Kind::Full, _) => {
            "make room there or leave files out (--exclude), then run the same command again"
                .to_owned()
        }
        (Kind::RateLimited, _) => {
            format!("run the same command again then, or {WAIT_LONGER}")
        }
        (Kind::Unreachable, _) => format!("check the network and {endpoint_name}"),
        (Kind::Policy, _) => {
            "leave it out with --exclude, or run the same command again".to_owned()
        }
        (Kind::BlobMissing, _) => "run the same command again, or give another --dest".to_owned(),
        (Kind::Conflict, _) => "run the same command again".to_owned(),
        (Kind::Locked, _) => "read by --use-git, or free storage on its pages".to_owned(),
        (kind, _) => remedy(kind).to_owned(),
    }
}

/// What to do where the hub denies what was tried.
fn remedy_of_denial(context: &ErrorContext<'_>) -> String {
    let ErrorContext {
        at,
        token,
        token_page,
        ..
    } = *context;
    match context.mode {
        AccessMode::Write => format!(
            "give it {} at {token_page}, or use --dest with an owner of yours",
            write_permission(at)
        ),
        AccessMode::Remove => format!(
            "use the token of an account that may, or give this one {} at {token_page}",
            write_permission(at)
        ),
        AccessMode::Account => {
            format!("use another token, or give this one the permission at {token_page}")
        }
        AccessMode::Read | AccessMode::ReadDestination if !context.has_token => {
            format!("set {token} of an account that may read it")
        }
        AccessMode::Read | AccessMode::ReadDestination => format!(
            "use the token of an account that may, or give this one the permission at {token_page}"
        ),
    }
}

/// The permission to write, by the hub's name for it.
fn write_permission(at: &RepoAt) -> String {
    match at.hub.profile().permissions {
        Some(names) => format!("write permission ({} for {})", names.write, at.id.owner()),
        None => "write permission".to_owned(),
    }
}

/// A table of hints by the kind of an error: [`remedy`], or [`remedy_of_mirror`].
pub type Remedies = fn(Kind) -> &'static str;

/// What to do about a file, or a run, that failed by an error of this kind.
pub fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => {
            "the hub does not have it: leave it out with --exclude, or ask its owner to upload it again"
        }
        Kind::Unauthorized => {
            "the token is wrong, expired or revoked: set a new one, then run the same command again"
        }
        Kind::Denied => {
            "the token may not do this: give it the permission, or use the token of an account that has it"
        }
        Kind::Gated => "ask for access on the repo's page, then run the same command again",
        Kind::Disabled => "the hub has disabled the repo: only the hub's support can help",
        Kind::Locked => {
            "the hub has locked its API for this account: read by --use-git, or free storage on its pages"
        }
        Kind::Full => "make room at the destination, or leave files out with --exclude",
        Kind::RateLimited => {
            "run the same command again later, or set HF2MS_LONGEST_WAIT=4000 (seconds) to have an hour waited for"
        }
        Kind::Policy => {
            "run the same command again; if the hub still rejects it, leave it out with --exclude"
        }
        Kind::Corrupt => {
            "the content is not what its hub lists: ask its owner to upload it again, or leave it out with --exclude"
        }
        Kind::Unreachable => "check the network and the endpoint, then run the same command again",
        Kind::Refused => {
            "the server's answer can't be followed safely: check the endpoint, or leave it out with --exclude"
        }
        Kind::Invalid => {
            "no try can succeed as it is: rename it at the source, or leave it out with --exclude"
        }
        Kind::Usage => "correct the option or the variable; --help has examples",
        Kind::Conflict => {
            "look at what someone else wrote there; then run the same command again, or give --overwrite"
        }
        Kind::BlobMissing | Kind::Expired | Kind::RangeIgnored | Kind::Transient => {
            "run the same command again"
        }
    }
}

/// The same for a mirror: it goes by addresses of Git repos, and leaves no file out.
pub fn remedy_of_mirror(kind: Kind) -> &'static str {
    match kind {
        Kind::NotFound => {
            "the source does not have it: ask its owner to push it again, or set GIT_LFS_SKIP_SMUDGE=1 and give --allow-missing"
        }
        Kind::Locked => {
            "the host has locked its API for this account: ask its support, or free storage on its pages"
        }
        Kind::Full => "make room at the target, then run the same command again",
        Kind::Policy => "run the same command again; if the host still rejects it, ask its support",
        Kind::Corrupt => {
            "the content is not what its pointer names: ask the source's owner to push it again"
        }
        Kind::Refused => "the server's answer can't be followed safely: check the address",
        Kind::Invalid => "no try can succeed as it is: correct it at the source",
        other => remedy(other),
    }
}

/// Whether the same command may succeed without a change of anything.
pub fn may_pass(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::RateLimited
            | Kind::Policy
            | Kind::Unreachable
            | Kind::Conflict
            | Kind::BlobMissing
            | Kind::Expired
            | Kind::RangeIgnored
            | Kind::Transient
    )
}

/// Every kind of error there is, so that no table of messages lacks one.
#[cfg(test)]
pub(crate) fn every_kind() -> Vec<Kind> {
    let schema = schemars::schema_for!(Kind).to_value();
    let kinds = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let kinds: Vec<Kind> = kinds
        .into_iter()
        .filter_map(|kind| serde_json::from_value(kind["const"].clone()).ok())
        .collect();
    assert!(kinds.len() > 15 && kinds.contains(&Kind::Usage));
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::says_what_to_do;

    #[test]
    fn every_kind_has_a_remedy_and_only_what_may_pass_is_simply_run_again() {
        for kind in every_kind() {
            let advice = remedy(kind);
            assert!(
                says_what_to_do(&format!("x: {advice}")),
                "{kind:?}: {advice}"
            );
            let says_again = advice.starts_with("run the same command again");
            assert!(!says_again || may_pass(kind), "{kind:?}: {advice}");
        }
    }

    #[test]
    fn a_mirror_is_told_of_no_option_that_it_does_not_have() {
        for kind in every_kind() {
            let advice = remedy_of_mirror(kind);
            assert!(
                says_what_to_do(&format!("x: {advice}")),
                "{kind:?}: {advice}"
            );
            for option in ["--exclude", "--use-git", "--dest"] {
                assert!(!advice.contains(option), "{kind:?}: {advice}");
            }
        }
    }
}
