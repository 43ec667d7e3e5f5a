//! Tests of the assumptions about the live hubs, each in a private scratch repo.
//!
//! [`assumption`] has the types, [`huggingface`] and [`modelscope`] have the assumptions of their hubs, [`git`] those about Git.
//! [`scratch`] is the repo, [`wire`] sends raw requests, [`budget`] limits them. [`finding`] is a result, [`report`] writes all
//! results down, [`speed`] measures the rates.

pub mod assumption;
pub mod budget;
pub mod finding;
mod git;
pub mod hubs;
mod huggingface;
mod modelscope;
pub mod report;
pub mod scratch;
pub mod speed;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use hf2ms_hub::{Hub, RepoAt, RepoId, RepoKind, Revision, Side};

use self::assumption::{Assumption, HubProbe};
use self::budget::RequestBudget;
use self::finding::{Finding, NotTried, Seen, Tried, Verdict};
use self::hubs::{of_hub, probe_of};
use self::scratch::Scratch;
use self::wire::Wire;
use crate::settings::{Access, Settings};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::Screen;

/// What is tested.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The hubs that have a token.
    pub hubs: Vec<Hub>,
    /// A model or a dataset.
    pub kind: RepoKind,
    /// The names of the assumptions to test; none means all.
    pub only: Vec<String>,
    /// The least time between two commits on ModelScope.
    pub pause: Duration,
    /// The bytes of each file of the speed test; `None` without that test.
    pub speed: Option<u64>,
}

/// The results of a probe.
#[derive(Debug, Default)]
pub struct Probed {
    /// A row for each assumption.
    pub findings: Vec<Finding>,
    /// The URLs of scratch repos that still exist.
    pub left: Vec<String>,
    /// The results of the speed test.
    pub speeds: Vec<speed::Speed>,
    /// The number of requests.
    pub requests: u64,
    /// The number of bytes, without those of the speed test.
    pub bytes: u64,
    /// Whether a signal ended it early.
    pub interrupted: bool,
}

impl Probed {
    /// The number of assumptions with this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    }
}

impl Probe {
    /// The assumptions about a hub to test.
    fn lines(&self, hub: Hub) -> Vec<&'static Assumption> {
        let wanted =
            |line: &&Assumption| self.only.is_empty() || self.only.iter().any(|id| id == line.id);
        of_hub(hub).into_iter().filter(wanted).collect()
    }

    /// Tests all assumptions, one hub after the other. Each scratch repo is deleted, or named in the results, also after an error.
    ///
    /// # Errors
    /// A hub's endpoint is no URL.
    pub async fn run(
        &self,
        settings: &Settings,
        screen: &Screen,
        stop: &Stop,
    ) -> CliResult<Probed> {
        let budget = Arc::new(RequestBudget::default());
        let mut probed = Probed::default();
        for hub in self
            .hubs
            .iter()
            .filter(|hub| self.speed.is_some() || !self.lines(**hub).is_empty())
        {
            self.try_hub(*hub, settings, (screen, stop), &budget, &mut probed)
                .await?;
        }
        (probed.requests, probed.bytes, probed.interrupted) =
            (budget.requests(), budget.bytes(), stop.is_asked());
        Ok(probed)
    }

    async fn try_hub(
        &self,
        hub: Hub,
        settings: &Settings,
        (screen, stop): (&Screen, &Stop),
        budget: &Arc<RequestBudget>,
        probed: &mut Probed,
    ) -> CliResult<()> {
        let access = settings.access_to(hub);
        let side = side_of(hub, self.kind, access, "hf2ms/probe")?;
        let wire = Wire::open(&side, settings.http(), Arc::clone(budget))
            .map_err(|error| CliError::usage(format!("{hub}: {error}; check its endpoint")))?;
        let Some(probe) = probe_of(hub) else {
            return Ok(());
        };
        let pause = if probe.spaces_commits {
            self.pause
        } else {
            Duration::ZERO
        };
        let mut scratch = Scratch::new(wire, (hub, self.kind), access.token_name, pause);
        let lines = self.lines(hub);
        screen.json(&report::ScratchEvent {
            hub,
            name: &scratch.name,
        });
        screen.status(format!(
            "{hub}: {} assumptions, in the new private {} {}",
            lines.len(),
            self.kind,
            scratch.name
        ));
        let mut findings: Vec<Finding> = Vec::new();
        let work = async {
            (probe.prepare)(&mut scratch).await;
            for line in &lines {
                if !is_removal(line) {
                    findings.push(tell(screen, &scratch, line, (line.look)(&scratch).await));
                }
            }
            if let Some(size) = self.speed {
                probed
                    .speeds
                    .extend(speed::measure(&scratch, access, settings, size, screen).await);
            }
            CliResult::Ok(())
        };
        // A signal ends the tests, and then the scratch repo is deleted.
        let _ = stop.unless(work).await;
        probed.left.extend(
            end(probe, &scratch, screen, &lines, &mut findings)
                .await
                .map(|folder| format!("{}{folder}", access.endpoint)),
        );
        probed.findings.extend(findings);
        Ok(())
    }
}

/// Deletes the scratch repo and records the assumptions that were not tested. Returns the path of the repo's page if it still exists.
async fn end(
    probe: &HubProbe,
    scratch: &Scratch,
    screen: &Screen,
    lines: &[&'static Assumption],
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let removed = (probe.remove)(scratch).await;
    let left = (!removed.is_gone).then(|| page(scratch));
    let mut removed = Some(removed.tried);
    for line in lines {
        if !findings.iter().any(|finding| finding.id == line.id) {
            let tried = if is_removal(line) {
                removed.take()
            } else {
                None
            };
            findings.push(tell(
                screen,
                scratch,
                line,
                tried.unwrap_or_else(|| Err(NotTried("stopped".to_owned()))),
            ));
        }
    }
    left
}

/// Whether the assumption is about the repo's deletion, which is tested last.
fn is_removal(line: &Assumption) -> bool {
    line.id.ends_with("-delete") && line.id.matches('-').count() == 1
}

/// The path of the repo's page at its hub.
fn page(scratch: &Scratch) -> String {
    let folders = scratch.hub.profile().folders.as_ref();
    match folders.map_or("", |folders| scratch.kind.folder(folders)) {
        "" => format!("/{}", scratch.id()),
        folder => format!("/{folder}/{}", scratch.id()),
    }
}

/// Adds one row, and prints it for programs.
fn tell(screen: &Screen, scratch: &Scratch, line: &Assumption, tried: Tried) -> Finding {
    let (verdict, seen) = match tried {
        Ok(Seen { holds: true, what }) => (Verdict::Holds, what),
        Ok(Seen { holds: false, what }) => (Verdict::Differs, what),
        Err(NotTried(why)) => (Verdict::NotTried, why),
    };
    let finding = Finding {
        id: line.id,
        hub: scratch.hub,
        assumption: line.says,
        verdict,
        seen: scratch.without_names(&seen),
    };
    screen.json(&report::event(&finding));
    finding
}

/// The scratch repo of a hub, with the token that writes it.
///
/// # Errors
/// The id is not valid.
fn side_of(hub: Hub, kind: RepoKind, access: &Access, id: &str) -> CliResult<Side> {
    let id: RepoId = id
        .parse()
        .map_err(|bad| CliError::usage(format!("{bad}")))?;
    let at = RepoAt {
        hub,
        endpoint: access.endpoint.clone(),
        kind,
        id,
        revision: Revision::main_of(hub),
    };
    Ok(Side {
        at,
        token: access.token.clone(),
    })
}
