//! What differs between operating systems: files, processes, the terminal, and where things are. No other file of this crate asks
//! which system it is built for.
//!
//! What the system does is in `unix` and `windows`. What is known of all systems is in [`places`], where a test of one
//! system sees all of them.

pub mod places;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub use hf2ms_hub::platform::{System, is_trusted, without_waiting};

#[cfg(unix)]
pub use self::unix::*;
#[cfg(windows)]
pub use self::windows::*;
