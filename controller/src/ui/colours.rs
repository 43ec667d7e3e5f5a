//! Whether colours may be written. One crate decides for clap's messages and for ours: a terminal gets them unless `TERM` is `dumb`,
//! `CLICOLOR` is 0 or `NO_COLOR` is set; `CLICOLOR_FORCE` has them written anywhere else.

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use clap::builder::StyledStr;

/// Whether this stream gets colours.
pub fn are_for(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// A text of clap's with its colours, if stdout gets them.
pub fn written(text: &StyledStr) -> String {
    match are_for(&std::io::stdout()) {
        true => text.ansi().to_string(),
        false => text.to_string(),
    }
}
