//! Where a file goes: into object storage, or inline into the commit.

use crate::{Placement, RepoKind, RepoPath};

/// Larger files are always blobs (modelscope-hub 0.5.1, `constants.py`, `UPLOAD_LFS_FORCE_THRESHOLD_BYTES`).
const LARGEST_INLINE: u64 = 64 << 10;

/// Files that the hub parses itself, by name in any folder and any case: as a pointer it would read the
/// pointer (`UPLOAD_INLINE_METADATA_PATHS`).
const ALWAYS_INLINE: [&str; 10] = [
    "README.md",
    ".gitattributes",
    ".gitignore",
    "configuration.json",
    "configuration.yaml",
    "configuration.yml",
    "dataset_infos.json",
    "config.json",
    ".msc",
    ".mdl",
];

/// `MODEL_LFS_SUFFIX`.
const MODEL_BLOBS: [&str; 31] = [
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

/// `DATASET_LFS_SUFFIX`.
const DATASET_BLOBS: [&str; 43] = [
    ".7z", ".aac", ".arrow", ".audio", ".bmp", ".bin", ".bz2", ".flac", ".ftz", ".gif", ".gz",
    ".h5", ".jack", ".jpeg", ".jpg", ".png", ".jsonl", ".joblib", ".lz4", ".msgpack", ".npy",
    ".npz", ".ot", ".parquet", ".pb", ".pickle", ".pcm", ".pkl", ".raw", ".rar", ".sam", ".tar",
    ".tgz", ".wasm", ".wav", ".webm", ".webp", ".zip", ".zst", ".tiff", ".mp3", ".mp4", ".ogg",
];

/// Whether a file is a blob or inline, by the rules of `_upload.py`, `_is_lfs`; but an empty file is
/// inline whatever its suffix, since there is nothing to store.
pub(super) fn placement(kind: RepoKind, path: &RepoPath, size: u64) -> Placement {
    let parsed_by_hub = ALWAYS_INLINE
        .iter()
        .any(|name| name.eq_ignore_ascii_case(path.name()));
    if parsed_by_hub || size == 0 {
        Placement::Inline
    } else if size > LARGEST_INLINE || blob_suffixes(kind).contains(&path.suffix().as_str()) {
        Placement::Blob
    } else {
        Placement::Inline
    }
}

/// Spaces have no list: only the size counts there.
fn blob_suffixes(kind: RepoKind) -> &'static [&'static str] {
    match kind {
        RepoKind::Model => &MODEL_BLOBS,
        RepoKind::Dataset => &DATASET_BLOBS,
        RepoKind::Space => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1 << 30;

    fn is_blob(kind: RepoKind, path: &str, size: u64) -> bool {
        placement(kind, &path.parse().unwrap(), size) == Placement::Blob
    }

    #[test]
    fn placement_follows_kind_name_and_size() {
        use RepoKind::{Dataset, Model, Space};
        for (kind, path, size, blob) in [
            (Model, "model.safetensors", 1, true),
            (Model, "a/b/MODEL.SafeTensors", 1, true),
            (Model, "tokenizer.model", 1, true),
            (Dataset, "tokenizer.model", 1, false),
            (Dataset, "train.jsonl", 1, true),
            (Model, "train.jsonl", 1, false),
            (Dataset, "cat.PNG", 1, true),
            (Model, "cat.png", 1, false),
            (Space, "weights.bin", 1, false),
            (Space, "weights.bin", 65_537, true),
            (Model, "notes.txt", 65_536, false),
            (Model, "notes.txt", 65_537, true),
            (Model, "a.tar.gz", 1, true),
            (Model, "bin", 1, false),
            (Model, ".bin", 1, false),
            (Model, "empty.bin", 0, false),
        ] {
            assert_eq!(is_blob(kind, path, size), blob, "{kind} {path} {size}");
        }
    }

    #[test]
    fn files_that_the_hub_parses_are_inline_at_any_depth_case_and_size() {
        for path in [
            "README.md",
            "readme.MD",
            "a/b/Config.json",
            ".gitattributes",
            "x/.gitignore",
            "dataset_infos.json",
            ".msc",
            ".mdl",
        ] {
            for kind in RepoKind::ALL {
                assert!(!is_blob(kind, path, GB), "{kind} {path}");
            }
        }
        assert!(
            is_blob(RepoKind::Model, "myconfig.json", GB)
                && is_blob(RepoKind::Model, "README.md/x", GB)
        );
    }
}
