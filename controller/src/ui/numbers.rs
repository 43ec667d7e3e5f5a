//! Numbers as people read them: bytes, rates, spans of time, moments, amounts of money.

use humansize::{DECIMAL, format_size};

/// `4.3 GB`.
pub fn size(bytes: u64) -> String {
    format_size(bytes, DECIMAL)
}

/// `4.3 GB/s`; nothing for no time.
pub fn rate(bytes: u64, seconds: f64) -> String {
    let rate = bytes as f64 / seconds.max(0.001);
    format!("{}/s", size(rate as u64))
}

/// `1 h 02 min`, `2 min 05 s`, `4.2 s`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `12`, `6.2`, `0.0031`: two digits that count, for amounts that are estimated; nothing finer than a millionth.
pub fn dollars(amount: f64) -> String {
    let decimals = if amount > 0.0 {
        (1.0 - amount.log10().floor()).clamp(0.0, 6.0) as usize
    } else {
        0
    };
    format!("{amount:.decimals$}")
}

/// `2026-11-20 09:40`, in UTC, of seconds since 1970.
pub fn when(seconds: u64) -> String {
    let moment = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .unwrap_or_default();
    moment.strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(when(0), "1970-01-01 00:00");
        assert_eq!(when(1_709_210_096), "2024-02-29 12:34");
        assert_eq!(when(1_795_167_600), "2026-11-20 09:40");
    }

    #[test]
    fn dollars_have_two_digits_that_count() {
        let written = [0.0, 0.000_000_1, 0.003_14, 0.62, 6.17, 12.4, 1234.5].map(dollars);
        assert_eq!(
            written,
            ["0", "0.000000", "0.0031", "0.62", "6.2", "12", "1234"]
        );
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(size(4_300_000_000), "4.30 GB");
        assert_eq!(rate(2_000_000, 2.0), "1 MB/s");
        assert_eq!(
            (duration(4.25), duration(125.0), duration(3720.0)),
            ("4.2 s".into(), "2 min 05 s".into(), "1 h 02 min".into())
        );
    }
}
