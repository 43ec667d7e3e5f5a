//! Takes tokens out of texts. Whatever is printed, logged or written passes here, because a server may echo what it was sent.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use crate::token::Token;

const LONGEST_QUOTE: usize = 300;

/// Takes known tokens out of text. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<[Token]>);

impl Redactor {
    /// A redactor for these tokens.
    pub fn new(tokens: impl IntoIterator<Item = Token>) -> Self {
        Self(tokens.into_iter().collect())
    }

    /// A redactor for the tokens of both.
    pub fn with(&self, other: &Self) -> Self {
        Self(self.0.iter().chain(other.0.iter()).cloned().collect())
    }

    /// Whether `text` holds one of the tokens. A short one is not looked for: its text may be part of any address.
    pub fn is_in(&self, text: &str) -> bool {
        let mut long = self.0.iter().filter(|token| !token.is_short());
        long.any(|token| token.redact(text) != text)
    }

    /// `text` without any of the tokens, and without the logins of addresses. For what is shown or written, never for what is parsed
    /// again.
    pub fn clean(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(hide_logins(text).into_owned(), |text, token| {
                token.redact(&text)
            })
    }

    /// A server's message without the tokens, escaped, 300 characters at most. It is cut last: [`Redactor::clean`] would not find
    /// half a token.
    pub fn quote(&self, said: &str) -> String {
        crate::path::escape(self.clean(said).trim())
            .chars()
            .take(LONGEST_QUOTE)
            .collect()
    }

    /// A writer that takes the tokens out of every line before it reaches `inner`.
    pub fn writer<W: Write>(&self, inner: W) -> RedactingWriter<W> {
        RedactingWriter {
            inner,
            redactor: self.clone(),
            line: Vec::new(),
        }
    }
}

/// `text` with `***` in place of each login in an address. Such a password is none of the known tokens: a user typed it, or a server sent it.
pub fn hide_logins(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    let mut is_changed = false;
    for part in parts {
        let end = login_end(part);
        is_changed |= end.is_some();
        shown.push_str(if end.is_some() { "://***" } else { "://" });
        shown.push_str(&part[end.unwrap_or(0)..]);
    }
    match is_changed {
        true => shown.into(),
        false => text.into(),
    }
}

/// Where the `@` behind the login of an address stands, which begins after its `://`.
fn login_end(address: &str) -> Option<usize> {
    let ends = |sign: char| sign.is_whitespace() || "\"'`<>".contains(sign);
    let address = address.split(ends).next()?;
    let host = address.split(['/', '?', '#']).next()?;
    // A slash of a password that nobody escaped: what follows a host's colon is a port.
    let is_cut = host.split_once(':').is_some_and(|(name, port)| {
        !name.starts_with('[') && port.contains(|sign: char| !sign.is_ascii_digit())
    });
    match host.rfind('@') {
        None if is_cut => address.rfind('@'),
        end => end,
    }
}

/// See [`Redactor::writer`]. A line is held back until it is whole, so that no token passes in two halves.
pub struct RedactingWriter<W: Write> {
    inner: W,
    redactor: Redactor,
    line: Vec<u8>,
}

impl<W: Write> RedactingWriter<W> {
    fn pass_on(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        self.inner.write_all(
            self.redactor
                .clean(&String::from_utf8_lossy(&line))
                .as_bytes(),
        )
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.pass_on()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for RedactingWriter<W> {
    fn drop(&mut self) {
        let _ = self.pass_on().and_then(|()| self.inner.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_cut_after_its_tokens_are_out() {
        let redactor = Redactor::new([Token::parse("hf_secret").unwrap()]);
        assert_eq!(redactor.quote(" no\nhf_secret "), "no\\u{a}***");
        let quoted = redactor.quote(&format!("{}hf_secret", "x".repeat(295)));
        assert_eq!(quoted, format!("{}***", "x".repeat(295)));
        assert_eq!(redactor.quote(&"x".repeat(999)).len(), 300);
    }

    #[test]
    fn the_login_of_an_address_is_taken_out_and_nothing_else_of_it() {
        for (text, shown) in [
            (
                "at https://me:canary@host/a/b@v1, and http://canary@host",
                "at https://***@host/a/b@v1, and http://***@host",
            ),
            (
                "'ssh://git:ca/na@ry@host/a', once",
                "'ssh://***@host/a', once",
            ),
            ("https://me:p@ss@host:80/a", "https://***@host:80/a"),
            ("https://host:8080/a@b", "https://host:8080/a@b"),
            ("http://[::1]:80/a@b or x@y", "http://[::1]:80/a@b or x@y"),
            ("https://host a:b@c", "https://host a:b@c"),
        ] {
            assert_eq!(Redactor::default().clean(text), shown);
        }
    }

    #[test]
    fn a_token_is_taken_out_even_when_it_is_written_in_two_halves() {
        let redactor = Redactor::new([Token::parse("hf_secret").unwrap()]);
        let mut written = Vec::new();
        {
            let mut writer = redactor.writer(&mut written);
            writer.write_all(b"echo hf_se").unwrap();
            writer.write_all(b"cret back\nhf_secret").unwrap();
        }
        assert_eq!(String::from_utf8(written).unwrap(), "echo *** back\n***");
    }

    #[test]
    fn a_line_passes_as_soon_as_it_is_whole() {
        let mut writer = Redactor::default().writer(io::BufWriter::new(Vec::new()));
        writer.write_all(b"one\ntwo\nthr").unwrap();
        assert_eq!(writer.inner.buffer(), b"one\ntwo\n");
        writer.flush().unwrap();
        assert_eq!(writer.inner.get_ref(), b"one\ntwo\n");
    }

    #[test]
    fn the_tokens_of_both_redactors_are_taken_out() {
        let [one, two] =
            ["hf_secret1", "ms_secret2"].map(|token| Redactor::new([Token::parse(token).unwrap()]));
        assert_eq!(one.with(&two).clean("hf_secret1 ms_secret2"), "*** ***");
        assert!(one.with(&two).is_in("ms_secret2") && !one.is_in("ms_secret2"));
    }
}
