//! `hf2ms doctor`: checks the tokens, the hubs and the worker.

use std::process::Stdio;

use hf2ms_hub::path::escape;
use hf2ms_hub::{Account, Hub, Kind};
use hf2ms_worker::protocol::{EndpointCheck, Event, Exit, WorkerOptions};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::process::Command;

use crate::args::workers::{ContainerArgs, EngineKind};
use crate::binaries::{Architecture, WORKER, find, static_worker};
use crate::engine::docker::{ContainerOwner, Docker, DockerOptions};
use crate::engine::modal::{AppSize, Deployment, Modal};
use crate::engine::network_settings::{Location, NetworkSettings};
use crate::runs::Runs;
use crate::settings::account::{any_repo, described, private_storage_used};
use crate::settings::config::{self, without_password};
use crate::settings::hub_errors::{AccessMode, explain, token_missing};
use crate::settings::token_rights::TokenRights;
use crate::settings::{self, Access, Environment, Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// Check each token, each hub and the worker, and say what to do
///
/// As far as the hub tells, each token's lines say whose it is and where it may write. They name what it lacks for a copy, and the
/// page that changes it. Ends with 3 if something that a migration needs is wrong.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "check")]
pub struct CheckEvent {
    /// What was checked: a variable, a hub, the worker, an engine.
    what: String,
    /// Whether it is in order.
    verdict: CheckVerdict,
    /// What was found, and what to do.
    says: String,
    /// What the token may do, where a token was checked and its hub took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<TokenRights>,
}

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckVerdict {
    /// In order.
    Good,
    /// Not needed for everything.
    Optional,
    /// A copy needs it, and it is wrong.
    Bad,
}

/// How often a hub is asked again that can't be reached.
const RETRIES: u32 = 1;

/// Runs all checks and prints their results.
///
/// # Errors
/// The environment can't be read.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    args.containers.fit(args.on)?;
    let settings = settings::load()?;
    // What can't be reached is said soon: nobody waits for a check as for a copy.
    let mut http = settings.http();
    http.retry.retries = http.retry.retries.min(RETRIES);
    let settings = settings.with_http(http);
    screen.status("asking the hubs about the tokens");
    let looks = async {
        let mut findings = match args.on {
            EngineKind::Local => worker(&settings).await,
            EngineKind::Docker => container(args, &settings, screen, stop).await?,
            EngineKind::Modal => cloud(&settings).await?,
        };
        findings.insert(0, this_version());
        findings.extend(state_of_runs());
        findings.extend(defaults());
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
        screen.print(finding.text());
    }
    let bad = findings
        .iter()
        .any(|finding| finding.verdict == CheckVerdict::Bad);
    screen.print(if bad {
        "not ready: see the lines marked with !"
    } else {
        "ready: hf2ms migrate org/name"
    });
    Ok(if bad { Exit::Refused } else { Exit::Done })
}

impl CheckEvent {
    fn new(what: impl Into<String>, verdict: CheckVerdict, says: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            verdict,
            says: says.into(),
            token: None,
        }
    }

    /// The finding in lines for a person, the first of which says most.
    fn text(&self) -> String {
        let rights = self.token.iter().flat_map(TokenRights::lines);
        let rights = rights.map(|line| format!("{:<20}{}", "", escape(&line)));
        let lines: Vec<String> = std::iter::once(self.line()).chain(rights).collect();
        lines.join("\n")
    }

    fn line(&self) -> String {
        let mark = match self.verdict {
            CheckVerdict::Good => "+",
            CheckVerdict::Optional => "-",
            CheckVerdict::Bad => "!",
        };
        // One line each, whatever a hub calls its accounts.
        format!("{mark} {:<17} {}", self.what, escape(&self.says))
    }
}

/// The account of a token, and its rights.
async fn account(hub: Hub, access: &Access, settings: &Settings) -> CheckEvent {
    let name = access.token_name;
    if access.token.is_none() {
        let is_sources = hub == Hub::USUAL_SOURCE && name == hub.profile().variables.token_name();
        return if is_sources {
            CheckEvent::new(
                name,
                CheckVerdict::Optional,
                format!(
                    "is not set: public repos can be read, private and gated ones can't{}",
                    logins_elsewhere(hub, access)
                ),
            )
        } else {
            CheckEvent::new(
                name,
                CheckVerdict::Bad,
                format!(
                    "{}{}",
                    token_missing(hub, access),
                    logins_elsewhere(hub, access)
                ),
            )
        };
    }
    let Some(at) = any_repo(hub, access) else {
        return CheckEvent::new(name, CheckVerdict::Bad, "can't be checked");
    };
    match settings::account::account(&at, access, settings).await {
        Ok(account) => {
            let rights = TokenRights::of(hub, &access.endpoint, &account);
            let used = match rights.counts_storage() {
                true => private_storage_used(hub, &account.name, access, settings).await,
                false => None,
            };
            CheckEvent {
                token: Some(rights.with_used(used)),
                ..token_finding(hub, name, &account)
            }
        }
        Err(error) if error.kind() == Kind::RateLimited => CheckEvent::new(
            name,
            CheckVerdict::Optional,
            format!("can't be checked now: {hub} answers this a few times in five minutes only"),
        ),
        Err(error) => CheckEvent::new(
            name,
            CheckVerdict::Bad,
            explain(&error, &at, access, AccessMode::Write).to_string(),
        ),
    }
}

fn token_finding(hub: Hub, name: &str, account: &Account) -> CheckEvent {
    let is_of_no_use = !hub.profile().abilities.scopes_tokens && account.can_write == Some(false);
    let verdict = if is_of_no_use {
        CheckVerdict::Bad
    } else {
        CheckVerdict::Good
    };
    CheckEvent::new(
        name,
        verdict,
        format!("is {}{}", described(hub, account), place(name)),
    )
}

/// Where a token comes from.
fn place(name: &str) -> String {
    let origin = Environment::of_process().origin(name);
    origin.map_or(String::new(), |origin| format!("; from {origin}"))
}

/// This program, beside which the workers' versions stand.
fn this_version() -> CheckEvent {
    let at = std::env::current_exe();
    let at = at.map_or(String::new(), |at| format!(" at {}", at.display()));
    let says = format!("{}{at}", env!("CARGO_PKG_VERSION"));
    CheckEvent::new("hf2ms", CheckVerdict::Good, says)
}

/// The folder that runs are kept in, where it can't be written.
fn state_of_runs() -> Option<CheckEvent> {
    let refused = settings::writable_state_dir().err()?;
    Some(CheckEvent::new(
        "runs",
        CheckVerdict::Bad,
        refused.to_string(),
    ))
}

/// The defaults of options that variables and `config.toml` set.
fn defaults() -> impl Iterator<Item = CheckEvent> {
    config::defaults().iter().map(|set| {
        let (value, origin) = (without_password(&set.value), &set.origin);
        let of = match set.verb.as_str() {
            "" => "every verb",
            verb => verb,
        };
        let says = format!("{of}: {} = {value}, from {origin}", set.option);
        CheckEvent::new("default", CheckVerdict::Good, says)
    })
}

/// The endpoints for which there is a login, though not for the one in use.
fn logins_elsewhere(hub: Hub, access: &Access) -> String {
    let names = &hub.profile().variables;
    let logins = Environment::of_process();
    let elsewhere = logins.logins_elsewhere(names.token_name(), &access.endpoint);
    match elsewhere.is_empty() {
        true => String::new(),
        false => format!(
            "; there is a login for {}, and none for {}",
            elsewhere.join(" and "),
            access.endpoint
        ),
    }
}

/// Checks the worker, and whether it reaches the hubs.
async fn worker(settings: &Settings) -> Vec<CheckEvent> {
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
            return vec![CheckEvent::new(
                "worker",
                CheckVerdict::Bad,
                format!("{} can't be started: {error}", binary.display()),
            )];
        }
    };
    let said = String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| serde_json::from_str(line).ok());
    let place = format!("at {}", binary.display());
    said.and_then(|event| answered(event, &place, OF_BINARY))
        .unwrap_or_else(|| {
            vec![CheckEvent::new(
                "worker",
                CheckVerdict::Bad,
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
    let silent = |why: String| {
        vec![CheckEvent::new(
            "worker",
            CheckVerdict::Bad,
            format!("a container does not answer its check: {why}"),
        )]
    };
    let of_image = match args.containers.image {
        Some(_) => OF_IMAGE,
        None => OF_STATIC,
    };
    let answers = docker
        .check(&endpoints(settings))
        .await
        .map(|event| answered(event, "in a container", of_image).unwrap_or_default());
    Ok([found]
        .into_iter()
        .chain(answers.unwrap_or_else(silent))
        .collect())
}

/// Checks Modal's tokens and a deployment, and whether a container there reaches the hubs.
async fn cloud(settings: &Settings) -> CliResult<Vec<CheckEvent>> {
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
            deployment.app,
        ))
    };
    Ok(match look.await {
        Ok((event, app)) => {
            let found = CheckEvent::new(
                "modal",
                CheckVerdict::Good,
                format!("takes the tokens and runs {app}"),
            );
            [found]
                .into_iter()
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

/// The results in a worker's `checked` event; `None` for another event.
fn answered(event: Event, place: &str, remedy: &str) -> Option<Vec<CheckEvent>> {
    let Event::Checked { version, endpoints } = event else {
        return None;
    };
    const THIS: &str = env!("CARGO_PKG_VERSION");
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
    use hf2ms_hub::Organisation;

    use super::*;

    #[test]
    fn a_token_that_may_only_read_is_bad_for_a_destination() {
        let account = Account {
            organisations: vec![Organisation {
                name: "acme".into(),
                role: None,
            }],
            can_write: Some(false),
            ..Account::named("bob")
        };
        let finding = token_finding(Hub::ModelScope, "MODELSCOPE_TOKEN", &account);
        assert_eq!(
            finding.line(),
            "! MODELSCOPE_TOKEN  is bob on ModelScope, in acme; may read"
        );
        assert_eq!(
            token_finding(Hub::HuggingFace, "HF_TOKEN", &account).verdict,
            CheckVerdict::Good
        );
    }
}
