//! The limits of single actions: commits (128 an hour), new repos. They have nothing to do with the `RateLimit` headers, which
//! show plenty left, and tell the wait in words: "You have exceeded the rate limit for repository commits (128 per hour). You can
//! retry this action in about 1 hour." (recorded by many projects, 2025 to 2026).

use std::time::Duration;

use crate::{Error, Kind};

const WORDS: &str = "retry this action in ";

/// The error with the wait that its words ask for, where no header did.
pub(super) fn of_action(error: Error) -> Error {
    match (error.kind(), error.retry_after(), wait(error.message())) {
        (Kind::RateLimited, None, Some(wait)) => error.with_retry_after(Some(wait)),
        _ => error,
    }
}

/// "in about 1 hour", "in 43 minutes", "in 1 day".
fn wait(words: &str) -> Option<Duration> {
    let (_, rest) = words.split_once(WORDS)?;
    let mut words = rest.split_whitespace().filter(|word| *word != "about");
    let (count, unit) = (words.next()?.parse::<u64>().ok()?, words.next()?);
    let units = [
        ("second", 1),
        ("minute", 60),
        ("hour", 3_600),
        ("day", 86_400),
    ];
    let (_, seconds) = units.into_iter().find(|(name, _)| unit.starts_with(name))?;
    // What is "about" or rounded down is over a little later.
    Some(Duration::from_secs(
        count.checked_mul(seconds)? + seconds / 20,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_read_from_the_words() {
        let seconds = |words: &str| wait(words).map(|wait| wait.as_secs());
        let hour = "You have exceeded the rate limit for repository commits (128 per hour). You can retry this action in about 1 hour. (429)";
        assert_eq!(seconds(hour), Some(3780));
        assert_eq!(
            seconds("You can retry this action in 43 minutes."),
            Some(2583)
        );
        assert_eq!(seconds("you can retry this action in 1 day"), Some(90_720));
        assert_eq!(seconds("you can retry this action in 30 seconds"), Some(30));
        for words in [
            "",
            "slow down",
            "retry this action in a while",
            "retry this action in 5",
            "retry this action in 99999999999999999999 days",
        ] {
            assert_eq!(seconds(words), None, "{words}");
        }
    }

    #[test]
    fn what_a_header_says_wins_and_other_errors_have_no_wait() {
        let error = |kind| Error::new(kind, "you can retry this action in 2 hours");
        let asked = error(Kind::RateLimited).with_retry_after(Some(Duration::from_secs(7)));
        assert_eq!(of_action(asked).retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(
            of_action(error(Kind::RateLimited)).retry_after(),
            Some(Duration::from_secs(7380))
        );
        assert_eq!(of_action(error(Kind::Denied)).retry_after(), None);
    }
}
