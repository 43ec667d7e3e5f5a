//! Where the source's branches and tags go. Pure.
//!
//! The source's default branch goes to the destination's; every other branch and tag keeps its name. A branch that exists is
//! updated. All others are built on temporary branches, one for each commit, and are created from those at the end.

use hf2ms_hub::{Hub, Ref, RefKind, Refs, Refused, Revision};
use serde::{Deserialize, Serialize};

/// The prefix of temporary branches; the source's commit follows.
const TEMPORARY: &str = "hf2ms-copy-";

/// A branch or tag of the source, and its name at the destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefMapping {
    /// Branch or tag.
    pub kind: RefKind,
    /// Its name at the source.
    pub source: Revision,
    /// Its name at the destination.
    pub destination: Revision,
}

/// One commit of the source, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionTarget {
    /// The source's commit.
    pub commit: Revision,
    /// Where its files go.
    pub write_to: WriteTo,
    /// The branches and tags to create when its files are verified.
    pub new_refs: Vec<RefMapping>,
}

/// Where the files of a revision go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteTo {
    /// To a branch that exists, or is created with the repo.
    Branch(RefMapping),
    /// To a temporary branch, which is deleted when its branches and tags have been created.
    TemporaryBranch,
    /// Nowhere: the tag exists, and tags are not moved. Its files are only compared.
    ExistingTag(RefMapping),
}

/// All commits of the source that branches and tags name, and where each goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RevisionTargets {
    /// The commits: the default branch first, tags that are only compared last.
    pub targets: Vec<RevisionTarget>,
    /// The branches and tags that can't be copied, and why.
    pub refused: Vec<Refused>,
    /// The number of temporary branches that an earlier run left at the source.
    pub left_over: usize,
}

/// The default branches of both sides.
pub struct DefaultBranches {
    /// The source's.
    pub source: Revision,
    /// The destination's.
    pub destination: Revision,
}

impl DefaultBranches {
    /// Those of a source and a destination at these hubs.
    pub fn of(source: Hub, destination: Hub) -> Self {
        Self {
            source: Revision::main_of(source),
            destination: Revision::main_of(destination),
        }
    }
}

impl RevisionTarget {
    /// The temporary branch of this commit.
    pub fn temporary_branch(&self) -> Option<Revision> {
        format!("{TEMPORARY}{}", self.commit).parse().ok()
    }

    /// Whether its files are written, and not only compared.
    pub fn moves(&self) -> bool {
        !matches!(self.write_to, WriteTo::ExistingTag(_))
    }

    /// The first of its branches and tags.
    pub fn first(&self) -> Option<&RefMapping> {
        match &self.write_to {
            WriteTo::Branch(named) | WriteTo::ExistingTag(named) => Some(named),
            WriteTo::TemporaryBranch => self.new_refs.first(),
        }
    }

    /// The name for people: `branch dev`, or `tag v1 and 3 more`.
    pub fn name(&self) -> String {
        let more = match self.refs().count() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        self.first().map_or_else(String::new, |named| {
            format!("{} {}{more}", named.kind.name(), named.source)
        })
    }

    /// All of its branches and tags.
    pub fn refs(&self) -> impl Iterator<Item = &RefMapping> {
        let own = match &self.write_to {
            WriteTo::Branch(named) | WriteTo::ExistingTag(named) => Some(named),
            WriteTo::TemporaryBranch => None,
        };
        own.into_iter().chain(&self.new_refs)
    }
}

impl RevisionTargets {
    /// Where the source's refs go, given what the destination has.
    pub fn of(source: &Refs, destination: &Refs, defaults: &DefaultBranches) -> Self {
        let mut wanted = Self {
            refused: source.refused.clone(),
            ..Self::default()
        };
        let mut taken = vec![defaults.destination.clone()];
        let (mut fresh, mut tagged) = (Vec::new(), Vec::new());
        for (kind, found) in in_order(source, defaults) {
            let Some(named) = wanted.name(kind, found, defaults, &mut taken) else {
                continue;
            };
            let is_default = kind == RefKind::Branch && found.name == defaults.source;
            let place = match destination.find(kind, &named.destination) {
                Some(_) if kind == RefKind::Tag => Some(WriteTo::ExistingTag(named.clone())),
                Some(_) => Some(WriteTo::Branch(named.clone())),
                None if is_default => Some(WriteTo::Branch(named.clone())),
                None => None,
            };
            let target = |write_to| RevisionTarget {
                commit: found.commit.clone(),
                write_to,
                new_refs: Vec::new(),
            };
            match place {
                Some(place @ WriteTo::ExistingTag(_)) => tagged.push(target(place)),
                Some(place) => wanted.targets.push(target(place)),
                None => fresh.push((found.commit.clone(), named)),
            }
        }
        fresh
            .into_iter()
            .for_each(|(commit, named)| wanted.add(commit, named));
        wanted.targets.extend(tagged);
        wanted
    }

    /// The temporary branches at the destination that no target uses.
    pub fn left_over_in<'a>(&self, destination: &'a Refs) -> Vec<&'a Revision> {
        let taken: Vec<Revision> = self
            .targets
            .iter()
            .filter_map(RevisionTarget::temporary_branch)
            .collect();
        let apart = destination
            .branches
            .iter()
            .map(|found| &found.name)
            .filter(|name| name.as_str().starts_with(TEMPORARY));
        apart.filter(|name| !taken.contains(name)).collect()
    }

    /// The name of a ref at the destination; `None` for one that is refused or left over.
    fn name(
        &mut self,
        kind: RefKind,
        found: &Ref,
        defaults: &DefaultBranches,
        taken: &mut Vec<Revision>,
    ) -> Option<RefMapping> {
        if kind == RefKind::Branch && found.name.as_str().starts_with(TEMPORARY) {
            self.left_over += 1;
            return None;
        }
        let is_default = kind == RefKind::Branch && found.name == defaults.source;
        let destination = if is_default {
            defaults.destination.clone()
        } else {
            found.name.clone()
        };
        if !is_default && taken.contains(&destination) {
            let why = if destination == defaults.destination && kind == RefKind::Branch {
                format!(
                    "at the destination {destination} is the default branch, to which {} goes",
                    defaults.source
                )
            } else {
                format!("a branch is called {destination}, too: the hubs could not tell them apart")
            };
            self.refused.push(Refused {
                path: format!("{} {}", kind.name(), found.name),
                reason: why,
            });
            return None;
        }
        taken.push(destination.clone());
        Some(RefMapping {
            kind,
            source: found.name.clone(),
            destination,
        })
    }

    /// Adds a ref to create, to the target of the same commit if there is one.
    fn add(&mut self, commit: Revision, named: RefMapping) {
        match self
            .targets
            .iter_mut()
            .find(|target| target.commit == commit)
        {
            Some(target) => target.new_refs.push(named),
            None => self.targets.push(RevisionTarget {
                commit,
                write_to: WriteTo::TemporaryBranch,
                new_refs: vec![named],
            }),
        }
    }
}

/// The default branch, the other branches, the tags.
fn in_order<'a>(
    refs: &'a Refs,
    defaults: &'a DefaultBranches,
) -> impl Iterator<Item = (RefKind, &'a Ref)> {
    let is_default = |found: &&Ref| found.name == defaults.source;
    let default = refs.branches.iter().filter(is_default);
    let branches = refs.branches.iter().filter(move |found| !is_default(found));
    default
        .chain(branches)
        .map(|found| (RefKind::Branch, found))
        .chain(refs.tags.iter().map(|found| (RefKind::Tag, found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(branches: &[(&str, char)], tags: &[(&str, char)]) -> Refs {
        let all = |of: &[(&str, char)]| {
            of.iter()
                .map(|(name, commit)| found(name, *commit))
                .collect()
        };
        Refs {
            branches: all(branches),
            tags: all(tags),
            ..Refs::default()
        }
    }

    fn found(name: &str, commit: char) -> Ref {
        Ref {
            name: name.parse().unwrap(),
            commit: commit.to_string().repeat(40).parse().unwrap(),
        }
    }

    fn wanted(source: &Refs, destination: &Refs) -> RevisionTargets {
        let defaults = DefaultBranches {
            source: "main".parse().unwrap(),
            destination: "master".parse().unwrap(),
        };
        RevisionTargets::of(source, destination, &defaults)
    }

    /// Each target's commit, where it goes, and what is made of it.
    fn told(wanted: &RevisionTargets) -> Vec<String> {
        let name = |named: &RefMapping| format!("{} {}", named.kind.name(), named.destination);
        let place = |target: &RevisionTarget| match &target.write_to {
            WriteTo::Branch(named) => format!("to {}", name(named)),
            WriteTo::TemporaryBranch => "apart".to_owned(),
            WriteTo::ExistingTag(named) => format!("is {}", name(named)),
        };
        let new = |target: &RevisionTarget| {
            target
                .new_refs
                .iter()
                .map(name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        wanted
            .targets
            .iter()
            .map(|target| {
                format!(
                    "{} {}: {}",
                    &target.commit.as_str()[..1],
                    place(target),
                    new(target)
                )
            })
            .collect()
    }

    #[test]
    fn the_default_branch_changes_its_name_and_each_commit_is_built_once() {
        let source = refs(
            &[("dev", 'b'), ("main", 'a'), ("same", 'a'), ("twin", 'b')],
            &[("v0", 'c'), ("v1", 'a'), ("v2", 'c')],
        );
        let expected = [
            "a to branch master: branch same, tag v1",
            "b apart: branch dev, branch twin",
            "c apart: tag v0, tag v2",
        ];
        assert_eq!(told(&wanted(&source, &Refs::default())), expected);
    }

    #[test]
    fn what_stands_there_is_met_and_tags_are_only_compared() {
        let source = refs(&[("dev", 'b'), ("main", 'a')], &[("v1", 'b'), ("v2", 'b')]);
        let destination = refs(
            &[("master", 'x'), ("dev", 'y'), ("theirs", 'z')],
            &[("v1", 'z')],
        );
        assert_eq!(
            told(&wanted(&source, &destination)),
            [
                "a to branch master: ",
                "b to branch dev: tag v2",
                "b is tag v1: "
            ]
        );
    }

    #[test]
    fn names_that_would_meet_are_refused_alone() {
        let source = refs(
            &[("main", 'a'), ("master", 'b'), ("dev", 'b')],
            &[("dev", 'c'), ("master", 'a')],
        );
        let wanted = wanted(&source, &Refs::default());
        assert_eq!(
            told(&wanted),
            ["a to branch master: ", "b apart: branch dev"]
        );
        let refused: Vec<_> = wanted
            .refused
            .iter()
            .map(|refused| refused.path.as_str())
            .collect();
        assert_eq!(refused, ["branch master", "tag dev", "tag master"]);
    }

    #[test]
    fn what_an_earlier_run_left_is_no_branch_of_the_source() {
        let left = format!("{TEMPORARY}{}", "a".repeat(40));
        let wanted = wanted(&refs(&[("main", 'a'), (&left, 'a')], &[]), &Refs::default());
        assert_eq!((wanted.targets.len(), wanted.left_over), (1, 1));
        let old = format!("{TEMPORARY}{}", "b".repeat(40));
        let destination = refs(&[("master", 'x'), (&left, 'x'), (&old, 'x')], &[]);
        assert_eq!(
            wanted.left_over_in(&destination),
            [&old.parse::<Revision>().unwrap()],
            "one is taken up, the other is not"
        );
    }
}
