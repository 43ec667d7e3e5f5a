//! The licence in a card's front matter: found in the text, and renamed to what Hugging Face knows it by. Pure.

use std::ops::Range;

/// The names that Hugging Face takes (hub documentation, "Licenses").
const KNOWN: [&str; 80] = [
    "apache-2.0",
    "mit",
    "openrail",
    "bigscience-openrail-m",
    "creativeml-openrail-m",
    "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m",
    "afl-3.0",
    "artistic-2.0",
    "bsl-1.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd-3-clause-clear",
    "c-uda",
    "cc",
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cdla-sharing-1.0",
    "cdla-permissive-1.0",
    "cdla-permissive-2.0",
    "wtfpl",
    "ecl-2.0",
    "epl-1.0",
    "epl-2.0",
    "etalab-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "agpl-3.0",
    "gfdl",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "isc",
    "h-research",
    "intel-research",
    "lppl-1.3c",
    "ms-pl",
    "apple-ascl",
    "apple-amlr",
    "mpl-2.0",
    "odc-by",
    "odbl",
    "openrail++",
    "osl-3.0",
    "postgresql",
    "ofl-1.1",
    "ncsa",
    "unlicense",
    "zlib",
    "pddl",
    "lgpl-lr",
    "deepfloyd-if-license",
    "fair-noncommercial-research-license",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "llama4",
    "gemma",
    "unknown",
    "other",
];

/// Other names of some of them, as [`words`] leaves them.
const ALSO: [(&str, &str); 22] = [
    ("apache", "apache-2.0"),
    ("apache 2", "apache-2.0"),
    ("asl 2.0", "apache-2.0"),
    ("mit x11", "mit"),
    ("expat", "mit"),
    ("2 clause bsd", "bsd-2-clause"),
    ("simplified bsd", "bsd-2-clause"),
    ("3 clause bsd", "bsd-3-clause"),
    ("new bsd", "bsd-3-clause"),
    ("gnu general public 2.0", "gpl-2.0"),
    ("gnu general public 2", "gpl-2.0"),
    ("gnu general public 3.0", "gpl-3.0"),
    ("gnu general public 3", "gpl-3.0"),
    ("gplv2", "gpl-2.0"),
    ("gplv3", "gpl-3.0"),
    ("gnu affero general public 3.0", "agpl-3.0"),
    ("agplv3", "agpl-3.0"),
    ("gnu lesser general public 2.1", "lgpl-2.1"),
    ("gnu lesser general public 3.0", "lgpl-3.0"),
    ("mozilla public 2.0", "mpl-2.0"),
    ("cc0", "cc0-1.0"),
    ("creative commons attribution 4.0", "cc-by-4.0"),
];

/// A change of the license in a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenceChange {
    /// The bytes that are replaced.
    pub range: Range<usize>,
    /// The text that replaces them.
    pub insert: String,
    /// The old license, for a message.
    pub was: String,
    /// The new license, for a message.
    pub is: String,
}

/// The change that gives the card a licence that Hugging Face knows: its own under the right name, else `other` with a
/// name. `None` when there is no licence on a line of its own, or it is right already.
pub fn rename_licence(card: &str) -> Option<LicenceChange> {
    let front = front_matter(card)?;
    let licence = value_of(card, front.clone(), "license")?;
    let name = &card[licence.clone()];
    let plain = name.trim_matches(['"', '\'']).trim();
    if plain.is_empty()
        || plain.starts_with(['[', '{', '|', '>', '&', '*', '#'])
        || KNOWN.contains(&name)
    {
        return None;
    }
    let was = format!("the license '{}'", hf2ms_hub::path::escape(plain));
    if let Some(known) = known(plain) {
        return Some(LicenceChange {
            range: licence,
            insert: known.to_owned(),
            was,
            is: format!("'{known}'"),
        });
    }
    let slug = slug(plain);
    let named = value_of(card, front, "license_name").is_some() || slug.is_empty();
    let line_end = if card[licence.end..].starts_with("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let (insert, is) = if named {
        ("other".to_owned(), "'other'".to_owned())
    } else {
        (
            format!("other{line_end}license_name: {slug}"),
            format!("'other' with the license_name '{slug}'"),
        )
    };
    Some(LicenceChange {
        range: licence,
        insert,
        was,
        is,
    })
}

/// The text between the first line, `---`, and the next such line.
pub(super) fn front_matter(card: &str) -> Option<Range<usize>> {
    let mark = usize::from(card.starts_with('\u{feff}')) * '\u{feff}'.len_utf8();
    let first = card[mark..]
        .split_inclusive('\n')
        .next()
        .filter(|line| line.trim_end() == "---")?;
    let start = mark + first.len();
    let mut end = start;
    for line in card[start..].split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some(start..end);
        }
        end += line.len();
    }
    None
}

/// Where the value of a key at the outermost level stands, on the key's own line, without a comment behind it.
pub(super) fn value_of(card: &str, front: Range<usize>, key: &str) -> Option<Range<usize>> {
    let mut start = front.start;
    for line in card[front].split_inclusive('\n') {
        let value = line
            .strip_prefix(key)
            .and_then(|rest| rest.trim_start_matches(' ').strip_prefix(':'));
        if let Some(value) = value.filter(|value| value.starts_with([' ', '\t'])) {
            let value_start = start + line.len() - value.trim_start().len();
            let text = value.trim_start();
            let text = text
                .find(" #")
                .map_or(text, |comment| &text[..comment])
                .trim_end();
            return Some(value_start..value_start + text.len()).filter(|range| !range.is_empty());
        }
        start += line.len();
    }
    None
}

/// The name under which Hugging Face knows this licence.
fn known(name: &str) -> Option<&'static str> {
    let same = |known: &&&str| known.eq_ignore_ascii_case(name);
    let words = words(name);
    let dashed = words.replace(' ', "-");
    let alike = || KNOWN.iter().find(|known| **known == dashed);
    let also = || {
        ALSO.iter()
            .find(|(alias, _)| *alias == words)
            .map(|(_, known)| known)
    };
    KNOWN
        .iter()
        .find(same)
        .or_else(alike)
        .or_else(also)
        .copied()
}

/// The words that tell licences apart: lower case, without "license", "version" and the like, `v2.0` as `2.0`.
fn words(name: &str) -> String {
    let lower = name.to_lowercase();
    let all = lower
        .split(|c: char| !(c.is_alphanumeric() || c == '.' || c == '+'))
        .filter(|word| !word.is_empty());
    let telling = all.filter(|word| {
        ![
            "the", "license", "licence", "version", "v", "v.", "only", "or", "later",
        ]
        .contains(word)
    });
    let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let plain = telling.map(|word| {
        word.strip_prefix('v')
            .filter(|rest| number(rest))
            .unwrap_or(word)
    });
    plain.collect::<Vec<_>>().join(" ")
}

/// A name as `license_name` wants it: lower-case letters, digits, dots and dashes.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let parts = lower
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'))
        .filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(card: &str) -> Option<String> {
        let change = rename_licence(card)?;
        Some(
            [
                &card[..change.range.start],
                &change.insert,
                &card[change.range.end..],
            ]
            .concat(),
        )
    }

    fn licence(name: &str) -> String {
        let mended = mended(&format!("---\nlicense: {name}\n---\n")).unwrap_or_default();
        mended
            .trim_start_matches("---\nlicense: ")
            .trim_end_matches("\n---\n")
            .to_owned()
    }

    #[test]
    fn known_licences_get_their_right_name() {
        for name in [
            "Apache License 2.0",
            "Apache-2.0",
            "apache 2.0",
            "Apache License, Version 2.0",
            "\"Apache License v2.0\"",
            "Apache",
        ] {
            assert_eq!(licence(name), "apache-2.0", "{name}");
        }
        for (name, known) in [
            ("MIT", "mit"),
            ("MIT License", "mit"),
            ("BSD 3-Clause License", "bsd-3-clause"),
            ("GPL-3.0-only", "gpl-3.0"),
            ("GNU General Public License v3.0", "gpl-3.0"),
            ("CC-BY-NC-SA-4.0", "cc-by-nc-sa-4.0"),
            ("CC BY 4.0", "cc-by-4.0"),
            ("Other", "other"),
            ("AFL-3.0", "afl-3.0"),
        ] {
            assert_eq!(licence(name), known, "{name}");
        }
    }

    #[test]
    fn an_unknown_licence_is_other_under_its_own_name() {
        assert_eq!(
            licence("Tongyi Qianwen LICENSE AGREEMENT"),
            "other\nlicense_name: tongyi-qianwen-license-agreement"
        );
        assert_eq!(
            licence("通义千问"),
            "other",
            "a name without letters that are allowed"
        );
        let named = "---\r\nlicense: Mine\r\nlicense_name: mine\r\n---\r\n";
        assert_eq!(mended(named).unwrap(), named.replace("Mine", "other"));
        assert_eq!(
            mended("---\r\nlicense: Mine\r\n---\r\n").unwrap(),
            "---\r\nlicense: other\r\nlicense_name: mine\r\n---\r\n"
        );
    }

    #[test]
    fn body_and_other_keys_stay_byte_for_byte() {
        let card = "\u{feff}---\nlanguage:\n- zh\nlicense:   Apache License 2.0   # see below\nmodel:\n  license: Apache License 2.0\n---\nlicense: Apache License 2.0\r\n\t";
        assert_eq!(
            mended(card).unwrap(),
            card.replacen("  Apache License 2.0   #", "  apache-2.0   #", 1)
        );
    }

    #[test]
    fn what_is_right_or_no_plain_licence_stays() {
        for card in [
            "",
            "# no front matter\nlicense: MIT",
            "---\nlicense: MIT\nno end",
            "---\nlicense: mit\n---\n",
            "---\nlicense:\n- MIT\n---\n",
            "---\nlicense: [MIT]\n---\n",
            "---\nlicense:\n---\n",
            "---\n  license: MIT\n---\n",
            "---\nlicenses: MIT\n---\n",
        ] {
            assert_eq!(rename_licence(card), None, "{card:?}");
        }
    }
}
