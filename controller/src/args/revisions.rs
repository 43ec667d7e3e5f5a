//! `--all-revisions`: one revision of a repo, or every branch and tag of it; `--revisions-of` of a batch.

use hf2ms_hub::path::escape;

use crate::args::filter::glob_set;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::nouns::counted;

/// Which revisions of each repo are copied.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct RevisionArgs {
    /// Every branch and tag, each to the one of its name; the default branch to the default branch. Equal blobs move once
    #[arg(long, conflicts_with = "revision")]
    all_revisions: bool,
}

/// Of which repos of a batch every branch and tag is copied.
#[derive(Debug, Clone, clap::Args)]
pub struct BatchRevisionArgs {
    #[command(flatten)]
    all: RevisionArgs,
    /// Every branch and tag of the repos whose id matches, and one revision of the others; may be given several times. `*` matches `/` too
    #[arg(long, value_name = "GLOB", conflicts_with_all = ["all_revisions", "revision"])]
    revisions_of: Vec<String>,
}

impl BatchRevisionArgs {
    /// The widest scope of any repo.
    pub fn scope(&self) -> RevisionScope {
        match self.revisions_of.is_empty() {
            true => self.all.scope(),
            false => RevisionScope::All,
        }
    }

    /// The scope of each of the repos with these ids.
    ///
    /// # Errors
    /// A pattern is none, or matches none of them.
    pub fn scopes(&self, ids: &[String]) -> CliResult<Vec<RevisionScope>> {
        if self.revisions_of.is_empty() {
            return Ok(vec![self.all.scope(); ids.len()]);
        }
        for pattern in &self.revisions_of {
            let one = glob_set(std::slice::from_ref(pattern))?;
            if !ids.iter().any(|id| one.is_match(id)) {
                let pattern = escape(pattern);
                return Err(CliError::usage(format!(
                    "--revisions-of {pattern} matches none of the {}: write it as 'org/*' or '*/name', or leave it out",
                    counted(ids.len() as u64, "repo")
                )));
            }
        }
        let set = glob_set(&self.revisions_of)?;
        let scope = |id: &String| match set.is_match(id) {
            true => RevisionScope::All,
            false => RevisionScope::One,
        };
        Ok(ids.iter().map(scope).collect())
    }
}

/// Which revisions of a repo are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionScope {
    /// One branch, tag or commit.
    One,
    /// Every branch and tag.
    All,
}

impl RevisionArgs {
    /// The scope that the command line asks for.
    pub fn scope(self) -> RevisionScope {
        if self.all_revisions {
            RevisionScope::All
        } else {
            RevisionScope::One
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        revisions: BatchRevisionArgs,
        #[arg(long)]
        revision: Option<String>,
    }

    fn scopes(words: &[&str]) -> CliResult<Vec<bool>> {
        let ids = ["org/one", "org/two", "me/one"].map(ToOwned::to_owned);
        let args = Command::parse_from([&["x"], words].concat()).revisions;
        let scopes = args.scopes(&ids)?.into_iter();
        Ok(scopes.map(|scope| scope == RevisionScope::All).collect())
    }

    #[test]
    fn all_revisions_are_those_of_the_repos_that_match() {
        for (words, expected) in [
            (&[][..], [false, false, false]),
            (&["--all-revisions"], [true, true, true]),
            (&["--revisions-of", "org/*"], [true, true, false]),
            (
                &["--revisions-of", "*two", "--revisions-of", "me/one"],
                [false, true, true],
            ),
            (&["--revisions-of", "*/one"], [true, false, true]),
        ] {
            assert_eq!(scopes(words), Ok(expected.to_vec()), "{words:?}");
        }
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error() {
        let both = ["--revisions-of", "org/*", "--revisions-of", "none/*"];
        let failure = scopes(&both).unwrap_err().to_string();
        assert!(
            failure.starts_with("--revisions-of none/* matches none of the 3 repos"),
            "{failure}"
        );
        assert!(scopes(&["--revisions-of", "[z"]).is_err());
    }
}
