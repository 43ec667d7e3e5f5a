//! `hf2ms doctor`: checks the tokens, the hubs and the worker.

mod engines;

use hf2ms_hub::path::escape;
use hf2ms_hub::{Account, Hub, Kind};
use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::workers::{ContainerArgs, EngineKind};
use crate::settings::account::{any_repo, described, private_storage_used};
use crate::settings::config::{self, without_password};
use crate::settings::hub_errors::{AccessMode, explain, token_missing};
use crate::settings::token_rights::TokenRights;
use crate::settings::{self, Access, Environment, Settings};
use crate::stop::Stop;
use crate::ui::errors::CliResult;
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
            EngineKind::Local => engines::worker(&settings).await,
            EngineKind::Docker => engines::container(args, &settings, screen, stop).await?,
            EngineKind::Modal => engines::cloud(&settings).await?,
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
            explain(&error, &at, access, AccessMode::Account).to_string(),
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
