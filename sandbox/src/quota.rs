//! How often something may be done in a window of time.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::Guarded;

/// What is left after a request was counted.
pub struct Left {
    /// Whether the request was still allowed.
    pub allowed: bool,
    /// How many more are.
    pub remaining: u64,
    /// When the window begins anew.
    pub resets_in: Duration,
}

/// Fixed windows, one for each key.
#[derive(Default)]
pub struct Quotas {
    windows: Mutex<HashMap<String, (Instant, u64)>>,
}

impl Quotas {
    /// Counts one request against `limit` per `window`.
    pub fn count(&self, key: String, limit: u64, window: Duration) -> Left {
        self.counted(key, 1, limit, window)
    }

    /// What is left, without a request that counts.
    pub fn look(&self, key: String, limit: u64, window: Duration) -> Left {
        self.counted(key, 0, limit, window)
    }

    fn counted(&self, key: String, requests: u64, limit: u64, window: Duration) -> Left {
        let mut windows = self.windows.guarded();
        let (begun, used) = windows.entry(key).or_insert_with(|| (Instant::now(), 0));
        if begun.elapsed() >= window {
            (*begun, *used) = (Instant::now(), 0);
        }
        *used += requests;
        Left {
            allowed: requests == 0 || *used <= limit,
            remaining: limit.saturating_sub(*used),
            resets_in: window.saturating_sub(begun.elapsed()),
        }
    }

    /// Begins all windows anew.
    pub fn reset(&self) {
        self.windows.guarded().clear();
    }
}
