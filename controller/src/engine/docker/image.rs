//! The worker's image: made here from the static worker when it is not there, or one that the user names.

use std::fs;
use std::path::Path;

use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use hf2ms_hub::Sha256;

use super::daemon::{Daemon, Trouble};
use crate::binaries::{STATIC_WORKER, WORKER, find};
use crate::explain::{Failure, Outcome};
use crate::settings::environment;

const DOCKERFILE: &str = include_str!("../../../../docker/Dockerfile");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The image `named`, which must be there.
///
/// # Errors
/// It is not.
pub async fn named(daemon: &Daemon, named: &str) -> Outcome<String> {
    match daemon.api.inspect_image(named).await {
        Ok(_) => Ok(named.to_owned()),
        Err(error) if Trouble::of(&error).is_absence() => {
            Err(Failure::usage(format!("Docker has no image {named}: pull or build it, or leave --image out to have it made")))
        }
        Err(error) => Err(daemon.failure(&error)),
    }
}

/// The image of the static worker here, made if it is not there: it is named after what the worker holds. Whether it was made
/// comes with it.
///
/// # Errors
/// The worker is not there or not static; Docker can't make the image.
pub async fn own(daemon: &Daemon) -> Outcome<(String, bool)> {
    let path = find(if environment(STATIC_WORKER.1).is_some() { STATIC_WORKER } else { WORKER })?;
    let worker = fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
    check(&path, &worker)?;
    let digest = Sha256::of(&worker).to_string();
    let image = format!("hf2ms-worker:{VERSION}-{}", &digest[..12]);
    match daemon.api.inspect_image(&image).await {
        Ok(_) => Ok((image, false)),
        Err(error) if Trouble::of(&error).is_absence() => {
            build(daemon, &image, &worker).await?;
            Ok((image, true))
        }
        Err(error) => Err(daemon.failure(&error)),
    }
}

async fn build(daemon: &Daemon, image: &str, worker: &[u8]) -> Outcome<()> {
    let context = context(worker).map_err(|error| Failure::usage(format!("the image can't be packed: {error}")))?;
    let arguments = std::collections::HashMap::from([("VERSION", VERSION)]);
    let options = BuildImageOptionsBuilder::default().dockerfile("Dockerfile").t(image).rm(true).forcerm(true).buildargs(&arguments);
    let mut steps = std::pin::pin!(daemon.api.build_image(options.build(), None, Some(bollard::body_full(context.into()))));
    while let Some(step) = steps.next().await {
        let failed = match step {
            Ok(step) => step.error_detail.and_then(|detail| detail.message),
            Err(error) => return Err(daemon.failure(&error)),
        };
        if let Some(why) = failed {
            let error = bollard::errors::Error::DockerStreamError { error: format!("the image {image} can't be built: {why}") };
            return Err(daemon.failure(&error));
        }
    }
    Ok(())
}

/// What the image is made of: a tar file with the Dockerfile and the worker.
fn context(worker: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::with_capacity(worker.len() + 8192));
    for (name, content, mode) in [("Dockerfile", DOCKERFILE.as_bytes(), 0o644), ("hf2ms-worker", worker, 0o755)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, name, content)?;
    }
    tar.into_inner()
}

fn check(path: &Path, worker: &[u8]) -> Outcome<()> {
    let bad = |what: &str| {
        let path = path.display();
        Err(Failure::usage(format!(
            "{path} {what}, and containers need a static worker: build it with scripts/build-worker.sh and set {} to it",
            STATIC_WORKER.1
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
        Some(field.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte)))
    };
    if !program.starts_with(CLASS_64_LITTLE) || number(18, 2)? != X86_64 {
        return None;
    }
    let (table, size, count) = (usize::try_from(number(32, 8)?).ok()?, number(54, 2)? as usize, number(56, 2)? as usize);
    let kinds = (0..count).map(|entry| number(table.checked_add(entry * size)?, 4)).collect::<Option<Vec<u64>>>()?;
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
        assert!(line.starts_with("/w needs shared libraries") && line.contains("scripts/build-worker.sh"), "{line}");
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(interpreter(&this[..60]), None, "torn");
        let other = [&this[..18], &[183, 0], &this[20..]].concat();
        assert_eq!(interpreter(&other), None, "for another machine");
    }

    #[test]
    fn a_program_without_a_loader_is_static() {
        let mut program = b"\x7fELF\x02\x01".to_vec();
        program.resize(64 + 56, 0);
        (program[18], program[32], program[54], program[56], program[64]) = (62, 64, 56, 1, 1);
        assert_eq!(interpreter(&program), Some(false));
        program[64] = 3;
        assert_eq!(interpreter(&program), Some(true));
    }

    #[test]
    fn the_image_is_made_of_the_worker_alone() {
        let context = context(b"worker").unwrap();
        let mut archive = tar::Archive::new(&context[..]);
        let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
        let found: Vec<_> = entries.map(|entry| (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())).collect();
        assert_eq!(found, [("Dockerfile".to_owned(), 0o644), ("hf2ms-worker".to_owned(), 0o755)]);
        assert!(DOCKERFILE.contains("FROM scratch"));
    }
}
