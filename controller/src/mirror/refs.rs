//! The outcome of each ref, and a digest of where all refs stand. Pure.

use std::collections::BTreeMap;

use hf2ms_hub::Sha256;
use hf2ms_worker::protocol::{RefAt, RefOutcome, RefState};

/// The outcome of every ref of the source: those in `pushed`, and all others as unchanged.
pub fn outcomes(source: &[RefAt], pushed: Vec<RefOutcome>) -> Vec<RefOutcome> {
    let mut all: BTreeMap<String, RefOutcome> = source
        .iter()
        .map(|found| {
            (
                found.name.clone(),
                RefOutcome {
                    name: found.name.clone(),
                    state: RefState::Unchanged,
                    why: None,
                },
            )
        })
        .collect();
    all.extend(
        pushed
            .into_iter()
            .map(|outcome| (outcome.name.clone(), outcome)),
    );
    all.into_values().collect()
}

/// A digest of the names and commits of these refs, whatever their order.
pub fn digest(refs: &[RefAt]) -> Sha256 {
    let mut lines: Vec<String> = refs
        .iter()
        .map(|found| format!("{} {}\n", found.oid, found.name))
        .collect();
    lines.sort();
    Sha256::of(lines.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(pairs: &[(&str, &str)]) -> Vec<RefAt> {
        pairs
            .iter()
            .map(|(name, oid)| RefAt {
                name: (*name).to_owned(),
                oid: (*oid).to_owned(),
            })
            .collect()
    }

    #[test]
    fn where_refs_stand_is_one_digest_whatever_their_order() {
        let (one, other) = (
            refs(&[("a", "1"), ("b", "2")]),
            refs(&[("b", "2"), ("a", "1")]),
        );
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&refs(&[("a", "1")])));
    }

    #[test]
    fn every_ref_is_told_of_once() {
        let pushed = vec![RefOutcome {
            name: "refs/heads/a".into(),
            state: RefState::Refused,
            why: Some("no".into()),
        }];
        let told = outcomes(
            &refs(&[("refs/heads/a", "1"), ("refs/heads/b", "2")]),
            pushed,
        );
        let states: Vec<_> = told
            .iter()
            .map(|outcome| (outcome.name.as_str(), outcome.state))
            .collect();
        assert_eq!(
            states,
            [
                ("refs/heads/a", RefState::Refused),
                ("refs/heads/b", RefState::Unchanged)
            ]
        );
    }
}
