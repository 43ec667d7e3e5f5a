//! The command line: what may be given, and which function of the library does it.

pub(crate) mod args;
pub(crate) mod perform;
mod stop;
