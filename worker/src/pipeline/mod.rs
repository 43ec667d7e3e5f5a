//! The steps of a copy that both binaries take: creating the destination.

pub mod creation;
