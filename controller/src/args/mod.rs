//! Groups of options that several verbs share.

pub mod prune;
