//! What tests steer the sandbox with, on an origin of its own. README.md has the reference.

pub mod inspect;
pub mod seed;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::http::{Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::json as json_answer;
use crate::call::{Call, Origin};
use crate::digest::Digest;
use crate::faults::Rule;
use crate::hub::Hub;
use crate::repo::{Kind, Repo, Thread, Visibility};
use crate::world::World;

/// What a handler says: JSON, or a status and why.
pub type Outcome = Result<Value, (u16, String)>;

/// Which hub a request is about.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// Hugging Face.
    Hf,
    /// ModelScope.
    Ms,
}

impl Which {
    /// That hub.
    pub fn of(self, world: &World) -> &Hub {
        match self {
            Self::Hf => &world.hf,
            Self::Ms => &world.ms,
        }
    }
}

/// Answers a request.
pub async fn handle(world: &Arc<World>, call: Call) -> Response<Body> {
    match answer(world, call).await {
        Ok(value) => json_answer(200, &value),
        Err((status, why)) => json_answer(status, &json!({"error": why})),
    }
}

/// Does what this request says, in the middle of another one.
pub async fn act(world: &Arc<World>, method: &str, path: &str, body: &Value) {
    let request = Request::builder().method(method).uri(path);
    match request.body(Body::from(body.to_string())) {
        Ok(request) => {
            let (parts, body) = request.into_parts();
            let call = Call::new(Origin::Admin, parts, body, Duration::ZERO);
            if let Err((_, why)) = answer(world, call).await {
                tracing::warn!("meanwhile: {why}");
            }
        }
        Err(why) => tracing::warn!("meanwhile: {why}"),
    }
}

fn bad(why: impl ToString) -> (u16, String) {
    (400, why.to_string())
}

async fn answer(world: &Arc<World>, mut call: Call) -> Outcome {
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/seed") => seed::seed(world, call.json().await.map_err(bad)?).await,
        ("GET", "/repo") => inspect::repo(world, call).await,
        ("GET", "/repos") => inspect::repos(world, &call),
        ("GET", "/deletions") => inspect::deletions(world, &call),
        ("POST", "/repo") => flags(world, call.json().await.map_err(bad)?),
        ("DELETE", "/repo") => delete(world, &call),
        ("POST", "/repo/mirror") => mirror(world, call.json().await.map_err(bad)?),
        ("POST", "/blob/remove") => inspect::remove_blob(world, call.json().await.map_err(bad)?),
        ("POST", "/faults") => {
            let rule: Rule = call.json().await.map_err(bad)?;
            Ok(json!({"id": world.faults.arm(rule)}))
        }
        ("GET", "/faults") => Ok(world.faults.listed()),
        ("DELETE", "/faults") => {
            world.faults.clear(call.number("id").map(|id| id as u64));
            Ok(json!({}))
        }
        ("POST", "/settings") => {
            let settings = world
                .settings()
                .changed(call.json().await.map_err(bad)?)
                .map_err(bad)?;
            world.set(settings);
            Ok(json!(world.settings()))
        }
        ("GET", "/settings") => Ok(json!(world.settings())),
        ("GET", "/counters") => Ok(world.counters.counts()),
        ("POST", "/counters/reset") => {
            world.counters.reset();
            Ok(json!({}))
        }
        ("GET", "/requests") => Ok(world.counters.requests()),
        ("POST", "/token/revoke") => token(call, |token| world.accounts.revoke(token)).await,
        ("POST", "/token/restore") => token(call, |token| world.accounts.restore(token)).await,
        (method, path) => Err((404, format!("no such route: {method} {path}"))),
    }
}

async fn token(mut call: Call, act: impl Fn(&str)) -> Outcome {
    let asked: Value = call.json().await.map_err(bad)?;
    act(asked["token"]
        .as_str()
        .ok_or_else(|| bad("\"token\" is required"))?);
    Ok(json!({}))
}

/// The repo that `hub`, `kind` and `id` in the query name.
fn named(world: &World, call: &Call) -> Result<(Which, Arc<Repo>), (u16, String)> {
    let field = |name: &str| {
        call.param(name)
            .ok_or_else(|| bad(format!("{name} is required")))
    };
    let which: Which = serde_json::from_value(field("hub")?.into()).map_err(bad)?;
    let kind: Kind = serde_json::from_value(field("kind")?.into()).map_err(bad)?;
    let id = field("id")?;
    let repo = which
        .of(world)
        .repo(kind, id)
        .ok_or_else(|| (404, format!("no such repo: {id}")))?;
    Ok((which, repo))
}

fn delete(world: &World, call: &Call) -> Outcome {
    let (which, repo) = named(world, call)?;
    which.of(world).delete(repo.kind, &repo.id);
    Ok(json!({}))
}

/// A repo of a hub, and the one that a push of all its refs makes of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mirrored {
    hub: Which,
    kind: Kind,
    from: String,
    to: String,
    /// LFS objects that do not come along.
    #[serde(default)]
    without: Vec<Digest>,
}

fn mirror(world: &World, asked: Mirrored) -> Outcome {
    let hub = asked.hub.of(world);
    let from = hub.repo(asked.kind, &asked.from);
    let from = from.ok_or_else(|| (404, format!("no such repo: {}", asked.from)))?;
    let to = from.mirrored(&asked.to);
    to.state()
        .stored
        .retain(|digest| !asked.without.contains(digest));
    hub.insert(to);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flags {
    hub: Which,
    kind: Kind,
    id: String,
    private: Option<bool>,
    visibility: Option<Visibility>,
    gated: Option<Value>,
    granted: Option<Vec<String>>,
    disabled: Option<bool>,
    storage_locked: Option<Value>,
    region: Option<String>,
    likes: Option<u64>,
    #[serde(default)]
    discussions: usize,
    #[serde(default)]
    pull_requests: usize,
}

fn flags(world: &World, flags: Flags) -> Outcome {
    let repo = flags
        .hub
        .of(world)
        .repo(flags.kind, &flags.id)
        .ok_or_else(|| (404, format!("no such repo: {}", flags.id)))?;
    let mut state = repo.state();
    if let Some(private) = flags.private {
        state.visibility = if private {
            Visibility::Private
        } else {
            Visibility::Public
        };
    }
    state.visibility = flags.visibility.unwrap_or(state.visibility);
    state.disabled = flags.disabled.unwrap_or(state.disabled);
    if let Some(gated) = flags.gated {
        state.gated = switch(gated, "manual");
    }
    if let Some(granted) = flags.granted {
        state.granted = granted.into_iter().collect();
    }
    if let Some(locked) = flags.storage_locked {
        state.storage_locked = switch(locked, "patterns");
    }
    state.region = flags.region.or(state.region.take());
    state.likes = flags.likes.unwrap_or(state.likes);
    let begun =
        |is_pull_request, count| (0..count).map(move |number| thread(is_pull_request, number));
    state.threads.extend(begun(false, flags.discussions));
    state.threads.extend(begun(true, flags.pull_requests));
    Ok(json!({}))
}

/// Each other one is closed.
fn thread(is_pull_request: bool, number: usize) -> Thread {
    Thread {
        is_pull_request,
        is_open: number.is_multiple_of(2),
        date: SystemTime::now(),
    }
}

/// `false` and `null` for off, `true` for the usual way of being on, a text for another.
fn switch(value: Value, usual: &str) -> Option<String> {
    match value {
        Value::Bool(true) => Some(usual.to_owned()),
        Value::String(how) => Some(how),
        _ => None,
    }
}
