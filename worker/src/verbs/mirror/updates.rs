//! Updates of refs: what is written on the wire, and what an answer means for each. Pure.

use std::collections::HashMap;

use hf2ms_hub::git::{Pushed, Rejection};

use crate::protocol::{CONFLICT, Force, RefOutcome, RefState, RefUpdate, is_plain};

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
    /// The update before anyone has refused it.
    pub(super) fn none_yet(update: RefUpdate) -> Self {
        Self {
            update,
            why: String::new(),
        }
    }

    pub(super) fn outcome(self) -> RefOutcome {
        RefOutcome {
            name: self.update.name,
            state: RefState::Refused,
            why: Some(self.why),
        }
    }
}

/// Why this ref is left alone when it stands at `now` at the destination: someone else has moved it since the scan.
pub(super) fn conflict(update: &RefUpdate, now: Option<&str>) -> Option<String> {
    let has_moved = now != update.old.as_deref() && now != update.new.as_deref();
    has_moved.then(|| {
        format!("{CONFLICT}: it moved at the target after the scan, and is left alone: look at it before another run")
    })
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

/// Two parts to push apart, if that could help: branches and tags without the rest, then halves of them. Refs of one
/// commit stay together as long as there are other commits. The rest is refused together: no host takes some hidden refs and not
/// others.
pub(super) fn halves(declined: &[Refusal]) -> Option<(Vec<Refusal>, Vec<Refusal>)> {
    let (mut plain, rest): (Vec<_>, Vec<_>) = declined
        .iter()
        .cloned()
        .partition(|refusal| is_plain(&refusal.update.name));
    match (plain.len(), rest.len()) {
        (0, _) | (1, 0) => None,
        (_, 0) => {
            // Stable: within a commit, and among commits that one ref has each, the order of the job stays.
            let mut first_with = HashMap::new();
            for (index, refusal) in plain.iter().enumerate() {
                first_with
                    .entry(refusal.update.new.clone())
                    .or_insert(index);
            }
            plain.sort_by_key(|refusal| first_with[&refusal.update.new]);
            let other = plain.split_off(middle(&plain));
            Some((plain, other))
        }
        _ => Some((plain, rest)),
    }
}

/// The boundary between two commits that is the nearest to the middle; the middle itself where all have one commit.
fn middle(sorted: &[Refusal]) -> usize {
    let half = sorted.len() / 2;
    let is_boundary = |index: &usize| sorted[index - 1].update.new != sorted[*index].update.new;
    (1..sorted.len())
        .filter(is_boundary)
        .min_by_key(|index| index.abs_diff(half))
        .unwrap_or(half)
}

/// What pushing apart may cost: pushes, and bytes of packs.
#[derive(Debug)]
pub(super) struct PushBudget {
    pushes: u32,
    bytes: u64,
    /// The first push's, which holds everything.
    whole: u64,
    last: u64,
}

impl PushBudget {
    /// Pushes of one run, the first among them.
    const PUSHES: u32 = 16;
    /// Packs of the first push's size.
    const PACKS: u64 = 4;

    pub(super) fn new() -> Self {
        Self {
            pushes: 0,
            bytes: 0,
            whole: 0,
            last: 0,
        }
    }

    /// Counts a push that sent a pack of this size.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.whole = self.whole.max(bytes);
        (self.pushes, self.bytes, self.last) = (self.pushes + 1, self.bytes + bytes, bytes);
    }

    /// Whether another push fits, if it sends as much as the last: once shared objects are there, pushes are small.
    pub(super) fn has_room(&self) -> bool {
        let bytes = self.bytes.saturating_add(self.last);
        self.pushes < Self::PUSHES && bytes <= self.whole.saturating_mul(Self::PACKS)
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

    fn names(declined: &[Refusal]) -> Vec<&str> {
        declined
            .iter()
            .map(|refusal| refusal.update.name.as_str())
            .collect()
    }

    #[test]
    fn refs_of_one_commit_stay_together() {
        let of = |name: &str, new: &str| Refusal {
            update: update(name, Some(new)),
            why: "no".to_owned(),
        };
        let (one, other) = halves(&[
            of("refs/heads/a", "1"),
            of("refs/heads/b", "2"),
            of("refs/tags/c", "1"),
        ])
        .unwrap();
        assert_eq!(
            (names(&one), names(&other)),
            (vec!["refs/heads/a", "refs/tags/c"], vec!["refs/heads/b"])
        );
        let (one, other) = halves(&[of("refs/heads/a", "1"), of("refs/tags/c", "1")]).unwrap();
        assert_eq!(
            (names(&one), names(&other)),
            (vec!["refs/heads/a"], vec!["refs/tags/c"])
        );
    }

    #[test]
    fn parting_costs_four_packs_or_sixteen_pushes() {
        let pushes = |sizes: &mut dyn Iterator<Item = u64>| {
            let mut budget = PushBudget::new();
            sizes
                .take_while(|bytes| {
                    let fits = budget.has_room();
                    budget.spend(*bytes);
                    fits
                })
                .count()
        };
        assert_eq!(pushes(&mut std::iter::repeat(1000)), 4);
        assert_eq!(pushes(&mut std::iter::repeat(0)), 16);
        // Objects that all share are there after the third push.
        let sizes = [1000, 990, 990].into_iter().chain(std::iter::repeat(1));
        assert_eq!(pushes(&mut sizes.into_iter()), 16);
    }

    #[test]
    fn a_ref_that_someone_moved_is_a_conflict_and_one_that_was_applied_is_none() {
        let moves = RefUpdate {
            old: Some("1".to_owned()),
            ..update("refs/heads/a", Some("2"))
        };
        for (now, is_conflict) in [
            (Some("1"), false),
            (Some("2"), false),
            (Some("3"), true),
            (None, true),
        ] {
            assert_eq!(conflict(&moves, now).is_some(), is_conflict, "{now:?}");
        }
        assert!(conflict(&update("refs/heads/new", Some("2")), Some("3")).is_some());
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
