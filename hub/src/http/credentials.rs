//! A hub's credentials: headers that go to the hub's own origin, and the token, which goes nowhere else.

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::origin::Origin;
use crate::error::{Error, Kind, Result};
use crate::{Redactor, Token};

/// A hub's credentials. Cheap to clone.
#[derive(Clone, Default)]
pub struct Credentials {
    headers: HeaderMap,
    redactor: Redactor,
}

impl Credentials {
    /// The token, in the headers that `form` makes of it; none without a token.
    pub fn of<H: IntoIterator<Item = (HeaderName, HeaderValue)>>(
        token: Option<&Token>,
        form: impl Fn(&Token) -> H,
    ) -> Self {
        Self {
            headers: token.into_iter().flat_map(form).collect(),
            redactor: Redactor::new(token.cloned()),
        }
    }

    /// The token as the password of HTTP's basic credentials, as Git servers want it; none without a token.
    pub fn basic(user: &str, token: Option<&Token>) -> Self {
        let headers = token
            .map(|token| (AUTHORIZATION, token.basic(user)))
            .into_iter()
            .collect();
        let secrets = token
            .into_iter()
            .flat_map(|token| [token.clone(), token.as_basic(user)]);
        Self {
            headers,
            redactor: Redactor::new(secrets),
        }
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Takes the token out of what is said.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Refuses a request to someone else that holds the token: a hub that names such an address, or wants such a header,
    /// would have us give it away.
    ///
    /// # Errors
    /// [`Kind::Refused`].
    pub(crate) fn stay_out_of(&self, url: &Url, headers: &HeaderMap) -> Result<()> {
        let address = percent_encoding::percent_decode_str(url.as_str()).decode_utf8_lossy();
        let mut values = headers
            .values()
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        if self.is_in(url.as_str())
            || self.is_in(&address)
            || values.any(|value| self.is_in(&value))
        {
            let origin = Origin::of(url)?;
            return Err(Error::new(
                Kind::Refused,
                format!("the hub wants its token sent to {origin}"),
            ));
        }
        Ok(())
    }

    fn is_in(&self, text: &str) -> bool {
        self.redactor.is_in(text)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn a_request_to_someone_else_may_not_hold_the_token() {
        let token = Token::parse("hf_canary").unwrap();
        let credentials = Credentials::of(Some(&token), |token| {
            [(AUTHORIZATION, token.header("Bearer "))]
        });
        let refused = |url: &str, headers: &HeaderMap| {
            credentials
                .stay_out_of(&url.parse().unwrap(), headers)
                .is_err()
        };
        assert!(!refused("https://cdn/x?sig=hf_other", &HeaderMap::new()));
        for url in [
            "https://cdn/hf_canary/x",
            "https://cdn/x?a=hf_canary",
            "https://cdn/x?a=hf%5Fcan%61ry",
            "https://hf_canary.cdn/",
        ] {
            assert!(refused(url, &HeaderMap::new()), "{url}");
        }
        assert!(refused("https://cdn/x", credentials.headers()));
        assert!(
            Credentials::default()
                .stay_out_of(&"https://cdn/".parse().unwrap(), credentials.headers())
                .is_ok()
        );
    }
}
