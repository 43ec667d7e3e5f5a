//! `--watch`: a mirror run again and again, with a line for each, until the user stops it. A run that fails does not end it.

use std::time::Duration;

use hf2ms_worker::protocol::Exit;

use super::report::MirrorReport;
use crate::runs::now;
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::json::ErrorEvent;
use crate::ui::screen::{Screen, when};

/// Reads `15m`, `90s`, `2h`. A number alone may mean minutes to one and seconds to another.
///
/// # Errors
/// What was expected.
pub fn interval(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    let span = number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .filter(|span| *span > 0);
    span.map(Duration::from_secs)
        .ok_or_else(|| "expected a time with its unit, as 15m, 90s or 2h".to_owned())
}

/// Repeats the run until the user stops it, and returns the last run's exit code.
///
/// # Errors
/// The command line is wrong, which would fail every run.
pub async fn repeat(
    every: Duration,
    screen: &Screen,
    stop: &Stop,
    round: impl AsyncFn() -> CliResult<MirrorReport>,
) -> CliResult<Exit> {
    loop {
        let ended = round().await;
        let exit = match &ended {
            Ok(report) => report.exit(),
            Err(failure) => failure.exit(),
        };
        if stop.is_asked() || exit == Exit::Usage {
            return ended.map(|report| report.exit());
        }
        tell(&ended, screen);
        tokio::select! {
            () = tokio::time::sleep(every) => (),
            () = stop.asked() => return Ok(exit),
        }
    }
}

fn tell(ended: &CliResult<MirrorReport>, screen: &Screen) {
    let line = ended
        .as_ref()
        .map_or_else(CliError::to_string, MirrorReport::line);
    screen.print(format!("{} UTC  {line}", when(now())));
    match ended {
        Ok(report) => screen.json(&report.event()),
        Err(failure) => screen.json(&ErrorEvent {
            nearest: None,
            message: screen.shown(&failure.to_string()),
            exit: failure.exit() as u8,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, seconds) in [("15m", 900), ("90s", 90), ("2h", 7200), ("1d", 86_400)] {
            assert_eq!(interval(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "m",
            "15",
            "0m",
            "-1m",
            "1.5h",
            "10 weeks",
            "99999999999999999999s",
        ] {
            assert!(interval(bad).is_err(), "{bad}");
        }
    }
}
