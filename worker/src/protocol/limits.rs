//! The limits of a run: how much it moves, and how long it begins files.

use std::time::{Duration, SystemTime};

use hf2ms_hub::clock::SystemClock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The limits that a command line gives a run, for the words of its report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunLimits {
    /// The most bytes that are moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_transfer: Option<u64>,
    /// The seconds after which no further file is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<u64>,
}

impl RunLimits {
    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The moment after which a worker begins no further file. It is the same for all workers of a run, whenever each begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Seconds since 1970.
    pub at: u64,
    /// Seconds that the files under way have after it, before they are cut off.
    pub grace: u64,
}

impl Deadline {
    /// The deadline of a run that begins now and has so many seconds. What is under way then has a tenth of that, and no less than a
    /// minute.
    pub fn after(seconds: u64) -> Self {
        Self {
            at: SystemClock.unix_seconds().saturating_add(seconds),
            grace: (seconds / 10).max(60),
        }
    }

    /// Whether no further file is to be begun.
    pub fn is_over(&self, now: SystemTime) -> bool {
        self.left(now).is_zero()
    }

    /// How long files may be begun.
    pub fn left(&self, now: SystemTime) -> Duration {
        until(self.at, now)
    }

    /// How long files under way may go on.
    pub fn until_cut(&self, now: SystemTime) -> Duration {
        until(self.at.saturating_add(self.grace), now)
    }
}

fn until(at: u64, now: SystemTime) -> Duration {
    Duration::from_secs(at).saturating_sub(since_1970(now))
}

fn since_1970(now: SystemTime) -> Duration {
    now.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_deadline_has_a_time_for_new_files_and_one_for_those_under_way() {
        let deadline = Deadline {
            at: 1_000,
            grace: 60,
        };
        let seen = |now| {
            let (left, cut) = (deadline.left(at(now)), deadline.until_cut(at(now)));
            (deadline.is_over(at(now)), left.as_secs(), cut.as_secs())
        };
        assert_eq!(seen(990), (false, 10, 70));
        assert_eq!(seen(1_000), (true, 0, 60));
        assert_eq!(seen(2_000), (true, 0, 0));
    }
}
