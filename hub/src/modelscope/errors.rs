//! What ModelScope says: the envelope `{Code, Data, Message, Success}` of its older routes and the
//! `{code, data, message, success}` of its OpenAPI, in errors and inside answers of 200.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use crate::http::{ErrorDecoder, ErrorResponse, PlainErrorDecoder, Response};
use crate::{Error, Kind, Redactor, Result};

/// The access token is invalid or expired; comes with a 400 (modelscope-hub 0.5.1, `errors.py`).
const BAD_TOKEN: u64 = 10_010_103_009;
/// The repo exists: dataset and model on the China site, any on the international one (`errors.py`).
const EXISTS: [u64; 3] = [10_020_101_001, 10_010_101_001, 10_010_202_004];
/// Several things, told apart by their words (recorded at the real hub; `errors.py`, `_COMMIT_RETRYABLE_BUSINESS_CODES`).
const BY_WORDS: u64 = 10_030_000_001;
/// The repo is private, or gated without a grant: recorded with a 404.
const NO_GRANT: u64 = 10_010_200_001;
/// The hub has disabled the repo: comes with a 403 (the sandbox's; not recorded at the real hub).
const DISABLED: u64 = 10_010_104_005;
/// There is no tree at this revision: recorded with a 404.
const NO_TREE: u64 = 10_990_101_004;
/// The file is not there, or its content is lost: recorded with a 200 and with a 404.
const NO_CONTENT: u64 = 10_990_101_007;
/// The repo is absent: recorded with a 404 and with a 200, and with an overload, of which the words tell.
const ABSENT: u64 = 10_010_205_001;
/// What words mean beside any code, in lower case (recorded at the real hub; `_upload.py`, `_RETRYABLE_COMMIT_MESSAGE_MARKERS`).
const WORDS: [(&str, Kind); 9] = [
    ("branch changed", Kind::Conflict),
    ("could not update refs", Kind::Conflict),
    ("commit lock busy", Kind::RateLimited),
    ("commit frequency limit exceeded", Kind::RateLimited),
    ("commit rejected by repository policy", Kind::Policy),
    ("user not logged in", Kind::Unauthorized),
    (
        "create or edit files when you are on a branch",
        Kind::NotFound,
    ),
    ("max_prepared_stmt_count", Kind::Transient),
    ("error 1461", Kind::Transient),
];

/// How ModelScope says what is wrong.
pub(super) struct ModelScope;

impl ErrorDecoder for ModelScope {
    fn public_origins(&self) -> &'static [&'static str] {
        &[
            "https://modelscope.cn",
            "https://www.modelscope.cn",
            "https://modelscope.ai",
            "https://www.modelscope.ai",
        ]
    }

    fn decode(&self, answer: &ErrorResponse<'_>) -> Option<(Kind, String)> {
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(body)) => {
                let said = Said::of(&body);
                Some((said.meaning(answer.status, answer.kind()), said.words()))
            }
            // Its storage answers below its own domain, in XML.
            _ => PlainErrorDecoder.decode(answer),
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
pub(super) fn complaint(
    status: StatusCode,
    body: &Map<String, Value>,
    redactor: &Redactor,
) -> Option<Error> {
    let said = Said::of(body);
    if !said.is_error() {
        return None;
    }
    let kind = said.meaning(status, said.code_as_status().map_or(Kind::Invalid, kind_of));
    let words = redactor.quote(&said.words());
    let words = if words.is_empty() {
        "the hub answered an error without words".to_owned()
    } else {
        words
    };
    Some(Error::new(kind, words).with_status(status.as_u16()))
}

/// What a status means when it stands inside a body.
pub(super) fn kind_of(status: StatusCode) -> Kind {
    ErrorResponse {
        status,
        headers: &HeaderMap::new(),
        body: Default::default(),
    }
    .kind()
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
        let message = [
            "Message", "message", "Msg", "msg", "Error", "error", "Detail", "detail",
        ];
        let message = message.iter().find_map(|key| {
            body.get(*key)?
                .as_str()
                .filter(|text| !text.trim().is_empty())
        });
        let success = ["Success", "success"]
            .iter()
            .find_map(|key| body.get(*key)?.as_bool());
        let code = ["Code", "code"]
            .iter()
            .find_map(|key| body.get(*key).filter(|code| !code.is_null()));
        Self {
            code: code.map_or(Code::None, Code::of),
            message: message.unwrap_or_default().to_owned(),
            success,
        }
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
            Code::Number(NO_GRANT) => Kind::Gated,
            Code::Number(DISABLED) => Kind::Disabled,
            Code::Number(NO_TREE | NO_CONTENT) => Kind::NotFound,
            Code::Number(code) if EXISTS.contains(code) => Kind::Conflict,
            Code::Word(word) => meaning_of_word(word).unwrap_or(otherwise),
            Code::Number(BY_WORDS) => self.meaning_of_words(otherwise),
            _ if matches!(otherwise, Kind::Unauthorized | Kind::Denied) => otherwise,
            _ => self.meaning_of_words(otherwise),
        }
    }

    /// The meaning by words. Where they are not known, that code is a rejection of something in the commit, as the official
    /// client has it (`_upload.py`, `_should_split_commit_failure`).
    fn meaning_of_words(&self, otherwise: Kind) -> Kind {
        let message = self.message.to_lowercase();
        let known = WORDS
            .iter()
            .find(|(words, _)| message.contains(words))
            .map(|(_, kind)| *kind);
        known.unwrap_or(match self.code {
            Code::Number(BY_WORDS) if otherwise == Kind::Invalid => Kind::Policy,
            Code::Number(ABSENT) if message.contains("record not found") => Kind::NotFound,
            _ => otherwise,
        })
    }

    /// What the code is known to mean, the message and the code; empty where there is none of them.
    fn words(&self) -> String {
        let known = match self.code {
            Code::Number(NO_GRANT) => "it is private, or gated and not granted",
            Code::Number(NO_TREE) => "there is no such branch, tag or commit",
            Code::Number(NO_CONTENT) => "there is no such file, or the hub lost its content",
            _ => "",
        };
        let said = [known, self.message.trim()]
            .into_iter()
            .filter(|said| !said.is_empty());
        format!("{}{}", said.collect::<Vec<_>>().join(": "), self.code)
            .trim()
            .to_owned()
    }

    fn code_as_status(&self) -> Option<StatusCode> {
        match self.code {
            Code::Number(code @ 400..=599) => u16::try_from(code)
                .ok()
                .and_then(|code| StatusCode::from_u16(code).ok()),
            _ => None,
        }
    }
}

impl Code {
    fn of(value: &Value) -> Self {
        match value {
            Value::Number(_) => Self::Number(value.as_u64().unwrap_or(u64::MAX)),
            Value::String(word) => word
                .trim()
                .parse()
                .map_or_else(|_| Self::Word(word.clone()), Self::Number),
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
        "InputParameterError" => Kind::Invalid,
        "QuotaLimitExceed" => Kind::Full,
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
        ModelScope
            .decode(&ErrorResponse {
                status,
                headers: &headers,
                body: Bytes::from(body.to_string()),
            })
            .unwrap()
            .0
    }

    fn in_200(body: Value) -> Option<Error> {
        complaint(
            StatusCode::OK,
            body.as_object().unwrap(),
            &Redactor::default(),
        )
    }

    #[test]
    fn codes_mean_more_than_the_status_they_come_with() {
        assert_eq!(
            of_status(400, json!({"Code": BAD_TOKEN, "Message": "no"})),
            Kind::Unauthorized
        );
        for code in [10_020_101_001_u64, 10_010_101_001, 10_010_202_004] {
            assert_eq!(
                of_status(400, json!({"Code": code})),
                Kind::Conflict,
                "{code}"
            );
        }
        assert_eq!(of_status(403, json!({"Code": DISABLED})), Kind::Disabled);
        assert_eq!(
            of_status(403, json!({"code": "QuotaLimitExceed"})),
            Kind::Full
        );
        assert_eq!(
            of_status(400, json!({"code": "DuplicateEntity"})),
            Kind::Conflict
        );
        assert_eq!(
            of_status(429, json!({"code": "RateLimitExceed"})),
            Kind::RateLimited
        );
        assert_eq!(
            of_status(404, json!({"Code": 10_010_205_001_u64})),
            Kind::NotFound
        );
    }

    #[test]
    fn an_outage_stays_one_whatever_its_body_says() {
        assert_eq!(
            of_status(502, json!({"Code": BAD_TOKEN, "Message": "branch changed"})),
            Kind::Transient
        );
    }

    /// The recorded answers: status, code, words, meaning.
    const RECORDED: [(u16, u64, &str, Kind); 12] = [
        (
            404,
            ABSENT,
            "获取模型信息失败，信息：record not found",
            Kind::NotFound,
        ),
        (
            200,
            ABSENT,
            "获取模型目录树失败，信息：record not found",
            Kind::NotFound,
        ),
        (
            404,
            ABSENT,
            "信息：Error 1461: Can't create more than max_prepared_stmt_count statements",
            Kind::Transient,
        ),
        (404, NO_GRANT, "", Kind::Gated),
        (404, NO_TREE, "", Kind::NotFound),
        (
            200,
            NO_CONTENT,
            "获取模型文件失败，文件内容为空",
            Kind::NotFound,
        ),
        (
            429,
            BY_WORDS,
            "commit lock busy, please try again",
            Kind::RateLimited,
        ),
        (
            409,
            BY_WORDS,
            "branch changed, please retry",
            Kind::Conflict,
        ),
        (
            400,
            BY_WORDS,
            "commit rejected by repository policy",
            Kind::Policy,
        ),
        (400, BY_WORDS, "user not logged in", Kind::Unauthorized),
        (
            429,
            429,
            "Commit frequency limit exceeded",
            Kind::RateLimited,
        ),
        (
            400,
            400,
            "You can only create or edit files when you are on a branch",
            Kind::NotFound,
        ),
    ];

    #[test]
    fn recorded_codes_and_words_mean_the_same_at_any_status() {
        for (status, code, words, kind) in RECORDED {
            let body = json!({"Code": code, "Message": words, "Success": false});
            for status in [status, 200, 400, 404] {
                let told = if status == 200 {
                    in_200(body.clone()).unwrap().kind()
                } else {
                    of_status(status, body.clone())
                };
                assert_eq!(told, kind, "{status} {code} {words}");
            }
        }
    }

    #[test]
    fn a_code_of_several_meanings_without_known_words_is_a_rejection() {
        assert_eq!(
            of_status(400, json!({"Code": BY_WORDS, "Message": "no"})),
            Kind::Policy
        );
        assert_eq!(of_status(409, json!({"Code": BY_WORDS})), Kind::Conflict);
        assert_eq!(
            in_200(json!({"Code": BY_WORDS, "Success": false}))
                .unwrap()
                .kind(),
            Kind::Policy
        );
    }

    #[test]
    fn known_words_count_beside_any_code_but_a_denial_stays_one() {
        for words in ["Branch changed, retry", "remote: COULD NOT UPDATE REFS"] {
            assert_eq!(
                of_status(400, json!({"Code": 400, "Message": words})),
                Kind::Conflict,
                "{words}"
            );
            assert_eq!(
                of_status(409, json!({"Message": words})),
                Kind::Conflict,
                "{words}"
            );
        }
        assert_eq!(
            of_status(403, json!({"Message": "branch changed"})),
            Kind::Denied
        );
    }

    #[test]
    fn codes_that_come_without_words_are_put_into_words() {
        let error = in_200(json!({"Code": NO_GRANT, "Success": false})).unwrap();
        assert_eq!(
            error.to_string(),
            "it is private, or gated and not granted (code 10010200001)"
        );
    }

    #[test]
    fn an_error_envelope_inside_a_200_is_an_error() {
        let kind = |body| in_200(body).unwrap().kind();
        assert_eq!(
            kind(json!({"Success": false, "Message": "x"})),
            Kind::Invalid
        );
        assert_eq!(kind(json!({"Code": 500, "Success": true})), Kind::Transient);
        assert_eq!(kind(json!({"Code": "403", "Success": false})), Kind::Denied);
        assert_eq!(
            kind(json!({"code": "InvalidAuthentication", "success": false})),
            Kind::Unauthorized
        );
        assert_eq!(kind(json!({"Code": "Broken"})), Kind::Invalid);
        assert_eq!(kind(json!({"Code": 0})), Kind::Invalid);
    }

    #[test]
    fn a_good_envelope_is_none() {
        for body in [
            json!({"Code": 200, "Success": true}),
            json!({"Code": "200"}),
            json!({"success": true, "code": "OK"}),
            json!({}),
        ] {
            assert!(in_200(body.clone()).is_none(), "{body}");
        }
    }

    #[test]
    fn words_are_clean_and_name_the_code() {
        let error = in_200(json!({"Code": 7, "Message": "a\u{1b}[2J"})).unwrap();
        assert_eq!(error.to_string(), "a\\u{1b}[2J (code 7)");
        assert_eq!(
            in_200(json!({"Success": false})).unwrap().to_string(),
            "the hub answered an error without words"
        );
        assert!(
            in_200(json!({"Success": false, "Message": "x".repeat(9_999)}))
                .unwrap()
                .to_string()
                .len()
                < 400
        );
    }
}
