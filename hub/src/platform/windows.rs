//! Windows: files belong to access lists. The owner of a file is not asked for; the profile's folder keeps others out.

use std::fs::{Metadata, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;

/// Opens a link itself instead of what it leads to (`FILE_FLAG_OPEN_REPARSE_POINT`).
const OPEN_LINK: u32 = 0x0020_0000;

/// Whether the file is this user's: each is taken for that.
pub fn is_own(_: &Metadata) -> bool {
    true
}

/// Whether this user trusts the file: each is trusted.
pub fn is_trusted(_: &Metadata) -> bool {
    true
}

/// Pipes are no files here: no open waits.
pub fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Opens a link itself, which is then no file.
pub fn without_following(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OPEN_LINK)
}
