//! What the environment says: tokens, endpoints, and how patient to be. Read once, at the edge.

use std::time::Duration;

use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{Hub, Redactor, RepoAt, Side, Token};

const HUGGING_FACE: &str = "https://huggingface.co";
const MODELSCOPE: &str = "https://modelscope.cn";

/// A variable that can't be used. Its value is not shown.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSetting(String);

/// Variables by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// How both hubs are reached.
#[derive(Clone)]
pub struct Settings {
    huggingface: Access,
    modelscope: Access,
    http: HttpOptions,
}

/// How one hub is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its address, without a trailing slash.
    pub endpoint: String,
    /// Its token, if one is set.
    pub token: Option<Token>,
}

impl Settings {
    /// Reads variables through `get`. `HF2MS_STALL`, `HF2MS_RETRY_BASE` and `HF2MS_LONGEST_WAIT` are seconds.
    ///
    /// # Errors
    /// A token that can't be sent, an endpoint that is no address, a span that is no number.
    pub fn read(get: Lookup<'_>) -> Result<Self, BadSetting> {
        let domain = set(get, "MODELSCOPE_DOMAIN").map(|domain| {
            let bare = !domain.contains("://");
            ("MODELSCOPE_DOMAIN", if bare { format!("https://{domain}") } else { domain })
        });
        let endpoint = |name| set(get, name).map(|value| (name, value));
        Ok(Self {
            huggingface: Access { endpoint: address(endpoint("HF_ENDPOINT"), HUGGING_FACE)?, token: token(get, &["HF_TOKEN"])? },
            modelscope: Access {
                endpoint: address(endpoint("MODELSCOPE_ENDPOINT").or(domain), MODELSCOPE)?,
                token: token(get, &["MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN"])?,
            },
            http: patience(get)?,
        })
    }

    /// How this hub is reached.
    pub fn access(&self, hub: Hub) -> &Access {
        match hub {
            Hub::HuggingFace => &self.huggingface,
            Hub::ModelScope => &self.modelscope,
        }
    }

    /// A repo with its hub's token.
    pub fn side(&self, at: &RepoAt) -> Side {
        Side { at: at.clone(), token: self.access(at.hub).token.clone() }
    }

    /// How patient to be with the hubs.
    pub fn http(&self) -> HttpOptions {
        self.http.clone()
    }

    /// Takes the tokens out of what is printed.
    pub fn redactor(&self) -> Redactor {
        Redactor::new([&self.huggingface.token, &self.modelscope.token].into_iter().flatten().cloned())
    }

    /// `text` without any of the tokens.
    pub fn redact(&self, text: &str) -> String {
        self.redactor().clean(text)
    }
}

fn patience(get: Lookup<'_>) -> Result<HttpOptions, BadSetting> {
    let mut http = HttpOptions::default();
    let spans = [
        ("HF2MS_STALL", &mut http.stall),
        ("HF2MS_RETRY_BASE", &mut http.retry.base),
        ("HF2MS_LONGEST_WAIT", &mut http.retry.longest_wait),
    ];
    for (name, span) in spans {
        if let Some(text) = set(get, name) {
            *span = seconds(&text).ok_or_else(|| BadSetting(format!("{name} is '{text}', expected a number of seconds")))?;
        }
    }
    Ok(http)
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse().ok().filter(|seconds: &f64| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

fn set(get: Lookup<'_>, name: &str) -> Option<String> {
    get(name).map(|value| value.trim_matches(' ').to_owned()).filter(|value| !value.is_empty())
}

fn address(given: Option<(&str, String)>, default: &str) -> Result<String, BadSetting> {
    let Some((name, value)) = given else { return Ok(default.to_owned()) };
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.contains('@') || value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '?') {
        return Err(BadSetting(format!("{name} is not an address: expected https://host, without a user or a query")));
    }
    Ok(value.trim_end_matches('/').to_owned())
}

fn token(get: Lookup<'_>, names: &[&str]) -> Result<Option<Token>, BadSetting> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, set(get, name)?))) else { return Ok(None) };
    Token::parse(&value).map(Some).map_err(|bad| BadSetting(format!("{name} can't be used: {bad}; copy it again")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, BadSetting> {
        let pairs: HashMap<_, _> = pairs.iter().copied().collect();
        Settings::read(&|name| pairs.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_public_hubs_are_the_default() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.access(Hub::HuggingFace).endpoint, "https://huggingface.co");
        assert_eq!(settings.access(Hub::ModelScope).endpoint, "https://modelscope.cn");
        assert!(settings.access(Hub::ModelScope).token.is_none());
    }

    #[test]
    fn endpoints_and_domains_are_taken_and_the_endpoint_wins() {
        let ms = |pairs| read(pairs).unwrap().access(Hub::ModelScope).endpoint.clone();
        assert_eq!(ms(&[("MODELSCOPE_DOMAIN", "modelscope.ai")]), "https://modelscope.ai");
        assert_eq!(ms(&[("MODELSCOPE_DOMAIN", "x"), ("MODELSCOPE_ENDPOINT", "http://127.0.0.1:9/")]), "http://127.0.0.1:9");
        for bad in ["huggingface.co", "ftp://x", "https://", "https://user:pw@host", "https://a b"] {
            assert!(read(&[("HF_ENDPOINT", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn both_names_of_the_modelscope_token_work_and_ours_wins() {
        let token = |pairs| read(pairs).unwrap().access(Hub::ModelScope).token.clone().map(|token| token.expose().to_owned());
        assert_eq!(token(&[("MODELSCOPE_API_TOKEN", "b")]).as_deref(), Some("b"));
        assert_eq!(token(&[("MODELSCOPE_API_TOKEN", "b"), ("MODELSCOPE_TOKEN", "a")]).as_deref(), Some("a"));
        assert_eq!(token(&[("MODELSCOPE_TOKEN", "")]), None);
    }

    #[test]
    fn a_token_that_would_split_a_header_is_refused_without_being_shown() {
        for bad in ["hf_se\r\ncret", "hf_se\0cret", "hf_se\ncret"] {
            let failure = read(&[("HF_TOKEN", bad)]).err().unwrap();
            assert!(failure.to_string().starts_with("HF_TOKEN can't be used") && !failure.to_string().contains("cret"));
        }
    }

    #[test]
    fn patience_is_a_number_of_seconds() {
        assert_eq!(read(&[("HF2MS_STALL", "0.5")]).unwrap().http().stall, Duration::from_millis(500));
        for bad in ["soon", "-1", "0", "1e99", "NaN"] {
            assert!(read(&[("HF2MS_STALL", bad)]).err().unwrap().to_string().contains("expected a number of seconds"), "{bad}");
        }
    }
}
