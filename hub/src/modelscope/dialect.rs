//! What ModelScope says: the envelope `{Code, Data, Message, Success}` of its older routes and the
//! `{code, data, message, success}` of its OpenAPI, in errors and inside answers of 200.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use crate::http::{Answer, Dialect, PlainDialect, Response};
use crate::{Error, Kind, Redactor, Result};

/// The access token is invalid or expired; comes with a 400 (modelscope-hub 0.5.1, `errors.py`).
const BAD_TOKEN: u64 = 10_010_103_009;
/// The repo exists: dataset and model on the China site, any on the international one (`errors.py`).
const EXISTS: [u64; 3] = [10_020_101_001, 10_010_101_001, 10_010_202_004];
/// Another commit came first, or the repo takes no commit now (`errors.py`, `_COMMIT_RETRYABLE_BUSINESS_CODES`).
const BRANCH_CHANGED: u64 = 10_030_000_001;
/// The same in words (`_upload.py`, `_RETRYABLE_COMMIT_MESSAGE_MARKERS`).
const BRANCH_CHANGED_WORDS: [&str; 3] = ["branch changed", "could not update refs", "commit rejected by repository policy"];

/// How ModelScope says what is wrong.
pub(super) struct ModelScope;

impl Dialect for ModelScope {
    fn public_origins(&self) -> &'static [&'static str] {
        &["https://modelscope.cn", "https://www.modelscope.cn", "https://modelscope.ai", "https://www.modelscope.ai"]
    }

    fn read(&self, answer: &Answer<'_>) -> Option<(Kind, String)> {
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(body)) => {
                let said = Said::of(&body);
                Some((said.meaning(answer.status, answer.kind()), said.words()))
            }
            // Its storage answers below its own domain, in XML.
            _ => PlainDialect.read(answer),
        }
    }
}

/// Opens the envelope of an answer of 200: its data, or all of it where it has none.
///
/// # Errors
/// What the envelope complains of; [`Kind::Refused`] for what is no JSON.
pub(super) async fn data_of(response: Response, redactor: &Redactor) -> Result<Value> {
    let (status, request) = (response.status(), response.request.clone());
    match response.json().await? {
        Value::Object(mut body) => match complaint(status, &body, redactor) {
            Some(error) => Err(error.of_request(request)),
            None => Ok(take(&mut body, ["Data", "data"]).unwrap_or(Value::Object(body))),
        },
        other => Ok(other),
    }
}

/// The error inside an answer whose status is a success, if there is one.
pub(super) fn complaint(status: StatusCode, body: &Map<String, Value>, redactor: &Redactor) -> Option<Error> {
    let said = Said::of(body);
    if !said.is_error() {
        return None;
    }
    let kind = said.meaning(status, said.code_as_status().map_or(Kind::Invalid, kind_of));
    let words = redactor.quote(&said.words());
    let words = if words.is_empty() { "the hub answered an error without words".to_owned() } else { words };
    Some(Error::new(kind, words).with_status(status.as_u16()))
}

/// What a status means when it stands inside a body.
pub(super) fn kind_of(status: StatusCode) -> Kind {
    Answer { status, headers: &HeaderMap::new(), body: Default::default() }.kind()
}

/// The words of an envelope.
struct Said {
    code: Code,
    message: String,
    success: Option<bool>,
}

/// Numbers on the older routes, words in the OpenAPI.
enum Code {
    None,
    Number(u64),
    Word(String),
}

impl Said {
    fn of(body: &Map<String, Value>) -> Self {
        let message = ["Message", "message", "Msg", "msg", "Error", "error", "Detail", "detail"];
        let message = message.iter().find_map(|key| body.get(*key)?.as_str().filter(|text| !text.trim().is_empty()));
        let success = ["Success", "success"].iter().find_map(|key| body.get(*key)?.as_bool());
        let code = ["Code", "code"].iter().find_map(|key| body.get(*key).filter(|code| !code.is_null()));
        Self { code: code.map_or(Code::None, Code::of), message: message.unwrap_or_default().to_owned(), success }
    }

    /// `Success: false` or a code other than 200 (`_legacy_api.py`, `create_commit` and `upload_blob`). A word
    /// for a code beside `success: true` is not known as an error.
    fn is_error(&self) -> bool {
        let by_code = match &self.code {
            Code::None => false,
            Code::Number(code) => *code != 200,
            Code::Word(_) => self.success != Some(true),
        };
        self.success == Some(false) || by_code
    }

    /// The meaning by code or words; `otherwise` where they say nothing. An outage stays one, whatever its body says.
    fn meaning(&self, status: StatusCode, otherwise: Kind) -> Kind {
        if status.is_server_error() {
            return otherwise;
        }
        match &self.code {
            Code::Number(BAD_TOKEN) => Kind::Unauthorized,
            Code::Number(code) if EXISTS.contains(code) || *code == BRANCH_CHANGED => Kind::Conflict,
            Code::Word(word) => meaning_of_word(word).unwrap_or(otherwise),
            _ if self.says_branch_changed() && otherwise == Kind::Invalid => Kind::Conflict,
            _ => otherwise,
        }
    }

    /// The message and the code; empty where there is neither.
    fn words(&self) -> String {
        format!("{}{}", self.message.trim(), self.code).trim().to_owned()
    }

    fn says_branch_changed(&self) -> bool {
        let message = self.message.to_lowercase();
        BRANCH_CHANGED_WORDS.iter().any(|words| message.contains(words))
    }

    fn code_as_status(&self) -> Option<StatusCode> {
        match self.code {
            Code::Number(code @ 400..=599) => u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok()),
            _ => None,
        }
    }
}

impl Code {
    fn of(value: &Value) -> Self {
        match value {
            Value::Number(_) => Self::Number(value.as_u64().unwrap_or(u64::MAX)),
            Value::String(word) => word.trim().parse().map_or_else(|_| Self::Word(word.clone()), Self::Number),
            _ => Self::Number(u64::MAX),
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None | Self::Number(200) => Ok(()),
            Self::Number(code) => write!(f, " (code {code})"),
            Self::Word(word) => write!(f, " ({word})"),
        }
    }
}

/// The OpenAPI's codes (modelscope-hub 0.5.1, `errors.py`, `_OPENAPI_CODE_MAP`). A full quota comes with a
/// 403 but is no matter of permission.
fn meaning_of_word(word: &str) -> Option<Kind> {
    Some(match word {
        "InputParameterError" | "QuotaLimitExceed" => Kind::Invalid,
        "InvalidAuthentication" => Kind::Unauthorized,
        "OperationNotAllowed" => Kind::Denied,
        "ResourceNotFound" => Kind::NotFound,
        "DuplicateEntity" => Kind::Conflict,
        "RateLimitExceed" => Kind::RateLimited,
        _ => return None,
    })
}

/// The first of `names` that is there, null or not.
fn take(body: &mut Map<String, Value>, names: [&str; 2]) -> Option<Value> {
    names.iter().find_map(|name| body.remove(*name))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    fn of_status(status: u16, body: Value) -> Kind {
        let headers = HeaderMap::new();
        let status = StatusCode::from_u16(status).unwrap();
        ModelScope.read(&Answer { status, headers: &headers, body: Bytes::from(body.to_string()) }).unwrap().0
    }

    fn in_200(body: Value) -> Option<Error> {
        complaint(StatusCode::OK, body.as_object().unwrap(), &Redactor::default())
    }

    #[test]
    fn codes_mean_more_than_the_status_they_come_with() {
        assert_eq!(of_status(400, json!({"Code": BAD_TOKEN, "Message": "no"})), Kind::Unauthorized);
        for code in [10_020_101_001_u64, 10_010_101_001, 10_010_202_004, BRANCH_CHANGED] {
            assert_eq!(of_status(400, json!({"Code": code})), Kind::Conflict, "{code}");
        }
        assert_eq!(of_status(403, json!({"code": "QuotaLimitExceed"})), Kind::Invalid);
        assert_eq!(of_status(400, json!({"code": "DuplicateEntity"})), Kind::Conflict);
        assert_eq!(of_status(429, json!({"code": "RateLimitExceed"})), Kind::RateLimited);
        assert_eq!(of_status(404, json!({"Code": 10_010_205_001_u64})), Kind::NotFound);
    }

    #[test]
    fn an_outage_stays_one_whatever_its_body_says() {
        assert_eq!(of_status(502, json!({"Code": BAD_TOKEN, "Message": "branch changed"})), Kind::Transient);
    }

    #[test]
    fn a_branch_that_changed_is_known_by_its_words_but_a_denial_stays_one() {
        for words in ["Branch changed, retry", "remote: COULD NOT UPDATE REFS", "commit rejected by repository policy"] {
            assert_eq!(of_status(400, json!({"Code": 400, "Message": words})), Kind::Conflict, "{words}");
            assert_eq!(of_status(409, json!({"Message": words})), Kind::Conflict, "{words}");
        }
        assert_eq!(of_status(403, json!({"Message": "branch changed"})), Kind::Denied);
    }

    #[test]
    fn an_error_envelope_inside_a_200_is_an_error() {
        let kind = |body| in_200(body).unwrap().kind();
        assert_eq!(kind(json!({"Success": false, "Message": "x"})), Kind::Invalid);
        assert_eq!(kind(json!({"Code": 500, "Success": true})), Kind::Transient);
        assert_eq!(kind(json!({"Code": "403", "Success": false})), Kind::Denied);
        assert_eq!(kind(json!({"Code": BRANCH_CHANGED, "Success": false})), Kind::Conflict);
        assert_eq!(kind(json!({"code": "InvalidAuthentication", "success": false})), Kind::Unauthorized);
        assert_eq!(kind(json!({"Code": "Broken"})), Kind::Invalid);
        assert_eq!(kind(json!({"Code": 0})), Kind::Invalid);
    }

    #[test]
    fn a_good_envelope_is_none() {
        for body in [json!({"Code": 200, "Success": true}), json!({"Code": "200"}), json!({"success": true, "code": "OK"}), json!({})] {
            assert!(in_200(body.clone()).is_none(), "{body}");
        }
    }

    #[test]
    fn words_are_clean_and_name_the_code() {
        let error = in_200(json!({"Code": 7, "Message": "a\u{1b}[2J"})).unwrap();
        assert_eq!(error.to_string(), "a\\u{1b}[2J (code 7)");
        assert_eq!(in_200(json!({"Success": false})).unwrap().to_string(), "the hub answered an error without words");
        assert!(in_200(json!({"Success": false, "Message": "x".repeat(9_999)})).unwrap().to_string().len() < 400);
    }
}
