//! Where the other programs are: named by a variable, beside this one, or in PATH.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::platform::{System, may_be_started, places};
use crate::settings::environment;
use crate::ui::errors::{CliError, CliResult};

/// The worker's program.
pub const WORKER: (&str, &str) = ("hf2ms-worker", "HF2MS_WORKER");
/// The variable that names the worker for containers.
const STATIC_WORKER: &str = "HF2MS_STATIC_WORKER";
/// Bytes of a program that hold all of its header.
const HEADER: u64 = 4_096;
/// The sandbox's program.
pub const SANDBOX: (&str, &str) = ("hf2ms-sandbox", "HF2MS_SANDBOX");

/// The path of a program, from its name and the variable that may name it.
///
/// # Errors
/// It is nowhere; the line says where it was looked for.
pub fn find((name, variable): (&str, &str)) -> CliResult<PathBuf> {
    find_file((places::program(name).as_str(), variable))
}

/// The path of the worker, which can be started here as far as its file tells: a run that finds out later has created a repo by then.
///
/// # Errors
/// As [`find`]; it is no program of this machine.
pub fn find_worker() -> CliResult<PathBuf> {
    let path = find(WORKER)?;
    let architecture = architecture_of(&path).map(Architecture::name);
    let is_of_this = architecture.is_none_or(|name| name == std::env::consts::ARCH);
    if may_be_started(&path) && is_of_this {
        return Ok(path);
    }
    let error = io::ErrorKind::PermissionDenied.into();
    Err(CliError::usage(not_started(&path, &error)))
}

/// The processor that a program's header names.
fn architecture_of(program: &Path) -> Option<Architecture> {
    let mut header = Vec::new();
    let file = fs::File::open(program).ok()?;
    file.take(HEADER).read_to_end(&mut header).ok()?;
    Program::parse(&header)?.architecture
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
    search(name).ok_or_else(|| {
        CliError::usage(format!(
            "{name} was found neither beside hf2ms nor in PATH: set {variable} to its path"
        ))
    })
}

/// A program that is beside this one, or in `PATH`.
fn search(name: &str) -> Option<PathBuf> {
    let path = environment("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    beside(name)
        .into_iter()
        .chain(in_path)
        .find(|path| path.is_file())
}

/// The path that a program of this name would have beside this one.
fn beside(name: &str) -> Option<PathBuf> {
    let started = std::env::current_exe().ok()?;
    // macOS names the link that was started, such as pipx and uv make, and not the program.
    let program = match fs::read_link(&started) {
        Ok(target) => started.parent()?.join(target),
        Err(_) => started,
    };
    Some(program.parent()?.join(name))
}

/// The Pythons that may have Modal's SDK: the one that `HF2MS_PYTHON` names. If it names none, that of the environment in which
/// this program is installed comes before the first in `PATH`.
pub fn pythons() -> Vec<PathBuf> {
    if let Some(named) = environment("HF2MS_PYTHON") {
        return vec![named.into()];
    }
    let installed = ["python3", "python", "../python"]
        .map(|name| beside(&places::program(name)))
        .into_iter()
        .flatten()
        .find(|path| path.is_file());
    let in_path = places::python(System::THIS).into();
    installed.into_iter().chain([in_path]).collect()
}

/// A processor that containers run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Intel's and AMD's. Modal's containers run on it.
    X86_64,
    /// ARM's.
    Aarch64,
}

impl Architecture {
    /// The processor of a name that Docker or podman gives it; `None` for any other.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "amd64" | "x86_64" => Some(Self::X86_64),
            "arm64" | "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Its name for Docker.
    pub fn docker_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Its number in ELF files (`e_machine`, elf(5)).
    fn machine(self) -> u64 {
        match self {
            Self::X86_64 => 62,
            Self::Aarch64 => 183,
        }
    }

    fn of_machine(machine: u64) -> Option<Self> {
        [Self::X86_64, Self::Aarch64]
            .into_iter()
            .find(|known| known.machine() == machine)
    }
}

/// A static worker, for containers.
#[derive(Debug, Clone)]
pub struct StaticWorker {
    /// Its path.
    pub path: PathBuf,
    /// Its content.
    pub content: Vec<u8>,
}

/// The static worker for containers on this processor: the one that `HF2MS_STATIC_WORKER` names, or the worker itself if it will do, or
/// `hf2ms-worker-linux-PROCESSOR`, which packages for other systems have.
///
/// # Errors
/// It is nowhere, not static, or for another processor.
pub fn static_worker(architecture: Architecture) -> CliResult<StaticWorker> {
    let other = linux_worker(architecture);
    if environment(STATIC_WORKER).is_some() {
        return read(find_file((&other, STATIC_WORKER))?, architecture);
    }
    let own = find(WORKER).and_then(|path| read(path, architecture));
    match (own, search(&other)) {
        (Err(_), Some(path)) => read(path, architecture),
        (own, _) => own,
    }
}

/// The name of the static worker in packages for other processors and systems.
fn linux_worker(architecture: Architecture) -> String {
    format!("{}-linux-{}", WORKER.0, architecture.name())
}

fn read(path: PathBuf, architecture: Architecture) -> CliResult<StaticWorker> {
    let content = fs::read(&path).map_err(|error| CliError::file(&path, &error))?;
    check(&path, &content, architecture)?;
    Ok(StaticWorker { path, content })
}

fn check(path: &Path, worker: &[u8], architecture: Architecture) -> CliResult<()> {
    let (path, wanted) = (path.display(), architecture.name());
    let bad = |what: &str| {
        Err(CliError::usage(format!(
            "{path} {what}, and containers need a static worker: pip install hf2ms-cli brings one, or build it with scripts/build-worker.sh and set {STATIC_WORKER} to it"
        )))
    };
    match Program::parse(worker) {
        Some(program) if program.architecture != Some(architecture) => {
            let found = program.architecture.map(Architecture::name);
            Err(CliError::usage(format!(
                "{path} is a program for {}, and these containers run on {wanted}: set {STATIC_WORKER} to a static worker for {wanted}, which packages have as {}",
                found.unwrap_or("another processor"),
                linux_worker(architecture)
            )))
        }
        Some(program) if program.is_static == Some(true) => Ok(()),
        Some(program) if program.is_static == Some(false) => bad("needs shared libraries"),
        _ => bad(&format!("is no program for {wanted} Linux")),
    }
}

/// The line about a worker that this machine can't start, which names its processor if that is the reason.
pub fn not_started(worker: &Path, error: &io::Error) -> String {
    let this = std::env::consts::ARCH;
    let why = match architecture_of(worker).map(Architecture::name) {
        Some(other) if other != this => {
            format!("is a program for {other}, and this machine runs {this}")
        }
        _ => format!("can't be started: {error}"),
    };
    let (name, variable) = WORKER;
    format!(
        "{} {why}; install hf2ms and {name} alike, or set {variable} to the {name} of this machine",
        worker.display()
    )
}

/// The parts of an ELF file's header that decide where it runs (elf(5)).
#[derive(Debug, PartialEq, Eq)]
struct Program {
    /// Its processor, if containers may have it.
    architecture: Option<Architecture>,
    /// Whether it asks for no loader (PT_INTERP); none if its table can't be read.
    is_static: Option<bool>,
}

impl Program {
    fn parse(file: &[u8]) -> Option<Self> {
        const LITTLE_ENDIAN: u8 = 1;
        let is_elf = file.starts_with(b"\x7fELF") && file.get(5) == Some(&LITTLE_ENDIAN);
        let machine = number(file, 18, 2).filter(|_| is_elf)?;
        Some(Self {
            architecture: Architecture::of_machine(machine),
            is_static: has_loader(file).map(|has| !has),
        })
    }
}

fn has_loader(program: &[u8]) -> Option<bool> {
    const PT_INTERP: u64 = 3;
    let (table, size, count) = (
        usize::try_from(number(program, 32, 8)?).ok()?,
        number(program, 54, 2)? as usize,
        number(program, 56, 2)? as usize,
    );
    let kinds = (0..count)
        .map(|entry| number(program, table.checked_add(entry * size)?, 4))
        .collect::<Option<Vec<u64>>>()?;
    Some(kinds.contains(&PT_INTERP))
}

/// The little-endian number of so many bytes at this place.
fn number(file: &[u8], at: usize, bytes: usize) -> Option<u64> {
    let field = file.get(at..at.checked_add(bytes)?)?;
    let shift = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(field.iter().rev().fold(0, shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(file: &[u8]) -> Option<(Option<Architecture>, Option<bool>)> {
        Program::parse(file).map(|program| (program.architecture, program.is_static))
    }

    #[test]
    fn a_program_with_a_loader_is_not_static() {
        let this = fs::read(std::env::current_exe().unwrap()).unwrap();
        let x86 = Some(Architecture::X86_64);
        assert_eq!(
            parsed(&this),
            Some((x86, Some(false))),
            "tests are linked as usual"
        );
        let refused = |file: &[u8], architecture| {
            let refused = check(Path::new("/w"), file, architecture);
            refused.unwrap_err().to_string()
        };
        let line = refused(&this, Architecture::X86_64);
        assert!(
            line.starts_with("/w needs shared libraries")
                && line.contains("scripts/build-worker.sh"),
            "{line}"
        );
        for torn in [&this[..60], b"#!/bin/sh\n"] {
            let line = refused(torn, Architecture::X86_64);
            assert!(line.contains("is no program for x86_64 Linux"), "{line}");
        }
        let line = refused(&this, Architecture::Aarch64);
        assert!(
            line.contains("is a program for x86_64, and these containers run on aarch64: set"),
            "{line}"
        );
        let other = [&this[..18], &[183, 0], &this[20..]].concat();
        assert_eq!(
            parsed(&other),
            Some((Some(Architecture::Aarch64), Some(false)))
        );
        let unknown = [&this[..18], &[243, 0], &this[20..]].concat();
        let line = refused(&unknown, Architecture::X86_64);
        assert!(
            line.contains("is a program for another processor"),
            "{line}"
        );
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
        assert_eq!(
            parsed(&program),
            Some((Some(Architecture::X86_64), Some(true)))
        );
        program[64] = 3;
        assert_eq!(
            parsed(&program),
            Some((Some(Architecture::X86_64), Some(false)))
        );
    }
}
