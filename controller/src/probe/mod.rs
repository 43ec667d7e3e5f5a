//! The live hubs, held against what is believed of them: a private scratch repo on each, one look an assumption, a table.
//!
//! [`assumption`] has the table's entries, [`huggingface`] and [`modelscope`] what they do, [`git`] what both have of Git. [`scratch`] is the
//! repo they work in, [`wire`] the raw requests, [`budget`] their limit. [`finding`] is what comes of it, [`report`] how it is written
//! down, [`speed`] the rates.

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
use serde_json::json;

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

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The hubs whose tokens are there.
    pub hubs: Vec<Hub>,
    /// A model or a dataset.
    pub kind: RepoKind,
    /// The names of assumptions; all of them where none is named.
    pub only: Vec<String>,
    /// The least time between two commits on ModelScope.
    pub pause: Duration,
    /// The size of each file of the speed test; none without it.
    pub speed: Option<u64>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Probed {
    /// A row an assumption.
    pub findings: Vec<Finding>,
    /// Repos that are still there: where they are.
    pub left: Vec<String>,
    /// What was measured.
    pub speeds: Vec<speed::Speed>,
    /// Requests in all.
    pub requests: u64,
    /// Bytes in all, without those of the speed test.
    pub bytes: u64,
    /// A signal ended it early.
    pub interrupted: bool,
}

impl Probed {
    /// How many assumptions came out so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.verdict == verdict)
            .count()
    }
}

impl Probe {
    /// The assumptions about a hub that are to be tried.
    fn lines(&self, hub: Hub) -> Vec<&'static Assumption> {
        let wanted =
            |line: &&Assumption| self.only.is_empty() || self.only.iter().any(|id| id == line.id);
        of_hub(hub).into_iter().filter(wanted).collect()
    }

    /// Tries everything, one hub after the other. What was made is taken away, or named, however it ends.
    ///
    /// # Errors
    /// A hub's endpoint is no address.
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
            .map_err(|error| CliError::usage(format!("{hub}: {error}")))?;
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
        screen.json(&json!({"event": "scratch", "hub": hub, "name": scratch.name}));
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
        // A signal ends the tries, not what follows: it takes the repo away.
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

/// Takes the repo away, and writes down what was not tried any more. Where the repo stays, the path of its page.
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

/// The assumption about the repo's end is tried when it ends.
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

/// One row, told to programs as it comes.
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

/// A repo on a hub, with the token that writes there.
///
/// # Errors
/// The id is none.
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
