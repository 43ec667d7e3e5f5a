//! The errors of Git servers, by their HTTP status.

use crate::Kind;
use crate::http::{ErrorDecoder, ErrorResponse};

/// Reads the errors of a Git server.
pub(super) struct GitErrors {
    pub(super) has_token: bool,
}

impl ErrorDecoder for GitErrors {
    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
        let said = match (answer.status.as_u16(), self.has_token) {
            (401, false) => {
                "the Git server wants credentials: the repo is private, or there is none"
            }
            (401, true) => "the Git server does not take the credentials",
            (403, _) => "the Git server does not allow this",
            (404 | 410, _) => "there is no such Git repo, or it may not be seen",
            _ => return None,
        };
        Some((answer.kind(), with_first_line(said, answer)))
    }
}

/// The message with the body's first line, where that is text and no web page.
fn with_first_line(said: &str, answer: &ErrorResponse<'_>) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.starts_with(['<', '{', '[']) {
        said.to_owned()
    } else {
        format!("{said}: {line}")
    }
}
