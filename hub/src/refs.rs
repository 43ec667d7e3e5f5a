//! Branches and tags: their names, their commits, and which of them can be taken.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::file::Refused;
use crate::path::escape;
use crate::repo::Revision;

/// The most branches and tags of one repo.
const MOST: usize = 10_000;

/// A branch or a tag, and the commit that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref {
    /// Its name, without `refs/heads/` or `refs/tags/`.
    pub name: Revision,
    /// The commit, also of an annotated tag. The ref's own name where the commit is not known ([`Refs::named`]).
    pub commit: Revision,
}

/// The branches and tags of a repo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refs {
    /// Its branches, by name.
    pub branches: Vec<Ref>,
    /// Its tags, by name.
    pub tags: Vec<Ref>,
    /// Refs that can't be copied, and why.
    pub refused: Vec<Refused>,
    /// Branches and tags whose commit the hub does not tell.
    pub by_name: Vec<(RefKind, Revision)>,
    /// Refs that are neither: a hub's own conversions.
    pub others: usize,
    /// The objects of annotated tags, which hold a message and who made it. Only Git tells them.
    pub tag_objects: Vec<Ref>,
}

/// The kind of a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefKind {
    /// A branch: commits are added to it.
    Branch,
    /// A tag: it names one commit.
    Tag,
}

impl RefKind {
    /// `branch` or `tag`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Tag => "tag",
        }
    }
}

impl Refs {
    /// Adds a ref. One with an unlawful name, or without a commit, is added to those that are refused.
    ///
    /// # Errors
    /// [`Kind::Refused`] when the repo has more than 10,000 branches and tags.
    pub(crate) fn add(&mut self, kind: RefKind, name: &str, commit: Option<&str>) -> Result<()> {
        if self.branches.len() + self.tags.len() + self.refused.len() >= MOST {
            return Err(Error::new(
                Kind::Refused,
                format!("the repo has more than {MOST} branches and tags"),
            ));
        }
        match judged(name, commit) {
            Ok(found) if kind == RefKind::Branch => self.branches.push(found),
            Ok(found) => self.tags.push(found),
            Err(reason) => {
                let name: String = escape(name).chars().take(200).collect();
                self.refused.push(Refused {
                    path: format!("{} {name}", kind.name()),
                    reason,
                });
            }
        }
        Ok(())
    }

    /// Adds a ref whose commit the hub does not tell. One with an unlawful name is added to those that are refused.
    ///
    /// # Errors
    /// [`Kind::Refused`] when the repo has more than 10,000 branches and tags.
    pub(crate) fn add_by_name(&mut self, kind: RefKind, name: &str) -> Result<()> {
        match lawful(name) {
            Ok(name) if self.by_name.len() < MOST => self.by_name.push((kind, name)),
            _ => self.add(kind, name, None)?,
        }
        Ok(())
    }

    /// The same refs, where a branch or tag whose commit is not known is read by its name.
    pub fn named(mut self) -> Self {
        for (kind, name) in std::mem::take(&mut self.by_name) {
            let among = if kind == RefKind::Branch {
                &mut self.branches
            } else {
                &mut self.tags
            };
            among.push(Ref {
                commit: name.clone(),
                name,
            });
        }
        self.sorted()
    }

    /// The same refs, sorted by name.
    pub(crate) fn sorted(mut self) -> Self {
        self.branches
            .sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        self.tags
            .sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        self
    }

    /// The commit of the branch or tag with this name.
    pub fn find(&self, kind: RefKind, name: &Revision) -> Option<&Revision> {
        let among = if kind == RefKind::Branch {
            &self.branches
        } else {
            &self.tags
        };
        among
            .iter()
            .find(|found| found.name == *name)
            .map(|found| &found.commit)
    }
}

fn judged(name: &str, commit: Option<&str>) -> std::result::Result<Ref, String> {
    let commit = commit
        .and_then(|commit| commit.parse().ok())
        .filter(Revision::is_commit);
    let commit = commit.ok_or("the hub does not say at which commit it stands")?;
    Ok(Ref {
        name: lawful(name)?,
        commit,
    })
}

fn lawful(name: &str) -> std::result::Result<Revision, String> {
    let name: Option<Revision> = name.parse().ok().filter(|_| is_ref_name(name));
    let name = name.ok_or("its name is none that Git allows")?;
    if name.is_commit() {
        return Err("its name looks like a commit's id".to_owned());
    }
    Ok(name)
}

/// The rules of `git check-ref-format` that [`Revision`] does not have.
fn is_ref_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    name.split('/').all(part)
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("@{")
        && !["@", "HEAD"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn names_that_git_would_not_take_are_refused_alone() {
        let mut refs = Refs::default();
        let odd = [
            "",
            "a b",
            "a..b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "-a",
            "a.",
            "a@{1}",
            "@",
            "HEAD",
            "a~1",
            "a\u{1b}[2J",
            COMMIT,
        ];
        for name in odd.into_iter().chain(["feat/x-1.0_ü", "main"]) {
            refs.add(RefKind::Branch, name, Some(COMMIT)).unwrap();
        }
        refs.add(RefKind::Tag, "v1", None).unwrap();
        assert_eq!(
            refs.branches
                .iter()
                .map(|found| found.name.as_str())
                .collect::<Vec<_>>(),
            ["feat/x-1.0_ü", "main"]
        );
        assert_eq!(refs.refused.len(), odd.len() + 1);
        assert!(
            refs.refused
                .iter()
                .all(|refused| !refused.path.contains('\u{1b}'))
        );
        assert!(
            refs.refused[odd.len()].reason.contains("which commit"),
            "{:?}",
            refs.refused
        );
    }

    #[test]
    fn refs_made_to_explode_are_refused() {
        let mut refs = Refs::default();
        let added: Result<()> = (0..=MOST)
            .try_for_each(|number| refs.add(RefKind::Tag, &format!("v{number}"), Some(COMMIT)));
        assert_eq!(
            (added.unwrap_err().kind(), refs.tags.len()),
            (Kind::Refused, MOST)
        );
    }
}
