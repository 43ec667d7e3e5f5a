//! What a hub tells of its quota: `RateLimit: "api";r=499;t=295` and `RateLimit-Policy: "fixed window";"api";q=500;w=300`.
//! Recorded of Hugging Face, on every answer of its API; huggingface_hub 2.4.0 reads them too (`_http.py`).

use std::time::Duration;

use reqwest::header::HeaderMap;

use super::header_text::text;

const LEFT: &str = "ratelimit";
const POLICY: &str = "ratelimit-policy";

/// What one answer tells of the bucket that its request counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QuotaLeft {
    /// Requests that the account has left.
    pub(super) remaining: u64,
    /// Until the window begins anew; a second more than the hub says, as its own client waits.
    pub(super) resets_in: Duration,
    /// Requests of a whole window, where the policy is told.
    pub(super) quota: Option<u64>,
}

impl QuotaLeft {
    /// Reads an answer; of several buckets the one counts that has least left, and of those the one that takes longest.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = text(headers.get(LEFT)?);
        let left = |bucket: &str| Some((number(bucket, "r")?, number(bucket, "t")?));
        let (remaining, seconds) = value
            .split(',')
            .filter_map(left)
            .min_by_key(|(remaining, seconds)| (*remaining, u64::MAX - seconds))?;
        let policy = headers.get(POLICY).map(text);
        let quotas = policy.iter().flat_map(|policy| policy.split(','));
        Some(Self {
            remaining,
            resets_in: Duration::from_secs(seconds.saturating_add(1)),
            quota: quotas.filter_map(|bucket| number(bucket, "q")).min(),
        })
    }
}

/// The number of a parameter: of `"api";r=499;t=295` the 499 of `r`.
fn number(bucket: &str, name: &str) -> Option<u64> {
    bucket.split(';').find_map(|part| {
        let value = part.trim().strip_prefix(name)?.strip_prefix('=')?;
        value.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(left: &'static str, policy: &'static str) -> Option<(u64, u64, Option<u64>)> {
        let headers = [(LEFT, left), (POLICY, policy)].map(|(name, value)| {
            let name = name.parse::<reqwest::header::HeaderName>().unwrap();
            (name, value.parse().unwrap())
        });
        let told = QuotaLeft::of(&headers.into_iter().collect())?;
        Some((told.remaining, told.resets_in.as_secs(), told.quota))
    }

    #[test]
    fn what_is_left_is_read_of_the_bucket_that_has_least() {
        let policy = r#""fixed window";"api";q=500;w=300"#;
        assert_eq!(
            told(r#""api";r=499;t=295"#, policy),
            Some((499, 296, Some(500)))
        );
        let three = r#""api";r=0;t=9, "pages";r=0;t=55, "resolvers";r=2;t=99"#;
        assert_eq!(told(three, ""), Some((0, 56, None)));
        for nothing in ["", r#""api""#, r#""api";r=1"#, r#""api";r=x;t=1"#] {
            assert_eq!(told(nothing, policy), None, "{nothing}");
        }
    }
}
