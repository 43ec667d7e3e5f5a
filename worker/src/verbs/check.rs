//! `check`: reports the worker's version and whether the endpoints answer. It is the smoke test of an engine.

use std::time::Instant;

use futures_util::future::join_all;
use hf2ms_hub::http::{HttpOptions, reach};

use crate::events::Events;
use crate::protocol::{EndpointCheck, Event, Exit};

/// Sends a request to each endpoint, and reports the answers as an event.
pub async fn check(events: &Events, endpoints: &[String], http: &HttpOptions) -> Exit {
    let endpoints = join_all(endpoints.iter().map(|endpoint| reach_one(endpoint, http))).await;
    let all_answer = endpoints.iter().all(|check| check.ok);
    events.say(&Event::Checked {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        endpoints,
    });
    if all_answer {
        Exit::Done
    } else {
        Exit::Incomplete
    }
}

async fn reach_one(endpoint: &str, http: &HttpOptions) -> EndpointCheck {
    let began = Instant::now();
    let error = reach(endpoint, http.clone())
        .await
        .err()
        .map(|error| error.to_string());
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    EndpointCheck {
        endpoint: endpoint.to_owned(),
        ok: error.is_none(),
        ms,
        error,
    }
}
