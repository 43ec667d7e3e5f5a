//! A path inside a repo. Its rules are checked here once, when it is parsed.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Paths longer than this are refused: no hub stores them and Git itself warns long before.
const MAX_BYTES: usize = 4096;

/// A relative path with `/` between its parts: never empty, absolute, or able to leave the repo.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(Box<str>);

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path {} is refused: {reason}", escape(.path))]
pub struct BadPath {
    path: String,
    reason: &'static str,
}

impl RepoPath {
    /// The path as the hubs spell it, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Everything before the last part; empty at the top.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The lower-case suffix of the name with its dot, as Python's `Path.suffix` gives it; else empty.
    pub fn suffix(&self) -> String {
        let name = self.name();
        match name.rfind('.') {
            Some(dot) if dot > 0 && dot + 1 < name.len() => name[dot..].to_lowercase(),
            _ => String::new(),
        }
    }
}

impl FromStr for RepoPath {
    type Err = BadPath;

    fn from_str(path: &str) -> Result<Self, BadPath> {
        match fault_of(path) {
            Some(reason) => Err(BadPath {
                path: path.to_owned(),
                reason,
            }),
            None => Ok(Self(path.into())),
        }
    }
}

fn fault_of(path: &str) -> Option<&'static str> {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    if path.is_empty() {
        Some("it is empty")
    } else if path.len() > MAX_BYTES {
        Some("it is longer than 4096 bytes")
    } else if path.starts_with('/') {
        Some("it is absolute")
    } else if drive {
        Some("it begins with a drive of Windows")
    } else if path.contains('\\') {
        Some("it holds a backslash")
    } else if path.contains('\0') {
        Some("it holds a NUL")
    } else {
        path.split('/').find_map(fault_of_part)
    }
}

fn fault_of_part(part: &str) -> Option<&'static str> {
    match part {
        "" => Some("it has an empty part"),
        "." | ".." => Some("it holds . or .. as a part"),
        _ if part.eq_ignore_ascii_case(".git") => Some("it reaches into .git"),
        _ => None,
    }
}

/// `text` with control characters written as escapes, fit for a terminal.
pub fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let hidden = c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let escaped: Box<dyn Iterator<Item = char>> = if hidden { Box::new(c.escape_unicode()) } else { Box::new(std::iter::once(c)) };
            escaped
        })
        .collect()
}

impl TryFrom<String> for RepoPath {
    type Error = BadPath;

    fn try_from(path: String) -> Result<Self, BadPath> {
        path.parse()
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.0.into()
    }
}

/// Escaped: a path on a screen can't move the cursor. Use [`RepoPath::as_str`] for the wire.
impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.0))
    }
}

impl fmt::Debug for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_repo_or_reach_into_git_are_refused() {
        for path in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a/./b",
            "a//b",
            "a\\b",
            "C:/x",
            "c:x",
            ".git/config",
            "a/.GIT/hooks",
            "a\0b",
            "a/",
        ] {
            assert!(path.parse::<RepoPath>().is_err(), "{path:?}");
        }
        assert!("a".repeat(5000).parse::<RepoPath>().is_err());
        let drive = "a:b.txt".parse::<RepoPath>().unwrap_err().to_string();
        assert_eq!(
            drive,
            "path a:b.txt is refused: it begins with a drive of Windows"
        );
    }

    #[test]
    fn odd_but_lawful_paths_are_kept_byte_for_byte() {
        for path in [
            "a b",
            "é",
            "e\u{301}",
            ".gitattributes",
            "..a/b..",
            "名/ファイル",
            "a\u{1b}[2J",
            "x/...",
            "q?#%&",
        ] {
            assert_eq!(path.parse::<RepoPath>().unwrap().as_str(), path);
        }
    }

    #[test]
    fn control_characters_are_escaped_on_the_screen_only() {
        let path: RepoPath = "a\u{1b}[2Jb".parse().unwrap();
        assert_eq!(path.to_string(), "a\\u{1b}[2Jb");
        assert_eq!(path.as_str(), "a\u{1b}[2Jb");
    }

    #[test]
    fn suffixes_follow_python() {
        let suffix = |path: &str| path.parse::<RepoPath>().unwrap().suffix();
        assert_eq!(suffix("a/model.SafeTensors"), ".safetensors");
        assert_eq!(suffix("archive.tar.gz"), ".gz");
        assert_eq!(suffix(".gitignore"), "");
        assert_eq!(suffix("trailing."), "");
        assert_eq!(suffix("a.b/c"), "");
    }
}
