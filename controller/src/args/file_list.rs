//! `--files-from`: a list of paths. It is read as rclone reads its own: white space around a path is none of it, and a line that begins
//! with `#` or `;` is a comment. `/#name` names a file whose name begins so, since a `/` at the beginning is no part of a path.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use hf2ms_hub::path::escape;
use hf2ms_hub::{RepoPath, Sha256};

/// Standard input, which can be read once, and a command line more often.
static STANDARD_INPUT: LazyLock<Result<String, String>> = LazyLock::new(|| {
    let text = std::io::read_to_string(std::io::stdin());
    text.map_err(|error| error.to_string())
});

/// The paths of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileList(Arc<BTreeSet<RepoPath>>);

impl FileList {
    /// Reads a list from a file; `-` is standard input.
    ///
    /// # Errors
    /// It can't be read, holds no path, or a line is no path of a repo.
    pub fn read(name: &str) -> Result<Self, String> {
        let failed = |error: String| format!("{error}; check the path of the list");
        match name {
            "-" => Self::parse(
                STANDARD_INPUT
                    .as_ref()
                    .map_err(|error| failed(error.clone()))?,
            ),
            _ => {
                let text = std::fs::read_to_string(name);
                Self::parse(&text.map_err(|error| failed(error.to_string()))?)
            }
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
        let lines = lines.map(|(index, line)| (index + 1, line.trim()));
        let named = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']));
        let path = |(number, line): (usize, &str)| {
            let path = line.trim_start_matches('/').parse::<RepoPath>();
            path.map_err(|error| format!("line {number}, {}: {error}", escape(line)))
        };
        let paths: BTreeSet<RepoPath> = named.map(path).collect::<Result<_, _>>()?;
        match paths.is_empty() {
            true => Err("it names no file; write a path a line".to_owned()),
            false => Ok(Self(Arc::new(paths))),
        }
    }

    /// Whether it names this path.
    pub fn names(&self, path: &RepoPath) -> bool {
        self.0.contains(path)
    }

    /// Its paths that are not among these, in order.
    pub fn lacking(&self, paths: &BTreeSet<&RepoPath>) -> Vec<&RepoPath> {
        let lacking = self.0.iter().filter(|path| !paths.contains(path));
        lacking.collect()
    }

    /// The digest of its paths, by which two lists are compared.
    pub fn digest(&self) -> Sha256 {
        let lines: String = self.0.iter().map(|path| format!("{path}\n")).collect();
        Sha256::of(lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let list = FileList::parse(text).unwrap();
        list.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_list_is_read_as_rclone_reads_its_own() {
        let text =
            "\u{feff}# a comment\n; another\n\n  b/c d.txt \r\n/a.bin\n/#odd\nx # y\nb/c d.txt\n";
        assert_eq!(paths(text), ["#odd", "a.bin", "b/c d.txt", "x # y"]);
    }

    #[test]
    fn a_line_that_is_no_path_is_named_and_an_empty_list_is_none() {
        let error = FileList::parse("a\n../b\n").unwrap_err();
        assert!(error.starts_with("line 2, ../b: "), "{error}");
        assert!(FileList::parse("# nothing\n").is_err());
    }

    #[test]
    fn lists_of_the_same_paths_are_the_same_and_what_is_lacking_is_told() {
        let [one, other] = ["a\nb\n", "b\n#x\na"].map(|text| FileList::parse(text).unwrap());
        assert_eq!(one.digest(), other.digest());
        assert_ne!(one.digest(), FileList::parse("a").unwrap().digest());
        let b: RepoPath = "b".parse().unwrap();
        let lacking = one.lacking(&BTreeSet::from([&b]));
        assert_eq!(lacking, [&"a".parse::<RepoPath>().unwrap()]);
    }
}
