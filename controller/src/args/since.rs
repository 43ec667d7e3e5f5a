//! `--changed-since`: a moment, as people write it.

use hf2ms_worker::amounts::Span;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A moment of the command line. Two are equal where both the words and the moment are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedSince {
    /// The words.
    asked: String,
    /// Seconds since 1970; absent in a request, since the same command asks for another moment later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

impl ChangedSince {
    /// Reads a date, a time, or a span before now.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_at(text, Timestamp::now(), &TimeZone::system())
    }

    fn parse_at(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Self, String> {
        let ago = |span: Span| {
            let seconds = i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX);
            now.as_second().saturating_sub(seconds)
        };
        let local = |time: DateTime| {
            let moment = zone.to_timestamp(time).ok();
            moment.map(Timestamp::as_second)
        };
        let at = match (text.parse::<Span>(), text.parse::<Timestamp>()) {
            (Ok(span), _) => Some(ago(span)),
            (_, Ok(moment)) => Some(moment.as_second()),
            _ => match (text.parse::<Date>(), text.parse::<DateTime>()) {
                (Ok(date), _) if !text.contains(['T', ' ']) => local(date.at(0, 0, 0, 0)),
                (_, Ok(time)) => local(time),
                _ => None,
            },
        };
        let expected =
            "expected a date, a time or a span, as 2026-11-01, 2026-11-01T08:00:00Z or 7d";
        let at = at.ok_or(expected)?;
        if at > now.as_second() {
            return Err("this moment is still to come, and no file has changed since".to_owned());
        }
        Ok(Self {
            asked: text.to_owned(),
            at: Some(at),
        })
    }

    /// The same as a request has it, which the same command asks for again.
    pub fn as_asked(&self) -> Self {
        Self {
            asked: self.asked.clone(),
            at: None,
        }
    }

    /// The words of the command line.
    pub fn words(&self) -> &str {
        &self.asked
    }

    /// Whether a file that was changed at that time is meant. One whose time nobody knows may be.
    pub fn has_changed(&self, time: Option<i64>) -> bool {
        match (time, self.at) {
            (Some(time), Some(since)) => time >= since,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;

    #[test]
    fn dates_are_local_times_are_exact_and_spans_end_now() {
        let zone = TimeZone::fixed(Offset::from_seconds(7_200).unwrap());
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let since = |text: &str| ChangedSince::parse_at(text, now, &zone).map(|since| since.at);
        assert_eq!(since("7d"), Ok(Some(1_800_000_000 - 604_800)));
        assert_eq!(since("2024-02-29"), Ok(Some(1_709_164_800 - 7_200)));
        assert_eq!(
            since("2024-02-29T12:00:00"),
            Ok(Some(1_709_208_000 - 7_200))
        );
        assert_eq!(since("2024-02-29T12:00:00Z"), Ok(Some(1_709_208_000)));
        for text in ["", "yesterday", "2024-13-01", "7", "12:00", "2030-01-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_of_the_same_second_has_changed_and_one_without_a_time_may_have() {
        let since = ChangedSince::parse("2024-02-29T12:00:00Z").unwrap();
        let changed = [1_709_208_000, 1_709_207_999].map(|time| since.has_changed(Some(time)));
        assert_eq!(changed, [true, false]);
        assert!(since.has_changed(None));
    }
}
