//! The rate limits of Hugging Face: the buckets that the `RateLimit` headers tell of, and those of single actions, which only a 429
//! tells of.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use super::{Route, Verb};
use crate::answer::{Refusal, json as json_answer, with};
use crate::call::Call;
use crate::quota::Left;
use crate::world::World;

const USUAL: u64 = 1 << 40;

/// Where a token stands with the limits that a request counts against.
pub struct Limits {
    bucket: &'static str,
    quota: u64,
    window: Duration,
    left: Left,
    /// What an action's own limit says, once it is reached.
    reached: Option<String>,
    told: bool,
}

impl Limits {
    /// Counts a request.
    pub fn count(world: &World, route: &Route, call: &Call) -> Self {
        let settings = world.settings();
        let (bucket, quota) = match route {
            Route::Repo(_, _, Verb::Resolve { .. }) => ("resolvers", settings.hf_resolve_quota),
            Route::Repo(_, _, Verb::ResolveCache { .. }) => {
                ("resolvers", settings.hf_resolve_quota)
            }
            _ => ("api", settings.hf_api_quota),
        };
        let quota = quota.unwrap_or(USUAL);
        let window = Duration::from_secs(settings.quota_window_s.max(1));
        // The second half of a resolve is not counted again.
        let is_second = matches!(route, Route::Repo(_, _, Verb::ResolveCache { .. }));
        let key = key(bucket, call);
        let left = match is_second {
            true => world.quotas.look(key, quota, window),
            false => world.quotas.count(key, quota, window),
        };
        Self {
            bucket,
            quota,
            window,
            left,
            reached: of_action(world, route, call),
            told: settings.hf_rate_limit_headers,
        }
    }

    /// The 429, if a limit is reached.
    pub fn exceeded(&self) -> Option<Refusal> {
        let minutes = self.window.as_secs().div_ceil(60);
        let bucket = format!(
            "We had to rate limit you, you hit the quota of {} {} requests per {minutes} minutes period. Upgrade to a PRO user or \
             Team/Enterprise organization account (https://hf.co/pricing) to get higher limits. See https://huggingface.co/docs/hub/rate-limits",
            self.quota, self.bucket
        );
        let words = if self.left.allowed {
            self.reached.clone()
        } else {
            Some(bucket)
        };
        words.map(|words| json_answer(429, &json!({"error": words})).into())
    }

    /// The answer with what is left, which every answer tells: redirects and refusals, too.
    pub fn told(&self, response: Response<Body>) -> Response<Body> {
        if !self.told {
            return response;
        }
        let resets_in = self.left.resets_in.as_secs_f64().ceil();
        let response = with(
            response,
            "ratelimit",
            &format!(
                "\"{}\";r={};t={resets_in}",
                self.bucket, self.left.remaining
            ),
        );
        let policy = format!(
            "\"fixed window\";\"{}\";q={};w={}",
            self.bucket,
            self.quota,
            self.window.as_secs()
        );
        with(response, "ratelimit-policy", &policy)
    }
}

fn key(what: &str, call: &Call) -> String {
    format!("{what} {}", call.bearer().unwrap_or_default())
}

/// What the limit of an action says when it is reached.
fn of_action(world: &World, route: &Route, call: &Call) -> Option<String> {
    let settings = world.settings();
    match route {
        Route::Whoami => {
            let window = Duration::from_secs(settings.hf_whoami_window_s.max(1));
            let left = world
                .quotas
                .count(key("whoami", call), settings.hf_whoami_quota?, window);
            (!left.allowed)
                .then(|| "You've hit the rate limit for the /whoami-v2 endpoint.".to_owned())
        }
        Route::Repo(_, _, Verb::Commit { .. }) => {
            let (quota, window) = (
                settings.hf_commit_quota?,
                Duration::from_secs(settings.hf_commit_window_s.max(1)),
            );
            let left = world.quotas.count(key("commit", call), quota, window);
            let again = rounded_wait(left.resets_in);
            let words = format!(
                "You have exceeded the rate limit for repository commits ({quota} per hour). You can retry this action in {again}."
            );
            (!left.allowed).then_some(words)
        }
        _ => None,
    }
}

fn rounded_wait(wait: Duration) -> String {
    match wait.as_secs_f64().ceil() as u64 {
        seconds @ ..60 => format!("{seconds} seconds"),
        seconds @ 60..3000 => format!("{} minutes", seconds.div_ceil(60)),
        _ => "about 1 hour".to_owned(),
    }
}
