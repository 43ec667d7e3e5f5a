//! Moving blobs: [`reader`] reads a file of the source, [`mover`] stores the blobs of a chunk at the destination.

pub mod mover;
pub mod reader;
