//! The bandwidth as people write it: a rate, or a timetable of them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::amounts::ByteCount;
use crate::protocol::{Bandwidth, BandwidthChange};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

/// Reads a bandwidth of the command line: `10M`, `off`, or a timetable in the local time of this machine. Its form is that of rclone's
/// `--bwlimit`.
///
/// # Errors
/// What was expected.
pub fn bandwidth(text: &str) -> Result<Bandwidth, String> {
    let offset = TimeZone::system().to_offset(Timestamp::now());
    bandwidth_at(text, i64::from(offset.seconds()) / 60)
}

/// The same, where the local time is so many minutes ahead of UTC.
fn bandwidth_at(text: &str, ahead: i64) -> Result<Bandwidth, String> {
    if !text.contains(',') {
        return Ok(match rate(text)? {
            Some(rate) => Bandwidth::always(rate),
            None => Bandwidth::weekly(Vec::new()),
        });
    }
    let mut changes = Vec::new();
    for slot in text.split_whitespace() {
        let (time, limit) = slot.split_once(',').ok_or_else(expected_slot)?;
        let (days, minute) = time_of(time)?;
        let bytes_per_second = rate(limit)?;
        changes.extend(days.map(|day| BandwidthChange {
            minute: u32::try_from((day * DAY + minute - ahead).rem_euclid(WEEK)).unwrap_or(0),
            bytes_per_second,
        }));
    }
    Ok(Bandwidth::weekly(changes))
}

fn expected_slot() -> String {
    "expected a timetable as '08:00,512K 19:00,10M 23:00,off' or 'Mon-08:00,1M Sat-00:00,off'"
        .to_owned()
}

/// Bytes a second; `None` for `off`. A number alone is refused: rclone reads it as KiB, and sizes are bytes.
fn rate(text: &str) -> Result<Option<u64>, String> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    match text.parse::<ByteCount>() {
        Ok(ByteCount(bytes)) if has_unit && bytes > 0 => Ok(Some(bytes)),
        _ => Err("expected a rate with its unit, as 512K or 10M a second, or off".to_owned()),
    }
}

/// The days of a slot, from Monday, and its minute of the day.
fn time_of(text: &str) -> Result<(std::ops::Range<i64>, i64), String> {
    let (days, time) = match text.split_once('-') {
        None => (0..7, text),
        Some((day, time)) => {
            let day = day.to_ascii_lowercase();
            let found = DAYS.iter().position(|name| *name == day);
            let day = found.ok_or_else(expected_slot)? as i64;
            (day..day + 1, time)
        }
    };
    let (hour, minute) = time.split_once(':').ok_or_else(expected_slot)?;
    let number = |text: &str, below: i64| {
        let number: Option<i64> = text.parse().ok();
        number
            .filter(|number| (0..below).contains(number))
            .ok_or_else(expected_slot)
    };
    Ok((days, number(hour, 24)? * 60 + number(minute, 60)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timetable_is_as_rclones_and_in_local_time() {
        let change = |minute, bytes_per_second| BandwidthChange {
            minute,
            bytes_per_second,
        };
        // Two hours ahead of UTC: Monday 1:00 is still Sunday there.
        let table = bandwidth_at("Mon-01:00,512K sat-10:30,off", 120).unwrap();
        let sunday_23 = 6 * 1440 + 23 * 60;
        let saturday = 5 * 1440 + 8 * 60 + 30;
        let expected = vec![change(sunday_23, Some(512 << 10)), change(saturday, None)];
        assert_eq!(table, Bandwidth::weekly(expected));
        let daily = bandwidth_at("08:00,1M", 0).unwrap();
        let each = (0..7).map(|day| change(day * 1440 + 480, Some(1 << 20)));
        assert_eq!(daily, Bandwidth::weekly(each.collect()));
        assert_eq!(bandwidth_at("10M", 120), Ok(Bandwidth::always(10 << 20)));
        assert_eq!(bandwidth_at("off", 0), Ok(Bandwidth::weekly(Vec::new())));
        for text in [
            "",
            "10",
            "0M",
            "08:00,10",
            "8,1M",
            "25:00,1M",
            "08:60,1M",
            "Mo-08:00,1M",
            "08:00,1M 09:00",
        ] {
            assert!(bandwidth_at(text, 0).is_err(), "{text}");
        }
    }
}
