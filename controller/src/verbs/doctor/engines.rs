//! The checks of an engine: its workers' versions, and whether the hubs are reached from there.

use std::process::Stdio;
use std::time::Duration;

use hf2ms_hub::Hub;
use hf2ms_worker::protocol::{EndpointCheck, Event, WorkerOptions};
use tokio::process::Command;

use super::{Args, CheckEvent, CheckVerdict};
use crate::binaries::{Architecture, WORKER, find, not_started, static_worker};
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::modal::{AppSize, Deployment, Modal, version_of_app};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::runs::Runs;
use crate::settings::{Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// The version of this program.
const THIS: &str = env!("CARGO_PKG_VERSION");
/// A worker that is silent for so long is none.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// Checks the worker, and whether it reaches the hubs.
pub(super) async fn worker(settings: &Settings) -> Vec<CheckEvent> {
    let binary = match find(WORKER) {
        Ok(binary) => binary,
        Err(failure) => {
            return vec![CheckEvent::new(
                "worker",
                CheckVerdict::Bad,
                failure.to_string(),
            )];
        }
    };
    let bad = |says: String| vec![CheckEvent::new("worker", CheckVerdict::Bad, says)];
    let ask = |words: &[String]| {
        let mut command = Command::new(&binary);
        command.args(words).stdin(Stdio::null()).kill_on_drop(true);
        command.output()
    };
    // A program that is no worker may say nothing for ever. Its version takes no network.
    let version = ask(&["--version".to_owned()]);
    if tokio::time::timeout(VERSION_WITHIN, version).await.is_err() {
        let (seconds, place) = (VERSION_WITHIN.as_secs(), binary.display());
        return bad(format!(
            "{place} says nothing of its version within {seconds} s: install it anew"
        ));
    }
    let words = std::iter::once("check".to_owned()).chain(endpoints(settings));
    let output = match ask(&words.collect::<Vec<_>>()).await {
        Ok(output) => output,
        Err(error) => {
            return bad(not_started(&binary, &error));
        }
    };
    let said = String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| serde_json::from_str(line).ok());
    let place = format!("at {}", binary.display());
    said.and_then(|event| answered(event, &place, OF_BINARY))
        .unwrap_or_else(|| {
            bad(format!(
                "{} does not answer its check: install it anew",
                binary.display()
            ))
        })
}

/// The endpoints of the hubs, each once.
fn endpoints(settings: &Settings) -> Vec<String> {
    let mut all: Vec<String> = Hub::with_api()
        .flat_map(|hub| [settings.access(hub), settings.access_to(hub)])
        .map(|access| access.endpoint.clone())
        .collect();
    all.dedup();
    all
}

/// Checks Docker and the image, and whether a container reaches the hubs.
pub(super) async fn container(
    args: &Args,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Vec<CheckEvent>> {
    let terms = DockerOptions {
        workers: 1,
        memory: WorkerOptions::default().memory,
        files_memory: 0,
        scratch: None,
        settings: settings.clone(),
        stop: stop.clone(),
    };
    let runs = Runs::new(&state_dir(&environment)?);
    let docker = match Docker::open(
        &args.containers,
        terms,
        ContainerOwner {
            runs: &runs,
            run: None,
        },
        screen,
    )
    .await
    {
        Ok(docker) => docker,
        Err(failure) => {
            return Ok(vec![CheckEvent::new(
                "docker",
                CheckVerdict::Bad,
                failure.to_string(),
            )]);
        }
    };
    let found = CheckEvent::new("docker", CheckVerdict::Good, docker.described());
    let image = docker.image();
    let image = of_image(&image.name, image.version.as_deref());
    let silent = |why: String| {
        vec![CheckEvent::new(
            "worker",
            CheckVerdict::Bad,
            format!("a container does not answer its check: {why}"),
        )]
    };
    let remedy = match args.containers.image {
        Some(_) => OF_IMAGE,
        None => OF_STATIC,
    };
    let answers = docker
        .check(&endpoints(settings))
        .await
        .map(|event| answered(event, "in a container", remedy).unwrap_or_default());
    Ok([found, image]
        .into_iter()
        .chain(answers.unwrap_or_else(silent))
        .collect())
}

/// Checks Modal's tokens and a deployment, and whether a container there reaches the hubs.
pub(super) async fn cloud(settings: &Settings) -> CliResult<Vec<CheckEvent>> {
    let home = state_dir(&environment)?;
    let network = NetworkSettings::of(&environment, Location::Cloud).await;
    let left_out = network
        .left_out
        .clone()
        .map(|line| CheckEvent::new("proxy", CheckVerdict::Optional, line));
    let look = async {
        // Whether a hub is reached takes no token.
        let reaching = settings.without_tokens();
        let worker = static_worker(Architecture::X86_64)?;
        let deployment = Deployment::new(worker, AppSize::of(1), &reaching, network);
        let modal = Modal::open(&home, &home.join("bridge.log"), &reaching).await?;
        modal.deploy(&deployment).await?;
        Ok((
            modal.check(&deployment.app, &endpoints(settings)).await?,
            of_apps(&deployment.app, &modal.apps().await?),
        ))
    };
    Ok(match look.await {
        Ok((event, apps)) => {
            let found = CheckEvent::new("modal", CheckVerdict::Good, "takes the tokens");
            [found]
                .into_iter()
                .chain(apps)
                .chain(left_out)
                .chain(answered(event, "in a container on Modal", OF_STATIC).unwrap_or_default())
                .collect()
        }
        Err::<_, CliError>(failure) => {
            vec![CheckEvent::new(
                "modal",
                CheckVerdict::Bad,
                failure.to_string(),
            )]
        }
    })
}

/// What to do about a worker of another version, by where it comes from.
const OF_BINARY: &str = "install both alike, or set HF2MS_WORKER to the worker of this version";
const OF_STATIC: &str = "set HF2MS_STATIC_WORKER to the static worker of this version";
const OF_IMAGE: &str = "give an --image of this version, or leave --image out";

/// The version that an image's label names. The worker in it says its own.
fn of_image(image: &str, version: Option<&str>) -> CheckEvent {
    let (verdict, says) = match version {
        Some(THIS) => (CheckVerdict::Good, format!("{THIS} is {image}")),
        Some(other) => (
            CheckVerdict::Optional,
            format!("{other} is {image}, and hf2ms is {THIS}: {OF_IMAGE}"),
        ),
        None => (
            CheckVerdict::Optional,
            format!("{image} names no version; its worker does"),
        ),
    };
    CheckEvent::new("image", verdict, says)
}

/// The version of the app that runs on Modal, and the apps of other versions that are deployed beside it.
fn of_apps(app: &str, deployed: &[String]) -> Vec<CheckEvent> {
    let others = deployed
        .iter()
        .filter(|name| version_of_app(name).is_some_and(|version| version != THIS));
    let others: Vec<&str> = others.map(String::as_str).collect();
    let own = version_of_app(app).unwrap_or_default();
    let mut found = vec![CheckEvent::new(
        "app",
        CheckVerdict::Good,
        format!("{own} is {app} on Modal"),
    )];
    if !others.is_empty() {
        let says = format!(
            "{} on Modal, of other versions than hf2ms, which is {THIS}: modal app stop NAME removes one whose runs have ended",
            others.join(", ")
        );
        found.push(CheckEvent::new("app", CheckVerdict::Optional, says));
    }
    found
}

/// The results in a worker's `checked` event; `None` for another event.
fn answered(event: Event, place: &str, remedy: &str) -> Option<Vec<CheckEvent>> {
    let Event::Checked { version, endpoints } = event else {
        return None;
    };
    let (verdict, says) = match version == THIS {
        true => (CheckVerdict::Good, format!("{version} {place}")),
        false => (
            CheckVerdict::Bad,
            format!("{version} {place}, and hf2ms is {THIS}: {remedy}"),
        ),
    };
    Some(
        std::iter::once(CheckEvent::new("worker", verdict, says))
            .chain(endpoints.iter().map(reached))
            .collect(),
    )
}

fn reached(check: &EndpointCheck) -> CheckEvent {
    match &check.error {
        None => CheckEvent::new(
            "reach",
            CheckVerdict::Good,
            format!("{} answers in {} ms", check.endpoint, check.ms),
        ),
        Some(error) => CheckEvent::new(
            "reach",
            CheckVerdict::Bad,
            format!(
                "{} does not answer: {error}; check the network or the proxy",
                check.endpoint
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_differs_is_told_beside_that_of_hf2ms() {
        let line = |version| of_image("i:1", version).line();
        assert_eq!(
            line(Some(THIS)),
            format!("+ image             {THIS} is i:1")
        );
        assert!(
            line(Some("0.0.9")).starts_with(&format!(
                "- image             0.0.9 is i:1, and hf2ms is {THIS}: give an --image"
            )),
            "{}",
            line(Some("0.0.9"))
        );
        assert!(line(None).contains("names no version"));
    }

    #[test]
    fn an_app_of_another_version_is_named_and_others_are_passed_over() {
        let this = format!("hf2ms-{}-0123456789ab", THIS.replace('.', "-"));
        let deployed = ["hf2ms-0-0-9-0123456789ab", &this, "hf2ms-web", "other"];
        let deployed = deployed.map(str::to_owned);
        let lines: Vec<String> = of_apps(&this, &deployed)
            .iter()
            .map(CheckEvent::line)
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            lines[0],
            format!("+ app               {THIS} is {this} on Modal")
        );
        assert!(
            lines[1].starts_with("- app               hf2ms-0-0-9-0123456789ab on Modal, of other"),
            "{}",
            lines[1]
        );
        assert_eq!(of_apps(&this, &deployed[1..]).len(), 1);
    }
}
