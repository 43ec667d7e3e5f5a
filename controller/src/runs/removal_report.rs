//! The report of a removal: `report.json`, and its text for the user.

use hf2ms_worker::protocol::Exit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::removal::{RECORD, RemovalRecord};
use crate::runs::State;
use crate::ui::nouns::grouped;
use crate::ui::screen::{Screen, size};
use crate::ui::table::labelled;

/// The end of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemovalEnd {
    /// The hub has done it, and shows that it has.
    Done,
    /// This run did not learn the answer of its hub, which has done it.
    FoundDone,
}

/// The report of a removal: `report.json` of its run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RemovalReport {
    /// The run's id.
    pub run: String,
    /// How it ended.
    pub state: State,
    /// The end of the removal.
    pub end: RemovalEnd,
    /// The copy's page.
    pub url: String,
    /// What was removed, and where its copy is.
    #[serde(flatten)]
    pub record: RemovalRecord,
}

/// A removal has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename = "removal_report")]
pub struct RemovalReportEvent<'a> {
    #[serde(flatten)]
    report: &'a RemovalReport,
    /// The exit code.
    exit: u8,
}

impl RemovalReport {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self.state {
            State::Done => Exit::Done,
            State::Interrupted => Exit::Interrupted,
            _ => Exit::Incomplete,
        }
    }

    /// Shows it: to a person as lines, to a program as an event.
    pub fn print(&self, screen: &Screen) {
        screen.json(&RemovalReportEvent {
            report: self,
            exit: self.exit() as u8,
        });
        screen.print(self.readable());
    }

    /// The report for a person.
    pub fn readable(&self) -> String {
        let record = &self.record;
        let (files, bytes) = record.extent();
        let found = match self.end {
            RemovalEnd::Done => "",
            RemovalEnd::FoundDone => "; the run did not learn the answer",
        };
        let copy = match &record.copy_head {
            Some(head) => format!("{} at {head}", self.url),
            None => self.url.clone(),
        };
        let rows = [
            ("commit", record.source.revision.to_string()),
            ("files", format!("{}, {}", grouped(files), size(bytes))),
            ("compared", record.compared()),
            ("copy", copy),
            ("lost", record.lost()),
            ("digests", RECORD.to_owned()),
        ];
        let rows = rows.map(|(name, value)| labelled(name, value));
        let (done, url) = (record.removal.done(), record.source.web_url());
        format!("\n{done}{found}  {url}\n{}", rows.join("\n"))
    }
}
