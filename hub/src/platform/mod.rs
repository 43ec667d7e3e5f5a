//! What differs between operating systems, for this crate and those above it. No other file of this crate asks which system it is
//! built for.

use std::time::Duration;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use self::unix::{is_own, is_trusted, without_following, without_waiting};
#[cfg(windows)]
pub use self::windows::{is_own, is_trusted, without_following, without_waiting};

/// The operating system that a program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux, and what else follows its customs.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl System {
    /// The one that this program is built for.
    pub const THIS: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Linux
    };

    /// Whether the system has proxy settings of its own, which count where no variable names a proxy.
    pub const fn has_proxy_settings(self) -> bool {
        !matches!(self, Self::Linux)
    }
}

/// A connection ends when the other side acknowledges nothing for `stall`: the stall timeout does not see bytes that wait in the
/// kernel. Linux alone can be asked for that.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables))]
pub(crate) fn unacknowledged_for(
    stall: Duration,
    builder: reqwest::ClientBuilder,
) -> reqwest::ClientBuilder {
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(stall);
    builder
}
