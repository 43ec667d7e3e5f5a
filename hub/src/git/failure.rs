//! What libgit2's errors mean.

use git2::{ErrorClass, ErrorCode};

use crate::path::escape;
use crate::{Error, Kind};

/// The error of a libgit2 operation whose transfer did not fail by itself.
pub(super) fn error_of(error: &git2::Error) -> Error {
    if is_full(error.message()) {
        return no_space(error.message());
    }
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
        // The disk, most likely.
        (_, ErrorClass::Os | ErrorClass::Filesystem | ErrorClass::NoMemory) => Kind::Transient,
        _ => Kind::Refused,
    };
    Error::new(kind, format!("Git: {}", escape(error.message())))
}

/// The disk is full: another try would fetch the same again for nothing.
pub(super) fn no_space(said: &str) -> Error {
    let folder = escape(&std::env::temp_dir().display().to_string());
    Error::new(
        Kind::Refused,
        format!(
            "there is no room for Git's objects below TMPDIR ({folder}): {}; let TMPDIR name a folder with more room",
            escape(said)
        ),
    )
}

/// Whether the operating system says `ENOSPC` or `EDQUOT`.
pub(super) fn is_full(message: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"]
        .iter()
        .any(|words| message.contains(words))
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
                "Too many open files"
            ),
            Kind::Transient
        );
        let full = error_of(&git2::Error::new(
            ErrorCode::GenericError,
            ErrorClass::Os,
            "failed to write pack: No space left on device",
        ));
        assert_eq!(full.kind(), Kind::Refused, "final");
        assert!(full.message().contains("TMPDIR"));
        assert_eq!(
            kind(ErrorCode::NotFastForward, ErrorClass::Reference, "no"),
            Kind::Conflict
        );
    }
}
