//! The confirmation of a large plan by the user. It needs a terminal for input and for output.

use hf2ms_worker::protocol::Exit;

use super::Estimate;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::input;
use crate::ui::screen::{Mode, Screen};

/// Plans with more bytes than this need a confirmation.
const ASK_ABOVE: u64 = 100_000_000_000;

/// Asks the user to confirm a large plan, if there is a terminal. Returns whether the user has confirmed, now or before.
///
/// # Errors
/// The answer is no: exit code 130, as if it had been stopped by a signal.
pub async fn confirm(estimate: &Estimate, yes: bool, screen: &Screen) -> CliResult<bool> {
    if yes || estimate.bytes <= ASK_ABOVE {
        return Ok(yes);
    }
    match ask(&estimate.question(), screen).await {
        None => Ok(false),
        Some(true) => Ok(true),
        Some(false) => Err(CliError::new(
            Exit::Interrupted,
            "not confirmed: nothing was done",
        )),
    }
}

/// The user's answer to a question; `None` without a terminal.
pub async fn ask(question: &str, screen: &Screen) -> Option<bool> {
    // A terminal that shows no bars, as `TERM=dumb`, has a person before it too.
    if !input::has_terminal() || !matches!(screen.mode(), Mode::Bars | Mode::Lines) {
        return None;
    }
    screen.ask(format!("{question} [y/N] "));
    Some(input::line().await.is_some_and(|answer| is_yes(&answer)))
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_yes_is_one() {
        assert!(
            ["y\n", "Y\r\n", " yes "]
                .iter()
                .all(|answer| is_yes(answer))
        );
        assert!(
            ["", "\n", "n\n", "no", "yep", "ja"]
                .iter()
                .all(|answer| !is_yes(answer))
        );
    }
}
