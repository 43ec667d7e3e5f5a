//! What a person does about each kind of error, and whether the same command may help.

use hf2ms_hub::Kind;

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
            "the token may not do this: give it the permission, or use --dest with an owner of yours"
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
}
