//! How much of a Git repo is taken: packs, trees and pointers can be made to explode.

/// What is too much. A repo that goes beyond is refused; nothing of it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitLimits {
    /// Bytes that a server may send for one fetch.
    pub pack_bytes: u64,
    /// Bytes that one object of a pack unpacks to: it is taken into memory whole, and a delta's base with it.
    pub object_bytes: u64,
    /// Bytes that all objects of a pack unpack to, one after the other.
    pub unpacked_bytes: u64,
    /// Objects in a pack.
    pub objects: usize,
    /// Folders inside each other.
    pub depth: usize,
    /// Entries that a listing of a commit may have, folders and all.
    pub entries: usize,
    /// Bytes of a blob that is read into memory.
    pub blob_bytes: u64,
    /// Pointers that are looked for.
    pub pointers: usize,
}

impl Default for GitLimits {
    /// More than any hub stores: Hugging Face advises against 100,000 files a repo, and takes none above 10 MiB outside LFS.
    /// GitHub and gitlab.com take no file of more than 100 MiB there.
    fn default() -> Self {
        Self {
            pack_bytes: 16 << 30,
            object_bytes: 128 << 20,
            unpacked_bytes: 1 << 40,
            objects: 20_000_000,
            depth: 512,
            entries: 5_000_000,
            blob_bytes: 64 << 20,
            pointers: 5_000_000,
        }
    }
}
