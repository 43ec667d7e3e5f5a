//! The report of any run: that of a copy, of a mirror, or of a removal.

use hf2ms_worker::protocol::Exit;

use super::report::MirrorReport;
use crate::runs::removal_report::RemovalReport;
use crate::runs::report::Report;
use crate::runs::{RunRecord, RunVerb, Runs};
use crate::ui::screen::Screen;

const FILE: &str = "report.json";

/// The report of a run.
#[derive(Debug)]
pub enum RunReport {
    /// Of a copy.
    Copy(Box<Report>),
    /// Of a mirror.
    Mirror(Box<MirrorReport>),
    /// Of the removal of a source.
    Removal(Box<RemovalReport>),
}

impl RunReport {
    /// The report of this run, if it has one.
    pub fn read(record: &RunRecord, runs: &Runs) -> Option<Self> {
        match record.verb {
            RunVerb::Mirror => runs.read(&record.id, FILE).map(Self::Mirror),
            RunVerb::Cleanup => runs.read(&record.id, FILE).map(Self::Removal),
            RunVerb::Migrate | RunVerb::Verify => runs.read(&record.id, FILE).map(Self::Copy),
        }
    }

    /// The report, if it is that of a copy.
    pub fn of_copy(&self) -> Option<&Report> {
        match self {
            Self::Copy(report) => Some(report),
            Self::Mirror(_) | Self::Removal(_) => None,
        }
    }

    /// The report, if it is that of a mirror.
    pub fn of_mirror(&self) -> Option<&MirrorReport> {
        match self {
            Self::Mirror(report) => Some(report),
            Self::Copy(_) | Self::Removal(_) => None,
        }
    }

    /// The report, if it is that of a removal.
    pub fn of_removal(&self) -> Option<&RemovalReport> {
        match self {
            Self::Removal(report) => Some(report),
            Self::Copy(_) | Self::Mirror(_) => None,
        }
    }

    /// The report for a person.
    pub fn readable(&self) -> String {
        match self {
            Self::Copy(report) => report.readable(),
            Self::Mirror(report) => report.readable(),
            Self::Removal(report) => report.readable(),
        }
    }

    /// Shows it as its run did.
    pub fn print(&self, screen: &Screen) {
        match self {
            Self::Copy(report) => report.print(screen),
            Self::Mirror(report) => report.print(screen),
            Self::Removal(report) => report.print(screen),
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Copy(report) => report.exit(),
            Self::Mirror(report) => report.exit(),
            Self::Removal(report) => report.exit(),
        }
    }
}
