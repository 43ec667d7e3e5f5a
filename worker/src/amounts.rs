//! Amounts as people write them: bytes and spans of time. Both programs read them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units of bytes: those of 1,000 as sizes are shown, those of 1,024 as rclone has them.
const BYTES: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];
/// Units of time, in seconds.
const SPANS: [(&str, u64); 5] = [
    ("s", 1),
    ("m", 60),
    ("h", 3_600),
    ("d", 86_400),
    ("w", 604_800),
];

/// So many bytes, written as `10 GB`, `1.5GiB` or `512K`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

/// A span of time, written as `90m`, `1h30m` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected bytes with a unit, as 10GB (of 1,000), 10GiB or 10G (both of 1,024)"
                .to_owned()
        };
        let text = text.trim().to_ascii_lowercase();
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let (number, unit) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
        let unit = BYTES.iter().find(|(name, _)| *name == unit.trim_start());
        let (_, unit) = unit.ok_or_else(expected)?;
        let bytes = match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(*unit),
            Err(_) => number
                .parse::<f64>()
                .ok()
                .map(|number| number * *unit as f64)
                .filter(|bytes| *bytes < 1e18)
                .map(|bytes| bytes as u64),
        };
        bytes.map(Self).ok_or_else(expected)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected a span of time with its unit, as 90m, 1h30m or 7d".to_owned();
        let (mut rest, mut seconds) = (text, 0u64);
        if rest.is_empty() {
            return Err(expected());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit());
            let (number, unit_and_rest) = rest.split_at(digits.ok_or_else(expected)?);
            let end = unit_and_rest.find(|c: char| c.is_ascii_digit());
            let (unit, more) = unit_and_rest.split_at(end.unwrap_or(unit_and_rest.len()));
            let unit = SPANS.iter().find(|(name, _)| *name == unit);
            let (_, unit) = unit.ok_or_else(expected)?;
            let part = number
                .parse::<u64>()
                .ok()
                .and_then(|n| n.checked_mul(*unit));
            let sum = part.and_then(|part| seconds.checked_add(part));
            seconds = sum.filter(|sum| *sum < 1 << 40).ok_or_else(expected)?;
            rest = more;
        }
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut seconds = self.0.as_secs();
        if seconds == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in SPANS[..4].iter().rev() {
            if let count @ 1.. = seconds / unit {
                write!(f, "{count}{name}")?;
                seconds %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_units_of_a_thousand_and_of_1024() {
        for (text, bytes) in [
            ("1000", 1_000),
            ("10GB", 10_000_000_000),
            ("10 gb", 10_000_000_000),
            ("1.5KB", 1_500),
            ("512K", 512 << 10),
            ("2GiB", 2 << 30),
            ("0", 0),
        ] {
            assert_eq!(text.parse(), Ok(ByteCount(bytes)), "{text}");
        }
        for text in ["", "GB", "-1", "10XB", "1.2.3M", "99999999999T", "10 G B"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_read_and_written_with_their_units() {
        for (text, seconds, written) in [
            ("90m", 5_400, "1h30m"),
            ("1h30m", 5_400, "1h30m"),
            ("7d", 604_800, "7d"),
            ("2w", 1_209_600, "14d"),
            ("45s", 45, "45s"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(
                (span.0.as_secs(), span.to_string().as_str()),
                (seconds, written)
            );
        }
        for text in ["", "5", "h", "5x", "1h5", "-1h", "99999999999999w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
