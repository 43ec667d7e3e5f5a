//! How often a source was too busy: its reader asks for fewer ranges at a time then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hf2ms_hub::http::HttpOptions;

use crate::events::is_of_busy_server;

/// The count of such answers. A clone shares it.
#[derive(Debug, Clone, Default)]
pub struct BusyCount(Arc<AtomicU64>);

impl BusyCount {
    /// `http` for a side whose answers are counted.
    pub fn counting(&self, http: HttpOptions) -> HttpOptions {
        let (count, on_retry) = (self.0.clone(), http.on_retry);
        HttpOptions {
            on_retry: Arc::new(move |error, wait| {
                if is_of_busy_server(error) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
                on_retry(error, wait);
            }),
            ..http
        }
    }

    /// The count so far.
    pub(super) fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hf2ms_hub::{Error, Kind};

    use super::*;

    #[test]
    fn answers_of_a_busy_server_are_counted_and_all_retries_are_told() {
        let told = Arc::new(AtomicU64::new(0));
        let retries = told.clone();
        let busy = BusyCount::default();
        let http = busy.counting(HttpOptions {
            on_retry: Arc::new(move |_, _| {
                retries.fetch_add(1, Ordering::Relaxed);
            }),
            ..HttpOptions::default()
        });
        let broken = Error::new(Kind::Transient, "reset");
        let limited = Error::new(Kind::RateLimited, "429").with_status(429);
        for error in [&broken, &limited] {
            (http.on_retry)(error, Duration::ZERO);
        }
        assert_eq!((busy.so_far(), told.load(Ordering::Relaxed)), (1, 2));
    }
}
