//! How long a located address may be used. Spans win over dates: the clock here may be wrong, and where
//! only a date is told, it is measured from the answer's own `Date`. Facts: Git LFS batch API.

use std::time::{Duration, SystemTime};

use super::wire::Action;

/// Taken when the hub does not tell; too long costs one refused request.
const UNTOLD: Duration = Duration::from_secs(900);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// An address is not used in its last minute: the request needs time to arrive.
const MARGIN: Duration = Duration::from_secs(60);

/// How long from now an address may be used. `answered` is the date by the hub's clock.
pub(super) fn lifetime(action: &Action, answered: SystemTime) -> Duration {
    let span = match (
        action.expires_in,
        action.expires_at.as_deref().and_then(date),
    ) {
        (Some(seconds), _) if seconds != 0 => {
            Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
        }
        (_, Some(date)) => date.duration_since(answered).unwrap_or_default(),
        _ => UNTOLD,
    };
    usable(span)
}

/// How long from now something may be used that lasts until `end`, by the clock of whoever answered it.
#[cfg(feature = "xet")]
pub(crate) fn remaining(end: SystemTime, answered: SystemTime) -> Duration {
    usable(end.duration_since(answered).unwrap_or_default())
}

fn usable(span: Duration) -> Duration {
    let span = span.min(LONGEST);
    span - MARGIN.min(span / 10)
}

/// The moment that an RFC 3339 date names (`2016-11-10T15:29:07Z`, fractions and offsets allowed).
fn date(text: &str) -> Option<SystemTime> {
    // A date without its seconds is shorter, and is none.
    let is_whole = text.len() >= "2016-11-10T15:29:07Z".len();
    let moment: jiff::Timestamp = is_whole.then(|| text.parse().ok()).flatten()?;
    let seconds = u64::try_from(moment.as_second()).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(expires_in: Option<i64>, expires_at: Option<&str>, answered: &str) -> u64 {
        let action = Action {
            href: String::new(),
            header: None,
            expires_in,
            expires_at: expires_at.map(str::to_owned),
        };
        lifetime(&action, date(answered).unwrap()).as_secs()
    }

    #[test]
    fn dates_are_read_in_every_usual_form() {
        let unix = |text: &str| {
            date(text).map(|date| {
                date.duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs()
            })
        };
        assert_eq!(unix("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(unix("2016-11-10T15:29:07Z"), Some(1_478_791_747));
        assert_eq!(
            unix("2016-11-10T15:29:07.123456+00:00"),
            Some(1_478_791_747)
        );
        assert_eq!(unix("2016-11-10T23:29:07+08:00"), Some(1_478_791_747));
        assert_eq!(unix("2024-02-29T12:00:00Z"), Some(1_709_208_000));
        for bad in [
            "",
            "tomorrow",
            "2016-11-10",
            "2016-13-10T00:00:00Z",
            "2016-11-10T15:29Z",
            "99999-01-01T00:00:00Z",
            "1969-01-01T00:00:00Z",
        ] {
            assert_eq!(unix(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_span_wins_over_a_date() {
        assert_eq!(
            seconds(
                Some(3600),
                Some("1999-01-01T00:00:00Z"),
                "2026-01-01T00:00:00Z"
            ),
            3540
        );
        assert_eq!(seconds(Some(100), None, "2026-01-01T00:00:00Z"), 90);
    }

    #[test]
    fn a_date_is_measured_from_the_hubs_own() {
        assert_eq!(
            seconds(None, Some("2026-01-01T01:00:00Z"), "2026-01-01T00:00:00Z"),
            3540
        );
        assert_eq!(
            seconds(
                Some(0),
                Some("2025-01-01T00:00:00Z"),
                "2026-01-01T00:00:00Z"
            ),
            0
        );
    }

    #[test]
    fn odd_spans_are_bounded() {
        assert_eq!(seconds(Some(-5), None, "2026-01-01T00:00:00Z"), 0);
        assert_eq!(
            seconds(Some(i64::MAX), None, "2026-01-01T00:00:00Z"),
            24 * 3600 - 60
        );
        assert_eq!(seconds(None, Some("never"), "2026-01-01T00:00:00Z"), 840);
    }
}
