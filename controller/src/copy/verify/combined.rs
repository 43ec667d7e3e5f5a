//! Every path with one mark, as `rclone check --combined` writes it: `=` equal, `-` only at the destination, `+` only at the source, `*`
//! different, `!` not read.

use std::collections::{BTreeMap, HashMap};

use hf2ms_hub::{Refused, RepoPath};
use hf2ms_worker::protocol::Verification;

/// The lines, by path. `files` are those that were compared, `refused` what the source lists and can't be compared.
pub fn text<'a>(
    files: impl IntoIterator<Item = &'a RepoPath>,
    found: &Verification,
    refused: &[Refused],
) -> String {
    let unread: HashMap<&str, char> = found
        .unread
        .iter()
        .map(|unread| (unread.path.as_str(), '!'))
        .collect();
    let mut marks: BTreeMap<String, char> = BTreeMap::new();
    for path in files {
        let path = path.to_string();
        let mark = unread.get(path.as_str()).copied().unwrap_or('=');
        marks.insert(path, mark);
    }
    for (paths, mark) in [
        (&found.missing, '+'),
        (&found.different, '*'),
        (&found.extra, '-'),
    ] {
        marks.extend(paths.iter().map(|path| (path.to_string(), mark)));
    }
    marks.extend(refused.iter().map(|refused| (refused.path.clone(), '!')));
    let line = |(path, mark): (String, char)| format!("{mark} {path}\n");
    marks.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_the_mark_of_rclone() {
        let path = |path: &str| path.parse::<RepoPath>().unwrap();
        let refused = |path: &str| Refused {
            path: path.to_owned(),
            reason: "no".to_owned(),
        };
        let found = Verification {
            missing: vec![path("gone")],
            different: vec![path("other")],
            extra: vec![path(".gitattributes")],
            unread: vec![refused("line\\u{a}break")],
            ..Verification::default()
        };
        let files = ["same", "other", "gone", "line\nbreak"].map(path);
        assert_eq!(
            text(&files, &found, &[refused("../x")]),
            "! ../x\n- .gitattributes\n+ gone\n! line\\u{a}break\n* other\n= same\n"
        );
    }
}
