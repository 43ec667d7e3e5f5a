//! Header values as text. They are bytes (RFC 9110, 5.5), mostly ASCII, sometimes UTF-8 or Latin-1.

use std::borrow::Cow;

use percent_encoding::{CONTROLS, percent_encode};
use reqwest::header::HeaderValue;

/// The value as UTF-8, or else as Latin-1, in which every byte is a character.
pub(crate) fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}

/// The value of a header with addresses in it: the same bytes, those outside ASCII written as addresses have them.
pub(crate) fn address(value: &HeaderValue) -> String {
    percent_encode(value.as_bytes(), CONTROLS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_text_and_every_address_keeps_its_bytes() {
        let of = |bytes: &[u8]| HeaderValue::from_bytes(bytes).unwrap();
        assert_eq!(
            (text(&of("\u{e9}tag".as_bytes())), text(&of(b"\xe9tag"))),
            ("\u{e9}tag".into(), "\u{e9}tag".into())
        );
        assert_eq!(
            (
                address(&of("/\u{e9}?a=%20".as_bytes())),
                address(&of(b"/\xe9"))
            ),
            ("/%C3%A9?a=%20".into(), "/%E9".into())
        );
    }
}
