//! Git LFS pointers: the small text that stands in Git for a blob in storage. Facts: the Git LFS specification, `spec.md`.

use crate::{Blob, Sha256};

/// No pointer is longer, so nothing longer is looked at.
pub const LONGEST: usize = 1024;

const VERSION: &str = "version https://git-lfs.github.com/spec/v1";

/// The blob that `content` points at; `None` for a file that is just itself. Strict: a file that merely looks like a
/// pointer is copied as what it is.
pub fn parse(content: &[u8]) -> Option<Blob> {
    let text = std::str::from_utf8(content).ok().filter(|text| text.len() <= LONGEST)?;
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != VERSION {
        return None;
    }
    let mut lines = lines.skip_while(|line| is_extension(line));
    let sha256: Sha256 = lines.next()?.strip_prefix("oid sha256:").filter(|oid| is_lower(oid))?.parse().ok()?;
    let size = number(lines.next()?.strip_prefix("size ")?)?;
    lines.next().is_none().then_some(Blob { sha256, size })
}

/// `ext-N-name sha256:..`: the blob went through a filter of this name before it was stored.
fn is_extension(line: &str) -> bool {
    let parts = line.strip_prefix("ext-").and_then(|rest| rest.split_once(' '));
    let Some((name, digest)) = parts else { return false };
    let name = name.as_bytes();
    let is_named = name.len() > 2 && name[0].is_ascii_digit() && name[1] == b'-' && name.iter().all(u8::is_ascii_graphic);
    is_named && digest.strip_prefix("sha256:").is_some_and(|digest| is_lower(digest) && digest.parse::<Sha256>().is_ok())
}

fn is_lower(digits: &str) -> bool {
    !digits.bytes().any(|digit| digit.is_ascii_uppercase())
}

/// Digits without a sign and without zeros before them.
fn number(digits: &str) -> Option<u64> {
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    is_plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OID: &str = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";

    fn pointer(rest: &str) -> String {
        format!("version https://git-lfs.github.com/spec/v1\n{rest}")
    }

    #[test]
    fn a_pointer_names_its_blob() {
        let blob = parse(pointer(&format!("oid sha256:{OID}\nsize 12345\n")).as_bytes()).unwrap();
        assert_eq!((blob.sha256.to_string().as_str(), blob.size), (OID, 12345));
        let extended = pointer(&format!("ext-0-foo sha256:{OID}\noid sha256:{OID}\nsize 0\n"));
        assert_eq!(parse(extended.as_bytes()).unwrap().size, 0);
    }

    #[test]
    fn what_only_looks_like_a_pointer_is_a_plain_file() {
        let upper = OID.to_uppercase();
        for rest in [
            String::new(),
            format!("oid sha256:{OID}\n"),
            format!("oid sha256:{OID}\nsize 12345"),
            format!("size 12345\noid sha256:{OID}\n"),
            format!("oid sha256:{OID}\nsize 12345\n\n"),
            format!("oid sha256:{OID}\nsize 12345\nx y\n"),
            format!("oid sha256:{OID}\nsize +1\n"),
            format!("oid sha256:{OID}\nsize 01\n"),
            format!("oid sha256:{OID}\nsize -1\n"),
            format!("oid sha256:{OID}\nsize 99999999999999999999\n"),
            format!("oid sha256:{OID}\nsize\n"),
            format!("oid sha1:{OID}\nsize 1\n"),
            format!("oid sha256:{upper}\nsize 1\n"),
            format!("oid sha256:{OID}0\nsize 1\n"),
            format!("oid sha256:{OID}\r\nsize 1\r\n"),
            format!("ext-0 sha256:{OID}\noid sha256:{OID}\nsize 1\n"),
        ] {
            assert_eq!(parse(pointer(&rest).as_bytes()), None, "{rest:?}");
        }
        assert_eq!(parse(format!("oid sha256:{OID}\nsize 1\n").as_bytes()), None);
        assert_eq!(parse(b"version https://git-lfs.github.com/spec/v2\n"), None);
        assert_eq!(parse(b"\xff\xfe"), None);
    }

    #[test]
    fn nothing_beyond_1024_bytes_is_a_pointer() {
        let extensions: String = (0..9).map(|n| format!("ext-{n}-{} sha256:{OID}\n", "a".repeat(n + 30))).collect();
        let long = pointer(&format!("{extensions}oid sha256:{OID}\nsize 1\n"));
        assert!(long.len() > LONGEST && parse(long.as_bytes()).is_none());
    }
}
