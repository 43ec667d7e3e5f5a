//! What was asked and how much of it: counts per route, and the last requests themselves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use futures_util::stream::StreamExt;
use serde_json::{Value, json};

use crate::shape::Frames;
use crate::sync::Guarded;

/// How many requests are remembered.
const REMEMBERED: usize = 20_000;

/// The counts of one route.
#[derive(Default)]
pub struct Counts {
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    now: AtomicU64,
    most: AtomicU64,
    statuses: Mutex<BTreeMap<u16, u64>>,
}

/// A request being worked on; it ends when this value goes.
pub struct Underway(Arc<Counts>);

impl Underway {
    fn begin(counts: Arc<Counts>) -> Self {
        counts.requests.fetch_add(1, Ordering::Relaxed);
        let now = counts.now.fetch_add(1, Ordering::Relaxed) + 1;
        counts.most.fetch_max(now, Ordering::Relaxed);
        Self(counts)
    }

    /// Notes how it was answered; 0 for a connection that was dropped.
    pub fn answered(&self, status: u16) {
        *self.0.statuses.guarded().entry(status).or_default() += 1;
    }

    /// A request body that is counted as it comes in.
    pub fn incoming(&self, body: Frames) -> Frames {
        let counts = Arc::clone(&self.0);
        body.inspect(move |frame| add(&counts.bytes_in, frame))
            .boxed()
    }

    /// A response body that is counted as it goes out; the request ends with it.
    pub fn outgoing(self, body: Frames) -> Frames {
        body.inspect(move |frame| add(&self.0.bytes_out, frame))
            .boxed()
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, frame: &std::io::Result<Bytes>) {
    if let Ok(frame) = frame {
        counter.fetch_add(frame.len() as u64, Ordering::Relaxed);
    }
}

/// All counts and the remembered requests.
#[derive(Default)]
pub struct Counters {
    routes: Mutex<BTreeMap<&'static str, Arc<Counts>>>,
    requests: Mutex<VecDeque<Value>>,
}

impl Counters {
    /// A request on `route` begins.
    pub fn begin(&self, route: &'static str) -> Underway {
        Underway::begin(Arc::clone(self.routes.guarded().entry(route).or_default()))
    }

    /// Requests that a hub and its storage are working on.
    pub fn under_way(&self, hub: &str) -> u64 {
        let routes = self.routes.guarded();
        let of_hub = routes.iter().filter(|(route, _)| route.starts_with(hub));
        of_hub
            .map(|(_, counts)| counts.now.load(Ordering::Relaxed))
            .sum()
    }

    /// Remembers a request.
    pub fn remember(&self, request: Value) {
        let mut requests = self.requests.guarded();
        if requests.len() == REMEMBERED {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// The counts as JSON.
    pub fn counts(&self) -> Value {
        let of = |counts: &Counts| {
            json!({
                "requests": counts.requests.load(Ordering::Relaxed),
                "statuses": *counts.statuses.guarded(),
                "bytes_in": counts.bytes_in.load(Ordering::Relaxed),
                "bytes_out": counts.bytes_out.load(Ordering::Relaxed),
                "max_concurrent": counts.most.load(Ordering::Relaxed),
            })
        };
        self.routes
            .guarded()
            .iter()
            .map(|(route, counts)| ((*route).to_owned(), of(counts)))
            .collect()
    }

    /// The remembered requests as JSON, oldest first.
    pub fn requests(&self) -> Value {
        Value::Array(self.requests.guarded().iter().cloned().collect())
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.routes.guarded().clear();
        self.requests.guarded().clear();
    }
}
