//! `hf2ms doctor`.

use std::process::Stdio;

use hf2ms_hub::{Account, Error, Hub, RepoAt, RepoKind, open_destination, open_source};
use hf2ms_worker::protocol::{EndpointCheck, Event, Exit};
use serde::Serialize;
use tokio::process::Command;

use crate::binaries::{WORKER, find};
use crate::explain::{Doing, Outcome, explain, token_missing, token_name};
use crate::screen::Screen;
use crate::settings::{self, Settings};
use crate::stop::Stop;

/// Check each token, each hub and the worker, and say what to do
///
/// Ends with 3 if something that a migration needs is wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one line of JSON a finding
    #[arg(long)]
    pub json: bool,
}

/// One thing that was looked at.
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

/// Looks at everything.
///
/// # Errors
/// The environment can't be read.
pub async fn run(_args: &Args, screen: &Screen, stop: &Stop) -> Outcome<Exit> {
    let settings = settings::load()?;
    let looks = async {
        let (mut findings, accounts) = (worker(&settings).await, [Hub::HuggingFace, Hub::ModelScope].map(|hub| account(hub, &settings)));
        for account in accounts {
            findings.push(account.await);
        }
        Ok(findings)
    };
    let findings = stop.unless(looks).await?;
    for finding in &findings {
        screen.tell(finding);
        screen.show(finding.line());
    }
    let bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    screen.show(if bad { "not ready: see the lines marked with !" } else { "ready: hf2ms migrate org/name" });
    Ok(if bad { Exit::Refused } else { Exit::Done })
}

impl Finding {
    fn new(what: impl Into<String>, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { what: what.into(), verdict, says: says.into() }
    }

    fn line(&self) -> String {
        let mark = match self.verdict {
            Verdict::Good => "+",
            Verdict::Optional => "-",
            Verdict::Bad => "!",
        };
        format!("{mark} {:<17} {}", self.what, self.says)
    }
}

/// Whose token it is, and what it may.
async fn account(hub: Hub, settings: &Settings) -> Finding {
    let access = settings.access(hub);
    let name = token_name(hub);
    if access.token.is_none() {
        return match hub {
            Hub::HuggingFace => Finding::new(name, Verdict::Optional, "is not set: public repos can be read, private and gated ones can't"),
            Hub::ModelScope => Finding::new(name, Verdict::Bad, token_missing(hub, &access.endpoint).to_string()),
        };
    }
    let Some(at) = any_repo(hub, settings) else { return Finding::new(name, Verdict::Bad, "can't be checked") };
    match who(&at, settings).await {
        Ok(account) => judge(hub, name, &account),
        Err(error) => Finding::new(name, Verdict::Bad, explain(&error, &at, true, Doing::Writing).to_string()),
    }
}

/// Accounts are asked through a repo; which one does not matter.
fn any_repo(hub: Hub, settings: &Settings) -> Option<RepoAt> {
    let (id, revision) = ("hf2ms/hf2ms".parse().ok()?, "main".parse().ok()?);
    Some(RepoAt { hub, endpoint: settings.access(hub).endpoint.clone(), kind: RepoKind::Model, id, revision })
}

async fn who(at: &RepoAt, settings: &Settings) -> Result<Account, Error> {
    let (side, http) = (settings.side(at), settings.http());
    match at.hub {
        Hub::HuggingFace => open_source(&side, http)?.account().await,
        Hub::ModelScope => open_destination(&side, http)?.account().await,
    }
}

fn judge(hub: Hub, name: &str, account: &Account) -> Finding {
    let may = match account.can_write {
        Some(true) => "may read and write",
        Some(false) => "may read",
        None => "may read; whether it may write shows when a repo is created",
    };
    let also = match account.organisations.as_slice() {
        [] => String::new(),
        organisations => format!(", in {}", organisations.join(", ")),
    };
    let verdict = if hub == Hub::ModelScope && account.can_write == Some(false) { Verdict::Bad } else { Verdict::Good };
    Finding::new(name, verdict, format!("is {} on {hub}{also}; {may}", account.name))
}

/// The worker, and whether it reaches the hubs: it is what moves the bytes.
async fn worker(settings: &Settings) -> Vec<Finding> {
    let binary = match find(WORKER) {
        Ok(binary) => binary,
        Err(failure) => return vec![Finding::new("worker", Verdict::Bad, failure.to_string())],
    };
    let endpoints = [Hub::HuggingFace, Hub::ModelScope].map(|hub| settings.access(hub).endpoint.clone());
    let output = Command::new(&binary).arg("check").args(&endpoints).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = match output {
        Ok(output) => output,
        Err(error) => return vec![Finding::new("worker", Verdict::Bad, format!("{} can't be started: {error}", binary.display()))],
    };
    let said = String::from_utf8_lossy(&output.stdout).lines().find_map(|line| match serde_json::from_str(line) {
        Ok(Event::Checked { version, endpoints }) => Some((version, endpoints)),
        _ => None,
    });
    match said {
        Some((version, endpoints)) => {
            let matches = version == env!("CARGO_PKG_VERSION");
            let says = format!(
                "{version} at {}{}",
                binary.display(),
                if matches { "" } else { ", another version than hf2ms: install both alike" }
            );
            let verdict = if matches { Verdict::Good } else { Verdict::Bad };
            std::iter::once(Finding::new("worker", verdict, says)).chain(endpoints.iter().map(reached)).collect()
        }
        None => vec![Finding::new("worker", Verdict::Bad, format!("{} does not answer its check: install it anew", binary.display()))],
    }
}

fn reached(check: &EndpointCheck) -> Finding {
    match &check.error {
        None => Finding::new("reach", Verdict::Good, format!("{} answers in {} ms", check.endpoint, check.ms)),
        Some(error) => {
            Finding::new("reach", Verdict::Bad, format!("{} does not answer: {error}; check the network or the proxy", check.endpoint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_may_only_read_is_bad_for_a_destination() {
        let account = Account { name: "bob".into(), organisations: vec!["acme".into()], can_write: Some(false) };
        let finding = judge(Hub::ModelScope, "MODELSCOPE_TOKEN", &account);
        assert_eq!(finding.line(), "! MODELSCOPE_TOKEN  is bob on ModelScope, in acme; may read");
        assert_eq!(judge(Hub::HuggingFace, "HF_TOKEN", &account).verdict, Verdict::Good);
    }
}
