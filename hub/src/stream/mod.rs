//! A blob's bytes between a source and a destination: [`range`] opens part of a file and checks the answer, [`verify`] checks the
//! digest, [`body`] is what an upload takes. The one place where a digest is checked is [`verify::VerifyStream`].

pub mod body;
pub(crate) mod range;
pub(crate) mod verify;
