//! Settings from the environment and from `.env`, which never overrides what is set. Read once, at the edge.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::http::retry::RetryPolicy;
use hf2ms_hub::{Hub, Redactor, RepoAt, Side, Token};

use crate::explain::{Failure, Outcome};

const HUGGING_FACE: &str = "https://huggingface.co";
const MODELSCOPE: &str = "https://modelscope.cn";

/// How both hubs are reached.
#[derive(Debug, Clone)]
pub struct Settings {
    huggingface: Access,
    modelscope: Access,
    stall: Duration,
    retry: RetryPolicy,
}

/// How one hub is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// Its address, without a trailing slash.
    pub endpoint: String,
    /// Its token, if one is set.
    pub token: Option<Token>,
}

/// Variables by name.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Reads the environment, then `.env` here or in a folder above.
    ///
    /// # Errors
    /// A token that can't be sent, an endpoint that is no address, a `.env` that can't be read; none shows a value.
    pub fn from_environment() -> Outcome<Self> {
        let file = dotenv()?;
        let read = Self::read(&|name| std::env::var(name).ok().or_else(|| file.get(name).cloned()))?;
        // Workers inherit the process's environment and never see `.env`: both are equally patient.
        let HttpOptions { stall, retry, .. } = hf2ms_worker::settings::http().map_err(|bad| Failure::usage(bad.to_string()))?;
        Ok(Self { stall, retry, ..read })
    }

    /// Reads variables through `get`.
    ///
    /// # Errors
    /// As [`Settings::from_environment`].
    pub fn read(get: Lookup<'_>) -> Outcome<Self> {
        let domain = set(get, "MODELSCOPE_DOMAIN").map(|domain| {
            let bare = !domain.contains("://");
            ("MODELSCOPE_DOMAIN", if bare { format!("https://{domain}") } else { domain })
        });
        let endpoint = |name| set(get, name).map(|value| (name, value));
        let HttpOptions { stall, retry, .. } = HttpOptions::default();
        Ok(Self {
            stall,
            retry,
            huggingface: Access { endpoint: address(endpoint("HF_ENDPOINT"), HUGGING_FACE)?, token: token(get, &["HF_TOKEN"])? },
            modelscope: Access {
                endpoint: address(endpoint("MODELSCOPE_ENDPOINT").or(domain), MODELSCOPE)?,
                token: token(get, &["MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN"])?,
            },
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
        HttpOptions { stall: self.stall, retry: self.retry, ..HttpOptions::default() }
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

/// What `.env` sets. An error shows no line of it: lines hold tokens.
fn dotenv() -> Outcome<HashMap<String, String>> {
    let lines = match dotenvy::dotenv_iter() {
        Ok(lines) => lines,
        Err(error) if error.not_found() => return Ok(HashMap::new()),
        Err(_) => return Err(Failure::usage(".env can't be read: check its permissions")),
    };
    let line = |(number, line): (usize, dotenvy::Result<_>)| {
        line.map_err(|_| Failure::usage(format!(".env: setting {} is not NAME=value: quote values with spaces or signs", number + 1)))
    };
    lines.enumerate().map(line).collect()
}

fn set(get: Lookup<'_>, name: &str) -> Option<String> {
    get(name).map(|value| value.trim_matches(' ').to_owned()).filter(|value| !value.is_empty())
}

fn address(given: Option<(&str, String)>, default: &str) -> Outcome<String> {
    let Some((name, value)) = given else { return Ok(default.to_owned()) };
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://")).unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.is_empty() || host.contains('@') || value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '?') {
        return Err(Failure::usage(format!("{name} is not an address: expected https://host, without a user or a query")));
    }
    Ok(value.trim_end_matches('/').to_owned())
}

fn token(get: Lookup<'_>, names: &[&str]) -> Outcome<Option<Token>> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, set(get, name)?))) else { return Ok(None) };
    Token::parse(&value).map(Some).map_err(|bad| Failure::usage(format!("{name} can't be used: {bad}; copy it again")))
}

/// Where runs are kept: `$HF2MS_STATE`, `$XDG_STATE_HOME/hf2ms`, or `~/.local/state/hf2ms`.
///
/// # Errors
/// When none of the three is known.
pub fn state_dir(get: Lookup<'_>) -> Outcome<PathBuf> {
    let under = |name: &str, rest: &str| set(get, name).map(|root| PathBuf::from(root).join(rest));
    let home = || under("HOME", ".local/state/hf2ms");
    set(get, "HF2MS_STATE")
        .map(PathBuf::from)
        .or_else(|| under("XDG_STATE_HOME", "hf2ms"))
        .or_else(home)
        .ok_or_else(|| Failure::usage("there is no place for the state of runs: set HF2MS_STATE to a folder"))
}

/// The process's own environment.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use hf2ms_worker::protocol::Exit;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Outcome<Settings> {
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
            assert_eq!(read(&[("HF_ENDPOINT", bad)]).unwrap_err().exit(), Exit::Usage, "{bad}");
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
            let failure = read(&[("HF_TOKEN", bad)]).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            assert!(failure.to_string().starts_with("HF_TOKEN can't be used") && !failure.to_string().contains("cret"));
        }
    }

    #[test]
    fn the_state_has_three_places() {
        let place = |pairs: &[(&str, &str)]| {
            let pairs: HashMap<_, _> = pairs.iter().copied().collect();
            state_dir(&|name| pairs.get(name).map(|value| (*value).to_owned())).map(|path| path.display().to_string())
        };
        assert_eq!(place(&[("HF2MS_STATE", "/s"), ("HOME", "/h")]).unwrap(), "/s");
        assert_eq!(place(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap(), "/x/hf2ms");
        assert_eq!(place(&[("HOME", "/h")]).unwrap(), "/h/.local/state/hf2ms");
        assert!(place(&[]).is_err());
    }
}
