//! The worker's image: made here from the static worker when it is not there, or one that the user names.

use bollard::models::ImageInspect;
use bollard::query_parameters::BuildImageOptionsBuilder;
use futures_util::StreamExt;
use hf2ms_hub::Sha256;

use super::daemon::{Daemon, DaemonError, understood};
use crate::binaries::{Architecture, StaticWorker, static_worker};
use crate::ui::errors::{CliError, CliResult};

const DOCKERFILE: &str = include_str!("../../../embedded/Dockerfile");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The label of an image that names its version (the OCI's image specification, annotations).
const VERSION_LABEL: &str = "org.opencontainers.image.version";

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// The version that its label names.
    pub version: Option<String>,
    /// The processor that it is for, by Docker's name.
    processor: Option<String>,
}

impl Image {
    fn of(name: &str, found: ImageInspect) -> Self {
        let labels = found.config.and_then(|config| config.labels);
        Self {
            name: name.to_owned(),
            version: labels.and_then(|mut labels| labels.remove(VERSION_LABEL)),
            processor: found.architecture.filter(|name| !name.is_empty()),
        }
    }

    /// The reason why its containers don't start, if that is their processor: not the daemon's by its description, or by what `why`
    /// says of the program in it. An emulator may run it none the less, so nothing is refused before it was tried.
    pub fn other_processor(&self, daemon: Architecture, why: &str) -> Option<String> {
        let runs = daemon.docker_name();
        match self.processor.as_deref() {
            Some(other) if Architecture::named(other) != Some(daemon) => Some(format!(
                "is for {}, and Docker runs {runs}",
                hf2ms_hub::path::escape(other)
            )),
            _ if why.to_ascii_lowercase().contains("exec format error") => Some(format!(
                "holds a program for another processor, and Docker runs {runs}"
            )),
            _ => None,
        }
    }
}

/// The image `named`, which must be there.
///
/// # Errors
/// It is not.
pub async fn named(daemon: &Daemon, named: &str) -> CliResult<Image> {
    match understood(daemon.api.inspect_image(named).await) {
        Ok(found) => Ok(Image::of(named, found)),
        Err(error) if DaemonError::of(&error).is_absence() => Err(CliError::usage(format!(
            "Docker has no image {named}: pull or build it, or leave --image out to have it made"
        ))),
        Err(error) => Err(daemon.failure(&error)),
    }
}

/// The image of the static worker here, made if it is not there: it is named after what the worker holds. Whether it was made
/// comes with it.
///
/// # Errors
/// The worker is not there or not static; Docker can't make the image.
pub async fn own(daemon: &Daemon) -> CliResult<(Image, bool)> {
    let StaticWorker {
        content: worker, ..
    } = static_worker(daemon.architecture)?;
    let digest = Sha256::of(&worker).to_string();
    let image = format!("hf2ms-worker:{VERSION}-{}", &digest[..12]);
    match understood(daemon.api.inspect_image(&image).await) {
        Ok(found) => Ok((Image::of(&image, found), false)),
        Err(error) if DaemonError::of(&error).is_absence() => {
            build(daemon, &image, &worker).await?;
            Ok((named(daemon, &image).await?, true))
        }
        Err(error) => Err(daemon.failure(&error)),
    }
}

async fn build(daemon: &Daemon, image: &str, worker: &[u8]) -> CliResult<()> {
    let context = context(worker)
        .map_err(|error| CliError::usage(format!("the image can't be packed: {error}; build it with scripts/image.sh and give --image hf2ms-worker")))?;
    let arguments = std::collections::HashMap::from([("VERSION", VERSION)]);
    let options = BuildImageOptionsBuilder::default()
        .dockerfile("Dockerfile")
        .t(image)
        .rm(true)
        .forcerm(true)
        .buildargs(&arguments);
    let mut steps = std::pin::pin!(daemon.api.build_image(
        options.build(),
        None,
        Some(bollard::body_full(context.into()))
    ));
    while let Some(step) = steps.next().await {
        let failed = match understood(step) {
            Ok(step) => step.error_detail.and_then(|detail| detail.message),
            Err(error) => return Err(daemon.failure(&error)),
        };
        if let Some(why) = failed {
            let error = bollard::errors::Error::DockerStreamError {
                error: format!("the image {image} can't be built: {why}"),
            };
            return Err(daemon.failure(&error));
        }
    }
    Ok(())
}

/// What the image is made of: a tar file with the Dockerfile and the worker.
fn context(worker: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::with_capacity(worker.len() + 8192));
    for (name, content, mode) in [
        ("Dockerfile", DOCKERFILE.as_bytes(), 0o644),
        ("root/hf2ms-worker", worker, 0o755),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        tar.append_data(&mut header, name, content)?;
    }
    tar.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_for_another_processor_is_the_reason_why_it_does_not_start() {
        let reason = |processor: &str, why: &str| {
            let found = ImageInspect {
                architecture: Some(processor.to_owned()),
                ..ImageInspect::default()
            };
            Image::of("i", found).other_processor(Architecture::X86_64, why)
        };
        assert_eq!(
            reason("arm64", "killed by signal 9").as_deref(),
            Some("is for arm64, and Docker runs amd64")
        );
        let of_program = reason("amd64", "exec /hf2ms-worker: exec format error");
        assert!(of_program.unwrap().starts_with("holds a program for"));
        assert_eq!(reason("amd64", "exited with 3"), None);
        assert_eq!(
            reason("", "exited with 3"),
            None,
            "a daemon that tells none"
        );
    }

    #[test]
    fn the_image_is_made_of_the_worker_alone() {
        let context = context(b"worker").unwrap();
        let mut archive = tar::Archive::new(&context[..]);
        let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
        let found: Vec<_> = entries
            .map(|entry| {
                (
                    entry.path().unwrap().display().to_string(),
                    entry.header().mode().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("Dockerfile".to_owned(), 0o644),
                ("root/hf2ms-worker".to_owned(), 0o755)
            ]
        );
        assert!(DOCKERFILE.contains("FROM scratch"));
    }
}
