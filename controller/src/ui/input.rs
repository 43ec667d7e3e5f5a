//! What a person types, or a script writes, into standard input.

use std::io::{self, IsTerminal, Read};

use tokio::sync::oneshot;

use crate::platform::{drop_typed, hidden_line, hide_input};

/// More than this is no token.
const LONGEST: u64 = 64 << 10;

/// Whether a person can be asked.
pub fn has_terminal() -> bool {
    io::stderr().is_terminal() && io::stdin().is_terminal()
}

/// One line of stdin.
pub async fn line() -> Option<String> {
    read(|| {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    })
    .await
}

/// Whether what was typed before a question can be kept from answering it: [`fresh_line`] asks nobody elsewhere.
pub fn can_drop_typed() -> bool {
    drop_typed().is_ok()
}

/// One line of stdin that is typed after `ask` is called. What was typed before answers nothing. `None` where nobody could be asked.
pub async fn fresh_line(ask: impl FnOnce()) -> Option<String> {
    drop_typed().ok()?;
    ask();
    line().await
}

/// One line of stdin, which the terminal does not show from before `ask` is called on. It shows what is typed again once this ends or
/// is dropped.
///
/// # Errors
/// Stdin is no terminal.
pub async fn secret_line(ask: impl FnOnce()) -> io::Result<Option<String>> {
    let _hidden = hide_input()?;
    ask();
    Ok(read(hidden_line).await)
}

/// All of stdin, as far as a token could go.
pub async fn all() -> Option<String> {
    read(|| {
        let mut text = String::new();
        io::stdin().take(LONGEST).read_to_string(&mut text)?;
        Ok(text)
    })
    .await
}

/// The result of a read of stdin. A thread of its own reads, because the runtime would wait for one of its own to end. A person
/// who presses Ctrl-C answers no more.
async fn read(read: impl FnOnce() -> io::Result<String> + Send + 'static) -> Option<String> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits any more when this fails: the process ends.
        let _ = tell.send(read().ok());
    });
    told.await.ok().flatten()
}
