//! Access tokens: usable on the wire, never printable.

use std::fmt;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// A hub's access token. It has no `Display`, its `Debug` hides it, and it can't be serialised.
#[derive(Clone)]
pub struct Token(SecretString);

/// A token that can't be sent safely.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is empty or all spaces.
    #[error("it is empty")]
    Empty,
    /// It has a character that would end or split a header.
    #[error("it holds a line break, a control character or a character outside ASCII")]
    Unsendable,
}

impl Token {
    /// Takes a token as typed; spaces and one line end around it are dropped, as editors and `cat` add them.
    pub fn parse(text: &str) -> Result<Self, BadToken> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text).trim_matches(' ');
        if text.is_empty() {
            return Err(BadToken::Empty);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadToken::Unsendable);
        }
        Ok(Self(text.into()))
    }

    /// A header value `{prefix}{token}`, marked sensitive so that no client prints it.
    pub(crate) fn header(&self, prefix: &str) -> HeaderValue {
        let mut value =
            HeaderValue::from_str(&format!("{prefix}{}", self.0.expose_secret())).unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// `text` with every occurrence of this token taken out.
    pub fn redact(&self, text: &str) -> String {
        text.replace(self.0.expose_secret(), "***")
    }

    /// Hands the secret to an environment variable of a child process. The only way out besides headers.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_and_control_characters_are_refused() {
        for bad in ["", "  ", "a\r\nX-Evil: 1", "a\nb", "a\0b", "a\u{1b}b", "é"] {
            assert!(Token::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_trailing_line_end_is_forgiven() {
        assert_eq!(Token::parse("hf_abc\r\n").unwrap().expose(), "hf_abc");
        assert_eq!(Token::parse(" hf_abc ").unwrap().expose(), "hf_abc");
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let token = Token::parse("hf_secret").unwrap();
        assert_eq!(format!("{token:?}"), "Token(***)");
        assert!(token.header("Bearer ").is_sensitive());
        assert_eq!(token.redact("a hf_secret b"), "a *** b");
    }
}
