//! Where a file goes, as far as its name and size tell. What the hub decides otherwise, by the repo's own .gitattributes or by
//! content, shows when it is committed.

use crate::{Placement, RepoPath};

/// Larger files are never taken inside a commit (hub documentation, "Repository limitations": files above 10 MiB need LFS).
const LARGEST_INLINE: u64 = 10 << 20;

/// Suffixes that the .gitattributes of every new repo sends to LFS.
const ALWAYS: [&str; 31] = [
    ".7z",
    ".arrow",
    ".bin",
    ".bz2",
    ".ckpt",
    ".ftz",
    ".gz",
    ".h5",
    ".joblib",
    ".mlmodel",
    ".model",
    ".msgpack",
    ".npy",
    ".npz",
    ".onnx",
    ".ot",
    ".parquet",
    ".pb",
    ".pickle",
    ".pkl",
    ".pt",
    ".pth",
    ".rar",
    ".safetensors",
    ".tar",
    ".tflite",
    ".tgz",
    ".wasm",
    ".xz",
    ".zip",
    ".zst",
];

/// Whether a file is a blob or inline. Empty files are inline: storage takes none.
pub(super) fn placement(path: &RepoPath, size: u64) -> Placement {
    let suffix = path.name().rfind('.').map_or("", |dot| &path.name()[dot..]);
    match size {
        0 => Placement::Inline,
        _ if size > LARGEST_INLINE || ALWAYS.contains(&suffix) => Placement::Blob,
        _ => Placement::Inline,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_and_large_files_are_blobs_and_empty_ones_never() {
        let is_blob = |path: &str, size| placement(&path.parse().unwrap(), size) == Placement::Blob;
        assert!(is_blob("a/model.safetensors", 1) && is_blob("notes.txt", (10 << 20) + 1));
        assert!(
            !is_blob("notes.txt", 10 << 20)
                && !is_blob("empty.bin", 0)
                && !is_blob("README.md", 5000)
        );
        assert!(
            !is_blob("A.BIN", 1),
            "patterns heed case; the hub has the last word"
        );
    }
}
