//! Which refs change: the source's against the target's. Pure.

use std::collections::{BTreeMap, HashMap};

use hf2ms_hub::Sha256;
use hf2ms_worker::protocol::{RefAt, RefOutcome, RefState, RefUpdate, Scope};

/// What is done about refs that only the target has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// They stay.
    Stay,
    /// They go (`--mirror`).
    Go,
}

impl Others {
    /// As the scope has it: all of the source's refs means none but those.
    pub fn of(scope: Scope) -> Self {
        if scope == Scope::All { Self::Go } else { Self::Stay }
    }
}

/// The refs that are to change, the source's first, then those that go.
pub fn updates(here: &[RefAt], there: &[RefAt], others: Others) -> Vec<RefUpdate> {
    let standing: HashMap<&str, &str> = there.iter().map(|found| (found.name.as_str(), found.oid.as_str())).collect();
    let wanted: HashMap<&str, &str> = here.iter().map(|found| (found.name.as_str(), found.oid.as_str())).collect();
    let changing = here.iter().filter(|found| standing.get(found.name.as_str()) != Some(&found.oid.as_str()));
    let written = changing.map(|found| RefUpdate {
        name: found.name.clone(),
        old: standing.get(found.name.as_str()).map(|oid| (*oid).to_owned()),
        new: Some(found.oid.clone()),
    });
    let gone = there.iter().filter(|found| others == Others::Go && !wanted.contains_key(found.name.as_str()));
    written.chain(gone.map(|found| RefUpdate { name: found.name.clone(), old: Some(found.oid.clone()), new: None })).collect()
}

/// Every ref of both sides and what became of it: what was pushed, and what stood there before.
pub fn outcomes(here: &[RefAt], pushed: Vec<RefOutcome>) -> Vec<RefOutcome> {
    let mut all: BTreeMap<String, RefOutcome> = here
        .iter()
        .map(|found| (found.name.clone(), RefOutcome { name: found.name.clone(), state: RefState::Unchanged, why: None }))
        .collect();
    all.extend(pushed.into_iter().map(|outcome| (outcome.name.clone(), outcome)));
    all.into_values().collect()
}

/// One digest for where all these refs stand, whatever their order.
pub fn stand(refs: &[RefAt]) -> Sha256 {
    let mut lines: Vec<String> = refs.iter().map(|found| format!("{} {}\n", found.oid, found.name)).collect();
    lines.sort();
    Sha256::of(lines.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(pairs: &[(&str, &str)]) -> Vec<RefAt> {
        pairs.iter().map(|(name, oid)| RefAt { name: (*name).to_owned(), oid: (*oid).to_owned() }).collect()
    }

    #[test]
    fn only_what_differs_changes_and_only_a_mirror_deletes() {
        let here = refs(&[("refs/heads/a", "1"), ("refs/heads/b", "2"), ("refs/tags/t", "3")]);
        let there = refs(&[("refs/heads/a", "1"), ("refs/heads/b", "9"), ("refs/heads/x", "8")]);
        let changes = |others| -> Vec<(String, Option<String>, Option<String>)> {
            updates(&here, &there, others).into_iter().map(|update| (update.name, update.old, update.new)).collect()
        };
        let some = |oid: &str| Some(oid.to_owned());
        let written = vec![("refs/heads/b".to_owned(), some("9"), some("2")), ("refs/tags/t".to_owned(), None, some("3"))];
        assert_eq!(changes(Others::Stay), written);
        assert_eq!(changes(Others::Go), [written, vec![("refs/heads/x".to_owned(), some("8"), None)]].concat());
        assert!(updates(&here, &here, Others::Go).is_empty());
    }

    #[test]
    fn where_refs_stand_is_one_digest_whatever_their_order() {
        let (one, other) = (refs(&[("a", "1"), ("b", "2")]), refs(&[("b", "2"), ("a", "1")]));
        assert_eq!(stand(&one), stand(&other));
        assert_ne!(stand(&one), stand(&refs(&[("a", "1")])));
    }

    #[test]
    fn every_ref_is_told_of_once() {
        let pushed = vec![RefOutcome { name: "refs/heads/a".into(), state: RefState::Refused, why: Some("no".into()) }];
        let told = outcomes(&refs(&[("refs/heads/a", "1"), ("refs/heads/b", "2")]), pushed);
        let states: Vec<_> = told.iter().map(|outcome| (outcome.name.as_str(), outcome.state)).collect();
        assert_eq!(states, [("refs/heads/a", RefState::Refused), ("refs/heads/b", RefState::Unchanged)]);
    }
}
