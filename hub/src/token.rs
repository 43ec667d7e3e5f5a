//! Access tokens: usable on the wire, never printable.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// Bytes of a secret below which its text is likely to be a word or a number of something else.
const SHORT: usize = 8;

/// A hub's access token, or a login: a password after its user name and a colon. It has no `Display`, its `Debug` hides it, and it
/// can't be serialised.
#[derive(Clone)]
pub struct Token {
    text: SecretString,
    /// Where the secret begins: behind the name of a login.
    secret_at: usize,
}

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
        Ok(Self {
            text: text.into(),
            secret_at: 0,
        })
    }

    /// A password with the user name that goes with it, as Git servers want both. Any signs will do but those that end a line.
    ///
    /// # Errors
    /// [`BadToken::Empty`] without a password; [`BadToken::Unsendable`] for control characters, and for a colon in the name.
    pub fn login(user: &str, password: &str) -> Result<Self, BadToken> {
        if password.is_empty() {
            return Err(BadToken::Empty);
        }
        let text = format!("{user}:{password}");
        if user.contains(':') || text.contains(char::is_control) {
            return Err(BadToken::Unsendable);
        }
        Ok(Self {
            text: text.into(),
            secret_at: user.len() + 1,
        })
    }

    /// Reads `user:password`, as [`Token::expose`] writes a login.
    ///
    /// # Errors
    /// As [`Token::login`]; [`BadToken::Empty`] without a colon.
    pub fn parse_login(text: &str) -> Result<Self, BadToken> {
        let (user, password) = text.split_once(':').ok_or(BadToken::Empty)?;
        Self::login(user, password)
    }

    /// The user name that goes with it, where one does.
    pub fn user(&self) -> Option<&str> {
        let name = self.secret_at.checked_sub(1)?;
        self.text.expose_secret().get(..name)
    }

    /// The secret alone, without the name of a login: for a host that asks for both apart.
    pub fn secret(&self) -> &str {
        &self.text.expose_secret()[self.secret_at..]
    }

    /// A header value `{prefix}{token}`, marked sensitive so that no client prints it.
    pub(crate) fn header(&self, prefix: &str) -> HeaderValue {
        let mut value = HeaderValue::from_str(&format!("{prefix}{}", self.secret()))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    /// The header value of HTTP's basic credentials, with this token as the password; marked sensitive.
    pub(crate) fn basic(&self, user: &str) -> HeaderValue {
        let mut value = HeaderValue::try_from(format!("Basic {}", self.pair(user)))
            .unwrap_or_else(|_| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    fn pair(&self, user: &str) -> String {
        BASE64_STANDARD.encode(format!("{user}:{}", self.secret()))
    }

    /// The text that [`Token::basic`] sends, as a token of its own: a server may echo that, too.
    pub(crate) fn as_basic(&self, user: &str) -> Self {
        Self {
            text: self.pair(user).into(),
            secret_at: 0,
        }
    }

    /// Whether it is so short that its text may stand in names and words that have nothing to do with it.
    pub fn is_short(&self) -> bool {
        self.secret().len() < SHORT
    }

    /// `text` with every occurrence of this token taken out, also as JSON writes it.
    pub fn redact(&self, text: &str) -> String {
        let clean = text.replace(self.secret(), "***");
        match self.secret().contains(['"', '\\']) {
            true => clean.replace(
                &self.secret().replace('\\', "\\\\").replace('"', "\\\""),
                "***",
            ),
            false => clean,
        }
    }

    /// Hands the secret, a login's with its name, to an environment variable of a child process. The only way out besides headers.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
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
    fn a_login_keeps_its_name_and_any_password_but_one_that_ends_a_line() {
        let login = Token::parse_login("o@d ü:p:a\"ss\\w%rd ü").unwrap();
        assert_eq!(
            (login.user(), login.expose()),
            (Some("o@d ü"), "o@d ü:p:a\"ss\\w%rd ü")
        );
        assert_eq!(
            login.redact("o@d ü: p:a\"ss\\w%rd ü, in JSON p:a\\\"ss\\\\w%rd ü"),
            "o@d ü: ***, in JSON ***"
        );
        assert_eq!(Token::parse("hf_x").unwrap().user(), None);
        assert!(
            Token::login("a:b", "c").is_err()
                && Token::login("a", "").is_err()
                && Token::parse_login("alone").is_err()
        );
        assert!(Token::login("a", "b\r\nX: y").is_err() && Token::login("a\0", "b").is_err());
    }

    #[test]
    fn a_token_does_not_show_itself() {
        let token = Token::parse("hf_secret").unwrap();
        assert_eq!(format!("{token:?}"), "Token(***)");
        assert!(token.header("Bearer ").is_sensitive() && token.basic("me").is_sensitive());
        assert_eq!(
            token.as_basic("me").redact("echo bWU6aGZfc2VjcmV0"),
            "echo ***"
        );
        assert_eq!(token.redact("a hf_secret b"), "a *** b");
    }
}
