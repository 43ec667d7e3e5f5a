//! URLs that let whoever has them do one thing for a while, as object storage hands them out.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::clock;
use crate::digest::hex;

/// Why a signed URL is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    /// It was good once.
    Expired,
    /// It never was.
    Forged,
}

/// Signs and checks.
pub struct Signer {
    secret: String,
}

impl Signer {
    /// A signer with a secret of its own.
    pub fn new() -> Self {
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        Self {
            secret: format!("{nanos}-{}", std::process::id()),
        }
    }

    /// `path` with a query that allows `method` on it for `ttl` from now; a `ttl` of zero is over already.
    pub fn sign(&self, method: &str, path: &str, ttl: Duration) -> String {
        let lasts = ttl.as_secs().max(1);
        let from = if ttl.is_zero() {
            clock::now() - 3600
        } else {
            clock::now()
        };
        let date = clock::basic(from);
        let signature = self.signature(method, path, from, lasts);
        format!(
            "{path}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={date}&X-Amz-Expires={lasts}&X-Amz-SignedHeaders=host&X-Amz-From={from}&X-Amz-Signature={signature}"
        )
    }

    /// Checks a request against what was signed; `query` finds a parameter.
    pub fn check<'q>(
        &self,
        method: &str,
        path: &str,
        query: impl Fn(&str) -> Option<&'q str>,
    ) -> Result<(), Refused> {
        let number = |name| {
            query(name)
                .and_then(|text| text.parse::<u64>().ok())
                .ok_or(Refused::Forged)
        };
        let (from, lasts) = (number("X-Amz-From")?, number("X-Amz-Expires")?);
        if query("X-Amz-Signature") != Some(&self.signature(method, path, from, lasts)) {
            return Err(Refused::Forged);
        }
        if clock::now() > from + lasts {
            Err(Refused::Expired)
        } else {
            Ok(())
        }
    }

    fn signature(&self, method: &str, path: &str, from: u64, lasts: u64) -> String {
        hex(&Sha256::digest(format!(
            "{}\n{method}\n{path}\n{from}\n{lasts}",
            self.secret
        )))
    }
}

impl Default for Signer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(signer: &Signer, method: &str, url: &str) -> Result<(), Refused> {
        let (path, query) = url.split_once('?').unwrap();
        signer.check(method, path, |name| {
            query
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        })
    }

    #[test]
    fn allows_what_was_signed_and_nothing_else() {
        let signer = Signer::new();
        let url = signer.sign("GET", "/a/b", Duration::from_secs(60));
        assert_eq!(check(&signer, "GET", &url), Ok(()));
        assert_eq!(check(&signer, "PUT", &url), Err(Refused::Forged));
        assert_eq!(
            check(&signer, "GET", &url.replace("/a/b", "/a/c")),
            Err(Refused::Forged)
        );
        assert_eq!(
            check(&signer, "GET", &url.replace("Expires=60", "Expires=600")),
            Err(Refused::Forged)
        );
        assert_eq!(
            check(&signer, "GET", &signer.sign("GET", "/a/b", Duration::ZERO)),
            Err(Refused::Expired)
        );
    }
}
