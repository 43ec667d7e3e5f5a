//! `hf2ms doctor`: checks the tokens, the hubs and the worker.

use std::process::Stdio;

use hf2ms_hub::path::escape;
use hf2ms_hub::{Account, Error, Hub, Kind, RepoAt, RepoKind, Side, open_source};
use hf2ms_worker::protocol::{EndpointCheck, Event, Exit, WorkerOptions};
use serde::Serialize;
use tokio::process::Command;

use crate::args::workers::{ContainerArgs, EngineKind};
use crate::binaries::{WORKER, find, static_worker};
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::modal::{Deployment, Modal};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::runs::Runs;
use crate::settings::hub_errors::{AccessMode, explain, token_missing};
use crate::settings::{self, Access, Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Check each token, each hub and the worker, and say what to do
///
/// Ends with 3 if something that a migration needs is wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the workers are to run: the same is looked at from there
    #[arg(long, value_name = "ENGINE", default_value = "local")]
    pub on: EngineKind,
    #[command(flatten)]
    containers: ContainerArgs,
    /// Print one line of JSON a finding
    #[arg(long)]
    pub json: bool,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    what: String,
    verdict: Verdict,
    says: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    /// Not needed for everything.
    Optional,
    Bad,
}

/// Runs all checks and prints their results.
///
/// # Errors
/// The environment can't be read.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    args.containers.fit(args.on)?;
    let settings = settings::load()?;
    let looks = async {
        let mut findings = match args.on {
            EngineKind::Local => worker(&settings).await,
            EngineKind::Docker => container(args, &settings, screen, stop).await?,
            EngineKind::Modal => cloud(&settings).await?,
        };
        for hub in Hub::with_api() {
            let (from, to) = (settings.access(hub), settings.access_to(hub));
            findings.push(account(hub, from, &settings).await);
            if to.token_name != from.token_name {
                findings.push(account(hub, to, &settings).await);
            }
        }
        CliResult::Ok(findings)
    };
    let findings = stop.unless(looks).await?;
    for finding in &findings {
        screen.json(finding);
        screen.print(finding.line());
    }
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Bad);
    screen.print(if bad {
        "not ready: see the lines marked with !"
    } else {
        "ready: hf2ms migrate org/name"
    });
    Ok(if bad { Exit::Refused } else { Exit::Done })
}

impl Finding {
    fn new(what: impl Into<String>, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            verdict,
            says: says.into(),
        }
    }

    fn line(&self) -> String {
        let mark = match self.verdict {
            Verdict::Good => "+",
            Verdict::Optional => "-",
            Verdict::Bad => "!",
        };
        // One line each, whatever a hub calls its accounts.
        format!("{mark} {:<17} {}", self.what, escape(&self.says))
    }
}

/// The account of a token, and its rights.
async fn account(hub: Hub, access: &Access, settings: &Settings) -> Finding {
    let name = access.token_name;
    if access.token.is_none() {
        let is_sources = hub == Hub::USUAL_SOURCE && name == hub.profile().variables.token_name();
        return if is_sources {
            Finding::new(
                name,
                Verdict::Optional,
                "is not set: public repos can be read, private and gated ones can't",
            )
        } else {
            Finding::new(name, Verdict::Bad, token_missing(hub, access).to_string())
        };
    }
    let Some(at) = any_repo(hub, access) else {
        return Finding::new(name, Verdict::Bad, "can't be checked");
    };
    match who(&at, access, settings).await {
        Ok(account) => token_finding(hub, name, &account),
        Err(error) if error.kind() == Kind::RateLimited => Finding::new(
            name,
            Verdict::Optional,
            format!("can't be checked now: {hub} answers this a few times in five minutes only"),
        ),
        Err(error) => Finding::new(
            name,
            Verdict::Bad,
            explain(&error, &at, access, AccessMode::Write).to_string(),
        ),
    }
}

/// Accounts are asked through a repo; which one does not matter.
fn any_repo(hub: Hub, access: &Access) -> Option<RepoAt> {
    let (id, revision) = ("hf2ms/hf2ms".parse().ok()?, "main".parse().ok()?);
    Some(RepoAt {
        hub,
        endpoint: access.endpoint.clone(),
        kind: RepoKind::Model,
        id,
        revision,
    })
}

async fn who(at: &RepoAt, access: &Access, settings: &Settings) -> Result<Account, Error> {
    open_source(
        &Side {
            at: at.clone(),
            token: access.token.clone(),
        },
        settings.http(),
    )?
    .account()
    .await
}

fn token_finding(hub: Hub, name: &str, account: &Account) -> Finding {
    let may = match account.can_write {
        Some(true) => "may read and write",
        Some(false) => "may read",
        None => "may read; whether it may write shows when a repo is created",
    };
    let also = match account.organisations.as_slice() {
        [] => String::new(),
        organisations => format!(", in {}", organisations.join(", ")),
    };
    let is_of_no_use = !hub.profile().abilities.scopes_tokens && account.can_write == Some(false);
    let verdict = if is_of_no_use {
        Verdict::Bad
    } else {
        Verdict::Good
    };
    Finding::new(
        name,
        verdict,
        format!("is {} on {hub}{also}; {may}", account.name),
    )
}

/// Checks the worker, and whether it reaches the hubs.
async fn worker(settings: &Settings) -> Vec<Finding> {
    let binary = match find(WORKER) {
        Ok(binary) => binary,
        Err(failure) => return vec![Finding::new("worker", Verdict::Bad, failure.to_string())],
    };
    let output = Command::new(&binary)
        .arg("check")
        .args(endpoints(settings))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            return vec![Finding::new(
                "worker",
                Verdict::Bad,
                format!("{} can't be started: {error}", binary.display()),
            )];
        }
    };
    let said = String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| serde_json::from_str(line).ok());
    let place = format!("at {}", binary.display());
    said.and_then(|event| answered(event, &place))
        .unwrap_or_else(|| {
            vec![Finding::new(
                "worker",
                Verdict::Bad,
                format!(
                    "{} does not answer its check: install it anew",
                    binary.display()
                ),
            )]
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
async fn container(
    args: &Args,
    settings: &Settings,
    screen: &Screen,
    stop: &Stop,
) -> CliResult<Vec<Finding>> {
    let terms = DockerOptions {
        workers: 1,
        memory: WorkerOptions::default().memory,
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
            return Ok(vec![Finding::new(
                "docker",
                Verdict::Bad,
                failure.to_string(),
            )]);
        }
    };
    let found = Finding::new("docker", Verdict::Good, docker.described());
    let silent = |why: String| {
        vec![Finding::new(
            "worker",
            Verdict::Bad,
            format!("a container does not answer its check: {why}"),
        )]
    };
    let answers = docker
        .check(&endpoints(settings))
        .await
        .map(|event| answered(event, "in a container").unwrap_or_default());
    Ok([found]
        .into_iter()
        .chain(answers.unwrap_or_else(silent))
        .collect())
}

/// Checks Modal's tokens and a deployment, and whether a container there reaches the hubs.
async fn cloud(settings: &Settings) -> CliResult<Vec<Finding>> {
    let home = state_dir(&environment)?;
    let network = NetworkSettings::of(&environment, Location::Cloud).await;
    let left_out = network
        .left_out
        .clone()
        .map(|line| Finding::new("proxy", Verdict::Optional, line));
    let look = async {
        // Whether a hub is reached takes no token.
        let reaching = settings.without_tokens();
        let deployment = Deployment::new(static_worker()?, 1, &reaching, network);
        let modal = Modal::open(&home, &home.join("bridge.log"), &reaching).await?;
        modal.deploy(&deployment).await?;
        Ok((
            modal.check(&deployment.app, &endpoints(settings)).await?,
            deployment.app,
        ))
    };
    Ok(match look.await {
        Ok((event, app)) => {
            let found = Finding::new(
                "modal",
                Verdict::Good,
                format!("takes the tokens and runs {app}"),
            );
            [found]
                .into_iter()
                .chain(left_out)
                .chain(answered(event, "in a container on Modal").unwrap_or_default())
                .collect()
        }
        Err::<_, CliError>(failure) => {
            vec![Finding::new("modal", Verdict::Bad, failure.to_string())]
        }
    })
}

/// The results in a worker's `checked` event; `None` for another event.
fn answered(event: Event, place: &str) -> Option<Vec<Finding>> {
    let Event::Checked { version, endpoints } = event else {
        return None;
    };
    let matches = version == env!("CARGO_PKG_VERSION");
    let says = format!(
        "{version} {place}{}",
        if matches {
            ""
        } else {
            ", another version than hf2ms: install both alike"
        }
    );
    let verdict = if matches { Verdict::Good } else { Verdict::Bad };
    Some(
        std::iter::once(Finding::new("worker", verdict, says))
            .chain(endpoints.iter().map(reached))
            .collect(),
    )
}

fn reached(check: &EndpointCheck) -> Finding {
    match &check.error {
        None => Finding::new(
            "reach",
            Verdict::Good,
            format!("{} answers in {} ms", check.endpoint, check.ms),
        ),
        Some(error) => Finding::new(
            "reach",
            Verdict::Bad,
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
    fn a_token_that_may_only_read_is_bad_for_a_destination() {
        let account = Account {
            name: "bob".into(),
            organisations: vec!["acme".into()],
            can_write: Some(false),
        };
        let finding = token_finding(Hub::ModelScope, "MODELSCOPE_TOKEN", &account);
        assert_eq!(
            finding.line(),
            "! MODELSCOPE_TOKEN  is bob on ModelScope, in acme; may read"
        );
        assert_eq!(
            token_finding(Hub::HuggingFace, "HF_TOKEN", &account).verdict,
            Verdict::Good
        );
    }
}
