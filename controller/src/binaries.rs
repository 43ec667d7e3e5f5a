//! Where the other programs are: named by a variable, beside this one, or in PATH.

use std::fs;
use std::path::{Path, PathBuf};

use crate::platform::{System, places};
use crate::settings::environment;
use crate::ui::errors::{CliError, CliResult};

/// The worker's program.
pub const WORKER: (&str, &str) = ("hf2ms-worker", "HF2MS_WORKER");
/// The variable that names the worker for containers.
const STATIC_WORKER: &str = "HF2MS_STATIC_WORKER";
/// The sandbox's program.
pub const SANDBOX: (&str, &str) = ("hf2ms-sandbox", "HF2MS_SANDBOX");

/// The path of a program, from its name and the variable that may name it.
///
/// # Errors
/// It is nowhere; the line says where it was looked for.
pub fn find((name, variable): (&str, &str)) -> CliResult<PathBuf> {
    find_file((places::program(name).as_str(), variable))
}

fn find_file((name, variable): (&str, &str)) -> CliResult<PathBuf> {
    if let Some(named) = environment(variable) {
        let path = PathBuf::from(&named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(CliError::usage(format!(
                "{variable} names {named}, which is no file: set it to the path of {name}"
            )))
        };
    }
    let beside = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.join(name)));
    let path = environment("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .collect::<Vec<_>>();
    beside
        .into_iter()
        .chain(folders)
        .find(|path: &PathBuf| Path::is_file(path))
        .ok_or_else(|| {
            CliError::usage(format!(
                "{name} was found neither beside hf2ms nor in PATH: set {variable} to its path"
            ))
        })
}

/// A static worker, for containers.
#[derive(Debug, Clone)]
pub struct StaticWorker {
    /// Its path.
    pub path: PathBuf,
    /// Its content.
    pub content: Vec<u8>,
}

/// The static worker that `HF2MS_STATIC_WORKER` names. Without it, the worker itself if that is static; where this machine does not
/// run Linux, the one that is for Linux by its name.
///
/// # Errors
/// It is nowhere, or not static.
pub fn static_worker() -> CliResult<StaticWorker> {
    let name = places::container_worker(System::THIS);
    let path = match (environment(STATIC_WORKER), System::THIS) {
        (None, System::Linux) => find(WORKER),
        _ => find_file((name, STATIC_WORKER)),
    }?;
    let content = fs::read(&path).map_err(|error| CliError::file(&path, &error))?;
    check(&path, &content)?;
    Ok(StaticWorker { path, content })
}

fn check(path: &Path, worker: &[u8]) -> CliResult<()> {
    let bad = |what: &str| {
        let path = path.display();
        Err(CliError::usage(format!(
            "{path} {what}, and containers need a static worker: build it with scripts/build-worker.sh and set {} to it",
            STATIC_WORKER
        )))
    };
    match interpreter(worker) {
        None => bad("is no program for x86_64 Linux"),
        Some(true) => bad("needs shared libraries"),
        Some(false) => Ok(()),
    }
}

/// Whether an ELF program for x86_64 asks for a loader (PT_INTERP, elf(5)); `None` for anything else.
fn interpreter(program: &[u8]) -> Option<bool> {
    const CLASS_64_LITTLE: &[u8] = b"\x7fELF\x02\x01";
    const X86_64: u64 = 62;
    const PT_INTERP: u64 = 3;
    let number = |at: usize, bytes: usize| {
        let field = program.get(at..at.checked_add(bytes)?)?;
        Some(
            field
                .iter()
                .rev()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte)),
        )
    };
    if !program.starts_with(CLASS_64_LITTLE) || number(18, 2)? != X86_64 {
        return None;
    }
    let (table, size, count) = (
        usize::try_from(number(32, 8)?).ok()?,
        number(54, 2)? as usize,
        number(56, 2)? as usize,
    );
    let kinds = (0..count)
        .map(|entry| number(table.checked_add(entry * size)?, 4))
        .collect::<Option<Vec<u64>>>()?;
    Some(kinds.contains(&PT_INTERP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_a_loader_is_not_static() {
        let this = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(interpreter(&this), Some(true), "tests are linked as usual");
        let line = check(Path::new("/w"), &this).unwrap_err().to_string();
        assert!(
            line.starts_with("/w needs shared libraries")
                && line.contains("scripts/build-worker.sh"),
            "{line}"
        );
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(interpreter(&this[..60]), None, "torn");
        let other = [&this[..18], &[183, 0], &this[20..]].concat();
        assert_eq!(interpreter(&other), None, "for another machine");
    }

    #[test]
    fn a_program_without_a_loader_is_static() {
        let mut program = b"\x7fELF\x02\x01".to_vec();
        program.resize(64 + 56, 0);
        (
            program[18],
            program[32],
            program[54],
            program[56],
            program[64],
        ) = (62, 64, 56, 1, 1);
        assert_eq!(interpreter(&program), Some(false));
        program[64] = 3;
        assert_eq!(interpreter(&program), Some(true));
    }
}
