//! Updates of refs: what is written on the wire, and what an answer means for each. Pure.

use std::collections::HashMap;

use hf2ms_hub::git::{Pushed, Rejection};

use crate::protocol::{Force, RefOutcome, RefState, RefUpdate, is_plain};

/// The answers to a push.
pub(super) struct PushResults {
    /// Refs whose answer is final.
    pub(super) outcomes: Vec<RefOutcome>,
    /// Refs that were refused together, maybe for the sake of some of them.
    pub(super) declined: Vec<Refusal>,
}

/// A ref that was refused with others.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) update: RefUpdate,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn outcome(self) -> RefOutcome {
        RefOutcome {
            name: self.update.name,
            state: RefState::Refused,
            why: Some(self.why),
        }
    }
}

/// The updates as refspecs.
pub(super) fn specs(updates: &[RefUpdate], force: Force) -> Vec<String> {
    let plus = if force == Force::Always { "+" } else { "" };
    let spec = |update: &RefUpdate| match &update.new {
        Some(new) => format!("{plus}{new}:{}", update.name),
        None => format!(":{}", update.name),
    };
    updates.iter().map(spec).collect()
}

/// The answer for each of `updates`; a ref without an answer stood there already.
pub(super) fn sort_answers(updates: &[RefUpdate], pushed: Vec<Pushed>) -> PushResults {
    let mut results = PushResults {
        outcomes: Vec::new(),
        declined: Vec::new(),
    };
    let mut rejections: HashMap<String, Rejection> = pushed
        .into_iter()
        .filter_map(|pushed| Some((pushed.name, pushed.refused?)))
        .collect();
    for update in updates {
        let rejection = rejections.remove(&update.name);
        let state = if update.new.is_some() {
            RefState::Pushed
        } else {
            RefState::Deleted
        };
        let refusal = rejection.as_ref().map(|why| Refusal {
            update: update.clone(),
            why: why.to_string(),
        });
        match refusal {
            Some(refusal) if rejection.is_some_and(|why| why.is_of_all()) => {
                results.declined.push(refusal)
            }
            Some(refusal) => results.outcomes.push(refusal.outcome()),
            None => results.outcomes.push(RefOutcome {
                name: update.name.clone(),
                state,
                why: None,
            }),
        }
    }
    results
}

/// Two parts to push apart, if that could help: branches and tags without the rest, then halves of them. The rest is refused
/// together: no host takes some hidden refs and not others.
pub(super) fn halves(declined: &[Refusal]) -> Option<(Vec<RefUpdate>, Vec<RefUpdate>)> {
    let (plain, rest): (Vec<_>, Vec<_>) = declined
        .iter()
        .map(|refusal| refusal.update.clone())
        .partition(|update| is_plain(&update.name));
    match (plain.len(), rest.len()) {
        (0, _) | (1, 0) => None,
        (count, 0) => {
            let (one, other) = plain.split_at(count / 2);
            Some((one.to_vec(), other.to_vec()))
        }
        _ => Some((plain, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(name: &str, new: Option<&str>) -> RefUpdate {
        RefUpdate {
            name: name.to_owned(),
            old: None,
            new: new.map(str::to_owned),
        }
    }

    fn declined(names: &[&str]) -> Vec<Refusal> {
        names
            .iter()
            .map(|name| Refusal {
                update: update(name, Some("1")),
                why: "pre-receive hook declined".to_owned(),
            })
            .collect()
    }

    fn names(updates: &[RefUpdate]) -> Vec<&str> {
        updates.iter().map(|update| update.name.as_str()).collect()
    }

    #[test]
    fn refs_are_forced_only_when_they_may_be() {
        let updates = [
            update("refs/heads/a", Some("1")),
            update("refs/heads/b", None),
        ];
        assert_eq!(
            specs(&updates, Force::Always),
            ["+1:refs/heads/a", ":refs/heads/b"]
        );
        assert_eq!(
            specs(&updates, Force::Never),
            ["1:refs/heads/a", ":refs/heads/b"]
        );
    }

    #[test]
    fn an_own_refusal_is_final_and_a_hooks_is_not() {
        let updates = [
            update("refs/heads/a", Some("1")),
            update("refs/heads/b", None),
            update("refs/pr/1", Some("2")),
            update("refs/heads/c", None),
        ];
        let said = [
            ("refs/heads/a", "pre-receive hook declined"),
            ("refs/heads/b", "deletion of the current branch prohibited"),
        ];
        let rejection = |status: &str| Rejection {
            status: status.to_owned(),
            words: "no".to_owned(),
        };
        let pushed = said
            .iter()
            .map(|(name, status)| Pushed {
                name: (*name).to_owned(),
                refused: Some(rejection(status)),
            })
            .collect();
        let results = sort_answers(&updates, pushed);
        assert_eq!(
            (
                results.declined.len(),
                results.declined[0].update.name.as_str()
            ),
            (1, "refs/heads/a")
        );
        let states: Vec<_> = results
            .outcomes
            .iter()
            .map(|outcome| outcome.state)
            .collect();
        assert_eq!(
            states,
            [RefState::Refused, RefState::Pushed, RefState::Deleted]
        );
    }

    #[test]
    fn what_a_hook_refuses_is_parted_until_the_culprit_is_alone() {
        let (one, other) =
            halves(&declined(&["refs/heads/a", "refs/pr/1", "refs/tags/v"])).unwrap();
        assert_eq!(
            (names(&one), names(&other)),
            (vec!["refs/heads/a", "refs/tags/v"], vec!["refs/pr/1"])
        );
        let (one, other) =
            halves(&declined(&["refs/heads/a", "refs/heads/b", "refs/heads/c"])).unwrap();
        assert_eq!(
            (names(&one), names(&other)),
            (vec!["refs/heads/a"], vec!["refs/heads/b", "refs/heads/c"])
        );
        assert!(
            halves(&declined(&["refs/heads/a"])).is_none()
                && halves(&declined(&["refs/pr/1", "refs/pr/2"])).is_none()
        );
    }
}
