//! Branches and tags of verified commits: made, and listed once more.

use hf2ms_hub::{Error, Kind, RefKind, RefStore, Refs, Result, Revision};

use super::targets::RefMapping;
use crate::commit::create_ref;
use crate::protocol::{FailedFile, MadeRef, RefRefusal, Verification};

/// Makes branches and tags, and keeps which.
pub struct RefMaker<'a> {
    references: &'a dyn RefStore,
    made: Vec<MadeRef>,
}

impl<'a> RefMaker<'a> {
    /// A maker of refs at this destination.
    pub fn new(references: &'a dyn RefStore) -> Self {
        Self {
            references,
            made: Vec::new(),
        }
    }

    /// Makes this branch or tag of a verified commit.
    pub async fn make(&mut self, named: &RefMapping, commit: &Revision) {
        let (kind, name) = (named.kind, &named.destination);
        let made = create_ref(self.references, kind, name, commit).await;
        self.made.push(MadeRef {
            kind,
            name: name.clone(),
            commit: commit.clone(),
            refused: made.err().map(|error| refusal(&error, kind, name)),
        });
    }

    /// Lists the refs once more, and returns all that were asked for. One that is absent, or at another commit, is refused.
    pub async fn verified(mut self) -> Vec<MadeRef> {
        let is_made = |made: &MadeRef| made.refused.is_none();
        if self.made.iter().any(is_made) {
            let refs = self.references.refs().await;
            for made in self.made.iter_mut().filter(|made| is_made(made)) {
                made.refused = misplaced(made, &refs).map(RefRefusal::Elsewhere);
            }
        }
        self.made
    }
}

fn refusal(error: &Error, kind: RefKind, name: &Revision) -> RefRefusal {
    match error.kind() {
        Kind::Conflict => RefRefusal::Elsewhere(format!(
            "someone else made the {} {name} meanwhile, and it stands elsewhere: delete it there, or leave it",
            kind.name()
        )),
        kind => RefRefusal::Hub {
            kind,
            error: error.to_string(),
        },
    }
}

/// Why a ref that was made does not stand where it should.
fn misplaced(made: &MadeRef, refs: &Result<Refs>) -> Option<String> {
    let found = refs.as_ref().map(|refs| refs.find(made.kind, &made.name));
    let commit = &made.commit;
    match found {
        Ok(Some(found)) if found == commit => None,
        Ok(Some(found)) => Some(format!(
            "it was made at {commit}, and someone moved it to {found}: look at it there"
        )),
        Ok(None) => Some("it was made, and is not there: run the same command again".to_owned()),
        Err(error) => Some(format!(
            "it was made, and could not be looked at again: {error}; run the same command again"
        )),
    }
}

/// Whether a branch or tag may be made of a revision of which these files failed: all files are equal, but for those that can never be
/// copied. What a hub refused may pass another time, and no later run moves a tag: a tag waits for it. Where files failed and nothing was
/// committed, the commit itself may have failed: then the branch stands where it stood before.
pub fn may_be_made(
    kind: RefKind,
    failed: &[FailedFile],
    commits: u64,
    verification: Option<&Verification>,
) -> bool {
    let is_permanent = |failure: &FailedFile| match failure.kind {
        Kind::NotFound | Kind::Corrupt => true,
        Kind::Invalid | Kind::Policy => kind == RefKind::Branch,
        _ => false,
    };
    let is_written = failed.is_empty() || commits > 0;
    verification.is_some_and(Verification::is_good) && is_written && failed.iter().all(is_permanent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Tags;

    fn commit(digit: char) -> Revision {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn tag(name: &str) -> RefMapping {
        RefMapping {
            kind: RefKind::Tag,
            source: name.parse().unwrap(),
            destination: name.parse().unwrap(),
        }
    }

    fn failed(kind: Kind) -> FailedFile {
        FailedFile::new("a", "no", kind)
    }

    #[tokio::test]
    async fn a_ref_that_stands_elsewhere_is_refused_alone() {
        let tags = Tags::default();
        tags.open([("theirs", commit('b'))]);
        let mut maker = RefMaker::new(&tags);
        for name in ["v1", "theirs"] {
            maker.make(&tag(name), &commit('a')).await;
        }
        let made = maker.verified().await;
        assert_eq!(made[0].refused, None);
        assert!(
            matches!(&made[1].refused, Some(RefRefusal::Elsewhere(why)) if why.contains("someone else made the tag theirs")),
            "{made:?}"
        );
    }

    #[tokio::test]
    async fn a_ref_that_has_gone_after_it_was_made_is_refused() {
        let tags = Tags::default();
        tags.open([]);
        let mut maker = RefMaker::new(&tags);
        maker.make(&tag("v1"), &commit('a')).await;
        tags.open([]);
        let made = maker.verified().await;
        assert!(
            matches!(&made[0].refused, Some(RefRefusal::Elsewhere(why)) if why.contains("is not there")),
            "{made:?}"
        );
    }

    #[test]
    fn a_tag_waits_for_what_may_pass_and_nothing_is_made_of_a_commit_that_failed() {
        let good = Verification::default();
        let may =
            |kind, failed: &[FailedFile], commits| may_be_made(kind, failed, commits, Some(&good));
        assert!(may(RefKind::Tag, &[], 0) && may(RefKind::Tag, &[failed(Kind::NotFound)], 1));
        assert!(may(RefKind::Branch, &[failed(Kind::Policy)], 1));
        assert!(!may(RefKind::Tag, &[failed(Kind::Policy)], 1));
        assert!(!may(RefKind::Branch, &[failed(Kind::NotFound)], 0));
        assert!(!may(RefKind::Branch, &[failed(Kind::Transient)], 1));
        assert!(!may_be_made(RefKind::Branch, &[], 1, None));
    }
}
