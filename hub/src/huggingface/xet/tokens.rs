//! The permission to speak to Xet's storage: an address and a token of its own, which the hub gives for some minutes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::wire;
use crate::http::{Http, Request};
use crate::lfs::{date_of, remaining, safe};
use crate::{Error, Kind, Redactor, Result, Token};

const LONGEST_ANSWER: u64 = 64 << 10;

/// Where the storage is, and what opens it.
#[derive(Clone)]
pub(super) struct Grant {
    cas: String,
    token: Token,
    fresh_until: Instant,
}

impl Grant {
    /// An address of the storage.
    ///
    /// # Errors
    /// [`Kind::Refused`] when the hub named something that is no address.
    pub(super) fn url(&self, rest: &str) -> Result<Url> {
        format!("{}{rest}", self.cas).parse().map_err(|_| {
            Error::new(
                Kind::Refused,
                "the hub's address of Xet's storage is no address",
            )
        })
    }

    /// The header that shows the permission.
    pub(super) fn header(&self) -> HeaderValue {
        self.token.header("Bearer ")
    }

    /// Takes this token out of what the storage says.
    pub(super) fn redactor(&self) -> Redactor {
        Redactor::new([self.token.clone()])
    }
}

/// The permission for one direction. Cheap to clone.
#[derive(Clone)]
pub(super) struct TokenCache(Arc<Inner>);

struct Inner {
    http: Http,
    /// The hub's address that gives one.
    from: Url,
    current: Mutex<Option<Grant>>,
    /// Held while asking: eight streams ask once.
    asking: tokio::sync::Mutex<()>,
}

impl TokenCache {
    pub(super) fn new(http: Http, from: Url) -> Self {
        Self(Arc::new(Inner {
            http,
            from,
            current: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
        }))
    }

    pub(super) fn http(&self) -> &Http {
        &self.0.http
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Grant>> {
        self.0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<Grant> {
        let now = self.0.http.options().clock.now();
        self.current()
            .clone()
            .filter(|grant| grant.fresh_until > now)
    }

    /// A permission that still lasts; asked for when there is none.
    ///
    /// # Errors
    /// The hub's; [`Kind::Refused`] for an address that may not be followed or a token that can't be sent.
    pub(super) async fn get(&self) -> Result<Grant> {
        if let Some(grant) = self.fresh() {
            return Ok(grant);
        }
        let _alone = self.0.asking.lock().await;
        if let Some(grant) = self.fresh() {
            return Ok(grant);
        }
        let grant = self.ask().await?;
        *self.current() = Some(grant.clone());
        Ok(grant)
    }

    /// Forgets a permission that was refused, unless it was renewed meanwhile.
    pub(super) fn forget(&self, refused: &Grant) {
        let mut current = self.current();
        if current
            .as_ref()
            .is_some_and(|grant| grant.token.expose() == refused.token.expose())
        {
            *current = None;
        }
    }

    async fn ask(&self) -> Result<Grant> {
        let http = &self.0.http;
        let response = http.send(Request::get(self.0.from.clone())).await;
        let response =
            response.map_err(|error| error.about("the hub gives no token for Xet's storage"))?;
        let (now, answered) = (
            http.options().clock.now(),
            date_of(response.headers()).unwrap_or_else(|| http.options().clock.date()),
        );
        let told: wire::Grant = response.json_within(LONGEST_ANSWER).await?;
        let cas = safe(&told.cas_url, http)?;
        let token = Token::parse(&told.access_token)
            .map_err(|bad| Error::new(Kind::Refused, format!("the hub's token for Xet: {bad}")))?;
        let end = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(told.exp))
            .unwrap_or(answered);
        Ok(Grant {
            cas: cas.as_str().trim_end_matches('/').to_owned(),
            token,
            fresh_until: now + remaining(end, answered),
        })
    }
}
