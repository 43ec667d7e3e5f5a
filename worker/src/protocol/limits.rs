//! The limits of a run: how much it moves, how long it begins files, and how fast it sends.

use std::time::{Duration, SystemTime};

use hf2ms_hub::clock::SystemClock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Minutes of a week.
const WEEK: u64 = 7 * 24 * 60;
/// Minutes from the Monday before 1970 began to its first day, a Thursday.
const MONDAY: u64 = 3 * 24 * 60;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// The most bytes a second that all workers of a run send together, by the time of the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bandwidth(Vec<BandwidthChange>);

/// From this minute on so many bytes a second.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct BandwidthChange {
    /// Minutes since Monday 0:00 in UTC.
    pub minute: u32,
    /// Bytes a second; absent where there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

impl Bandwidth {
    /// The same limit at any time.
    pub fn always(bytes_per_second: u64) -> Self {
        Self(vec![BandwidthChange {
            minute: 0,
            bytes_per_second: Some(bytes_per_second),
        }])
    }

    /// A timetable. The last change of a week holds until the first one of the next.
    pub fn weekly(mut changes: Vec<BandwidthChange>) -> Self {
        changes.sort();
        Self(changes)
    }

    /// The bytes a second at this time, for one of so many workers; `None` where there is no limit.
    pub fn share(&self, now: SystemTime, workers: u32) -> Option<u64> {
        let minute = (since_1970(now).as_secs() / 60 + MONDAY) % WEEK;
        let begun = |change: &&BandwidthChange| u64::from(change.minute) <= minute;
        let current = self.0.iter().rfind(begun).or(self.0.last());
        let all = current?.bytes_per_second?;
        Some((all / u64::from(workers.max(1))).max(1))
    }
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

    #[test]
    fn a_timetable_goes_round_with_the_week() {
        let change = |minute, bytes_per_second| BandwidthChange {
            minute,
            bytes_per_second,
        };
        // Monday 8:00 slow, Monday 19:00 faster, Saturday 0:00 without a limit.
        let saturday = 5 * 24 * 60;
        let table = Bandwidth::weekly(vec![
            change(19 * 60, Some(2_000)),
            change(8 * 60, Some(1_000)),
            change(saturday, None),
        ]);
        // 1970-01-05 was a Monday.
        let monday = 4 * 24 * 3600;
        let share = |seconds: u64, workers| table.share(at(seconds), workers);
        assert_eq!(share(monday + 8 * 3600, 1), Some(1_000));
        assert_eq!(share(monday + 8 * 3600 - 1, 1), None, "as on Sunday");
        assert_eq!(share(monday + 19 * 3600, 4), Some(500));
        assert_eq!(share(monday + 4 * 86_400, 1), Some(2_000), "on Friday");
        assert_eq!(share(monday + 5 * 86_400, 1), None);
        assert_eq!(share(monday + 7 * 86_400 + 8 * 3600, 1), Some(1_000));
        let always = Bandwidth::always(10);
        assert_eq!(always.share(at(5), 100), Some(1), "never nothing at all");
    }
}
