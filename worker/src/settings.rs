//! What the environment says: tokens, endpoints, and how patient to be.

use std::env;
use std::time::Duration;

use hf2ms_hub::http::HttpOptions;
use hf2ms_hub::{Hub, RepoAt, Token};

use crate::work::Tokens;

/// A variable of the environment that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{name} {reason}")]
pub struct BadSetting {
    name: &'static str,
    reason: String,
}

/// The variables that may hold a hub's token, the first that is set wins.
pub fn token_names(hub: Hub) -> &'static [&'static str] {
    match hub {
        Hub::HuggingFace => &["HF_TOKEN"],
        Hub::ModelScope => &["MODELSCOPE_TOKEN", "MODELSCOPE_API_TOKEN"],
    }
}

/// The hub's token, when one is set.
///
/// # Errors
/// A token that can't be sent in a header; its text is not shown.
pub fn token(hub: Hub) -> Result<Option<Token>, BadSetting> {
    let found = token_names(hub).iter().find_map(|name| Some((*name, env::var_os(name)?)).filter(|(_, value)| !value.is_empty()));
    let Some((name, value)) = found else { return Ok(None) };
    let token = value.to_str().ok_or(hf2ms_hub::token::BadToken::Unsendable).and_then(Token::parse);
    token.map(Some).map_err(|error| BadSetting { name, reason: format!("can't be used as a token: {error}") })
}

/// The tokens for a pair of repos.
///
/// # Errors
/// As [`token`].
pub fn tokens(source: &RepoAt, destination: &RepoAt) -> Result<Tokens, BadSetting> {
    Ok(Tokens { source: token(source.hub)?, destination: token(destination.hub)? })
}

/// The hub's address: what the environment says, else its own.
pub fn endpoint(hub: Hub) -> String {
    let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    let address = match hub {
        Hub::HuggingFace => set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
        Hub::ModelScope => set("MODELSCOPE_ENDPOINT")
            .or_else(|| set("MODELSCOPE_DOMAIN").map(|domain| format!("https://{domain}")))
            .unwrap_or_else(|| "https://modelscope.cn".into()),
    };
    address.trim().trim_end_matches('/').to_owned()
}

/// The HTTP settings, `HF2MS_STALL`, `HF2MS_RETRY_BASE` and `HF2MS_LONGEST_WAIT` (seconds) applied.
///
/// # Errors
/// A value that is no number of seconds.
pub fn http() -> Result<HttpOptions, BadSetting> {
    let mut options = HttpOptions::default();
    if let Some(span) = seconds("HF2MS_STALL")? {
        options.stall = span;
    }
    if let Some(span) = seconds("HF2MS_RETRY_BASE")? {
        options.retry.base = span;
    }
    if let Some(span) = seconds("HF2MS_LONGEST_WAIT")? {
        options.retry.longest_wait = span;
    }
    Ok(options)
}

fn seconds(name: &'static str) -> Result<Option<Duration>, BadSetting> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    let span = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    span.map(Some).ok_or_else(|| BadSetting { name, reason: format!("is '{text}', expected a number of seconds") })
}
