//! What Hugging Face takes: which files go to LFS, which paths and which front matter it accepts.

/// Files above this size go to LFS whatever they are.
const LFS_ABOVE: u64 = 10 << 20;
/// Files with binary content do so above this one.
const BINARY_ABOVE: u64 = 1 << 20;

/// Suffixes that the .gitattributes of a new repo sends to LFS.
pub const LFS_SUFFIXES: [&str; 37] = [
    "7z",
    "arrow",
    "bin",
    "bz2",
    "ckpt",
    "ftz",
    "gguf",
    "gz",
    "h5",
    "joblib",
    "lz4",
    "mlmodel",
    "model",
    "mp4",
    "msgpack",
    "npy",
    "npz",
    "onnx",
    "ot",
    "parquet",
    "pb",
    "pickle",
    "pkl",
    "pt",
    "pth",
    "rar",
    "safetensors",
    "tar",
    "tflite",
    "tgz",
    "wasm",
    "wav",
    "webm",
    "xz",
    "zip",
    "zst",
    "jpg",
];

/// The .gitattributes of a new repo.
pub fn gitattributes() -> String {
    LFS_SUFFIXES
        .iter()
        .map(|suffix| format!("*.{suffix} filter=lfs diff=lfs merge=lfs -text\n"))
        .collect()
}

/// Whether a file goes to LFS; `sample` is how it begins.
pub fn is_lfs(path: &str, size: u64, sample: &[u8]) -> bool {
    if size == 0 {
        return false;
    }
    let suffix = path
        .rsplit_once('.')
        .map_or("", |(_, suffix)| suffix)
        .to_ascii_lowercase();
    LFS_SUFFIXES.contains(&suffix.as_str())
        || size > LFS_ABOVE
        || (size > BINARY_ABOVE && sample.contains(&0))
}

/// Why a path can't be in a commit.
pub fn bad_path(path: &str) -> Option<&'static str> {
    if path.is_empty() || path.starts_with('/') || path.ends_with('/') {
        return Some("a path is relative and names a file");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Some("a path has no control characters or backslashes");
    }
    let bad = |part: &str| matches!(part, "" | "." | "..") || part.eq_ignore_ascii_case(".git");
    path.split('/')
        .any(bad)
        .then_some("a path has no empty, dotted or .git parts")
}

/// What is wrong with a README's front matter.
pub fn bad_front_matter(readme: &str) -> Option<String> {
    let front = readme.strip_prefix("---\n")?.split("\n---").next()?;
    let license = front
        .lines()
        .find_map(|line| line.strip_prefix("license:"))?
        .trim()
        .trim_matches(['"', '\'']);
    if license.is_empty() || license.starts_with('-') || LICENSES.contains(&license) {
        return None;
    }
    Some(format!(
        "\"license\" must be one of [{}, ...]",
        LICENSES.join(", ")
    ))
}

const LICENSES: [&str; 36] = [
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
    "c-uda",
    "cc",
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nc-nd-4.0",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "agpl-3.0",
    "lgpl-3.0",
    "llama2",
    "llama3",
    "gemma",
    "mpl-2.0",
    "unlicense",
    "unknown",
    "other",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sends_files_to_lfs_by_suffix_size_and_content() {
        assert!(is_lfs("a/model.safetensors", 1, b"x") && is_lfs("A.BIN", 1, b"x"));
        assert!(!is_lfs("empty.bin", 0, b"") && !is_lfs("notes.txt", 5 << 20, b"text"));
        assert!(is_lfs("notes.txt", 11 << 20, b"text") && is_lfs("blob", 2 << 20, b"\0"));
    }

    #[test]
    fn refuses_paths_that_leave_the_repo() {
        for path in [
            "",
            "/a",
            "a/",
            "../a",
            "a/../b",
            "a//b",
            "./a",
            ".git/config",
            "a\\b",
            "a\nb",
        ] {
            assert!(bad_path(path).is_some(), "{path:?}");
        }
        assert_eq!(bad_path("a/.gitattributes"), None);
    }

    #[test]
    fn knows_licenses() {
        assert_eq!(bad_front_matter("---\nlicense: mit\n---\n"), None);
        assert_eq!(bad_front_matter("# no front matter"), None);
        assert!(bad_front_matter("---\nlicense: Apache License 2.0\n---\n").is_some());
    }
}
