//! How much an inventory asks of the hubs.

/// How much an inventory asks of each repo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InspectionDepth {
    /// Whether contents are read where listings can't be compared.
    pub contents: ContentUse,
    /// Whether branches and tags are counted.
    pub refs: RefCount,
}

/// What is done about files whose digests can't be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ContentUse {
    /// Their sizes are compared.
    #[default]
    Sizes,
    /// They are read and hashed.
    Read,
}

/// Whether branches and tags are counted, for a request more a repo.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RefCount {
    /// They are not.
    #[default]
    Left,
    /// They are.
    Counted,
}
