//! Moving blobs: [`reader`] reads a file of the source, [`mover`] stores the blobs of a chunk at the destination,
//! [`hasher`] only hashes what is read. All keep to the [`budget`] of memory and to the [`bandwidth`].

pub mod bandwidth;
pub mod budget;
pub mod faster;
mod gate;
pub mod hasher;
pub mod mover;
pub mod reader;
pub mod streams;
