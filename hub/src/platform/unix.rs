//! Linux and macOS: owners of files, and how a file is opened that someone else may have put there.

use std::fs::{Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use rustix::fs::OFlags;

/// Whether the file is this user's.
pub fn is_own(found: &Metadata) -> bool {
    found.uid() == user()
}

/// Whether this user trusts the file: it is its own, or root's.
pub fn is_trusted(found: &Metadata) -> bool {
    trusts(user(), found.uid())
}

/// Opens a pipe without waiting for whoever writes into it.
pub fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    with(options, OFlags::NONBLOCK)
}

/// The same, and opens no link.
pub fn without_following(options: &mut OpenOptions) -> &mut OpenOptions {
    with(options, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

fn with(options: &mut OpenOptions, flags: OFlags) -> &mut OpenOptions {
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
}

fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Whether `user` trusts a file of `owner`.
fn trusts(user: u32, owner: u32) -> bool {
    owner == user || owner == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_of_this_user_or_of_root_is_trusted() {
        let found = [(7, 7), (0, 7), (8, 7), (7, 0)].map(|(owner, user)| trusts(user, owner));
        assert_eq!(found, [true, true, false, false]);
    }
}
