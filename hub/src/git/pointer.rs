//! Git LFS pointers: the small text that stands in Git for a blob in storage. What git-lfs takes for a pointer is one here, canonical or
//! not: a server's clients fetch the blob that it names. Facts: git-lfs 3.7.0, `lfs/pointer.go` and `lfs/gitscanner_catfilebatch.go`.

use std::collections::{BTreeMap, HashSet};

use crate::{Blob, Sha256};

/// No pointer is longer, so nothing longer is looked at.
pub const LONGEST: usize = 1023;

/// The format's addresses: today's, and those of the first releases.
const VERSIONS: [&str; 3] = [
    "https://git-lfs.github.com/spec/v1",
    "https://hawser.github.com/spec/v1",
    "http://git-media.io/v/2",
];
/// The keys, in the order in which they have to come; extensions may stand before and between them.
const KEYS: [&str; 3] = ["version", "oid", "size"];

/// The blob that `content` points at; `None` for a file that is just itself. White space around the text, empty lines and CR before
/// LF mean nothing.
pub fn parse(content: &[u8]) -> Option<Blob> {
    if content.len() > LONGEST {
        return None;
    }
    let text = String::from_utf8_lossy(content);
    let (mut values, mut extensions) = (Vec::new(), BTreeMap::new());
    for line in text.trim().lines().filter(|line| !line.is_empty()) {
        let (key, value) = line.split_once(' ')?;
        match *KEYS.get(values.len())? {
            expected if expected == key => values.push(value),
            _ => drop(extensions.insert(key, value)),
        }
    }
    let &[version, oid, size] = values.as_slice() else {
        return None;
    };
    let size = size
        .parse::<i64>()
        .ok()
        .and_then(|size| u64::try_from(size).ok())?;
    let is_pointer = VERSIONS.contains(&version) && are_sane(&extensions);
    is_pointer
        .then(|| {
            Some(Blob {
                sha256: digest(oid)?,
                size,
            })
        })
        .flatten()
}

/// `ext-N-name sha256:..`: the blob went through a filter of this name before it was stored. No two have the same `N`.
fn are_sane(extensions: &BTreeMap<&str, &str>) -> bool {
    let mut numbers = HashSet::new();
    extensions.iter().all(|(key, value)| {
        number(key).is_some_and(|number| numbers.insert(number)) && digest(value).is_some()
    })
}

/// The number of an extension's key.
fn number(key: &str) -> Option<u8> {
    match key.strip_prefix("ext-")?.as_bytes() {
        [number @ b'0'..=b'9', b'-', first, ..]
            if first.is_ascii_alphanumeric() || *first == b'_' =>
        {
            Some(*number)
        }
        _ => None,
    }
}

/// A SHA-256 with its name before it, in 64 lower-case digits.
fn digest(value: &str) -> Option<Sha256> {
    let digits = value.strip_prefix("sha256:")?;
    digits
        .parse()
        .ok()
        .filter(|_| !digits.bytes().any(|digit| digit.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    fn pointer(rest: &str) -> String {
        format!("version https://git-lfs.github.com/spec/v1\n{rest}")
    }

    #[test]
    fn a_pointer_names_its_blob() {
        let blob = parse(pointer(&format!("oid sha256:{OID}\nsize 12345\n")).as_bytes()).unwrap();
        assert_eq!((blob.sha256.to_string().as_str(), blob.size), (OID, 12345));
        let extended = pointer(&format!(
            "ext-0-foo sha256:{OID}\noid sha256:{OID}\nsize 0\n"
        ));
        assert_eq!(parse(extended.as_bytes()).unwrap().size, 0);
    }

    #[test]
    fn what_git_lfs_takes_is_a_pointer_though_it_is_not_canonical() {
        let rest = format!("oid sha256:{OID}\nsize 1\n");
        let old = |version: &str| format!("version {version}\n{rest}");
        for text in [
            pointer(&rest).replace('\n', "\r\n"),
            pointer(rest.trim_end()),
            format!(" \n\t{}", pointer(&rest)),
            pointer(&format!("\n\r\n{rest} \n\n")),
            pointer(&format!("oid sha256:{OID}\nsize +01\n")),
            pointer(&format!(
                "oid sha256:{OID}\next-3-x_Y.z sha256:{OID}\nsize 1\n"
            )),
            format!(
                "ext-0-a sha256:{OID}\next-1-b sha256:{OID}\n{}",
                pointer(&rest)
            ),
            pointer(&format!("ext-0-a anything\next-0-a sha256:{OID}\n{rest}")),
            old("http://git-media.io/v/2"),
            old("https://hawser.github.com/spec/v1"),
        ] {
            assert_eq!(
                parse(text.as_bytes()).map(|blob| (blob.sha256.to_string(), blob.size)),
                Some((OID.to_owned(), 1)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_a_pointer_is_a_plain_file() {
        let upper = OID.to_uppercase();
        for rest in [
            String::new(),
            format!("oid sha256:{OID}\n"),
            format!("size 12345\noid sha256:{OID}\n"),
            format!("oid sha256:{OID}\nsize 12345\nx y\n"),
            format!("oid sha256:{OID}\nsize 12345\next-0-a sha256:{OID}\n"),
            format!("oid sha256:{OID}\nsize -1\n"),
            format!("oid sha256:{OID}\nsize 1_0\n"),
            format!("oid sha256:{OID}\nsize  1\n"),
            format!("oid sha256:{OID}\nsize 99999999999999999999\n"),
            format!("oid sha256:{OID}\nsize\n"),
            format!("oid sha256: {OID}\nsize 1\n"),
            format!("oid sha256:{OID} \nsize 1\n"),
            format!("oid sha1:{OID}\nsize 1\n"),
            format!("oid sha256:{upper}\nsize 1\n"),
            format!("oid sha256:{OID}0\nsize 1\n"),
            format!("ext-0 sha256:{OID}\noid sha256:{OID}\nsize 1\n"),
            format!("ext-0-a sha256:{OID}\next-0-b sha256:{OID}\noid sha256:{OID}\nsize 1\n"),
            format!("ext-0-a sha256:{upper}\noid sha256:{OID}\nsize 1\n"),
            format!("other key\noid sha256:{OID}\nsize 1\n"),
        ] {
            assert_eq!(parse(pointer(&rest).as_bytes()), None, "{rest:?}");
        }
        let rest = format!("oid sha256:{OID}\nsize 1\n");
        for version in [
            "https://git-lfs.github.com/spec/v2",
            "http://git-lfs.github.com/spec/v1",
            " https://git-lfs.github.com/spec/v1",
        ] {
            assert_eq!(
                parse(format!("version {version}\n{rest}").as_bytes()),
                None,
                "{version}"
            );
        }
        assert_eq!(parse(rest.as_bytes()), None);
        assert_eq!((parse(b""), parse(b"\xff\xfe")), (None, None));
    }

    #[test]
    fn nothing_of_1024_bytes_is_a_pointer() {
        let rest = format!("oid sha256:{OID}\nsize 1");
        let padded = |length: usize| format!("{:length$}", pointer(&rest));
        assert!(
            parse(padded(1023).as_bytes()).is_some() && parse(padded(1024).as_bytes()).is_none()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_a_pointer_or_a_plain_file(bytes in vec(any::<u8>(), 0..1200), lines in "(version|oid|size|ext-0-a| |\n|[a-f0-9:/+-]{1,9}){0,30}") {
            prop_assert!(parse(&bytes).is_none() || bytes.len() <= LONGEST);
            parse(lines.as_bytes());
            parse(pointer(&lines).as_bytes());
        }

        #[test]
        fn what_is_written_as_a_pointer_is_read_as_its_blob(seed in any::<[u8; 8]>(), size in 0..=i64::MAX as u64) {
            let blob = Blob { sha256: Sha256::of(&seed), size };
            let text = pointer(&format!("oid sha256:{}\nsize {size}\n", blob.sha256));
            prop_assert_eq!(parse(text.as_bytes()), Some(blob));
        }
    }
}
