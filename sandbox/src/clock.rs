//! Times as the hubs write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub fn now() -> u64 {
    seconds(SystemTime::now())
}

/// `time` in seconds since 1970.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// `time` in microseconds since 1970, by which two events are put in order.
pub fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// `2026-11-20T09:16:00.000Z`.
pub fn iso(time: SystemTime) -> String {
    let moment = jiff::Timestamp::try_from(time).unwrap_or_default();
    format!("{moment:.3}")
}

/// `20261120T091600Z`, as object storage writes it.
pub fn basic(seconds: u64) -> String {
    let moment = jiff::Timestamp::try_from(UNIX_EPOCH + Duration::from_secs(seconds));
    moment
        .unwrap_or_default()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_dates() {
        let time = UNIX_EPOCH + Duration::from_millis(1_709_210_096_789);
        assert_eq!(iso(time), "2024-02-29T12:34:56.789Z");
        assert_eq!(basic(seconds(time)), "20240229T123456Z");
    }
}
