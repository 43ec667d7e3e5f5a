//! What a controller tells an attached worker after its job: one line of JSON each. A line of another kind is passed over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One line that follows the job on a worker's standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A host has asked another worker, or the controller itself, to wait.
    RateLimited(HostWait),
    /// So many workers of the run move blobs now, this one included: they share the limit of bytes a second.
    Workers(u32),
}

/// A wait that a host asks of everyone who shares an account there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostWait {
    /// The host, with its port if that is not the usual one.
    pub host: String,
    /// Seconds from now.
    pub seconds: f64,
}

impl HostWait {
    /// A wait from now on.
    pub fn new(host: impl Into<String>, wait: Duration) -> Self {
        Self {
            host: host.into(),
            seconds: wait.as_secs_f64(),
        }
    }

    /// How long; `None` for a number that is no span of time.
    pub fn wait(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.seconds).ok()
    }
}

impl Notice {
    /// The notice of a line, if it is one.
    pub fn of_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The line, with its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_a_line_and_other_lines_are_none() {
        let wait = HostWait::new("huggingface.co", Duration::from_secs(55));
        let line = Notice::RateLimited(wait.clone()).line();
        assert_eq!(
            line,
            "{\"rate_limited\":{\"host\":\"huggingface.co\",\"seconds\":55.0}}\n"
        );
        assert_eq!(
            Notice::of_line(line.as_bytes()),
            Some(Notice::RateLimited(wait))
        );
        for other in ["", "rest", "{}", "{\"later\":{}}", &line[..30]] {
            assert_eq!(Notice::of_line(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_number_of_workers_is_a_line_of_its_own() {
        let line = Notice::Workers(3).line();
        assert_eq!(line, "{\"workers\":3}\n");
        assert_eq!(Notice::of_line(line.as_bytes()), Some(Notice::Workers(3)));
        assert_eq!(Notice::of_line(b"{\"workers\":-1}"), None);
    }

    #[test]
    fn a_number_that_is_no_span_is_no_wait() {
        for seconds in [-1.0, f64::NAN, f64::INFINITY, 1e30] {
            let host = String::new();
            assert_eq!(HostWait { host, seconds }.wait(), None, "{seconds}");
        }
    }
}
