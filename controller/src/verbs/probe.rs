//! `hf2ms probe`: tests the assumptions about the live hubs.

use std::path::PathBuf;
use std::time::Duration;

use hf2ms_hub::{Hub, RepoKind};
use hf2ms_worker::protocol::Exit;

use crate::estimate::confirm::ask;
use crate::estimate::measured::{self, Direction, Rate};
use crate::probe::budget::{MOST_BYTES, MOST_REQUESTS};
use crate::probe::finding::Verdict;
use crate::probe::{Probe, Probed, hubs, report, speed};
use crate::settings::hub_errors::token_page;
use crate::settings::{self, Settings, environment, state_dir};
use crate::stop::Stop;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{Screen, size};

/// Hold the live hubs against what this program believes of them
///
/// The probe makes a private scratch repo, hf2ms-probe-RANDOM, on each hub that has a token. It tries one assumption after the other
/// in it, and deletes it where the hub allows that (ModelScope does not: the address to click is told). Nothing of yours is read.
/// Without --speed it sends and reads less than 100 MB in at most 200 requests. The report names no token, account or repo: please
/// open an issue with it where something differs.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Try this hub alone [default: each that has a token]
    #[arg(long, value_name = "HUB", value_parser = ["hf", "ms"])]
    hub: Option<String>,
    /// What the scratch repo is: some assumptions are about datasets alone
    #[arg(long, value_name = "KIND", default_value = "model", value_parser = ["model", "dataset"])]
    repo_type: String,
    /// Try these assumptions alone, by their names in the table
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Measure how fast each hub stores and gives files, 1, 8 and 32 at a time, and keep the rates for estimates
    #[arg(long)]
    speed: bool,
    /// MiB of each file of --speed
    #[arg(long, value_name = "MIB", default_value_t = speed::FILE >> 20, requires = "speed", value_parser = clap::value_parser!(u64).range(1..=1024))]
    speed_size: u64,
    /// Seconds between two commits on ModelScope, which refuses them sooner
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    pause: f64,
    /// Where the report goes
    #[arg(long, value_name = "FILE", default_value = "hf2ms-probe-report.md")]
    report: PathBuf,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    /// Print one line of JSON an assumption, and one at the end
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  hf2ms probe                          ask, try everything, print the table
  hf2ms probe --yes --json             the same in a script
  hf2ms probe --hub ms --only ms-git-agent --only ms-blob-broken
  hf2ms probe --speed                  how fast are the hubs from here?

Ends with 0 if all that was tried holds, 1 if something differs, 3 if nothing could be tried.";

fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|span| (0.0..=3600.0).contains(span))
        .ok_or_else(|| "expected seconds, up to 3600".to_owned())
}

/// Asks for confirmation, runs the probe, prints its findings and writes the report.
///
/// # Errors
/// No token, no confirmation, an unknown assumption; the report can't be written.
pub async fn run(args: &Args, screen: &Screen, stop: &Stop) -> CliResult<Exit> {
    let settings = settings::load()?;
    let probe = args.probe(&settings)?;
    agreed(&promise(&probe, &settings), args.yes, screen).await?;
    let mut probed = probe.run(&settings, screen, stop).await?;
    report::redact(&mut probed, &settings.redactor());
    measured::keep(&state_dir(&environment)?, &rates(&probed, &settings))?;
    report::write(&args.report, &report::markdown(&probed, &settings))?;
    show(&probed, args, screen);
    Ok(exit(&probed))
}

/// Asks for confirmation.
async fn agreed(promise: &str, yes: bool, screen: &Screen) -> CliResult<()> {
    if yes {
        screen.status(promise);
        return Ok(());
    }
    match ask(&format!("{promise} Go on?"), screen).await {
        Some(true) => Ok(()),
        Some(false) => Err(CliError::new(
            Exit::Interrupted,
            "not confirmed: nothing was done",
        )),
        None => Err(CliError::usage(
            "hf2ms probe asks before it makes anything: say --yes where nobody can answer",
        )),
    }
}

impl Args {
    fn probe(&self, settings: &Settings) -> CliResult<Probe> {
        let known = hubs::all();
        if let Some(id) = self
            .only
            .iter()
            .find(|id| !known.iter().any(|line| line.id == **id))
        {
            return Err(CliError::usage(format!(
                "there is no assumption {}: see docs/probing.md",
                hf2ms_hub::path::escape(id)
            )));
        }
        Ok(Probe {
            hubs: self.hubs(settings)?,
            kind: if self.repo_type == "dataset" {
                RepoKind::Dataset
            } else {
                RepoKind::Model
            },
            only: self.only.clone(),
            pause: Duration::from_secs_f64(self.pause),
            speed: self.speed.then_some(self.speed_size << 20),
        })
    }

    /// The hubs of the command line that have a token.
    fn hubs(&self, settings: &Settings) -> CliResult<Vec<Hub>> {
        let asked = |hub: &Hub| match self.hub.as_deref() {
            None => true,
            Some(prefix) => hub.profile().prefix == prefix,
        };
        let hubs: Vec<Hub> = hubs::probed().into_iter().filter(asked).collect();
        let with_token: Vec<Hub> = hubs
            .iter()
            .copied()
            .filter(|hub| settings.access_to(*hub).token.is_some())
            .collect();
        if with_token.is_empty() {
            let missing = hubs.iter().map(|hub| {
                let access = settings.access_to(*hub);
                format!(
                    "{} (from {})",
                    access.token_name,
                    token_page(*hub, &access.endpoint)
                )
            });
            return Err(CliError::usage(format!(
                "a probe needs a token that may write: set {}",
                missing.collect::<Vec<_>>().join(" or ")
            )));
        }
        Ok(with_token)
    }
}

/// What the probe will do, for people.
fn promise(probe: &Probe, settings: &Settings) -> String {
    let places: Vec<String> = probe
        .hubs
        .iter()
        .map(|hub| format!("{hub} with {}", settings.access_to(*hub).token_name))
        .collect();
    let much = format!("at most {MOST_REQUESTS} requests and {}", size(MOST_BYTES));
    let speed = probe.speed.map_or(String::new(), |file| {
        let bytes = probe
            .hubs
            .iter()
            .map(|hub| speed::bytes_of(*hub, file))
            .sum();
        format!(", and {} more for --speed", size(bytes))
    });
    format!(
        "This makes a private scratch repo on {}: {much}{speed}. {}",
        places.join(" and on "),
        end_of_repos(&probe.hubs)
    )
}

/// What happens to the scratch repos, for people.
fn end_of_repos(hubs: &[Hub]) -> String {
    let deletes = |hub: &&Hub| hub.profile().abilities.deletes_repos;
    let (deleted, left): (Vec<&Hub>, Vec<&Hub>) = hubs.iter().partition(deletes);
    match (deleted.first(), left.first()) {
        (_, None) => "It is deleted at the end.".to_owned(),
        (None, Some(left)) => {
            format!("{left} lets no token delete it: you do that on its web page.")
        }
        (Some(deleted), Some(left)) => format!(
            "{deleted}'s is deleted at the end; {left} lets no token delete one: you do that on its web page."
        ),
    }
}

/// The rates that a worker's usual transport reached.
fn rates(probed: &Probed, settings: &Settings) -> Vec<Rate> {
    let rate = |speed: &speed::Speed| {
        let way = match speed.what.as_str() {
            "PUT" => Direction::Put,
            "GET" => Direction::Get,
            _ => return None,
        };
        let endpoint = settings.access_to(speed.hub).endpoint.clone();
        Some(Rate {
            endpoint,
            way,
            at_a_time: speed.at_a_time,
            bytes_per_second: speed.bytes_per_second?,
        })
    };
    probed.speeds.iter().filter_map(rate).collect()
}

fn show(probed: &Probed, args: &Args, screen: &Screen) {
    screen.print(report::table(probed));
    if let Some(speeds) = report::speeds(probed) {
        screen.print(speeds);
    }
    for address in &probed.left {
        screen.warn(format!(
            "a scratch repo is still there: delete it at {address}"
        ));
    }
    screen.json(&report::summary(probed));
    screen.print(format!(
        "{}; the report, without tokens and names: {}",
        report::counted(probed),
        args.report.display()
    ));
    if probed.count(Verdict::Differs) > 0 {
        screen.print("something differs: please open an issue with the report");
    }
}

fn exit(probed: &Probed) -> Exit {
    match (
        probed.interrupted,
        probed.count(Verdict::Differs),
        probed.count(Verdict::Holds),
    ) {
        (true, ..) => Exit::Interrupted,
        (_, 1.., _) => Exit::Incomplete,
        (_, 0, 0) => Exit::Refused,
        _ => Exit::Done,
    }
}
