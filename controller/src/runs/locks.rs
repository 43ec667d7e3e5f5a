//! Locks: one on each run that is under way, and one on its destination. They end with the process that holds them.

use std::fs::File;
use std::io;
use std::path::Path;

use hf2ms_hub::{RepoAt, Sha256};
use hf2ms_worker::protocol::Exit;

use crate::platform::{private, read_holder, write_holder};
use crate::ui::errors::{CliError, CliResult};

fn hold(path: &Path) -> io::Result<File> {
    let file = private()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.try_lock()?;
    Ok(file)
}

/// The lock says that a process works on the run, the content which.
pub(super) fn hold_alive(path: &Path) -> io::Result<File> {
    let file = hold(path)?;
    write_holder(&file, path, &std::process::id().to_string())?;
    Ok(file)
}

/// Asks with a shared lock: two who ask are not taken for one who holds.
pub(super) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| {
        matches!(
            file.try_lock_shared(),
            Err(std::fs::TryLockError::WouldBlock)
        )
    })
}

pub(super) fn lock_destination(path: &Path, id: &str, destination: &RepoAt) -> CliResult<File> {
    match hold(path) {
        Ok(file) => write_holder(&file, path, id)
            .map(|()| file)
            .map_err(|error| CliError::state_file(path, &error)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(taken(path, destination)),
        Err(error) => Err(CliError::state_file(path, &error)),
    }
}

/// Fails as [`lock_destination`] does while someone holds the lock, and takes it from nobody.
pub(super) fn check_free(path: &Path, destination: &RepoAt) -> CliResult<()> {
    match is_held(path) {
        true => Err(taken(path, destination)),
        false => Ok(()),
    }
}

fn taken(path: &Path, destination: &RepoAt) -> CliError {
    let holder = read_holder(path).unwrap_or_default();
    let (repo, hub) = (&destination.id, destination.hub);
    CliError::new(
        Exit::Incomplete,
        format!(
            "run {holder} is writing to {repo} on {hub}: wait until it ends, or end it with hf2ms stop {holder}"
        ),
    )
}

pub(super) fn lock_name(at: &RepoAt) -> String {
    let hub = at.hub.profile().prefix;
    let text = format!("{hub} {} {} {}", at.endpoint, at.kind, at.id);
    // A file's name has 255 bytes at most; the address of a Git repo may have more, and so may an id.
    let text = if text.len() > 200 {
        let digest = Sha256::of(text.as_bytes());
        let id: String = at.id.to_string().chars().take(100).collect();
        format!("{hub} {digest} {id}")
    } else {
        text
    };
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hf2ms_hub::{Hub, RepoKind};

    use super::*;

    #[test]
    fn the_longest_ids_have_locks_of_their_own() {
        let name = |end: &str| {
            let id = format!("{}/{}{end}", "o".repeat(95), "n".repeat(94));
            lock_name(&RepoAt {
                hub: Hub::HuggingFace,
                endpoint: "https://huggingface.co".to_owned(),
                kind: RepoKind::Model,
                id: id.parse().unwrap(),
                revision: "main".parse().unwrap(),
            })
        };
        let names = [name("a"), name("b")];
        assert!(names[0] != names[1] && names.iter().all(|name| name.len() < 240));
    }
}
