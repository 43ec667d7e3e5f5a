//! The confirmation of a large plan by the user. It needs a terminal for input and for output.

use std::io::IsTerminal;

use hf2ms_worker::protocol::Exit;
use tokio::sync::oneshot;

use super::Estimate;
use crate::ui::errors::{CliError, CliResult};
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
    let has_terminal = std::io::stderr().is_terminal() && std::io::stdin().is_terminal();
    if !has_terminal || !matches!(screen.mode(), Mode::Bars | Mode::Lines) {
        return None;
    }
    screen.ask(format!("{question} [y/N] "));
    Some(answer().await.is_some_and(|answer| is_yes(&answer)))
}

/// One line of stdin. A thread of its own reads it, because the runtime would wait for one of its own to end, and a person
/// who presses Ctrl-C answers no more.
async fn answer() -> Option<String> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // Nobody waits any more: the process ends.
        let _ = tell.send(read.is_ok().then_some(line));
    });
    told.await.ok().flatten()
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
