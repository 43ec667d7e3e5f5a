//! What libgit2's errors mean.

use git2::{ErrorClass, ErrorCode};

use crate::path::escape;
use crate::{Error, Kind};

/// The error of a libgit2 operation whose transfer did not fail by itself.
pub(super) fn error_of(error: &git2::Error) -> Error {
    let kind = match (error.code(), error.class()) {
        (ErrorCode::Eof, _) => Kind::Transient,
        (ErrorCode::NotFastForward, _) => Kind::Conflict,
        (ErrorCode::NotFound, _) => Kind::NotFound,
        (ErrorCode::InvalidSpec, _) => Kind::Invalid,
        (_, ErrorClass::Net) if is_cut(error.message()) => Kind::Transient,
        (
            _,
            ErrorClass::Indexer
            | ErrorClass::Odb
            | ErrorClass::Zlib
            | ErrorClass::Object
            | ErrorClass::Tree,
        ) => Kind::Corrupt,
        // The disk, most likely: elsewhere there may be room.
        (_, ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory) => Kind::Transient,
        _ => Kind::Refused,
    };
    Error::new(kind, format!("Git: {}", escape(error.message())))
}

/// Whether the message means that the server's response ended too early.
fn is_cut(message: &str) -> bool {
    ["early EOF", "unexpected EOF", "hung up"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_a_meaning() {
        let kind = |code, class, text| error_of(&git2::Error::new(code, class, text)).kind();
        assert_eq!(
            kind(ErrorCode::GenericError, ErrorClass::Net, "early EOF"),
            Kind::Transient
        );
        assert_eq!(
            kind(
                ErrorCode::GenericError,
                ErrorClass::Net,
                "unexpected packet type"
            ),
            Kind::Refused
        );
        assert_eq!(
            kind(
                ErrorCode::GenericError,
                ErrorClass::Indexer,
                "packfile is malformed"
            ),
            Kind::Corrupt
        );
        assert_eq!(
            kind(
                ErrorCode::GenericError,
                ErrorClass::Os,
                "No space left on device"
            ),
            Kind::Transient
        );
        assert_eq!(
            kind(ErrorCode::NotFastForward, ErrorClass::Reference, "no"),
            Kind::Conflict
        );
    }
}
