//! The findings as a table for people, a line for programs, and a file that fits into an issue. Neither has a token or a name.

use std::io::Write;
use std::path::Path;

use hf2ms_hub::{Hub, Redactor};
use schemars::JsonSchema;
use serde::Serialize;

use super::Probed;
use super::finding::{Finding, Verdict};
use super::speed::Speed;
use crate::runs::write_aside;
use crate::settings::Settings;
use crate::ui::errors::{CliError, CliResult};
use crate::ui::screen::{rate, size};
use crate::ui::table::{Column, Table};

/// A probe makes its scratch repo.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "scratch")]
pub struct ScratchEvent<'a> {
    pub(super) hub: Hub,
    /// The repo's name, below the token's account.
    pub(super) name: &'a str,
}

/// One assumption was tried, or was not.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "probe")]
pub struct ProbeEvent<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
}

/// The probe has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "probed")]
pub struct ProbedEvent<'a> {
    /// Assumptions that hold.
    holds: u64,
    /// Assumptions that differ.
    differs: u64,
    /// Assumptions that were not tried.
    not_tried: u64,
    /// Requests that were sent.
    requests: u64,
    /// Bytes that were sent and read, without those of the speed test.
    traffic_bytes: u64,
    /// The addresses of scratch repos that still exist.
    left: &'a [String],
    /// The results of the speed test.
    speeds: &'a [Speed],
    /// Whether a signal ended it early.
    interrupted: bool,
}

/// One row, for programs.
pub fn event(finding: &Finding) -> ProbeEvent<'_> {
    ProbeEvent { finding }
}

/// The last event, for programs.
pub fn summary(probed: &Probed) -> ProbedEvent<'_> {
    let count = |verdict| probed.count(verdict) as u64;
    ProbedEvent {
        holds: count(Verdict::Holds),
        differs: count(Verdict::Differs),
        not_tried: count(Verdict::NotTried),
        requests: probed.requests,
        traffic_bytes: probed.bytes,
        left: &probed.left,
        speeds: &probed.speeds,
        interrupted: probed.interrupted,
    }
}

/// `41 hold, 2 differ, 1 not tried; 120 requests, 12 MB`.
pub fn counted(probed: &Probed) -> String {
    let count = |verdict| probed.count(verdict);
    let told = format!(
        "{} hold, {} differ, {} not tried",
        count(Verdict::Holds),
        count(Verdict::Differs),
        count(Verdict::NotTried)
    );
    format!(
        "{told}; {} requests, {}",
        probed.requests,
        size(probed.bytes)
    )
}

/// The table for a terminal.
pub fn table(probed: &Probed) -> String {
    let row = |finding: &Finding| {
        vec![
            finding.verdict.to_string(),
            finding.id.to_owned(),
            finding.assumption.to_owned(),
            finding.seen.clone(),
        ]
    };
    let columns = ["verdict", "name", "assumption", "what was seen"].map(Column::Text);
    Table::new(columns, probed.findings.iter().map(row)).fitted()
}

/// The table of speeds for a terminal; empty if none was measured.
pub fn speeds(probed: &Probed) -> Option<String> {
    let row = |speed: &super::speed::Speed| {
        let rate = speed.bytes_per_second.map_or_else(
            || speed.why.clone().unwrap_or_default(),
            |told| rate(told as u64, 1.0),
        );
        vec![
            speed.hub.to_string(),
            speed.what.clone(),
            speed.at_a_time.to_string(),
            rate,
        ]
    };
    let columns = ["hub", "what", "at a time", "rate"].map(Column::Text);
    let table = Table::new(columns, probed.speeds.iter().map(row));
    (!probed.speeds.is_empty()).then(|| table.fitted())
}

/// The file for an issue, in Markdown.
pub fn markdown(probed: &Probed, settings: &Settings) -> String {
    let mut text = format!(
        "# hf2ms {} probe\n\n{}.\n",
        env!("CARGO_PKG_VERSION"),
        counted(probed)
    );
    for hub in Hub::with_api() {
        let rows: Vec<String> = probed
            .findings
            .iter()
            .filter(|finding| finding.hub == hub)
            .map(markdown_row)
            .collect();
        if !rows.is_empty() {
            let endpoint = &settings.access_to(hub).endpoint;
            text += &format!(
                "\n## {hub} ({endpoint})\n\n| verdict | name | assumption | what was seen |\n|---|---|---|---|\n{}",
                rows.concat()
            );
        }
    }
    if let Some(speeds) = speeds(probed) {
        text += &format!("\n## Speed\n\n```\n{speeds}\n```\n");
    }
    settings.redact(&text)
}

fn markdown_row(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Differs => "**differs**".to_owned(),
        verdict => verdict.to_string(),
    };
    let cell = |text: &str| text.replace('|', "\\|").replace('<', "&lt;");
    format!(
        "| {mark} | `{}` | {} | {} |\n",
        finding.id,
        cell(finding.assumption),
        cell(&finding.seen)
    )
}

/// Writes the file.
///
/// # Errors
/// The disk's.
pub fn write(path: &Path, text: &str) -> CliResult<()> {
    write_aside(path, |file| file.write_all(text.as_bytes()))
        .map_err(|error| CliError::file(path, &error))
}

/// Takes every token out of the observations.
pub fn redact(probed: &mut Probed, redactor: &Redactor) {
    for finding in &mut probed.findings {
        finding.seen = redactor.clean(&finding.seen);
    }
    for why in probed
        .speeds
        .iter_mut()
        .filter_map(|speed| speed.why.as_mut())
    {
        *why = redactor.clean(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed() -> Probed {
        let finding = |id, verdict, seen: &str| Finding {
            id,
            hub: Hub::ModelScope,
            assumption: "a|b",
            verdict,
            seen: seen.to_owned(),
        };
        let findings = vec![
            finding("ms-a", Verdict::Holds, "200"),
            finding("ms-b", Verdict::Differs, "x|y <p>"),
        ];
        Probed {
            findings,
            requests: 7,
            bytes: 1000,
            ..Probed::default()
        }
    }

    #[test]
    fn the_file_has_a_row_an_assumption_that_markdown_takes() {
        let settings = Settings::read(&|_| None).unwrap();
        let text = markdown(&probed(), &settings);
        assert!(text.contains("| holds | `ms-a` | a\\|b | 200 |\n| **differs** | `ms-b` | a\\|b | x\\|y &lt;p> |\n"), "{text}");
        assert!(
            text.contains("1 hold, 1 differ, 0 not tried; 7 requests, 1 kB")
                && !text.contains("Hugging Face"),
            "{text}"
        );
    }
}
