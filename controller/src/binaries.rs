//! Where the other programs are: named by a variable, beside this one, or in PATH.

use std::path::{Path, PathBuf};

use crate::explain::{Failure, Outcome};
use crate::settings::environment;

/// Carries blobs.
pub const WORKER: (&str, &str) = ("hf2ms-worker", "HF2MS_WORKER");
/// The same, as one static file: what containers are made of.
pub const STATIC_WORKER: (&str, &str) = ("hf2ms-worker", "HF2MS_STATIC_WORKER");
/// The loopback hubs.
pub const SANDBOX: (&str, &str) = ("hf2ms-sandbox", "HF2MS_SANDBOX");

/// The path of a program, from its name and the variable that may name it.
///
/// # Errors
/// It is nowhere; the line says where it was looked for.
pub fn find((name, variable): (&str, &str)) -> Outcome<PathBuf> {
    if let Some(named) = environment(variable) {
        let path = PathBuf::from(&named);
        return if path.is_file() { Ok(path) } else { Err(Failure::usage(format!("{variable} names {named}, which is no file"))) };
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(name)));
    let path = environment("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).map(|folder| folder.join(name)).collect::<Vec<_>>();
    beside
        .into_iter()
        .chain(folders)
        .find(|path: &PathBuf| Path::is_file(path))
        .ok_or_else(|| Failure::usage(format!("{name} was found neither beside hf2ms nor in PATH: set {variable} to its path")))
}
