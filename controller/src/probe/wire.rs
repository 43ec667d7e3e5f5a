//! Raw requests to one hub, counted, and stopped for good once the hub asks to wait or can't be reached.

use std::sync::{Arc, Mutex, PoisonError};

use hf2ms_hub::http::{HttpOptions, RawRequest, RawResponse};
use hf2ms_hub::{Error, Hub, Kind, RawHub, Side, open_raw};
use serde_json::Value;

use super::budget::RequestBudget;
use super::finding::{NotTried, not_tried};

/// The most of an answer that is read.
const LONGEST: usize = 8 << 20;
/// Messages of a 429 that is no rate limit but a concurrent commit (recorded at ModelScope).
const BUSY: &str = "commit lock busy";
/// The most characters of a server's message that are printed.
const WORDS: usize = 110;

/// A request, and which of a hub's doors it goes to.
#[derive(Debug, Clone)]
pub struct Ask {
    request: RawRequest,
    by_git: bool,
}

impl Ask {
    /// A request with the token, to a path below the hub's endpoint or to a whole address.
    pub fn new(method: &'static str, to: impl Into<String>) -> Self {
        let request = RawRequest {
            method,
            url: to.into(),
            headers: Vec::new(),
            body: Vec::new(),
            with_token: true,
        };
        Self {
            request,
            by_git: false,
        }
    }

    /// A GET.
    pub fn get(to: impl Into<String>) -> Self {
        Self::new("GET", to)
    }

    /// A POST of JSON.
    pub fn post(to: impl Into<String>, body: &Value) -> Self {
        Self::new("POST", to).json(body)
    }

    /// With JSON as its body.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// A PUT of bytes.
    pub fn put(to: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("PUT", to).body(body)
    }

    /// With this header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.request.headers.retain(|(told, _)| told != name);
        self.request.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// To another address.
    pub fn to(mut self, address: &str) -> Self {
        self.request.url = address.to_owned();
        self
    }

    /// Asking for these bytes, both ends counted.
    pub fn range(self, first: usize, last: usize) -> Self {
        self.header("range", format!("bytes={first}-{last}"))
    }

    /// Without the token.
    pub fn anonymous(mut self) -> Self {
        self.request.with_token = false;
        self
    }

    /// With the token as Git's password.
    pub fn by_git(mut self) -> Self {
        self.by_git = true;
        self
    }
}

/// One hub, spoken to by raw requests.
pub struct Wire {
    endpoint: String,
    raw: RawHub,
    budget: Arc<RequestBudget>,
    closed: Mutex<Option<String>>,
    hub: Hub,
}

impl Wire {
    /// Opens the hub of `side`.
    ///
    /// # Errors
    /// What [`open_raw`] fails with.
    pub fn open(side: &Side, http: HttpOptions, budget: Arc<RequestBudget>) -> Result<Self, Error> {
        let endpoint = side.at.endpoint.trim_end_matches('/').to_owned();
        Ok(Self {
            endpoint,
            raw: open_raw(side, http)?,
            budget,
            closed: Mutex::default(),
            hub: side.at.hub,
        })
    }

    /// Sends a request, unless the hub asked to be left alone.
    ///
    /// # Errors
    /// Why nothing was sent, or why nothing came.
    pub async fn send(&self, ask: Ask) -> Result<RawResponse, NotTried> {
        if let Some(why) = self.closed() {
            return not_tried(why);
        }
        self.budget.take(ask.request.body.len()).map_err(NotTried)?;
        let answer = self.exchange(ask).await?;
        if answer.status == 429 && !brief(&answer).contains(BUSY) {
            let why = format!(
                "{} asks to wait ({}{})",
                self.hub,
                brief(&answer),
                retry_after(&answer)
            );
            self.close(why.clone());
            return not_tried(why);
        }
        Ok(answer)
    }

    /// Sends a request of the deletion, which no limit stops.
    ///
    /// # Errors
    /// Why nothing came.
    pub async fn send_anyway(&self, ask: Ask) -> Result<RawResponse, NotTried> {
        self.budget.take_for_cleanup(ask.request.body.len());
        self.exchange(ask).await
    }

    /// Begins to PUT `length` bytes, and breaks off after the body of `ask`.
    ///
    /// # Errors
    /// Why nothing was sent.
    pub async fn put_broken_off(&self, ask: Ask, length: u64) -> Result<(), NotTried> {
        if let Some(why) = self.closed() {
            return not_tried(why);
        }
        self.budget.take(ask.request.body.len()).map_err(NotTried)?;
        let request = self.addressed(ask).request;
        self.raw
            .api
            .put_broken_off(&request, length)
            .await
            .map_err(|error| NotTried(error.to_string()))
    }

    async fn exchange(&self, ask: Ask) -> Result<RawResponse, NotTried> {
        let Ask { request, by_git } = self.addressed(ask);
        let door = if by_git { &self.raw.git } else { &self.raw.api };
        match door.exchange_raw(&request, LONGEST).await {
            Ok(answer) => {
                self.budget.received(answer.body.len());
                Ok(answer)
            }
            Err(error) => {
                if error.kind() == Kind::Unreachable {
                    self.close(format!("{} can't be reached ({error})", self.hub));
                }
                not_tried(error.to_string())
            }
        }
    }

    fn addressed(&self, mut ask: Ask) -> Ask {
        if ask.request.url.starts_with('/') {
            ask.request.url.insert_str(0, &self.endpoint);
        }
        ask
    }

    /// Ends all requests but those of the deletion.
    pub fn close(&self, why: String) {
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(why);
    }

    fn closed(&self) -> Option<String> {
        self.closed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether an address is at the hub's own origin.
    pub fn is_own(&self, address: &str) -> bool {
        address.starts_with('/')
            || address
                .strip_prefix(&self.endpoint)
                .is_some_and(|rest| rest.starts_with('/'))
    }
}

fn retry_after(answer: &RawResponse) -> String {
    answer
        .header("retry-after")
        .map(|wait| format!("; Retry-After {wait}"))
        .unwrap_or_default()
}

/// The body as JSON; null where it is none.
pub fn json(answer: &RawResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A header's text, or a dash.
pub fn header<'a>(answer: &'a RawResponse, name: &str) -> &'a str {
    answer.header(name).unwrap_or("-")
}

/// `404 RepoNotFound: Repository not found`: the status, the code and the message of a response.
pub fn brief(answer: &RawResponse) -> String {
    let body = json(answer);
    let field = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| body.get(*name).filter(|told| !told.is_null()).cloned())
    };
    let code = field(&["Code", "code"])
        .filter(|code| *code != 200)
        .map(|code| {
            code.as_str()
                .map_or_else(|| code.to_string(), str::to_owned)
        });
    let code = answer
        .header("x-error-code")
        .map(str::to_owned)
        .or(code)
        .or_else(|| between(answer, "Code"));
    let words = field(&["error", "Message", "message", "errors"]).map(|words| {
        words
            .as_str()
            .map_or_else(|| words.to_string(), str::to_owned)
    });
    let words = words
        .or_else(|| between(answer, "Message"))
        .filter(|words| !["", "[]", "success"].contains(&words.as_str()));
    let code = code.map(|code| format!(" {code}")).unwrap_or_default();
    let words = words
        .map(|words| format!(": {}", cut(&words)))
        .unwrap_or_default();
    format!("{}{code}{words}", answer.status)
}

/// What stands in an element of storage's XML.
fn between(answer: &RawResponse, element: &str) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let (_, rest) = text.split_once(&format!("<{element}>"))?;
    Some(rest.split_once("</")?.0.to_owned())
}

/// The beginning of a text, on one line.
pub fn cut(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WORDS) {
        Some((at, _)) => format!("{}..", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> RawResponse {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        RawResponse {
            status,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn every_hub_and_its_storage_are_put_in_one_line() {
        for (answer, line) in [
            (
                answer(
                    404,
                    &[("x-error-code", "RepoNotFound")],
                    r#"{"error":"Repository not found"}"#,
                ),
                "404 RepoNotFound: Repository not found",
            ),
            (
                answer(
                    400,
                    &[],
                    r#"{"Code":10030000001,"Message":"user not logged in"}"#,
                ),
                "400 10030000001: user not logged in",
            ),
            (
                answer(
                    403,
                    &[],
                    "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
                ),
                "403 AccessDenied: no",
            ),
            (
                answer(200, &[], r#"{"Code":200,"Message":"success"}"#),
                "200",
            ),
            (answer(502, &[], "<html>"), "502"),
        ] {
            assert_eq!(brief(&answer), line);
        }
    }
}
